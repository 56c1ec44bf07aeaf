"""A small real bank goes through the DAGs' command lines, each under its role and with its password."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import pytest

from keepwell_dags import commands
from tests.dbt_project.conftest import ROOT, Bank
from warehouse import Settings, embedded, open_warehouse, roles, schema
from warehouse.publish import ARCHIVED_MARTS, PUBLIC_MARTS, REQUIRED_GATES

DAY = "2026-10-31"
SINCE, UNTIL = date(2026, 5, 1), date(2026, 9, 30)
NOTHING_TO_DO_IS_WELL = "; code=$?; [ $code = 0 ] || [ $code = 99 ]"


@dataclass(frozen=True)
class Chained:
    """The same bank built twice, under roles and by one user; the owners' settings of both warehouses."""

    by_roles: Bank
    owner: Settings
    by_one: Settings
    daily: str


def at_most_nothing_to_do(command: str) -> str:
    """The command in a shell of its own; exit code 99 is well too."""
    return f"(\n{command}\n)" + NOTHING_TO_DO_IS_WELL


def build_history(bank: Bank, owner: Settings) -> str:
    """The month-ends of half a year, in one pass, through all gates, published."""
    run_id = bank.start("bootstrap", DAY)
    with open_warehouse(owner) as wh:
        wh.execute(
            "delete from ops.run_dates where run_id = $1 and (as_of_date < $2 or as_of_date > $3)",
            [run_id, SINCE, UNTIL],
        )
    bank.shell(commands.expectations("arrival"), RUN_ID=run_id)
    bank.build(run_id, "facts_and_snapshot")
    bank.shell(commands.expectations("marts"), RUN_ID=run_id)
    bank.publish(run_id)
    return run_id


def build_day(bank: Bank) -> str:
    run_id = bank.start("daily", DAY)
    bank.shell(commands.expectations("arrival"), RUN_ID=run_id)
    bank.build(run_id, "facts_and_snapshot")
    # A bank too young, or with too few churners, to be scored.
    bank.shell(at_most_nothing_to_do(commands.churn("score")), RUN_ID=run_id)
    bank.build(run_id, "lists")
    bank.shell(commands.expectations("marts", "scores"), RUN_ID=run_id)
    bank.publish(run_id)
    return run_id


def train(bank: Bank) -> None:
    """As churn_monitoring and churn_training do, as far as a small bank goes."""
    run_id = bank.start("training", DAY)
    bank.build(run_id, "training")
    bank.shell(at_most_nothing_to_do(commands.churn("monitor")), RUN_ID=run_id)
    run_id = bank.start("training", DAY)
    bank.build(run_id, "training")
    bank.shell(commands.expectations("panel"), RUN_ID=run_id)
    bank.shell(at_most_nothing_to_do(commands.replay()), RUN_ID=run_id, RUN_KEY="test/replay")
    bank.shell(at_most_nothing_to_do(commands.churn("train")), RUN_ID=run_id)


