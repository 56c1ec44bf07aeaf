"""What a suite is made of: something to look at, and what must be true of it."""

from __future__ import annotations

from dataclasses import dataclass

from great_expectations.expectations.expectation import Expectation

WARN = "warning"  # Great Expectations' word for a finding that is recorded and stops nothing


@dataclass(frozen=True)
class Asset:
    """A query and the expectations on its rows.

    `relation` is the table as ops.test_results names it; `reads` are the tables the query needs, so that a
    missing one is reported by name. With `holds_customers` no value of a row may enter a message; without it
    the rows are counts over the bank, and a message shows the first that break an expectation.
    """

    relation: str
    query: str
    expectations: tuple[Expectation, ...]
    reads: tuple[str, ...]
    holds_customers: bool = False


def named(name: str) -> dict[str, str]:
    """The `meta` of an expectation: its name, a sentence that is true when it holds."""
    return {"name": name}
