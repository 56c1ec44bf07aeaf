"""The what-if of `python -m policy diff`: the real rule on a published day; nothing published is touched."""

import csv
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from policy import rfm_cuts
from policy.diff import diff, write_csv
from policy.faults import PolicyError
from policy.published import newest_snapshot
from policy.what_if import SCHEMA, built
from warehouse import Settings, open_warehouse

ROOT = Path(__file__).resolve().parents[2]
BEFORE, LAST = date(2026, 9, 30), date(2026, 10, 31)
HIGH = Decimal("120000.00"), Decimal("108000.00")
MID = Decimal("50000.00"), Decimal("45000.00")
PUBLISHED = ("archive", "history", "marts", "ops", "policy", "core", "raw")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the dbt project, whose seeds a test may change."""
    folder = tmp_path_factory.mktemp("project") / "dbt_project"
    shutil.copytree(ROOT / "dbt_project", folder, ignore=shutil.ignore_patterns("target", "logs"))
    return folder


@pytest.fixture(autouse=True)
def real_seeds(project: Path) -> None:
    shutil.copytree(ROOT / "dbt_project" / "seeds", project / "seeds", dirs_exist_ok=True)


@pytest.fixture(scope="module", params=["duckdb", "postgres"])
def bank(request: pytest.FixtureRequest, make_bank: Callable[[str, str], Any]) -> Any:
    """A bank with a month-end in history and the last day published."""
    made = make_bank(request.param, f"whatif{request.param[0]}")
    made.ingest(str(LAST))
    made.bootstrap(str(LAST), since=BEFORE, until=BEFORE)
    made.publish_day(str(LAST))
    return made


def everything(settings: Settings) -> dict[str, Any]:
    """Schemas, and the rows of every table and view that a what-if has to leave alone."""
    with open_warehouse(settings) as wh:
        names = wh.query("select table_schema, table_name from information_schema.tables").to_pylist()
        tables = [f"{name['table_schema']}.{name['table_name']}" for name in names]
        held = [name for name in tables if name.startswith((*PUBLISHED, "run_"))]
        assert len(held) > 60
        rows = {name: wh.query(f"select * from {name}").to_pylist() for name in sorted(held)}
        return {"schemas": wh.schemas()} | {
            name: sorted(map(str, found), key=str) for name, found in rows.items()
        }


def raise_the_high_cut(project: Path) -> None:
    path = project / "seeds" / "policy_tiers.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    version = {"policy_set": "cny", "scheme": "value_tier", "customer_kind": "personal"}
    later = [
        {**row, "effective_from": "2027-01-01", "rule_version": "v2"}
        for row in rows
        if version.items() <= row.items()
    ]
    assert [row["tier"] for row in later] == ["high", "mid", "low"]
    later[0] |= {"entry_bound": str(HIGH[0]), "exit_bound": str(HIGH[1])}
    assert (later[1]["entry_bound"], later[1]["exit_bound"]) == tuple(map(str, MID))
    append(path, later)


def append(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("a", encoding="utf-8", newline="") as file:
        csv.DictWriter(file, list(rows[0]), lineterminator="\n").writerows(rows)


@pytest.mark.parametrize("bank", ["duckdb"], indirect=True)
def test_no_customer_moves_by_the_seeds_of_today(bank: Any, project: Path) -> None:
    before = everything(bank.settings)
    with open_warehouse(bank.settings) as wh:
        # What a killed one has left.
        wh.execute(f"create schema {SCHEMA}")
        wh.execute(f"create table {SCHEMA}.fct_customer_value_tiers (customer_id varchar)")
    found = diff(bank.settings, project=project)
    assert (found.snapshot.as_of_date, found.policy_on, found.moves) == (LAST, LAST, [])
    assert found.count_customers > 300
    assert everything(bank.settings) == before


def candidate(metric: Decimal, earned: str | None) -> str:
    """The definition by hand: up at the entry bound, down below the exit bound, entry for who is new."""
    reached = "high" if metric >= HIGH[0] else "mid" if metric >= MID[0] else "low"
    kept = "high" if metric >= HIGH[1] else "mid" if metric >= MID[1] else "low"
    order = ["high", "mid", "low"]
    if earned is None or order.index(reached) < order.index(earned):
        return reached
    return kept if order.index(kept) > order.index(earned) else earned


def test_a_higher_cut_moves_whom_the_rule_moves(bank: Any, project: Path, tmp_path: Path) -> None:
    """Against the rule by hand: at once goes who reached the old cut today, who has a tier later."""
    before = everything(bank.settings)
    raise_the_high_cut(project)
    found = diff(bank.settings, project=project)
    assert found.policy_on == date(2027, 1, 1)

    earned = {
        row["customer_id"]: row["earned_tier"]
        for row in bank.rows(
            f"select * from history.fct_customer_value_tiers where as_of_date = date '{BEFORE}'"
        )
    }
    now: Counter[tuple[str, str]] = Counter()
    eventually: Counter[tuple[str, str]] = Counter()
    for row in bank.rows(
        "select * from marts.fct_customer_value_tiers"
        " where relationship_status = 'open' and customer_kind = 'personal' and not is_overridden"
    ):
        tier = candidate(Decimal(row["metric_amount"]), earned.get(row["customer_id"]))
        eventually[row["candidate_tier"], tier] += 1
        was_high_before = earned.get(row["customer_id"]) == "high"
        now[row["value_tier"], row["value_tier"] if was_high_before else tier] += row["value_tier"] == "high"
    assert eventually["high", "mid"] > now["high", "mid"] > 0
    overridden = bank.rows("select 1 from marts.fct_customer_value_tiers where is_overridden")
    assert {(move.scheme, move.customer_kind) for move in found.moves} == {("value_tier", "personal")}
    (move,) = (move for move in found.moves if (move.from_tier, move.to_tier) == ("high", "mid"))
    assert move.count_now == now["high", "mid"]
    assert 0 <= move.count_eventually - eventually["high", "mid"] <= len(overridden)
    assert move.balance_eventually > move.balance_now > 0
    assert everything(bank.settings) == before

    with (tmp_path / "moves.csv").open("w") as out:
        write_csv(found, out)
    with (tmp_path / "moves.csv").open() as written:
        counts = [int(row["count_now"]) for row in csv.DictReader(written)]
    assert counts == [each.count_now for each in found.moves]


def test_frozen_cuts_give_the_scores_of_the_day_they_were_fitted_on(bank: Any, project: Path) -> None:
    """And the policy of the day asked for holds: a cut of 2027 does not yet."""
    raise_the_high_cut(project)
    with open_warehouse(bank.settings) as wh:
        cuts = rfm_cuts.fit(wh, as_of=LAST, effective_from=LAST, rule_version="fitted")
        snapshot = newest_snapshot(wh)
    assert cuts.without_activity == []
    assert len(cuts.rows) == 2 * 3 * 4
    append(project / "seeds" / "policy_rfm_cuts.csv", cuts.rows)
    kinds = [{"customer_kind": kind} for kind in ("personal", "small_business")]
    frozen = {"policy_set": "cny", "rfm_mode": "frozen", "count_bins": "5", "rule_version": "frozen"}
    order = ("policy_set", "customer_kind", "rfm_mode", "count_bins", "rule_version", "effective_from")
    rows = [{**frozen, **kind, "effective_from": str(LAST)} for kind in kinds]
    append(project / "seeds" / "policy_rfm.csv", [{name: row[name] for name in order} for row in rows])

    columns = "customer_id, r_score, f_score, m_score, segment"
    with built(bank.settings, snapshot, policy_on=LAST, project=project):
        rebuilt = bank.rows(f"select {columns} from {SCHEMA}.fct_customer_rfm order by customer_id")
        versions = bank.rows(f"select distinct rule_version from {SCHEMA}.fct_customer_rfm")
        tiers = bank.rows(f"select customer_id, value_tier from {SCHEMA}.fct_customer_value_tiers order by 1")
    assert all("frozen, fitted" in row["rule_version"] for row in versions)
    assert rebuilt == bank.rows(f"select {columns} from marts.fct_customer_rfm order by customer_id")
    assert {row["f_score"] for row in rebuilt} == {"0", "1", "2", "3", "4", "5"}
    assert tiers == bank.rows("select customer_id, value_tier from marts.fct_customer_value_tiers order by 1")


@pytest.mark.parametrize("bank", ["duckdb"], indirect=True)
def test_a_failure_is_told_and_leaves_nothing_behind(bank: Any, project: Path) -> None:
    before = everything(bank.settings)
    model = project / "models" / "marts" / "tiers" / "fct_customer_asset_tiers.sql"
    sound = model.read_text()
    try:
        model.write_text("select no_such_column from {{ ref('int_tier_policy') }}")
        with pytest.raises(PolicyError, match=r"(?s)dbt could not build .*no_such_column"):
            diff(bank.settings, project=project)
    finally:
        model.write_text(sound)
    (project / "seeds" / "policy_churn.csv").write_text("policy_set\n")
    with pytest.raises(PolicyError, match=r"the policy is not sound:\npolicy_churn.csv:1: header"):
        diff(bank.settings, project=project)
    assert everything(bank.settings) == before


@pytest.mark.parametrize("bank", ["duckdb"], indirect=True)
def test_without_the_what_if_a_published_run_is_never_built_into(bank: Any) -> None:
    with pytest.raises(AssertionError, match="only a started run is built into"):
        bank.build(bank.last_run, "facts")


@pytest.mark.parametrize("bank", ["duckdb"], indirect=True)
def test_cuts_of_a_day_that_does_not_stand_are_refused(bank: Any) -> None:
    command = [sys.executable, "-m", "policy", "rfm-cuts", "--as-of", "2020-01-31"]
    environment = {**os.environ, **bank.settings.environment()}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"no published snapshot of 2020-01-31 stands; the newest are of {LAST}, {BEFORE}" in done.stderr
    printed = subprocess.run(
        [*command[:-1], str(LAST)], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert len(printed.splitlines()) == 24
    assert printed.splitlines()[0].startswith("cny,personal,r,2,,")
    assert printed.splitlines()[0].endswith(f",days,rfm_cuts_2026_10_31,{LAST + timedelta(days=1)}")


def test_nothing_published_is_said(duckdb_settings: Settings, project: Path) -> None:
    with pytest.raises(PolicyError, match="nothing is published yet"):
        diff(duckdb_settings, project=project)


def test_a_what_if_has_one_schema_whatever_it_is_asked_to_build(tmp_path: Path) -> None:
    variables = json.dumps({"run_id": "run_20261031_01", "what_if": True})
    subprocess.run(
        [
            Path(sys.executable).with_name("dbt"), "--quiet", "parse", "--no-partial-parse",
            "--vars", variables, "--target", "duckdb",
            "--project-dir", ROOT / "dbt_project", "--profiles-dir", ROOT / "dbt_project",
            "--target-path", tmp_path, "--log-path", tmp_path,
        ],
        check=True,
    )  # fmt: skip
    nodes = json.loads((tmp_path / "manifest.json").read_text())["nodes"].values()
    built_nodes = [node for node in nodes if node["resource_type"] in ("seed", "model", "snapshot")]
    assert len(built_nodes) > 50
    assert {node["schema"] for node in built_nodes} == {SCHEMA}
