"""Frozen RFM cuts, fitted on a published day by the quantile rule: on that day the scores are equal."""

import csv
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TextIO

from policy.codes import CUSTOMER_KINDS, HIGHEST_RFM_SCORE
from policy.faults import PolicyError
from warehouse import Warehouse

HISTORY = "history.fct_customer_rfm"
# Column and whether more of it is better.
MEASURES = {"r": ("recency_days", False), "f": ("frequency_days", True), "m": ("monetary_amount", True)}


@dataclass(frozen=True)
class Cuts:
    """Rows for policy_rfm_cuts.csv, and the kinds of customer of whom nobody was active."""

    rows: list[dict[str, str]]
    without_activity: list[str]


def fit(wh: Warehouse, *, as_of: dt.date, effective_from: dt.date, rule_version: str) -> Cuts:
    """Cuts for the scores 2 to 5, per kind of customer, from the snapshot that stands for `as_of`.

    Raises PolicyError when no snapshot of that day stands.
    """
    _refuse_unpublished(wh, as_of)
    bank = wh.query(
        "select policy_set, reporting_currency_code as currency_code from ops.sources"
    ).to_pylist()[0]
    found = Cuts(rows=[], without_activity=[])
    for kind in CUSTOMER_KINDS:
        for measure, (column, is_more_better) in MEASURES.items():
            counts = wh.query(
                f"""
                select {column} as value, count(*) as customers
                from {HISTORY}
                where as_of_date = $1 and customer_kind = $2 and frequency_days > 0
                group by {column}
                order by {column} {"asc" if is_more_better else "desc"}
                """,
                [as_of, kind],
            ).to_pylist()
            if not counts:
                found.without_activity.append(kind)
                break
            cuts = quantile_cuts([(row["value"], row["customers"]) for row in counts], HIGHEST_RFM_SCORE)
            for score, value in cuts.items():
                edge = f"{Decimal(value):.2f}"
                found.rows.append(
                    {
                        "policy_set": bank["policy_set"],
                        "customer_kind": kind,
                        "measure": measure,
                        "score": str(score),
                        "at_least": edge if is_more_better else "",
                        "at_most": "" if is_more_better else edge,
                        "unit": bank["currency_code"] if measure == "m" else "days",
                        "rule_version": rule_version,
                        "effective_from": effective_from.isoformat(),
                    }
                )
    return found


def quantile_cuts(counts: Sequence[tuple[int | Decimal, int]], bins: int) -> dict[int, int | Decimal]:
    """The worst value of each score from 2 to `bins`; `counts` are values and their customers, worst first.

    The score of a value is ceil(bins x share of customers with a value as bad or worse). A score that ties
    leave empty has the cut of the next one.
    """
    total = sum(customers for _, customers in counts)
    worst: dict[int, int | Decimal] = {}
    cumulated = 0
    for value, customers in counts:
        cumulated += customers
        reached = -(-bins * cumulated // total)
        for score in range(2, reached + 1):
            worst.setdefault(score, value)
    return worst


def write_rows(cuts: Cuts, out: TextIO) -> None:
    """The rows without a header, to be added to policy_rfm_cuts.csv."""
    if cuts.rows:
        writer = csv.DictWriter(out, list(cuts.rows[0]), lineterminator="\n")
        writer.writerows(cuts.rows)


def _refuse_unpublished(wh: Warehouse, as_of: dt.date) -> None:
    if "customer_kind" not in wh.column_types(HISTORY):
        raise PolicyError(
            "no RFM scores by kind of customer are published yet: publish a day first (`make run`)"
        )
    if not wh.query(f"select 1 as one from {HISTORY} where as_of_date = $1 limit 1", [as_of]).num_rows:
        dates = wh.query(f"select distinct as_of_date from {HISTORY} order by as_of_date desc limit 5")
        listed = ", ".join(str(date) for date in dates["as_of_date"].to_pylist())
        raise PolicyError(f"no published snapshot of {as_of} stands; the newest are of {listed}")
