"""The clock: for columns that record when something was done, never for data."""

from __future__ import annotations

import datetime as dt


def utc_now() -> dt.datetime:
    """The time in UTC, without a zone, as the columns keep it."""
    return dt.datetime.now(dt.UTC).replace(tzinfo=None)
