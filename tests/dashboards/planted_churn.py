"""What the planted bank's marts of churn, risk and fairness hold, and its tables of model and monitoring."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pyarrow as pa

from tests.dashboards.planted_tiers import AS_OF, BOOLEAN, DATE, INTEGER, MONEY, STRING

COUNT, LONG = INTEGER, pa.int64()
RATE, POINTS = pa.decimal128(18, 6), pa.decimal128(9, 4)
KEY = {"as_of_date": DATE, "customer_id": STRING}
INDICATORS = {
    "age": "0.05", "sex": "0", "education": "0.05", "income": "0.10", "assets": "0.20", "products": "0.15",
    "transactions": "0.25", "credit_use": "0.05", "rate_gap": "0.10", "policy_rate": "0.05",
}  # fmt: skip
CHURN_MARTS = {
    "fct_churn_rates": {
        "as_of_date": DATE,
        "period": STRING,
        "dimension": STRING,
        "member": STRING,
        "churn_form": STRING,
        "choice": STRING,
        "currency_code": STRING,
        "count_active_at_start": COUNT,
        "count_churned": COUNT,
        "churn_rate": RATE,
        "churn_rate_annualised": RATE,
        "index_to_bank": pa.decimal128(18, 4),
        "sum_balance_churned": MONEY,
        "balance_churn_rate": RATE,
        "balance_churn_rate_annualised": RATE,
        "from_date": DATE,
    },
    "fct_churn_reasons": {
        "as_of_date": DATE,
        "period": STRING,
        "churn_form": STRING,
        "reason_code": STRING,
        "destination": STRING,
        "is_voluntary": BOOLEAN,
        "count_churned": COUNT,
        "count_known_balances": COUNT,
        "sum_balance_churned": MONEY,
    },
    "fct_customer_risk_index": {
        **KEY,
        "risk_grade": STRING,
        "risk_grade_en": STRING,
        "risk_grade_zh": STRING,
        "index_score": POINTS,
        **{f"points_{name}": POINTS for name in INDICATORS},
    },
    "fct_churn_reason_codes": {
        **KEY,
        "reason_rank": INTEGER,
        "reason_code": STRING,
        "reason_en": STRING,
        "reason_zh": STRING,
        "action_code": STRING,
        "action_en": STRING,
        "action_zh": STRING,
        "contribution": pa.decimal128(18, 8),
    },
    "fct_score_fairness": {
        "as_of_date": DATE,
        "dimension": STRING,
        "member": STRING,
        "count_scored": LONG,
        "mean_probability": pa.decimal128(18, 8),
        "selection_rate": RATE,
        "selection_ratio": RATE,
        "min_selection_ratio": pa.decimal128(6, 4),
        "is_reference": BOOLEAN,
        "is_large_enough": BOOLEAN,
        "is_flagged": BOOLEAN,
    },
    "fct_action_fairness": {
        "as_of_date": DATE,
        "dimension": STRING,
        "member": STRING,
        "action_code": STRING,
        "count_at_risk": LONG,
        "offer_rate": RATE,
        "offer_ratio": RATE,
        "is_flagged": BOOLEAN,
    },
}
OF_SCORES = ("fct_churn_scores", "fct_churn_reason_codes", "fct_score_fairness", "fct_action_fairness")
FORMS = ("account_closure", "balance_drain", "silence", "loan_runoff", "card_stop")
YEAR_AGO = dt.date(2025, 10, 31)
# Churned in the year by form: those that count add up to 72 of 900, 8 %.
YEAR = {
    "any": 72,
    "account_closure": 20,
    "balance_drain": 40,
    "silence": 12,
    "loan_runoff": 5,
    "card_stop": 9,
}
PASSIVE = {"any": 6, "account_closure": 6}
# Dimension, member, active, churned. The group of 90 is too small to be told, whatever its rate.
TRAITS = [
    ("value_tier", "high", 90, 1), ("value_tier", "mid", 270, 14), ("value_tier", "low", 540, 57),
    ("customer_kind", "personal", 790, 52), ("customer_kind", "small_business", 110, 20),
    ("tenure_band", "under_1_year", 120, 24), ("tenure_band", "5_years_or_more", 400, 16),
    ("product_families", "1", 300, 42), ("product_families", "4_or_more", 100, 2),
    ("preferred_channel", "branch", 210, 15), ("preferred_channel", "unknown", 140, 33),
    ("asset_tier", "mass", 130, 30), ("sex", "female", 400, 30), ("age_band", "18_24", 150, 21),
    ("education", "primary", 90, 36), ("product_held", "wealth", 200, 6), ("product_held", "loan", 180, 9),
]  # fmt: skip
# Form, reason, destination, own choice, customers.
LEFT = [
    ("account_closure", "better_rate", "internet_bank", True, 9),
    ("account_closure", "poor_service", "city_bank", True, 5),
    ("account_closure", "death", "unknown", False, 4),
    ("account_closure", "bank_policy", "unknown", False, 2),
    ("balance_drain", "better_rate", "brokerage", True, 14),
    ("balance_drain", "unknown", "unknown", True, 26),
    ("silence", "unknown", "unknown", True, 12),
]  # fmt: skip
# Words of the reason in English and Chinese, then the action and its words.
REASONS = {
    "falling_balance": ("Balance is falling", "账户余额下降", "savings_offer", "Offer a deposit", "推荐存款"),
    "few_products": ("Holds few products", "持有产品少", "product_offer", "Offer a product", "推荐产品"),
    "complaint": ("Has complained", "有投诉记录", "complaint_callback", "Call back", "回访客户"),
    "rate_gap": ("Competitors pay better rates", "同业利率更高", "rate_offer", "Offer a rate", "优惠利率"),
    "low_activity": ("Uses the bank little", "交易不活跃", "activation_offer", "Offer a benefit", "推荐优惠"),
    "card_idle": ("Card is hardly used", "银行卡较少使用", "card_offer", "Offer a card", "用卡优惠"),
}  # fmt: skip
GRADES = {"A": ("Very safe", "很低", 30), "B": ("Safe", "较低", 45), "C": ("Watched", "关注", 60),
          "D": ("Risky", "较高", 70), "E": ("Very risky", "很高", 101)}  # fmt: skip


def month_ends(count: int = 24) -> list[dt.date]:
    """The newest month-ends up to the day, the oldest first."""
    months = [AS_OF.year * 12 + AS_OF.month - 1 - back for back in range(count)]
    firsts = [dt.date((month + 1) // 12, (month + 1) % 12 + 1, 1) for month in reversed(months)]
    return [first - dt.timedelta(days=1) for first in firsts]


def rate(
    day: dt.date, period: str, start: dt.date, group: tuple[str, str], counts: tuple[int, int], **more: Any
) -> dict[str, Any]:
    """A row of fct_churn_rates; half of the share of customers churned, of balances."""
    active, churned = counts
    share = Decimal(churned) / active
    exponent = Decimal(365) / (day - start).days
    return {
        "as_of_date": day,
        "period": period,
        "dimension": group[0],
        "member": group[1],
        "churn_form": "any",
        "choice": "all",
        "currency_code": "CNY",
        "count_active_at_start": active,
        "count_churned": churned,
        "churn_rate": round(share, 6),
        "churn_rate_annualised": round(1 - (1 - share) ** exponent, 6),
        "index_to_bank": None,
        "sum_balance_churned": Decimal(churned * 10_000),
        "balance_churn_rate": round(share / 2, 6),
        "balance_churn_rate_annualised": round(1 - (1 - share / 2) ** exponent, 6),
        "from_date": start,
        **more,
    }


def churn_rates() -> list[dict[str, Any]]:
    """The year by form, choice and trait, and the last month, which is not the longest period."""
    rows = []
    for form, churned in YEAR.items():
        passive = PASSIVE.get(form, 0)
        for choice, count in (("all", churned), ("voluntary", churned - passive), ("passive", passive)):
            one = rate(AS_OF, "year", YEAR_AGO, ("all", "all"), (900, count))
            rows.append({**one, "churn_form": form, "choice": choice, "index_to_bank": Decimal(1)})
    for dimension, member, active, churned in TRAITS:
        index = round(Decimal(churned) / active / (Decimal(72) / 900), 4)
        one = rate(AS_OF, "year", YEAR_AGO, (dimension, member), (active, churned))
        rows.append({**one, "index_to_bank": index})
    return rows + monthly_rates()[-1:]


def monthly_rates() -> list[dict[str, Any]]:
    """One row a month-end; the last month has what the reasons of months add up to."""
    ends = [dt.date(2024, 10, 31), *month_ends()]
    return [
        rate(end, "month", start, ("all", "all"), (900, sum(monthly(number).values())))
        for number, (start, end) in enumerate(pairwise(ends))
    ]


def monthly(number: int) -> dict[str, int]:
    """Churned by form in the month of a number."""
    return {"account_closure": 1 + number % 3, "balance_drain": 3 + number % 4, "silence": number % 2}


def churn_reasons() -> list[dict[str, Any]]:
    """Of the year."""
    return [
        {
            "as_of_date": AS_OF,
            "period": "year",
            "churn_form": form,
            "reason_code": reason,
            "destination": destination,
            "is_voluntary": is_voluntary,
            "count_churned": count,
            "count_known_balances": count - (reason == "death"),
            "sum_balance_churned": Decimal(count * 10_000),
        }
        for form, reason, destination, is_voluntary, count in LEFT
    ]


def monthly_reasons() -> list[dict[str, Any]]:
    """Of each month."""
    return [
        {
            "as_of_date": end,
            "period": "month",
            "churn_form": form,
            "reason_code": "unknown",
            "destination": "unknown",
            "is_voluntary": True,
            "count_churned": count,
            "count_known_balances": count,
            "sum_balance_churned": Decimal(count * 10_000),
        }
        for number, end in enumerate(month_ends())
        for form, count in monthly(number).items()
        if count
    ]


def of_customer(number: int, probability: Decimal) -> dict[str, Any]:
    """Columns of marts of customers: index with its points, money, first reason, special groups."""
    score = Decimal((number * 37) % 1000) / 10
    grade = next(grade for grade, (_, _, bound) in GRADES.items() if score < bound)
    profit = None if number % 97 == 0 else Decimal(40 * (number % 90) - 200)
    loss = None if profit is None else round(max(profit, Decimal(0)) * probability * 2, 2)
    told = reasons_of(number)
    first = REASONS[told[0]] if told else (None, None)
    is_elderly = None if number % 50 == 49 else number % 6 == 0
    is_disabled = number % 40 == 0
    return {
        "index_score": score,
        **{f"points_{name}": score * Decimal(weight) for name, weight in INDICATORS.items()},
        "risk_grade": grade,
        "risk_grade_en": GRADES[grade][0],
        "risk_grade_zh": GRADES[grade][1],
        "annual_profit_amount": profit,
        "expected_loss_amount": loss,
        "balance_at_risk_amount": round(probability * 1000 * (number % 150), 2),
        "currency_code": "CNY",
        "reason_1": told[0] if told else None,
        "reason_1_en": first[0],
        "reason_1_zh": first[1],
        "is_elderly": is_elderly,
        "is_disabled": is_disabled,
        "needs_adapted_service": True if is_elderly or is_disabled else is_elderly,
    }  # fmt: skip


def reasons_of(number: int) -> list[str]:
    """Up to five reasons of the customer of a number."""
    codes = list(REASONS)
    return [codes[(number + place) % len(codes)] for place in range(number % 6)]


def reason_codes(customers: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row a customer and reason; contributions fall by half."""
    return [
        {
            "as_of_date": AS_OF,
            "customer_id": customer["customer_id"],
            "reason_rank": place + 1,
            "reason_code": code,
            **dict(
                zip(("reason_en", "reason_zh", "action_code", "action_en", "action_zh"), REASONS[code],
                    strict=True)
            ),
            "contribution": Decimal("1.2") / 2**place,
        }
        for number, customer in enumerate(customers)
        for place, code in enumerate(reasons_of(number))
    ]  # fmt: skip


