"""Movement between tiers on real banks: day by day as in one pass, on both engines, counted by hand."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from itertools import pairwise, permutations
from math import sqrt
from typing import Any

import numpy as np
import pytest

from policy.codes import SCHEMES

AS_OF = "2026-10-31"
# A bootstrap builds the month-ends before its day.
DAY_AFTER = "2026-11-01"
FIRST, LAST = date(2026, 4, 30), date(2026, 10, 31)
MARTS = {
    "fct_tier_migration": "period, scheme, customer_kind, from_state, from_tier, to_state, to_tier",
    "fct_tier_mobility": "period, scheme, customer_kind, basis",
    "fct_tier_long_run": "period, scheme, customer_kind, tier",
    "fct_tier_crosswalk": "scheme, tier, other_scheme, other_tier",
    "fct_tier_summary": "scheme, customer_kind, tier",
}
# What LAST is compared with: the snapshot a period back, and the one another period back.
PERIODS = {"month": ("2026-09-30", "2026-08-31"), "quarter": ("2026-07-31", "2026-04-30")}
Rows = list[dict[str, str]]


@dataclass
class Banks:
    """One bank with all its month-ends from one pass, and again with the last two taken a day a run."""

    at_once: Any
    in_steps: Any

    def history(self, mart: str) -> Rows:
        """Rows of a mart of the bank taken in steps, for all dates."""
        return self.in_steps.rows(f"select * from history.{mart} order by as_of_date")


@pytest.fixture(scope="module", params=["duckdb", "postgres"])
def banks(request: pytest.FixtureRequest, make_bank: Callable) -> Banks:
    made = Banks(
        make_bank(request.param, f"mova{request.param[0]}"),
        make_bank(request.param, f"movs{request.param[0]}"),
    )
    for bank, ends in ((made.at_once, [LAST]), (made.in_steps, [date(2026, 8, 31), date(2026, 9, 30), LAST])):
        bank.ingest(AS_OF)
        for until in ends:
            bank.bootstrap(DAY_AFTER, since=FIRST, until=until)
    return made


_first_engine: dict[str, Rows] = {}


@pytest.mark.parametrize("mart", MARTS)
def test_days_in_steps_are_the_days_of_one_pass_on_both_engines(banks: Banks, mart: str) -> None:
    sql = f"select * from history.{mart} order by as_of_date, {MARTS[mart]}"
    at_once, in_steps = banks.at_once.rows(sql), banks.in_steps.rows(sql)
    for rows in (at_once, in_steps):
        for row in rows:
            del row["run_id"]
    assert {row["as_of_date"] for row in in_steps} >= {"2026-09-30", AS_OF}
    for other in (at_once, _first_engine.setdefault(mart, in_steps)):
        different = [(ours, theirs) for ours, theirs in zip(in_steps, other, strict=True) if ours != theirs]
        assert not different, f"{len(different)} rows differ, the first: {different[0]}"


def test_a_date_is_compared_with_the_snapshots_that_there_are(banks: Banks) -> None:
    found = {
        (row["as_of_date"], row["period"], row["from_date"]) for row in banks.history("fct_tier_migration")
    }
    assert found >= {(AS_OF, period, dates[0]) for period, dates in PERIODS.items()}
    assert {row[0] for row in found if row[1] == "month"} == {
        "2026-05-31", "2026-06-30", "2026-07-31", "2026-08-31", "2026-09-30", AS_OF
    }  # fmt: skip
    assert {row[0] for row in found if row[1] == "quarter"} == {
        "2026-07-31",
        "2026-08-31",
        "2026-09-30",
        AS_OF,
    }
    assert not [row for row in found if row[1] == "year"]


@pytest.fixture(scope="module")
def snapshots(banks: Banks) -> dict[str, dict[str, dict[str, str]]]:
    """Rows of fct_customer_tiers by date and customer, with the deposits of the day."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    rows = banks.in_steps.rows(
        """
        select tiers.*, activity.closing_balance
        from history.fct_customer_tiers as tiers
        inner join history.fct_customer_activity as activity
            on tiers.as_of_date = activity.as_of_date and tiers.customer_id = activity.customer_id
        """
    )
    for row in rows:
        row["is_open"] = row["is_open"].lower()[0]
        found.setdefault(row["as_of_date"], {})[row["customer_id"]] = row
    return found


