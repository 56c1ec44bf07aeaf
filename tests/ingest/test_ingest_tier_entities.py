"""Overrides of tiers and loyalty events: what their contracts refuse, and how their rows arrive."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.ingest.bank import Bank, Row, bank, day, midnight, write_csv


def override(number: int, **changes: Any) -> Row:
    """One good override, O<number>, with changed values."""
    return {
        "override_id": f"O{number}",
        "customer_id": f"C{number % 3 + 1}",
        "scheme": "value_tier",
        "tier": "high",
        "author": "S1024",
        "reason": "moves its turnover here from another bank",
        "starts_on": "2026-02-01",
        "expires_on": "2026-06-01",
        **changes,
    }


def loyalty_event(number: int, **changes: Any) -> Row:
    """One good booking of points, E<number>, with changed values."""
    return {
        "loyalty_event_id": f"E{number}",
        "customer_id": f"C{number % 3 + 1}",
        "booked_on": "2026-03-31",
        "event_type": "points_earned",
        "points": "120",
        **changes,
    }


OVERRIDE_FAULTS: list[tuple[Row, str, str]] = [
    ({"override_id": ""}, "override_id", "key"),
    ({"customer_id": "C99"}, "customer_id", "orphan"),
    ({"scheme": "churn_risk"}, "scheme", "enum"),
    ({"tier": "高价值"}, "tier", "type"),
    ({"tier": ""}, "tier", "required"),
    ({"author": "Wang Wei"}, "author", "type"),
    ({"author": "wangwei"}, "author", "type"),
    ({"author": ""}, "author", "required"),
    ({"reason": ""}, "reason", "required"),
    ({"starts_on": ""}, "starts_on", "required"),
    ({"expires_on": ""}, "expires_on", "required"),
    ({"expires_on": "never"}, "expires_on", "type"),
]
EVENT_FAULTS: list[tuple[Row, str, str]] = [
    ({"loyalty_event_id": ""}, "loyalty_event_id", "key"),
    ({"customer_id": "C99"}, "customer_id", "orphan"),
    ({"event_type": "gift"}, "event_type", "enum"),
    ({"booked_on": "2026-04-01"}, "booked_on", "range"),
    ({"points": "-1"}, "points", "range"),
    ({"points": "1.5"}, "points", "type"),
    ({"points": ""}, "points", "required"),
]


@pytest.mark.parametrize(
    ("entity", "make", "faults"),
    [
        ("tier_overrides", override, OVERRIDE_FAULTS),
        ("loyalty_events", loyalty_event, EVENT_FAULTS),
    ],
)
def test_each_bad_row_is_rejected_with_its_column_and_reason(
    entity: str, make: Any, faults: list[tuple[Row, str, str]], quick_bank: Bank, tmp_path: Path
) -> None:
    good = [make(number) for number in range(1000)]
    bad = [make(2000 + number, **changes) for number, (changes, _, _) in enumerate(faults)]
    quick_bank.load(write_csv(tmp_path / "landing", bank(1, **{entity: [*good, *bad]})))
    assert quick_bank.rejected() == [
        (1002 + number, column, code) for number, (_, column, code) in enumerate(faults)
    ]
    assert quick_bank.rows(f"select count(*) from raw.{entity}") == [(1000,)]


def test_an_override_is_announced_ahead_changed_and_ended_by_later_versions(
    bank_here: Bank, tmp_path: Path
) -> None:
    landing = tmp_path / "landing"
    ahead = override(2, starts_on="2026-04-15")
    write_csv(landing / "2026-03-31", bank(1, tier_overrides=[override(1), ahead]))
    ended = override(1, expires_on="2026-04-01", known_at="2026-04-01")
    write_csv(landing / "2026-04-02", {"tier_overrides": [ended, ahead]})
    bank_here.load(landing, as_of="2026-04-01")
    assert bank_here.rows(
        "select override_id, starts_on, expires_on, valid_from, known_at from raw.tier_overrides"
        " order by override_id, valid_from"
    ) == [
        ("O1", day("2026-02-01"), day("2026-06-01"), day("2026-02-01"), midnight("2026-02-01")),
        ("O1", day("2026-02-01"), day("2026-04-01"), day("2026-04-01"), midnight("2026-04-01")),
        ("O2", day("2026-04-15"), day("2026-06-01"), day("2026-04-15"), midnight("2026-03-31")),
    ]


def test_loyalty_events_load_once_and_one_that_changed_is_refused(bank_here: Bank, tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    referral = loyalty_event(2, event_type="referral", points="0", booked_on="2026-03-02")
    write_csv(landing / "2026-03-31", bank(1, loyalty_events=[loyalty_event(1), referral]))
    again = [loyalty_event(1), {**referral, "points": "500"}, loyalty_event(3, event_type="points_redeemed")]
    write_csv(landing / "2026-04-01", {"loyalty_events": again})
    bank_here.load(landing)
    assert bank_here.rows(
        "select loyalty_event_id, event_type, points, batch_no from raw.loyalty_events order by 1"
    ) == [
        ("E1", "points_earned", 120, 1),
        ("E2", "referral", 0, 1),
        ("E3", "points_redeemed", 120, 2),
    ]
    assert bank_here.rejected() == [(3, "loyalty_event_id", "conflicting_duplicate")]