# Dimension: members with customers and selected; the first is the reference.
GROUPS = {
    "sex": [("male", 480, 96), ("female", 420, 60), ("unknown", 100, 20)],
    "is_elderly": [("false", 820, 164), ("true", 160, 30), ("unknown", 20, 4)],
    "age_band": [("35_44", 300, 60), ("25_34", 280, 61), ("65_plus", 120, 22), ("under_18", 4, 0)],
}
FLAGGED = ("sex", "female")


def score_fairness() -> list[dict[str, Any]]:
    """Women are selected .71 times as often as men; children are too few to tell."""
    rows = []
    for dimension, members in GROUPS.items():
        _, all_reference, selected_reference = members[0]
        standard = Decimal(selected_reference) / all_reference
        for place, (member, count, selected) in enumerate(members):
            share = Decimal(selected) / count
            rows.append(
                {
                    "as_of_date": AS_OF,
                    "dimension": dimension,
                    "member": member,
                    "count_scored": count,
                    "mean_probability": round(share / 2, 8),
                    "selection_rate": round(share, 6),
                    "selection_ratio": round(share / standard, 6),
                    "min_selection_ratio": Decimal("0.8"),
                    "is_reference": place == 0,
                    "is_large_enough": count >= 50,
                    "is_flagged": (dimension, member) == FLAGGED,
                }
            )
    return rows


