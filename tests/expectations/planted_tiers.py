"""Sound rows of the marts of tiers, value and movement, for the small bank of `conftest.py`."""

from __future__ import annotations

import csv
import datetime as dt
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from expectations.tiers import SCHEMES, Scheme
from expectations.value import BASES, HABITS, KINDS

SEEDS = Path(__file__).resolve().parents[2] / "dbt_project" / "seeds"
STRING, DATE, INTEGER, BOOLEAN = pa.string(), pa.date32(), pa.int32(), pa.bool_()
AMOUNT, SHARE, PRECISE_SHARE = pa.decimal128(18, 2), pa.decimal128(5, 4), pa.decimal128(7, 6)

Rows = dict[str, list[dict[str, Any]]]

_KEY = {"customer_id": STRING, "customer_kind": STRING, "relationship_status": STRING, "as_of_date": DATE}
_STATE = {
    "raw_tier": STRING,
    "candidate_tier": STRING,
    "earned_tier": STRING,
    "action_en": STRING,
    "action_zh": STRING,
    "rule_version": STRING,
    "reason": STRING,
    "override_author": STRING,
    "count_pending_snapshots": INTEGER,
    "is_overridden": BOOLEAN,
    "held_since_on": DATE,
    "earned_since_on": DATE,
    "pending_since_on": DATE,
}
_SCORES = {"r_score": INTEGER, "f_score": INTEGER, "m_score": INTEGER}
_TIERS = {
    **_KEY,
    "is_open": BOOLEAN,
    **{scheme.code: STRING for scheme in SCHEMES},
    **{f"raw_{scheme.code}": STRING for scheme in SCHEMES if scheme.shows_raw},
    **{f"{scheme.code}_since_on": DATE for scheme in SCHEMES},
}
_POLICY = {
    "as_of_date": DATE, "scheme": STRING, "customer_kind": STRING, "tier": STRING, "rule_version": STRING,
    "tier_order": INTEGER,
}  # fmt: skip
_PROFIT = {
    **_KEY,
    "interest_margin_90d": AMOUNT,
    "fees_90d": AMOUNT,
    "service_cost_90d": AMOUNT,
    "expected_credit_loss_90d": AMOUNT,
    "net_profit_90d": AMOUNT,
}
_BEHAVIOUR = {
    **_KEY,
    "count_transactions_365d": INTEGER,
    "weekend_share": SHARE,
    **{f"preferred_{habit}": STRING for habit in HABITS},
    **{f"preferred_{habit}_share": SHARE for habit in HABITS},
}
_CONCENTRATION = {
    "as_of_date": DATE, "basis": STRING, "customer_kind": STRING, "count_customers": INTEGER,
    "count_unknown": INTEGER, "sum_value": AMOUNT, "sum_positive_value": AMOUNT, "sum_negative_value": AMOUNT,
    "top_20_share": PRECISE_SHARE, "count_customers_80": INTEGER, "share_customers_80": PRECISE_SHARE,
    "gini": PRECISE_SHARE,
}  # fmt: skip
_LORENZ = {
    "as_of_date": DATE, "basis": STRING, "customer_kind": STRING, "point_no": INTEGER,
    "share_customers": PRECISE_SHARE, "share_value": PRECISE_SHARE,
}  # fmt: skip

_SUMMARY = {
    "as_of_date": DATE, "scheme": STRING, "customer_kind": STRING, "tier": STRING,
    "count_customers": INTEGER, "count_at_start": INTEGER,
}  # fmt: skip
_KPI_SHARES = {
    "as_of_date": DATE, "kpi_code": STRING, "dimension": STRING, "member": STRING, "denominator": AMOUNT,
}  # fmt: skip
_MIGRATION = {
    "as_of_date": DATE, "period": STRING, "scheme": STRING, "customer_kind": STRING, "from_state": STRING,
    "from_tier": STRING, "to_state": STRING, "to_tier": STRING, "count_customers": INTEGER,
}  # fmt: skip
_MOBILITY = {
    "as_of_date": DATE, "period": STRING, "scheme": STRING, "customer_kind": STRING, "basis": STRING,
    "count_customers": INTEGER, "count_moved": INTEGER, "count_tiers": INTEGER, "mobility": PRECISE_SHARE,
}  # fmt: skip
_CROSSWALK = {
    "as_of_date": DATE, "scheme": STRING, "tier": STRING, "other_scheme": STRING, "other_tier": STRING,
    "count_customers": INTEGER,
}  # fmt: skip

