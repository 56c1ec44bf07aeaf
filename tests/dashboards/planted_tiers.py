"""What the planted bank's marts of tiers, movement and value hold."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from decimal import Decimal
from functools import cache
from typing import Any

import pyarrow as pa

AS_OF = dt.date(2026, 10, 31)

STRING, DATE, INTEGER, BOOLEAN = pa.string(), pa.date32(), pa.int32(), pa.bool_()
MONEY, SHARE = pa.decimal128(18, 2), pa.decimal128(9, 6)
ORDINAL_SCHEMES = (
    "value_tier", "asset_tier", "pyramid_tier", "savings_grade", "risk_appetite", "loyalty_class",
)  # fmt: skip
TIER_MARTS = {
    "fct_customer_tiers": {
        "as_of_date": DATE,
        "customer_id": STRING,
        "customer_kind": STRING,
        "value_tier": STRING,
        "pyramid_tier": STRING,
        "is_open": BOOLEAN,
        **{f"{scheme}_since_on": DATE for scheme in ORDINAL_SCHEMES},
    },
    "fct_customer_asset_tiers": {"as_of_date": DATE, "customer_id": STRING, "metric_amount": MONEY},
    "fct_tier_summary": {
        "as_of_date": DATE,
        "scheme": STRING,
        "customer_kind": STRING,
        "tier": STRING,
        "tier_order": INTEGER,
        "tier_en": STRING,
        "tier_zh": STRING,
        "count_customers": INTEGER,
        "mean_amount_365d": MONEY,
        "mean_product_families": pa.decimal128(9, 4),
        "multi_product_share": SHARE,
        "satisfaction_share": SHARE,
        "churn_rate_annualised": SHARE,
        "plan_count_customers": INTEGER,
        "plan_churn_rate_annualised": SHARE,
        "plan_kind_churn_rate_annualised": SHARE,
        "plan_satisfaction_share": SHARE,
    },
    "fct_tier_migration": {
        "as_of_date": DATE,
        "period": STRING,
        "scheme": STRING,
        "customer_kind": STRING,
        "from_tier": STRING,
        "to_tier": STRING,
        "from_date": DATE,
        "count_customers": INTEGER,
    },
    "fct_tier_mobility": {
        "as_of_date": DATE,
        "period": STRING,
        "scheme": STRING,
        "customer_kind": STRING,
        "basis": STRING,
        "from_date": DATE,
        "count_customers": INTEGER,
        "mobility": SHARE,
        "moved_share": SHARE,
        "flip_back_rate": SHARE,
    },
    "fct_value_concentration": {
        "as_of_date": DATE,
        "basis": STRING,
        "customer_kind": STRING,
        "count_customers": INTEGER,
        "count_unknown": INTEGER,
        "sum_value": MONEY,
        "sum_positive_value": MONEY,
        "count_negative": INTEGER,
        "top_20_share": SHARE,
        "share_customers_80": SHARE,
        "gini": SHARE,
    },
    "fct_value_lorenz": {
        "as_of_date": DATE,
        "basis": STRING,
        "customer_kind": STRING,
        "point_no": INTEGER,
        "share_customers": SHARE,
        "share_value": SHARE,
    },
}
SPELLS = {"scheme": STRING, "customer_id": STRING, "tier": STRING, "started_on": DATE, "ended_on": DATE}
# Scheme, then its tiers from the best on: code, English, Chinese.
TIERS = {
    "value_tier": [("high", "High value", "高价值"), ("mid", "Mid value", "中价值"),
                   ("low", "Low value", "低价值")],
    "asset_tier": [("high_net_worth", "High net worth", "高净值"), ("affluent", "Affluent", "富裕"),
                   ("mass", "Mass", "大众")],
    "pyramid_tier": [("vip", "VIP", "VIP客户"), ("important", "Important", "重要客户"),
                     ("ordinary", "Ordinary", "普通客户"), ("potential", "Potential", "潜在客户")],
    "savings_grade": [("excellent", "Excellent", "优质"), ("good", "Good", "良好"),
                      ("ordinary", "Ordinary", "普通"), ("risk", "At risk", "风险")],
    "risk_appetite": [("aggressive", "Aggressive", "进取"), ("growth", "Growth", "成长"),
                      ("balanced", "Balanced", "平衡"), ("steady", "Steady", "稳健"),
                      ("conservative", "Conservative", "保守"), ("unknown", "Unknown", "未知")],
    "loyalty_class": [("platinum", "Platinum", "铂金"), ("gold", "Gold", "黄金"),
                      ("silver", "Silver", "白银"), ("basic", "Basic", "普通")],
}  # fmt: skip
# The customer whose tiers moved in most schemes; of equal ones the one with the greatest assets.
LIVELY, LESS_LIVELY, POORER = "CUST-00149", "CUST-00298", "CUST-00147"
FIRST = dt.date(2024, 11, 30)
LIVELY_PATH = {
    "value_tier": [("low", FIRST), ("mid", dt.date(2025, 3, 31)), ("high", dt.date(2026, 1, 31))],
    "asset_tier": [("mass", FIRST), ("affluent", dt.date(2026, 2, 28))],
    "pyramid_tier": [("ordinary", FIRST), ("important", dt.date(2025, 6, 30)),
                     ("vip", dt.date(2026, 9, 30))],
    "savings_grade": [("ordinary", FIRST), ("good", dt.date(2025, 9, 30))],
    "risk_appetite": [("unknown", FIRST), ("balanced", dt.date(2025, 1, 31)),
                      ("unknown", dt.date(2026, 1, 31)), ("growth", dt.date(2026, 3, 31))],
    "loyalty_class": [("basic", FIRST)],
}  # fmt: skip


@cache
def moved_on(customer_id: str, scheme: str) -> dt.date | None:
    """When the last spell of one of the few who ever moved began."""
    for spell in spells():
        if (spell["customer_id"], spell["scheme"], spell["ended_on"]) == (customer_id, scheme, None):
            found: dt.date = spell["started_on"]
            return found
    return None


def spells() -> list[dict[str, Any]]:
    """The history of three customers: the lively one moved most; the less lively one is as rich and moved in
    as many schemes, but less often; the poorer one moved as often as the lively one.
    """
    rows: list[dict[str, Any]] = []
    for customer_id, drop in ((LIVELY, 0), (LESS_LIVELY, 1), (POORER, 0)):
        for scheme, path in LIVELY_PATH.items():
            path = path[:1] + path[1 + drop :] if len(path) > 2 else path
            for (tier, start), (_, end) in zip(path, [*path[1:], ("", None)], strict=True):
                rows.append(
                    {
                        "scheme": scheme,
                        "customer_id": customer_id,
                        "tier": tier,
                        "started_on": start,
                        "ended_on": end,
                    }
                )
    return rows


def tier_summary(customers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every tier of every scheme by kind; customers are counted for the two schemes that the report shows."""
    everyone = [row for row in customers if row["is_open"]]
    plan = {"high": (100_000, "0.02"), "mid": (200_000, "0.05"), "low": (200_000, "0.10")}
    plan_of_kind = {"all": "0.07", "personal": "0.064", "small_business": "0.13"}
    rows = []
    for scheme, tiers in TIERS.items():
        for kind in ("all", "personal", "small_business"):
            counts = Counter(row.get(scheme) for row in everyone if kind in ("all", row["customer_kind"]))
            for order, (tier, english, chinese) in enumerate(tiers, start=1):
                planned = plan.get(tier) if (scheme, kind) == ("value_tier", "personal") else None
                rows.append(
                    {
                        "as_of_date": AS_OF,
                        "scheme": scheme,
                        "customer_kind": kind,
                        "tier": tier,
                        "tier_order": order,
                        "tier_en": english,
                        "tier_zh": chinese,
                        "count_customers": counts[tier],
                        "mean_amount_365d": Decimal(400_000 // order**2),
                        "mean_product_families": Decimal(6 - order) / 2,
                        "multi_product_share": Decimal("0.72") - Decimal(order) / 10,
                        "satisfaction_share": Decimal("0.95") - Decimal(order) / 50,
                        "churn_rate_annualised": Decimal("0.024") * order**2 if order < 4 else None,
                        "plan_count_customers": planned and planned[0],
                        "plan_churn_rate_annualised": planned and Decimal(planned[1]),
                        "plan_kind_churn_rate_annualised": Decimal(plan_of_kind[kind]),
                        "plan_satisfaction_share": Decimal("0.85"),
                    }
                )
    return rows


def migration() -> list[dict[str, Any]]:
    """A quarter and, which the report prefers, a year; the year has everything that can happen."""
    year = {("high", "high"): 80, ("high", "mid"): 9, ("high", "low"): 1, ("high", "churned"): 2,
            ("mid", "high"): 12, ("mid", "mid"): 240, ("mid", "low"): 25, ("mid", "churned"): 15,
            ("low", "mid"): 30, ("low", "low"): 470, ("low", "churned"): 60,
            ("new", "high"): 3, ("new", "mid"): 8, ("new", "low"): 76, ("reactivated", "low"): 6}  # fmt: skip
    quarter = {("high", "high"): 96, ("mid", "mid"): 288, ("low", "low"): 576}
    return [
        {
            "as_of_date": AS_OF,
            "period": period,
            "scheme": "value_tier",
            "customer_kind": "all",
            "from_tier": source,
            "to_tier": target,
            "from_date": start,
            "count_customers": count,
        }
        for period, start, flows in (
            ("year", dt.date(2025, 10, 31), year),
            ("quarter", dt.date(2026, 7, 31), quarter),
        )
        for (source, target), count in flows.items()
    ]


def mobility() -> list[dict[str, Any]]:
    """By month and by quarter; four schemes by the rule alone and as published, the others as published."""
    measured = {"value_tier": ("0.081", "0.024"), "asset_tier": ("0.032", "0.011"),
                "pyramid_tier": ("0.121", "0.035"), "loyalty_class": ("0.044", "0.019"),
                "risk_appetite": (None, "0.02"), "savings_grade": (None, "0.05"),
                "lifecycle_stage": (None, "0.06"), "rfm_segment": (None, "0.09")}  # fmt: skip
    return [
        {
            "as_of_date": AS_OF,
            "period": period,
            "scheme": scheme,
            "customer_kind": "all",
            "basis": basis,
            "from_date": AS_OF - dt.timedelta(days=31),
            "count_customers": 900,
            "mobility": Decimal(moved) * 2,
            "moved_share": Decimal(moved),
            "flip_back_rate": Decimal(moved) * (5 if basis == "raw" else 1),
        }
        for period in ("month", "quarter")
        for scheme, (raw, effective) in measured.items()
        for basis, moved in (("raw", raw), ("effective", effective))
        if moved is not None
    ]


# Basis: share of the top fifth, share who hold four fifths, Gini, the curve's power, customers below zero.
CURVES = {"profit": ("0.76", "0.10", "0.71", 7, 96), "assets": ("0.62", "0.22", "0.58", 4, 0)}


def concentration() -> list[dict[str, Any]]:
    """One row a basis."""
    return [
        {
            "as_of_date": AS_OF,
            "basis": basis,
            "customer_kind": "all",
            "count_customers": 960,
            "count_unknown": 3,
            "sum_value": Decimal("2400000.00"),
            "sum_positive_value": Decimal("2450000.00"),
            "count_negative": negative,
            "top_20_share": Decimal(top),
            "share_customers_80": Decimal(few),
            "gini": Decimal(gini),
        }
        for basis, (top, few, gini, _, negative) in CURVES.items()
    ]


def lorenz() -> list[dict[str, Any]]:
    """A hundred and one points a basis; who is below zero has nothing of the profit."""
    return [
        {
            "as_of_date": AS_OF,
            "basis": basis,
            "customer_kind": "all",
            "point_no": point,
            "share_customers": Decimal(point) / 100,
            "share_value": (Decimal(max(point - first, 0)) ** power / Decimal(100 - first) ** power).quantize(
                Decimal("0.000001")
            ),
        }
        for basis, (_, _, _, power, negative) in CURVES.items()
        for first in (10 if negative else 0,)
        for point in range(101)
    ]