def action_fairness() -> list[dict[str, Any]]:
    """Two actions, one of which women are offered too seldom."""
    return [
        {
            "as_of_date": AS_OF,
            "dimension": "sex",
            "member": member,
            "action_code": action,
            "count_at_risk": count,
            "offer_rate": Decimal(offered),
            "offer_ratio": Decimal(ratio),
            "is_flagged": (member, action) == ("female", "rate_offer"),
        }
        for member, count, action, offered, ratio in (
            ("male", 480, "rate_offer", "0.2", "1"),
            ("female", 420, "rate_offer", "0.1", "0.5"),
            ("male", 480, "savings_offer", "0.3", "1"),
            ("female", 420, "savings_offer", "0.3", "1"),
        )
    ]


MODEL, TRAINED_BY = "churn-20260930", "run_20260930_02"
# Part: AUC, EMPC and the other figures.
PARTS = {
    "test": {"auc": 0.8123, "average_precision": 0.31, "ks": 0.48, "lift_top_decile": 4.33, "brier": 0.0489,
             "calibration_slope": 1.04, "calibration_intercept": 0.03, "calibration_error": 0.004,
             "empc": 1.92, "mpc": 1.8, "tpr": 0.46},
    "tier_rate_baseline": {"auc": 0.641, "average_precision": 0.12, "ks": 0.22, "lift_top_decile": 1.6,
                           "brier": 0.0585, "calibration_slope": 0.9, "calibration_intercept": 0.1,
                           "calibration_error": 0.01, "empc": 0.95, "mpc": 0.9},
    "risk_index_baseline": {"auc": 0.702, "average_precision": 0.15, "ks": 0.3, "lift_top_decile": 2.1,
                            "brier": 0.0571, "calibration_slope": None, "calibration_intercept": None,
                            "calibration_error": None, "empc": 1.2, "mpc": 1.1},
    "over_tier_rate_baseline": {"auc": 0.1713, "empc": 0.97},
}  # fmt: skip
SEGMENTS = [
    ("value_tier", "high", 0.79, 0.55), ("value_tier", "mid", 0.80, 0.49), ("value_tier", "low", 0.77, 0.44),
    ("customer_kind", "personal", 0.81, 0.46), ("customer_kind", "small_business", 0.76, 0.4),
    ("sex", "female", 0.82, 0.43), ("sex", "male", 0.80, 0.45), ("age_band", "18_24", 0.78, 0.5),
    ("age_band", "65_plus", None, None),
]  # fmt: skip