def kinds(row: dict[str, str]) -> tuple[str, str]:
    return row["customer_kind"], "all"


def half_up(value: Fraction, places: int = 6) -> Decimal:
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    return exact.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)


def test_migration_agrees_with_a_count_by_hand(banks: Banks, snapshots: dict) -> None:
    counts: Counter[tuple[str, ...]] = Counter()
    balances: dict[tuple[str, ...], Decimal] = {}
    after = snapshots[AS_OF]
    for period, (from_date, _) in PERIODS.items():
        before = snapshots[from_date]
        for customer in before.keys() | after.keys():
            then, now = before.get(customer), after.get(customer)
            was_in = then is not None and then["is_open"] == "t"
            is_in = now is not None and now["is_open"] == "t"
            if not (was_in or is_in):
                continue
            came = "reactivated" if then is not None and then["relationship_status"] == "closed" else "new"
            shown = now if is_in else then
            for scheme in SCHEMES:
                for kind in kinds(now or then):
                    key = (
                        period, scheme, kind,
                        "in_stock" if was_in else came, then[scheme] if was_in else came,
                        "in_stock" if is_in else "churned", now[scheme] if is_in else "churned",
                    )  # fmt: skip
                    counts[key] += 1
                    if shown["closing_balance"]:
                        balances[key] = balances.get(key, Decimal(0)) + Decimal(shown["closing_balance"])
    found = {
        tuple(row[name] for name in MARTS["fct_tier_migration"].split(", ")): row
        for row in banks.history("fct_tier_migration")
        if row["as_of_date"] == AS_OF
    }
    assert {key: int(row["count_customers"]) for key, row in found.items()} == counts
    assert {key: Decimal(row["sum_balance"]) for key, row in found.items() if row["sum_balance"]} == balances
    # There is something to tell: people came, went and moved.
    cells = [key for key in counts if key[1:3] == ("value_tier", "all")]
    assert {key[3] for key in cells} >= {"in_stock", "new"}
    assert any(key[5] == "churned" for key in cells)
    assert any(key[3] == key[5] and key[4] != key[6] for key in cells)


def matrix_of(snapshots: dict, from_date: str, column: str, kind: str) -> Counter[tuple[str, str]]:
    """Customers in stock on both days, by their tiers then and now."""
    before, after = snapshots[from_date], snapshots[AS_OF]
    return Counter(
        (before[customer][column], now[column])
        for customer, now in after.items()
        if kind in kinds(now)
        and now["is_open"] == "t"
        and before.get(customer, {"is_open": "f"})["is_open"] == "t"
    )


def test_mobility_agrees_with_a_count_by_hand(banks: Banks, snapshots: dict) -> None:
    rows = [row for row in banks.history("fct_tier_mobility") if row["as_of_date"] == AS_OF]
    assert len(rows) == len(PERIODS) * 3 * 12
    flips = 0
    for row in rows:
        from_date, earlier_date = PERIODS[row["period"]]
        column = row["scheme"] if row["basis"] == "effective" else f"raw_{row['scheme']}"
        moves = matrix_of(snapshots, from_date, column, row["customer_kind"])
        total, starts = sum(moves.values()), Counter()
        for (tier, _), count in moves.items():
            starts[tier] += count
        moved = total - sum(count for (tier, later), count in moves.items() if tier == later)
        assert (int(row["count_customers"]), int(row["count_moved"])) == (total, moved)
        assert Decimal(row["moved_share"]) == half_up(Fraction(moved, total))
        trace = sum((Fraction(moves[tier, tier], count) for tier, count in starts.items()), Fraction(0))
        if len(starts) > 1:
            assert Decimal(row["mobility"]) == half_up((len(starts) - trace) / (len(starts) - 1))
        else:
            assert row["mobility"] == ""
        path = [
            tuple(snapshots[day].get(customer, {}).get(column) for day in (earlier_date, from_date, AS_OF))
            for customer, now in snapshots[AS_OF].items()
            if row["customer_kind"] in kinds(now)
            and all(
                snapshots[day].get(customer, {"is_open": "f"})["is_open"] == "t"
                for day in (earlier_date, from_date, AS_OF)
            )
        ]
        moved_before = [(first, last) for first, middle, last in path if first != middle]
        assert int(row["count_moved_before"]) == len(moved_before)
        if moved_before:
            back = sum(first == last for first, last in moved_before)
            assert Decimal(row["flip_back_rate"]) == half_up(Fraction(back, len(moved_before)))
            flips += back
    assert flips > 0


