"""A published bank of a thousand customers, planted in the marts directly."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa

from tests.dashboards.planted_churn import (
    CHURN_MARTS,
    OF_SCORES,
    action_fairness,
    churn_rates,
    churn_reasons,
    model_metrics,
    monitoring,
    monthly_rates,
    monthly_reasons,
    of_customer,
    reason_codes,
    score_fairness,
)
from tests.dashboards.planted_tiers import (
    AS_OF,
    FIRST,
    ORDINAL_SCHEMES,
    SPELLS,
    TIER_MARTS,
    concentration,
    lorenz,
    migration,
    mobility,
    moved_on,
    spells,
    tier_summary,
)
from warehouse import Settings, Warehouse, open_warehouse
from warehouse.publish import PUBLIC_MARTS, publish
from warehouse.runs import start_run, utc_now
from warehouse.spells import SPELLS_VIEW

COUNT = 1000
CLOSED = 40  # of them, who are in the marts and not among the customers a reader counts

STRING, DATE, INTEGER, BOOLEAN = pa.string(), pa.date32(), pa.int32(), pa.bool_()
MONEY = pa.decimal128(18, 2)
MARTS = {
    **TIER_MARTS,
    **CHURN_MARTS,
    "dim_customers": {
        "as_of_date": DATE,
        "customer_id": STRING,
        "is_open": BOOLEAN,
        "is_elderly": BOOLEAN,
        "is_disabled": BOOLEAN,
        "needs_adapted_service": BOOLEAN,
    },
    "fct_customer_activity": {"as_of_date": DATE, "customer_id": STRING},
    "fct_customer_rfm": {
        "as_of_date": DATE,
        "customer_id": STRING,
        "recency_days": INTEGER,
        "monetary_amount": MONEY,
        "r_score": INTEGER,
        "f_score": INTEGER,
        "m_score": INTEGER,
        "segment": STRING,
        "segment_en": STRING,
        "segment_zh": STRING,
    },
    "fct_kpis": {
        "as_of_date": DATE,
        "kpi_code": STRING,
        "kpi_en": STRING,
        "kpi_zh": STRING,
        "dimension": STRING,
        "member": STRING,
        "unit": STRING,
        "currency_code": STRING,
        "kpi_value": pa.decimal128(24, 6),
        "target_value": pa.decimal128(24, 6),
        "is_on_target": BOOLEAN,
    },
    "fct_churn_scores": {
        "as_of_date": DATE,
        "customer_id": STRING,
        "model_version": STRING,
        "churn_probability": pa.decimal128(9, 8),
        "risk_decile": INTEGER,
        "risk_band": STRING,
        "risk_band_en": STRING,
        "risk_band_zh": STRING,
        "reason_1": STRING,
        "reason_1_en": STRING,
        "reason_1_zh": STRING,
        "currency_code": STRING,
        "annual_profit_amount": MONEY,
        "expected_loss_amount": MONEY,
        "balance_at_risk_amount": MONEY,
    },
}
BANDS = {"high": ("High risk", "高风险"), "medium": ("Medium risk", "中风险"), "low": ("Low risk", "低风险")}
SEGMENTS = {
    "champions": ("Champions", "重要价值客户"),
    "at_risk": ("At risk", "流失风险客户"),
    "inactive": ("Inactive", "无交易客户"),
}
KPIS = [
    # code, en, zh, unit, value, target, on target
    ("customers", "Customers with an open account", "有效客户数", "count", "960", None, None),
    ("balance", "Deposits at the end of the day", "存款余额", "amount", "48300000.50", None, None),
    ("churn_rate_annualised", "Churn rate, annualised", "年化流失率", "share", "0.071", "0.05", False),
    ("satisfaction_share", "Satisfied answers of a year", "客户满意度", "share", "0.913", "0.90", True),
    ("multi_product_share", "Customers with two or more product families", "多产品客户占比", "share", "0.28",
     "0.30", False),
    ("active_share", "Customers who acted within 90 days", "活跃客户占比", "share", None, None, None),
]  # fmt: skip


def add(wh: Warehouse, table: str, rows: Sequence[dict[str, Any]]) -> None:
    """Append rows given as dicts; the table says the types."""
    columns = wh.query(f"select * from {table} limit 0").schema
    wh.append(table, pa.Table.from_pylist(list(rows), schema=columns))


def customers() -> list[dict[str, Any]]:
    """All columns of all customer marts, one dict a customer, with numbers that depend on its place alone."""
    rows = []
    for number in range(COUNT):
        tier = "high" if number % 10 == 0 else "mid" if number % 10 < 4 else "low"
        rank = number * 7 % 20
        pyramid = (
            "vip" if rank == 0 else "important" if rank < 4 else "ordinary" if rank < 15 else "potential"
        )
        r, f = 1 + number % 5, 1 + (number // 5) % 5
        m = 1 + (number // 25 + f) % 5
        segment = "champions" if r + f > 7 else "at_risk"
        if number % 20 == 0:
            r = f = m = 0
            segment = "inactive"
        probability = Decimal((number * number) % 997) ** 3 / Decimal(997**3)
        band = (
            "high" if probability >= Decimal("0.2") else "medium" if probability >= Decimal("0.05") else "low"
        )
        customer_id = f"CUST-{number:05d}"
        rows.append(
            {
                "as_of_date": AS_OF,
                "customer_id": customer_id,
                "customer_kind": "small_business" if number % 8 == 0 else "personal",
                "is_open": number >= CLOSED,
                "value_tier": tier,
                "pyramid_tier": pyramid,
                **{
                    f"{scheme}_since_on": moved_on(customer_id, scheme) or FIRST for scheme in ORDINAL_SCHEMES
                },
                "metric_amount": Decimal(1000 * (number % 150)),
                "recency_days": None if r == 0 else 10 * (6 - r),
                "monetary_amount": Decimal(1000 * (number % 150)),
                "r_score": r,
                "f_score": f,
                "m_score": m,
                "segment": segment,
                "segment_en": SEGMENTS[segment][0],
                "segment_zh": SEGMENTS[segment][1],
                "model_version": "churn-20260930",
                "churn_probability": probability.quantize(Decimal("0.00000001")),
                "risk_decile": 1 + number % 10,
                "risk_band": band,
                "risk_band_en": BANDS[band][0],
                "risk_band_zh": BANDS[band][1],
                **of_customer(number, probability),
            }
        )
    return rows


def kpis() -> list[dict[str, Any]]:
    """Headline indicators, and the churn of each kind of customers."""
    rows: list[dict[str, Any]] = [
        {
            "as_of_date": AS_OF,
            "kpi_code": code,
            "kpi_en": en,
            "kpi_zh": zh,
            "dimension": "all",
            "member": "all",
            "unit": unit,
            "currency_code": "CNY" if unit == "amount" else None,
            "kpi_value": value and Decimal(value),
            "target_value": target and Decimal(target),
            "is_on_target": is_on_target,
        }
        for code, en, zh, unit, value, target, is_on_target in KPIS
    ]
    churn = next(row for row in rows if row["kpi_code"] == "churn_rate_annualised")
    return rows + [
        {**churn, "dimension": "customer_kind", "member": kind, "kpi_value": Decimal(value)}
        for kind, value in (("personal", "0.061"), ("small_business", "0.128"))
    ]


# What the marts hold that are not by customer.
AGGREGATES: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "fct_kpis": kpis,
    "fct_tier_summary": lambda: tier_summary(customers()),
    "fct_tier_migration": migration,
    "fct_tier_mobility": mobility,
    "fct_value_concentration": concentration,
    "fct_value_lorenz": lorenz,
    "fct_churn_rates": churn_rates,
    "fct_churn_reasons": churn_reasons,
    "fct_churn_reason_codes": lambda: reason_codes(customers()),
    "fct_score_fairness": score_fairness,
    "fct_action_fairness": action_fairness,
}
# History that is not of the published day alone: planted in place of the views.
HISTORY: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "fct_churn_rates": monthly_rates,
    "fct_churn_reasons": monthly_reasons,
}


CAPTURED = (0.433, 0.633, 0.75, 0.825, 0.883, 0.925, 0.958, 0.975, 0.992, 1.0)
METRICS = {
    "test": {
        "gains": [
            {"share": tenth / 10, "captured": found, "lift": found / (tenth / 10)}
            for tenth, found in enumerate(CAPTURED, start=1)
        ]
    },
    "tier_rate_baseline": {
        "gains": [
            {"share": tenth / 10, "captured": min(1.0, tenth / 8), "lift": 1.2} for tenth in range(1, 11)
        ]
    },
}
TESTS = (
    ("expectation", "arrival", 49),
    ("dbt", "facts", 61),
    ("dbt", "marts", 58),
    ("expectation", "marts", 30),
    ("dbt", "lists", 12),
    ("expectation", "scores", 11),
)


def plant_bank(settings: Settings, *, with_scores: bool = True, without: Sequence[str] = ()) -> None:
    """Publish the bank in an initialised warehouse; `without`: marts that its publication does not show."""
    with open_warehouse(settings) as wh:
        add(
            wh,
            "ops.sources",
            [
                {
                    "source": "demo",
                    "policy_set": "cny",
                    "reporting_currency_code": "CNY",
                    "landing_lag_days": 2,
                    "max_rejected_share": 0.02,
                }
            ],
        )
        add(
            wh,
            "ops.batches",
            [
                {
                    "batch_id": f"B{number}",
                    "batch_no": number,
                    "source": "demo",
                    "delivered_on": AS_OF - dt.timedelta(days=15 - number),
                    "is_history": number == 1,
                    "status": "loaded",
                    "rows_read": 1_000_000 // number,
                    "rows_loaded": 1_000_000 // number - 14,
                    "rows_rejected": 10,
                    "rows_duplicate": 4,
                    "loaded_at": utc_now(),
                }
                for number in range(1, 16)
            ],
        )
        add(
            wh,
            "ops.rejected_rows",
            [
                {
                    "batch_id": "B1",
                    "entity": entity,
                    "file_name": f"{entity}.csv",
                    "line_no": line,
                    "reason_code": reason,
                    "reason": "for a reason",
                    "raw_text": "CUST-99999,SECRET",
                }
                for entity, reason, count in (
                    ("transactions", "orphan", 90),
                    ("transactions", "conflicting_duplicate", 33),
                    ("customers", "enum", 27),
                )
                for line in range(count)
            ],
        )
        run_id = start_run(wh, kind="daily", as_of_date=AS_OF, key="daily", source="demo")
        if not with_scores:
            wh.execute(
                "update ops.runs set note = 'scores: too young: first outcome is known on 2027-03-31'"
                " where run_id = $1",
                [run_id],
            )
        everyone = customers()
        unread = {
            mart: {"as_of_date": DATE, "customer_id": STRING} for mart in PUBLIC_MARTS if mart not in MARTS
        }
        for mart, columns in (MARTS | unread).items():
            wh.create_table(f"{run_id}.{mart}", pa.schema(list(columns.items())))
            rows = AGGREGATES[mart]() if mart in AGGREGATES else everyone
            if mart not in OF_SCORES or with_scores:
                add(wh, f"{run_id}.{mart}", [{name: row[name] for name in columns} for row in rows])
        if with_scores:
            add(
                wh,
                "ops.training_runs",
                [
                    {
                        "model_version": "churn-20260930",
                        "run_id": "run_20260930_02",
                        "as_of_date": dt.date(2026, 9, 30),
                        "outcome": "promoted",
                        "chosen_model": "hist_gradient_boosting",
                        "rows_trained": 20_000,
                        "churners_trained": 1_200,
                        "auc": 0.8123,
                        "average_precision": 0.31,
                        "brier": 0.0489,
                        "lift_top_decile": 4.33,
                        "calibration_slope": 1.04,
                        "metrics": json.dumps(METRICS),
                        "trained_at": utc_now(),
                    }
                ],
            )
            add(wh, "ops.model_metrics", model_metrics())
            add(wh, "ops.model_monitoring", monitoring())
        result = {"run_id": run_id, "as_of_date": AS_OF, "severity": "error", "executed_at": utc_now()}
        add(
            wh,
            "ops.test_results",
            [
                {
                    **result,
                    "tool": tool,
                    "gate": gate,
                    "test_name": f"test_{number}",
                    "relation": f"{run_id}.dim_customers",
                    "status": "pass",
                    "failures": 0,
                    "message": "",
                }
                for tool, gate, count in TESTS
                for number in range(count)
            ]
            + [
                {
                    **result,
                    "tool": "expectation",
                    "gate": "arrival",
                    "severity": "warn",
                    "test_name": "newest_booking_is_recent",
                    "relation": "raw.transactions",
                    "status": "warn",
                    "failures": 1,
                    "message": "1 of 1 rows: 12",
                }
            ],
        )
        publish(wh, run_id)
        with wh.transaction():
            hidden = [f"marts.{mart}" for mart in without] + [f"history.{mart}" for mart in HISTORY]
            wh.replace_views({**dict.fromkeys(hidden), SPELLS_VIEW: None})
            for mart, months in HISTORY.items():
                if mart not in without:
                    wh.create_table(f"history.{mart}", pa.schema(list(MARTS[mart].items())))
                    add(wh, f"history.{mart}", months())
            if "customer_tier_spells" not in without:
                wh.create_table(SPELLS_VIEW, pa.schema(list(SPELLS.items())))
                add(wh, SPELLS_VIEW, spells())
