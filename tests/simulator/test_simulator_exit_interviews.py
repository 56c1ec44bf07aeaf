"""Exit interviews: who is asked, when, and what the answers tell of the planted drivers."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest

from simulator import bank as bank_module
from simulator import exit_interviews, leaving
from simulator.bank import make_bank
from simulator.files import file_hashes
from simulator.folder import fill
from simulator.parameters import Parameters
from simulator.schemas import SCHEMAS
from simulator.truth import Truth
from tests.simulator.conftest import truth_of

STANDARD_ERRORS = 4
LARGE = Parameters(customers=60_000, seed=33)
NO_DAYS = np.zeros(0, dtype=np.int64)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    """`interviews` beside the plan (`plan`) and the planted contributions at the eve of leaving (`eves`)."""
    bank = make_bank(LARGE)
    table, known = exit_interviews.exit_interviews(LARGE, bank.truth)
    assert table.schema == SCHEMAS["exit_interviews"]
    assert known.tolist() == table["interviewed_on"].cast("int32").to_pylist() == sorted(known.tolist())
    connection = duckdb.connect()
    connection.register("interviews", table)
    folder = tmp_path_factory.mktemp("truth")
    Truth(folder).write(bank)
    connection.execute(f"create table plan as from read_parquet('{folder}/customers.parquet')")
    connection.execute(
        f"""
        create table eves as
        select customer_id, contribution_complaints > 0 as has_complained, contribution_rate_gap as rate_gap
        from plan join read_parquet('{folder}/customer_months.parquet') using (customer_id)
        where as_of_date = date_trunc('month', left_on) - interval 1 day"""
    )
    return connection


def test_so_many_of_those_who_leave_by_choice_answer_within_weeks(
    answers: duckdb.DuckDBPyConnection,
) -> None:
    first, last = exit_interviews.DAYS_UNTIL_ASKED
    asked = [leaving.FORMS[form] for form in exit_interviews.ASKED_FORMS]
    leavers, answered, wrong_days, others = answers.execute(
        f"""
        select
            count(*) filter (could), count(interviewed_on) filter (could),
            count(*) filter (interviewed_on - churned_on not between {first} and {last}),
            count(interviewed_on) filter (not is_voluntary or form not in {tuple(asked)} or form is null)
        from (
            select *, is_voluntary and form in {tuple(asked)}
                and churned_on + {last} <= date '{LARGE.end}' as could
            from plan left join interviews using (customer_id)
        )"""
    ).fetchall()[0]
    share = exit_interviews.ANSWERING_SHARE
    assert leavers > 5_000
    assert abs(answered / leavers - share) < STANDARD_ERRORS * (share * (1 - share) / leavers) ** 0.5
    assert wrong_days == others == 0


def test_the_destination_is_the_planned_one_and_unknown_for_some(answers: duckdb.DuckDBPyConnection) -> None:
    other, unknown, known = answers.execute(
        "select count(*) filter (interviews.destination is distinct from plan.destination),"
        " count(*) filter (interviews.destination is null), count(interviews.destination)"
        " from interviews join plan using (customer_id)"
    ).fetchall()[0]
    assert other == 0
    assert min(unknown, known) > 500


def test_the_reason_follows_what_drove_the_customer(answers: duckdb.DuckDBPyConnection) -> None:
    assert {row[0] for row in answers.execute("select distinct reason from interviews").fetchall()} == set(
        exit_interviews.REASONS
    )
    poor_service = dict(
        answers.execute(
            "select has_complained, avg((reason = 'poor_service')::int)"
            " from interviews join eves using (customer_id) group by 1"
        ).fetchall()
    )
    # The weight of 1.5 that a complaint adds, beside usual weights of 1 and the rate gap's.
    assert 0.5 < poor_service[True] < 0.7
    assert 0.1 < poor_service[False] < 0.2
    for low, high, least, most in ((-1, 0.01, 0.1, 0.18), (0.5, 2, 0.35, 0.6)):
        share, count = answers.execute(
            "select avg((reason = 'better_rate')::int), count(*)"
            " from interviews join eves using (customer_id)"
            f" where not has_complained and rate_gap between {low} and {high}"
        ).fetchall()[0]
        assert count > 100
        assert least < share < most, (low, share)


def test_no_other_file_of_the_bank_depends_on_the_interviews(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parameters = Parameters(customers=300, seed=34, months=12, dirt=0.01)
    asked, spared = tmp_path / "asked", tmp_path / "spared"
    fill(asked, truth_of(asked), parameters)
    nobody = SCHEMAS["exit_interviews"].empty_table()
    monkeypatch.setattr(bank_module.exit_interviews, "exit_interviews", lambda *_: (nobody, NO_DAYS))
    fill(spared, truth_of(spared), parameters)
    assert any(pq.read_metadata(path).num_rows for path in asked.glob("*/exit_interviews.parquet"))
    for one, other in ((asked, spared), (truth_of(asked), truth_of(spared))):
        hashes = [
            {name: value for name, value in file_hashes(folder).items() if "exit_interviews" not in name}
            for folder in (one, other)
        ]
        assert hashes[0] == hashes[1]
        assert len(hashes[0]) >= 5
