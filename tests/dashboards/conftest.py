"""The planted bank, for the tests of the report."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.dashboards.planted import plant_bank


@pytest.fixture(scope="session")
def plant() -> Callable[..., None]:
    """`plant_bank`, for tests that choose what to plant."""
    return plant_bank