def model_metrics() -> list[dict[str, Any]]:
    """Figures of the champion; and of another training of the same day, which are not to be shown."""
    figures = [
        (part, "all", "all", metric, value)
        for part, named in PARTS.items()
        for metric, value in named.items()
    ]
    for dimension, member, auc, tpr in SEGMENTS:
        group = {"rows": 400, "churners": 28, "churn_rate": 0.07, "auc": auc,
                 "calibration_slope": auc and 1.01, "selection_rate": 0.1, "tpr": tpr,
                 "fpr": 0.06}  # fmt: skip
        figures += [("test", dimension, member, metric, value) for metric, value in group.items()]
    row = {"model_version": MODEL, "run_id": TRAINED_BY, "as_of_date": dt.date(2026, 9, 30)}
    rows = [
        {
            **row,
            "part": part,
            "dimension": dimension,
            "member": member,
            "metric": metric,
            "metric_value": value,
            "low_value": None if value is None else value - 0.02,
            "high_value": None if value is None else value + 0.02,
        }
        for part, dimension, member, metric, value in figures
    ]
    stranger = {
        "part": "test",
        "dimension": "sex",
        "member": "stranger",
        "metric": "auc",
        "metric_value": 0.1,
    }
    return [*rows, {**row, **stranger, "run_id": "run_20260930_09"}]