def test_the_long_run_agrees_with_powers_of_the_matrix(banks: Banks, snapshots: dict) -> None:
    rows = [row for row in banks.history("fct_tier_long_run") if row["as_of_date"] == AS_OF]
    known = 0
    for period, (from_date, _) in PERIODS.items():
        for scheme in SCHEMES:
            for kind in ("all", "personal", "small_business"):
                moves = matrix_of(snapshots, from_date, scheme, kind)
                tiers = sorted({tier for pair in moves for tier in pair})
                counts = np.array([[moves[start, end] for end in tiers] for start in tiers], dtype=float)
                found = {
                    row["tier"]: row
                    for row in rows
                    if (row["period"], row["scheme"], row["customer_kind"]) == (period, scheme, kind)
                }
                assert sorted(found) == tiers
                now = counts.sum(axis=0) / counts.sum()
                assert [float(found[tier]["share_now"]) for tier in tiers] == pytest.approx(now, abs=6e-7)
                if not counts.sum(axis=1).all():
                    assert {row["share_long_run"] for row in found.values()} == {""}
                    continue
                known += 1
                power = np.linalg.matrix_power(counts / counts.sum(axis=1, keepdims=True), 1024)
                shares = [float(found[tier]["share_long_run"]) for tier in tiers]
                assert shares == pytest.approx(now @ power, abs=6e-7)
    assert known > 10


def test_the_crosswalk_agrees_with_a_count_by_hand(banks: Banks, snapshots: dict) -> None:
    rows = [row for row in banks.history("fct_tier_crosswalk") if row["as_of_date"] == AS_OF]
    stock = [row for row in snapshots[AS_OF].values() if row["is_open"] == "t"]
    for scheme, other in permutations(SCHEMES, 2):
        cells = Counter((row[scheme], row[other]) for row in stock)
        found = {
            (row["tier"], row["other_tier"]): row
            for row in rows
            if (row["scheme"], row["other_scheme"]) == (scheme, other)
        }
        assert {cell: int(row["count_customers"]) for cell, row in found.items()} == cells
        of_tier, of_other = Counter(row[scheme] for row in stock), Counter(row[other] for row in stock)
        chi_square = sum(
            (cells[tier, other_tier] - count * other_count / len(stock)) ** 2
            / (count * other_count / len(stock))
            for tier, count in of_tier.items()
            for other_tier, other_count in of_other.items()
        )
        freedom = min(len(of_tier), len(of_other)) - 1
        for row in found.values():
            if freedom:
                expected = sqrt(chi_square / len(stock) / freedom)
                assert float(row["cramers_v"]) == pytest.approx(expected, abs=1e-5)
            else:
                assert row["cramers_v"] == ""