COLUMNS: dict[str, dict[str, pa.DataType]] = {
    **{
        scheme.mart: {
            **_KEY, **{f"{scheme.column}{suffix}": STRING for suffix in ("", "_en", "_zh")}, **_STATE,
            **(_SCORES if scheme.mart == "fct_customer_rfm" else {}),
        }
        for scheme in SCHEMES
    },
    "fct_customer_tiers": _TIERS,
    "int_tier_policy": _POLICY,
    "fct_customer_profit": _PROFIT,
    "fct_customer_behaviour": _BEHAVIOUR,
    "fct_value_concentration": _CONCENTRATION,
    "fct_value_lorenz": _LORENZ,
    "fct_tier_summary": _SUMMARY,
    "int_kpi_shares": _KPI_SHARES,
    "fct_tier_migration": _MIGRATION,
    "fct_tier_mobility": _MOBILITY,
    "fct_tier_crosswalk": _CROSSWALK,
    # Published with the others, and not looked at by a gate: dbt's tests hold it.
    "fct_tier_long_run": {"as_of_date": DATE},
}  # fmt: skip

ASSETS = Decimal("100.00")  # of each customer
_PROFIT_OF_EACH = Decimal("5.50")


def policy_tiers() -> list[dict[str, str]]:
    """The project's own policy of tiers in CNY, the newest version of each, in the order of the file."""
    with (SEEDS / "policy_tiers.csv").open(encoding="utf-8") as file:
        every = [row for row in csv.DictReader(file) if row["policy_set"] == "cny"]
    newest = {
        (row["scheme"], row["customer_kind"]): row["effective_from"]
        for row in sorted(every, key=lambda row: row["effective_from"])
    }
    return [row for row in every if newest[row["scheme"], row["customer_kind"]] == row["effective_from"]]


def rows(day: dt.date, customers: Sequence[str]) -> Rows:
    """Rows of every mart of `COLUMNS` for open personal customers, who go through the tiers in turn."""
    policy = policy_tiers()
    each = [
        {
            "customer_id": customer,
            "customer_kind": "personal",
            "relationship_status": "open",
            "as_of_date": day,
        }
        for customer in customers
    ]
    rated = {scheme.code: _rated(scheme, policy, each) for scheme in SCHEMES}
    return {
        **{scheme.mart: rated[scheme.code] for scheme in SCHEMES},
        "fct_customer_tiers": _side_by_side(each, rated),
        "int_tier_policy": [
            {**{column: row[column] for column in _POLICY if column in row}, "as_of_date": day,
             "tier_order": int(row["tier_order"])}
            for row in policy
        ],
        **_value(day, each),
        **_movement(day, policy, rated),
    }  # fmt: skip


def _rated(scheme: Scheme, policy: list[dict[str, str]], each: list[dict[str, Any]]) -> list[dict[str, Any]]:
    in_force = [row for row in policy if (row["scheme"], row["customer_kind"]) == (scheme.code, "personal")]
    rated = []
    for number, key in enumerate(each):
        tier = in_force[number % len(in_force)]
        rated.append(
            {
                **key,
                scheme.column: tier["tier"],
                f"{scheme.column}_en": tier["tier_en"],
                f"{scheme.column}_zh": tier["tier_zh"],
                **dict.fromkeys(("raw_tier", "candidate_tier", "earned_tier"), tier["tier"]),
                "action_en": tier["action_en"],
                "action_zh": tier["action_zh"],
                "rule_version": tier["rule_version"] + ", another_version",
                "reason": "because",
                "count_pending_snapshots": 0,
                "is_overridden": False,
                "held_since_on": key["as_of_date"],
                "earned_since_on": key["as_of_date"],
                **(dict.fromkeys(_SCORES, 1 if number else 0) if scheme.mart == "fct_customer_rfm" else {}),
            }
        )
    return rated


