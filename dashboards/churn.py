"""Who left, how, from which groups, why and where to: published churn rates and reasons."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from dashboards.reading import Reader, Row

# In the order in which they are stacked and listed.
FORMS = ("account_closure", "balance_drain", "silence", "loan_runoff", "card_stop")
# Month-ends shown of the history.
MOST_MONTHS = 36
# Customers active at the start that a group needs before its rate is held against the bank's: with the plan's
# 7 % a year, fewer than these see no more than a handful leave.
LEAST_MEMBERS = 100
# Groups shown at either end.
MOST_TRAITS = 6


@dataclass(frozen=True)
class ChurnAnalysis:
    """Rows of plain values in a stable order; empty where nothing was published."""

    # False: the publication was made before there were rates
    is_built: bool = False
    # one row a month-end, the oldest first: as_of_date, count_active_at_start, count_churned, churn_rate,
    # churn_rate_annualised, balance_churn_rate, balance_churn_rate_annualised
    months: list[Row] = field(default_factory=list)
    # as_of_date of a month in `months`, churn_form, count_churned
    month_forms: list[Row] = field(default_factory=list)
    # the longest period that has a start: period, from_date; None: no period is over yet
    period: str | None = None
    # of that period: dimension, member, churn_form, choice and the figures of fct_churn_rates
    rates: list[Row] = field(default_factory=list)
    # of that period: reason_code, destination, is_voluntary, count_churned, sum_balance_churned
    reasons: list[Row] = field(default_factory=list)

    def rate(self, form: str = "any", choice: str = "all") -> Row | None:
        """The bank's figures for a form and choice; None when there are none."""
        wanted = ("all", form, choice)
        for row in self.rates:
            if (row["dimension"], row["churn_form"], row["choice"]) == wanted:
                return row
        return None

    def by_member(self, dimension: str) -> dict[str, Row]:
        """All forms together, by member of a dimension."""
        return {row["member"]: row for row in self.rates if row["dimension"] == dimension}

    def by_choice(self) -> list[Row]:
        """One row a form: churn_form, and the bank's figures under all, voluntary and passive."""
        rows = []
        for form in ("any", *FORMS):
            everybody = self.rate(form)
            if everybody is not None:
                rest = {choice: self.rate(form, choice) for choice in ("voluntary", "passive")}
                rows.append({"churn_form": form, "all": everybody, **rest})
        return rows

    def traits(self) -> tuple[list[Row], list[Row]]:
        """Groups of at least LEAST_MEMBERS with the highest and with the lowest index to the bank."""
        rows = [
            row
            for row in self.rates
            if row["dimension"] != "all"
            and row["member"] != "unknown"
            and row["index_to_bank"] is not None
            and row["count_active_at_start"] >= LEAST_MEMBERS
        ]
        ordered = sorted(rows, key=lambda row: (-row["index_to_bank"], row["dimension"], row["member"]))
        highest = [row for row in ordered if row["index_to_bank"] > 1][:MOST_TRAITS]
        lowest = [row for row in ordered if row["index_to_bank"] < 1][-MOST_TRAITS:]
        return highest, lowest

    def told_reasons(self) -> list[Row]:
        """Churned customers by reason, the most frequent first: reason_code, is_voluntary, count, balance."""
        return added_up(self.reasons, lambda row: (row["reason_code"], row["is_voluntary"]))

    def told_destinations(self) -> list[Row]:
        """Churned customers by where they went, those of whom it is known first."""
        rows = added_up(self.reasons, lambda row: (row["destination"],))
        return sorted(rows, key=lambda row: row["destination"] == "unknown")

    def destination_known(self) -> float:
        """The share of the churned of whom it is known where they went."""
        return sum(row["share"] for row in self.told_destinations() if row["destination"] != "unknown")


def added_up(rows: Iterable[Row], key: Callable[[Row], tuple[Any, ...]]) -> list[Row]:
    """Counts, shares and balances of reasons by a key; one unknown balance makes the sum unknown."""
    found: dict[tuple[Any, ...], Row] = {}
    rows = list(rows)
    total = sum(row["count_churned"] for row in rows) or 1
    for row in rows:
        if key(row) not in found:
            found[key(row)] = {**row, "count_churned": 0, "sum_balance_churned": 0.0}
        one = found[key(row)]
        one["count_churned"] += row["count_churned"]
        if row["sum_balance_churned"] is None or one["sum_balance_churned"] is None:
            one["sum_balance_churned"] = None
        else:
            one["sum_balance_churned"] += row["sum_balance_churned"]
    for one in found.values():
        one["share"] = one["count_churned"] / total
    return sorted(found.values(), key=lambda row: (-row["count_churned"], str(key(row))))


def read_churn(reader: Reader) -> ChurnAnalysis:
    """Read one publication; the months from the whole history up to its day."""
    rates, reasons = "fct_churn_rates", "fct_churn_reasons"
    months = reader.rows(MONTHS, {f"history.{rates}": ()})[::-1]
    forms = reader.rows(MONTH_FORMS, {f"history.{reasons}": ()}) if months else []
    shown = {row["as_of_date"] for row in months}
    periods = reader.rows(PERIODS, {rates: ()})
    period = periods[0]["period"] if periods else None
    of_period = [reader.as_of, period]
    return ChurnAnalysis(
        is_built=reader.has(rates),
        months=months,
        month_forms=[row for row in forms if row["as_of_date"] in shown],
        period=period,
        rates=reader.rows(RATES, {rates: ()}, of_period) if period else [],
        reasons=reader.rows(REASONS, {reasons: ()}, of_period) if period else [],
    )


# A month that ends within a month would overlap the next one: month-ends only.
MONTHS = f"""
select
    as_of_date,
    count_active_at_start,
    count_churned,
    churn_rate,
    churn_rate_annualised,
    balance_churn_rate,
    balance_churn_rate_annualised
from history.fct_churn_rates
where
    as_of_date <= $1
    and extract(day from as_of_date + 1) = 1
    and period = 'month'
    and dimension = 'all'
    and churn_form = 'any'
    and choice = 'all'
order by as_of_date desc
limit {MOST_MONTHS}
"""

MONTH_FORMS = """
select as_of_date, churn_form, cast(sum(count_churned) as integer) as count_churned
from history.fct_churn_reasons
where as_of_date <= $1 and extract(day from as_of_date + 1) = 1 and period = 'month'
group by as_of_date, churn_form
order by as_of_date, churn_form
"""

# The longest first; a churn period (the outcome window) is there before any snapshot is old enough.
PERIODS = """
select period, from_date
from {schema}.fct_churn_rates
where as_of_date = $1 and dimension = 'all' and churn_form = 'any' and choice = 'all'
order by from_date, period
"""

RATES = """
select
    dimension,
    member,
    churn_form,
    choice,
    currency_code,
    count_active_at_start,
    count_churned,
    churn_rate,
    churn_rate_annualised,
    index_to_bank,
    sum_balance_churned,
    balance_churn_rate_annualised,
    from_date
from {schema}.fct_churn_rates
where
    as_of_date = $1
    and period = $2
    and (dimension = 'all' or (churn_form = 'any' and choice = 'all'))
order by dimension, member, churn_form, choice
"""

REASONS = """
select
    reason_code,
    destination,
    is_voluntary,
    cast(sum(count_churned) as integer) as count_churned,
    case
        when sum(count_known_balances) = sum(count_churned) then sum(sum_balance_churned)
    end as sum_balance_churned
from {schema}.fct_churn_reasons
where as_of_date = $1 and period = $2
group by reason_code, destination, is_voluntary
order by reason_code, destination, is_voluntary
"""