def test_the_summary_says_what_the_indicators_say(banks: Banks) -> None:
    """Two ways to the same figure, for the value tiers of all customers."""
    summary = {
        row["tier"]: row
        for row in banks.history("fct_tier_summary")
        if (row["as_of_date"], row["scheme"], row["customer_kind"]) == (AS_OF, "value_tier", "all")
    }
    same = {
        "customers": "count_customers",
        "balance": "sum_balance",
        "multi_product_share": "multi_product_share",
        "satisfaction_share": "satisfaction_share",
    }
    compared = 0
    for row in banks.history("fct_kpis"):
        if (row["as_of_date"], row["dimension"]) == (AS_OF, "value_tier") and row["kpi_code"] in same:
            assert Decimal(summary[row["member"]][same[row["kpi_code"]]]) == Decimal(row["kpi_value"])
            compared += 1
    assert compared == len(same) * 3


def test_churn_by_value_tier_is_the_indicator_and_adds_up_to_all(banks: Banks) -> None:
    """On every date, with a snapshot of the start of the period or without one, by tier and by kind."""
    kpis = {
        (row["as_of_date"], row["kpi_code"], row["dimension"], row["member"]): row["kpi_value"]
        for row in banks.history("fct_kpis")
    }
    every = [row for row in banks.history("fct_tier_summary") if row["scheme"] == "value_tier"]
    by_kind: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in every:
        by_kind.setdefault((row["as_of_date"], row["customer_kind"]), []).append(row)
        if row["customer_kind"] == "all":
            for code in ("churn_rate_period", "churn_rate_annualised"):
                assert kpis.get((row["as_of_date"], code, "value_tier", row["tier"]), "") == row[code]
    for (day, kind), rows in by_kind.items():
        at_start, churned = (
            sum(int(row[name]) for row in rows) for name in ("count_at_start", "count_churned")
        )
        dimension = "all" if kind == "all" else "customer_kind"
        assert half_up(Fraction(churned, at_start)) == Decimal(
            kpis[day, "churn_rate_period", dimension, kind]
        )
    last = [row for row in every if row["as_of_date"] == AS_OF]
    assert sum(int(row["count_churned"]) for row in last) > 0
    assert {row["churn_from_date"] for row in last} == {"2026-07-31"}
    assert {row["churn_from_date"] for row in every if row["as_of_date"] == str(FIRST)} == {""}


def test_spells_tell_what_the_snapshots_show(banks: Banks, snapshots: dict) -> None:
    """On every snapshot each customer with an open account is in one spell of each scheme, in the tier that
    the snapshot shows, and nobody else in any.
    """
    paths: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in banks.in_steps.rows(
        "select * from history.customer_tier_spells order by customer_id, scheme, started_on"
    ):
        paths.setdefault((row["customer_id"], row["scheme"]), []).append(row)
    for spells in paths.values():
        for spell, after in pairwise(spells):
            goes_on = spell["ended_on"] == after["started_on"]
            assert goes_on or "" < spell["ended_on"] < after["started_on"]
            assert after["previous_tier"] == (spell["tier"] if goes_on else "")
        assert spells[0]["previous_tier"] == ""
        for spell in spells:
            end = date.fromisoformat(spell["ended_on"]) if spell["ended_on"] else LAST + timedelta(days=1)
            assert int(spell["count_days"]) == (end - date.fromisoformat(spell["started_on"])).days > 0
    moves = closed = 0
    # The snapshot in which each customer came back to an open account, or had the first one.
    opened: dict[str, str] = {}
    was_closed: set[str] = set()
    for day, customers in sorted(snapshots.items()):
        for customer, row in customers.items():
            if row["is_open"] != "t":
                was_closed.add(customer)
                closed += 1
            elif customer in was_closed:
                was_closed.remove(customer)
                opened[customer] = day
            for scheme in SCHEMES:
                spells = paths.get((customer, scheme), [])
                holding = [
                    spell
                    for spell in spells
                    if spell["started_on"] <= day and (not spell["ended_on"] or day < spell["ended_on"])
                ]
                held = [row[scheme]] if row["is_open"] == "t" else []
                assert [spell["tier"] for spell in holding] == held, (customer, scheme, day)
                if held:
                    since = max(row[f"{scheme}_since_on"], opened.get(customer, ""))
                    assert holding[0]["started_on"] == since
                moves += len(spells) > 1
    assert moves > 0
    assert closed > 0
