"""The views over personal data: whom to keep, and customers masked."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest

from tests.warehouse.planted import BEFORE, DAY, plant_run, plant_source, published
from warehouse import Settings, Warehouse, open_warehouse
from warehouse.publish import publish, rollback

# Replaces the planted marts of a run: what the view reads of them.
COLUMNS = {
    "dim_customers": ("customer_id", "branch_id"),
    "fct_customer_tiers": ("customer_id", "value_tier"),
    "fct_churn_scores": (
        *("customer_id", "model_version", "risk_band", "reason_1", "reason_1_en", "reason_1_zh"),
        *("currency_code", "churn_probability", "expected_loss_amount"),
    ),
    "fct_churn_reason_codes": ("customer_id", "reason_rank", "action_code", "action_en", "action_zh"),
}
TYPES = {
    "reason_rank": pa.int32(),
    "churn_probability": pa.decimal128(9, 8),
    "expected_loss_amount": pa.decimal128(18, 2),
    "valid_from": pa.date32(),
    "birth_date": pa.date32(),
    "known_at": pa.timestamp("us"),
    "batch_no": pa.int32(),
    "is_marketing_allowed": pa.bool_(),
}


def put(wh: Warehouse, name: str, columns: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    schema = pa.schema([(column, TYPES.get(column, pa.string())) for column in columns])
    wh.create_table(name, schema)
    wh.append(name, pa.Table.from_pylist([dict(zip(columns, row, strict=True)) for row in rows], schema))


def plant_people(wh: Warehouse) -> None:
    at = dt.datetime(2026, 1, 1)
    old, new = dt.date(2020, 1, 1), dt.date(2025, 1, 1)
    put(
        wh,
        "restricted.customers",
        (
            *("customer_id", "full_name", "phone", "email", "national_id", "birth_date"),
            *("valid_from", "known_at", "batch_no"),
        ),
        [
            ("C1", "Old Name", "111", None, "ID0001", dt.date(1980, 2, 29), old, at, 1),
            ("C1", "New Name", "+86 138 1234", "c1@mail.example", "ID0001", dt.date(1980, 2, 29), new, at, 2),
            ("C2", "王", "7788", None, None, None, old, at, 1),
            ("C3", "Third", "5550000", None, "12", dt.date(1999, 1, 1), old, at, 1),
        ],
    )
    put(
        wh,
        "raw.customers",
        ("customer_id", "is_marketing_allowed", "valid_from", "known_at", "batch_no"),
        [
            ("C1", False, old, at, 1),
            ("C1", True, new, at, 2),
            ("C2", None, old, at, 1),
            ("C3", True, old, at, 1),
        ],
    )


def plant_scored_run(wh: Warehouse, day: dt.date, key: str | None = None) -> str:
    run_id = plant_run(wh, day, key=key or str(day))
    rows: dict[str, list[tuple[object, ...]]] = {
        "dim_customers": [(name, f"B-{name}") for name in ("C1", "C2", "C3")],
        "fct_customer_tiers": [(name, f"tier {name}") for name in ("C1", "C2", "C3")],
        "fct_churn_scores": [
            ("C1", "m1", "high", "r1", "One", "一", "CNY", Decimal("0.5"), Decimal("10.50")),
            ("C2", "m1", "medium", None, None, None, "CNY", Decimal("0.1"), None),
            ("C3", "m1", "low", "r1", "One", "一", "CNY", Decimal("0.01"), Decimal("1.00")),
        ],
        "fct_churn_reason_codes": [
            ("C1", 1, None, None, None),
            ("C1", 2, "care_call", "Call", "致电"),
            ("C1", 3, "offer", "Offer", "优惠"),
        ],
    }
    for mart, columns in COLUMNS.items():
        wh.execute(f"drop table {run_id}.{mart}")
        put(wh, f"{run_id}.{mart}", columns, rows[mart])
        wh.execute(f"alter table {run_id}.{mart} add column as_of_date date")
        wh.execute(f"update {run_id}.{mart} set as_of_date = date '{day}'")
    return run_id


def test_whom_to_keep_has_contact_data_and_the_first_action_allowed(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        plant_source(wh)
        plant_people(wh)
        publish(wh, plant_scored_run(wh, BEFORE))
        publish(wh, plant_scored_run(wh, DAY))
        rows = wh.query("select * from crm.customers_to_keep order by customer_id").to_pylist()
        assert rows == [
            {
                "customer_id": "C1",
                "full_name": "New Name",
                "phone": "+86 138 1234",
                "email": "c1@mail.example",
                "branch_id": "B-C1",
                "value_tier": "tier C1",
                "risk_band": "high",
                "reason_1": "r1",
                "reason_1_en": "One",
                "reason_1_zh": "一",
                "action_code": "care_call",
                "action_en": "Call",
                "action_zh": "致电",
                "currency_code": "CNY",
                "churn_probability": Decimal("0.5"),
                "expected_loss_amount": Decimal("10.50"),
                "is_marketing_allowed": True,
                "as_of_date": DAY,
            },
            {
                "customer_id": "C2",
                "full_name": "王",
                "phone": "7788",
                "email": None,
                "branch_id": "B-C2",
                "value_tier": "tier C2",
                "risk_band": "medium",
                "reason_1": None,
                "reason_1_en": None,
                "reason_1_zh": None,
                "action_code": None,
                "action_en": None,
                "action_zh": None,
                "currency_code": "CNY",
                "churn_probability": Decimal("0.1"),
                "expected_loss_amount": None,
                # Who was never asked has not allowed it.
                "is_marketing_allowed": False,
                "as_of_date": DAY,
            },
        ]
        rollback(wh)
        assert wh.query("select distinct as_of_date from crm.customers_to_keep")[
            "as_of_date"
        ].to_pylist() == [BEFORE]


@pytest.mark.parametrize(
    "change",
    ["drop table {run}.fct_churn_reason_codes", "alter table {run}.fct_churn_scores drop column reason_1_zh"],
)
def test_rollback_to_a_run_of_before_a_mart_shows_nobody_to_keep(settings: Settings, change: str) -> None:
    """Marts and columns come with new versions; a run that lacks one cannot be shown by them."""
    with open_warehouse(settings) as wh:
        plant_source(wh)
        plant_people(wh)
        before = plant_scored_run(wh, BEFORE)
        publish(wh, before)
        newest = plant_scored_run(wh, DAY)
        publish(wh, newest)
        assert wh.exists("crm.customers_to_keep")
        wh.execute(change.format(run=before))
        withdrawn, shown = rollback(wh)
        assert (withdrawn.run_id, shown.run_id) == (newest, before)
        assert not wh.exists("crm.customers_to_keep")
        assert wh.exists("masked.customers")
        again = plant_scored_run(wh, DAY, "again")
        publish(wh, again)
        assert wh.query("select customer_id from crm.customers_to_keep order by 1")[
            "customer_id"
        ].to_pylist() == ["C1", "C2"]


def test_masked_customers_show_no_more_than_they_should(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        plant_source(wh)
        plant_people(wh)
        publish(wh, plant_scored_run(wh, DAY))
        rows = wh.query("select * from masked.customers order by customer_id").to_pylist()
    names = ("customer_id", "masked_name", "masked_phone", "masked_national_id", "birth_year")
    assert rows == [
        dict(zip(names, row, strict=True))
        for row in (
            ("C1", "N***", "***1234", "***01", 1980),
            # One character, four digits, two digits: to show them would be to show all.
            ("C2", "***", "***", None, None),
            ("C3", "T***", "***0000", "***", 1999),
        )
    ]


@pytest.mark.parametrize("schema", ["crm", "masked"])
def test_without_personal_data_there_are_no_such_views(duckdb_settings: Settings, schema: str) -> None:
    with open_warehouse(duckdb_settings) as wh:
        plant_source(wh)
        published(wh, DAY, "one")
        name = {"crm": "crm.customers_to_keep", "masked": "masked.customers"}[schema]
        assert not wh.exists(name)