def monitoring() -> list[dict[str, Any]]:
    """Older days whose drift is not to be shown, and the newest with two alerts."""
    at = dt.datetime(2026, 11, 1, 2)
    newest = {"run_id": "run_20261031_02", "as_of_date": AS_OF, "model_version": MODEL, "monitored_at": at}
    older = {**newest, "run_id": "run_20260731_02", "as_of_date": dt.date(2026, 7, 31)}
    oldest = {**newest, "run_id": "run_20260430_02", "as_of_date": dt.date(2026, 4, 30)}
    features = [(f"feature_{place:02d}", round(0.3 * math.exp(-place / 4), 4)) for place in range(20)]
    found: list[tuple[dict[str, Any], str, str, float | None, float | None, float | None, str, str]] = [
        (newest, "champion_age", "all", None, 31.0, 92.0, "ok", "31 days"),
        (newest, "features_drifted", "all", None, 0.1, 0.25, "ok", "2 of 20 features have drifted"),
        (newest, "score_psi", "all", None, 0.04, 0.1, "ok", "scores of 1000 customers"),
        (newest, "volume", "all", None, None, None, "unknown", "no scores a month before"),
        (newest, "auc", MODEL, 0.812, 0.806, 0.762, "ok", "61 churners"),
        (newest, "calibration_slope", MODEL, 1.0, 0.6, 0.25, "alert", "1 is right"),
        (newest, "calibration_intercept", MODEL, 0.0, 0.02, 0.25, "ok", "0 is right"),
        (older, "auc", "churn-20260331", 0.79, 0.801, 0.74, "ok", "52 churners"),
        (older, "calibration_slope", "churn-20260331", 1.0, 0.97, 0.25, "ok", "1 is right"),
        (oldest, "auc", "churn-20251231", None, 0.79, None, "unknown", "its test is not in the registry"),
        (oldest, "calibration_slope", "churn-20251231", 1.0, 1.02, 0.25, "ok", "1 is right"),
        (older, "feature_psi", "feature_of_old", None, 0.9, 0.1, "alert", "older"),
    ]
    found += [
        (newest, "feature_psi", name, None, psi, 0.27, "alert" if psi > 0.27 else "ok", f"{name} has moved")
        for name, psi in features
    ]
    names = (
        "check_name",
        "subject",
        "reference_value",
        "check_value",
        "threshold_value",
        "status",
        "message",
    )
    return [{**run, **dict(zip(names, rest, strict=True))} for run, *rest in found]