@pytest.fixture(scope="module")
def chained(
    role_server: embedded.Address,
    password_dir: Path,
    short_dir: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Chained:
    landing = tmp_path_factory.mktemp("landing") / "demo"
    subprocess.run(
        [sys.executable, "-m", "simulator", "--out", landing, "--customers", "350", "--seed", "11"],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    owners = {}
    for name in ("by_roles", "by_one"):
        embedded.create_database(role_server, name)
        owners[name] = Settings(home=short_dir / name, url=role_server.url(name))
    owner = owners["by_roles"]
    with open_warehouse(owner) as wh:
        schema.init(wh)
        roles.apply(wh, password_dir)
    url = str(owner.url).replace("postgres@", "")
    bank = Bank(replace(owner, url=url, password_dir=password_dir), landing)
    bank.ingest(DAY)
    build_history(bank, owner)
    train(bank)
    daily = build_day(bank)
    bank.shell(commands.report())
    one = Bank(owners["by_one"], landing)
    one.ingest(DAY)
    # Its gates are taken as passed: they change no row.
    one.bootstrap(DAY, since=SINCE, until=UNTIL)
    one.publish_day(DAY)
    return Chained(bank, owner, one.settings, daily)


def fingerprints(settings: Settings) -> dict[str, tuple[int, str]]:
    """Rows of each public table and a hash of what is in them, whichever run made them."""
    found = {}
    with open_warehouse(settings, read_only=True) as wh:
        names = [f"marts.{mart}" for mart in PUBLIC_MARTS] + [f"history.{mart}" for mart in ARCHIVED_MARTS]
        for name in (*names, "history.customer_tier_spells", "crm.customers_to_keep", "masked.customers"):
            row = wh.query(
                f"""
                select count(*) as n, coalesce(md5(string_agg(text, '' order by text)), '') as hash
                from (select (to_jsonb(shown) - 'run_id')::text as text from {name} as shown) as texts
                """
            ).to_pylist()[0]
            found[name] = (row["n"], row["hash"])
    return found


def test_under_roles_the_same_is_published_as_by_one_user(chained: Chained) -> None:
    by_roles, by_one = fingerprints(chained.owner), fingerprints(chained.by_one)
    assert by_roles == by_one
    assert by_roles["marts.dim_customers"][0] > 300
    assert by_roles["history.fct_customer_features"][0] > 1500
    assert by_roles["masked.customers"][0] >= 350


def test_trainings_and_audits_have_ended(chained: Chained) -> None:
    with open_warehouse(chained.owner, read_only=True) as wh:
        found = wh.query("select kind, status from ops.runs where kind in ('training', 'audit')").to_pylist()
    assert [run["status"] for run in found if run["kind"] == "training"] == ["done", "done"]
    assert {run["status"] for run in found} == {"done"}


def test_nothing_is_granted_beyond_the_table_after_a_whole_chain(chained: Chained) -> None:
    with open_warehouse(chained.owner) as wh:
        assert roles.find_differences(wh) == ([], [])
        owners = wh.query(
            """
            select distinct nspname::text as schema, pg_get_userbyid(relowner)::text as owner
            from pg_class inner join pg_namespace on relnamespace = pg_namespace.oid
            where
                relkind in ('r', 'v')
                and nspname in ('raw', 'core', 'staging', 'policy', 'archive', 'marts')
            """
        ).to_pylist()
    assert {(row["schema"], row["owner"]) for row in owners} == {
        ("raw", "keepwell_loader"),
        *((schema, "keepwell_transformer") for schema in ("core", "staging", "policy")),
        *((schema, "keepwell_publisher") for schema in ("archive", "marts")),
    }


def test_a_day_published_again_is_rolled_back_and_old_runs_go(chained: Chained) -> None:
    bank, again = chained.by_roles, chained.by_roles.start("daily", DAY)
    transformer = replace(bank.settings, role="transformer")
    with open_warehouse(transformer) as wh:
        for mart in ARCHIVED_MARTS:
            wh.execute(f"create table {again}.{mart} as select * from {chained.daily}.{mart}")
        for gate, tool in REQUIRED_GATES["daily"]:
            wh.execute(
                "insert into ops.test_results (run_id, tool, gate, test_name, severity, status, executed_at)"
                " values ($1, $2, $3, 'taken as passed', 'error', 'pass', timestamp '2026-10-31 00:00:00')",
                [again, tool, gate],
            )
    bank.publish(again)
    said = bank.shell(f"KEEPWELL_ROLE=publisher {sys.executable} -m warehouse rollback")
    assert re.search(f"withdrawn .*{again}.*\nmarts.* now show .*{chained.daily}", said)
    bank.shell(f"KEEPWELL_ROLE=publisher {sys.executable} -m warehouse retain --runs 1")
    with open_warehouse(chained.owner) as wh:
        kept = [name for name in wh.schemas() if name.startswith("run_")]
        acts = wh.query("select action, session_role from ops.audit_log order by happened_at").to_pylist()
    assert chained.daily in kept
    assert again in kept
    # The bootstrap's and the training's are gone, with tables of transformer and scorer in them.
    assert "run_20261031_01" not in kept
    assert [act["action"] for act in acts] == ["roles", "publish", "publish", "publish", "rollback", "retain"]
    assert {act["session_role"] for act in acts[1:]} == {"keepwell_publisher"}


def test_policy_commands_run_as_the_transformer(chained: Chained) -> None:
    def run(arguments: str) -> str:
        return chained.by_roles.shell(f"KEEPWELL_ROLE=transformer {sys.executable} -m policy {arguments}")

    assert "no customer moves" in run("diff")
    assert run("rfm-cuts --as-of 2026-09-30").startswith("cny,personal,r,2,")
    with open_warehouse(chained.owner) as wh:
        assert "what_if" not in wh.schemas()