def _side_by_side(each: list[dict[str, Any]], rated: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    shown = []
    for number, key in enumerate(each):
        row = {**key, "is_open": True}
        for scheme in SCHEMES:
            own = rated[scheme.code][number]
            row[scheme.code] = own[scheme.column]
            row[f"{scheme.code}_since_on"] = own["held_since_on"]
            if scheme.shows_raw:
                row[f"raw_{scheme.code}"] = own["raw_tier"]
        shown.append(row)
    return shown


def _value(day: dt.date, each: list[dict[str, Any]]) -> Rows:
    """Everybody is worth the same, so that the figures of a spread are known without computing one."""
    habits = {
        **{f"preferred_{habit}": "the same" for habit in HABITS},
        **{f"preferred_{habit}_share": Decimal("0.7500") for habit in HABITS},
    }
    idle = {f"preferred_{habit}": "none" for habit in HABITS}
    sums = {"profit": _PROFIT_OF_EACH * len(each), "assets": ASSETS * len(each)}
    keys = [{"as_of_date": day, "basis": basis, "customer_kind": kind} for basis in BASES for kind in KINDS]
    nobody = {"count_customers": 0, "count_unknown": 0, **_amounts(Decimal(0))}
    return {
        "fct_customer_profit": [
            {
                **key,
                "interest_margin_90d": Decimal("9.00"),
                "fees_90d": Decimal("1.00"),
                "service_cost_90d": Decimal("3.50"),
                "expected_credit_loss_90d": Decimal("1.00"),
                "net_profit_90d": _PROFIT_OF_EACH,
            }
            for key in each
        ],
        "fct_customer_behaviour": [
            {**each[0], "count_transactions_365d": 0, **idle},
            *(
                {**key, "count_transactions_365d": 12, "weekend_share": Decimal("0.2500"), **habits}
                for key in each[1:]
            ),
        ],
        "fct_value_concentration": [
            {
                **key,
                "count_customers": len(each),
                "count_unknown": 0,
                **_amounts(sums[key["basis"]]),
                "top_20_share": Decimal(1),
                "count_customers_80": len(each) * 4 // 5,
                "share_customers_80": Decimal("0.8"),
                "gini": Decimal(0),
            }
            if key["customer_kind"] != "small_business"
            else {**key, **nobody}
            for key in keys
        ],
        "fct_value_lorenz": [
            {
                **key,
                "point_no": point,
                "share_customers": Decimal(point) / 100,
                "share_value": Decimal(point) / 100 if key["customer_kind"] != "small_business" else None,
            }
            for key in keys
            for point in range(101)
        ],
    }


def _movement(day: dt.date, policy: list[dict[str, str]], rated: dict[str, list[dict[str, Any]]]) -> Rows:
    """The first customer is new, and everybody else stays in the tier of a month ago."""
    held = {scheme.code: [row[scheme.column] for row in rated[scheme.code]] for scheme in SCHEMES}
    summary = [
        {"as_of_date": day, "scheme": scheme, "customer_kind": kind, "tier": tier,
         "count_customers": 0 if kind == "small_business" else held[scheme].count(tier),
         "count_at_start": 2}
        for scheme, tier in dict.fromkeys((row["scheme"], row["tier"]) for row in policy)
        for kind in KINDS
    ]  # fmt: skip
    period = {"as_of_date": day, "period": "month"}
    kinds = [kind for kind in KINDS if kind != "small_business"]
    pairs = Counter(
        (one, tier, other, other_tier)
        for one in held
        for other in held
        if one != other
        for tier, other_tier in zip(held[one], held[other], strict=True)
    )
    return {
        "fct_tier_summary": summary,
        # Two of each value tier, as the summary says.
        "int_kpi_shares": [
            {"as_of_date": day, "kpi_code": code, "member": kind, "denominator": Decimal(count),
             "dimension": "all" if kind == "all" else "customer_kind"}
            for code, count in (("churn_rate_period", 6), ("active_share", 9))
            for kind in KINDS
        ],
        "fct_tier_migration": [
            {**period, "scheme": scheme, "customer_kind": kind, "from_state": state,
             "from_tier": tier if state == "in_stock" else state, "to_state": "in_stock", "to_tier": tier,
             "count_customers": count}
            for scheme, tiers in held.items()
            for kind in kinds
            for (state, tier), count in Counter(
                [("new", tiers[0]), *(("in_stock", tier) for tier in tiers[1:])]
            ).items()
        ],
        "fct_tier_mobility": [
            {**period, "scheme": scheme, "customer_kind": kind, "basis": "effective",
             "count_customers": len(tiers) - 1, "count_moved": 0, "count_tiers": len(set(tiers)),
             "mobility": Decimal(0)}
            for scheme, tiers in held.items()
            for kind in kinds
        ],
        "fct_tier_crosswalk": [
            {"as_of_date": day, "scheme": one, "tier": tier, "other_scheme": other,
             "other_tier": other_tier, "count_customers": count}
            for (one, tier, other, other_tier), count in pairs.items()
        ],
    }  # fmt: skip


def _amounts(total: Decimal) -> dict[str, Decimal]:
    return {"sum_value": total, "sum_positive_value": total, "sum_negative_value": Decimal(0)}
