"""The command line: exact output, exit codes, one clear line for every mistake."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.warehouse.planted import BEFORE, DAY, plant_run, plant_source, published
from warehouse import Settings, open_warehouse
from warehouse.publish import PUBLIC_MARTS
from warehouse.settings import PROJECT_ROOT


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "warehouse", *arguments],
        env=environment,
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_sql_prints_csv_and_nothing_else(settings: Settings, environment: dict[str, str]) -> None:
    statement = """
        with rows as (
            select 1 as id, cast(1.5 as numeric(18,2)) as amount, 'a, "b"
c' as text, true as flag, date '2026-10-31' as day, timestamp '2026-10-31 01:02:03' as moment,
            0.1::float8 as share
            union all
            select 2, cast(null as numeric(18,2)), '客户', null, null, null, null
        )
        select * from rows order by id
    """
    done = run(environment, "sql", statement)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "id,amount,text,flag,day,moment,share\n"
        '1,1.50,"a, ""b""\nc",true,2026-10-31,2026-10-31 01:02:03,0.1\n'
        "2,,客户,,,,\n"
    )
    total = run(environment, "sql", "select sum(x) as total from (values (1.50), (2.25)) as v (x)")
    assert total.stdout == "total\n3.75\n"
    assert run(environment, "sql", "select 1 as one where 1 = 0").stdout == "one\n"


@pytest.mark.parametrize(
    "statement", ["selec 1", "drop table ops.runs", "insert into ops.run_dates values (null)"]
)
def test_sql_reads_only(settings: Settings, environment: dict[str, str], statement: str) -> None:
    done = run(environment, "sql", statement)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    with open_warehouse(settings) as wh:
        assert wh.exists("ops.runs")


def test_a_day_from_start_to_rollback(settings: Settings, environment: dict[str, str]) -> None:
    early = run(environment, "start-run", "--kind", "daily", "--as-of", str(DAY), "--key", "a")
    assert (early.returncode, early.stdout) == (2, "")
    assert "ingest" in early.stderr
    with open_warehouse(settings) as wh:
        plant_source(wh)
        published(wh, BEFORE, "first")
        run_id = plant_run(wh, DAY, "second")
    done = run(environment, "publish", "--run", run_id)
    assert done.returncode == 0, done.stderr
    # Two customers are planted in each mart.
    assert f"{run_id} (daily) as of {DAY}, {2 * len(PUBLIC_MARTS)} rows, scores of m1" in done.stdout
    again = run(environment, "start-run", "--kind", "daily", "--as-of", str(DAY), "--key", "second")
    assert (again.returncode, again.stdout.splitlines()[-1]) == (99, run_id)
    assert "run_20261031_01  daily  as of 2026-10-31  scored  shown" in run(environment, "status").stdout
    back = run(environment, "rollback")
    assert back.returncode == 0
    assert "marts.* now show publication 1: run_20261030_01" in back.stdout


def test_a_failed_gate_is_exit_code_1(settings: Settings, environment: dict[str, str]) -> None:
    with open_warehouse(settings) as wh:
        plant_source(wh)
        run_id = plant_run(wh)
        wh.execute(f"delete from {run_id}.fct_kpis")
    done = run(environment, "publish", "--run", run_id)
    assert done.returncode == 1
    assert done.stderr.startswith("refused: ")
    assert run(environment, "fail-run", "--run", run_id).returncode == 0
    assert run(environment, "fail-run", "--run", "run_20200101_01").returncode == 2


def test_dbt_environment_is_safe_in_a_shell(duckdb_settings: Settings, make_environment, tmp_path) -> None:
    home = tmp_path / "it's a $HOME; with spaces"
    settings = Settings(home=home, target="duckdb")
    exports = run(make_environment(settings), "dbt-environment").stdout
    shown = subprocess.run(
        ["bash", "-c", exports + 'printf %s "$KEEPWELL_DUCKDB_PATH"'],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout == str(settings.duckdb_path)


def test_init_is_idempotent(settings: Settings, environment: dict[str, str]) -> None:
    with open_warehouse(settings) as wh:
        plant_source(wh)
    assert run(environment, "init").returncode == 0
    with open_warehouse(settings) as wh:
        assert wh.query("select source from ops.sources")["source"].to_pylist() == ["demo"]


def test_a_bad_date_is_named(duckdb_settings: Settings, make_environment) -> None:
    done = run(
        make_environment(duckdb_settings), "start-run", "--kind", "daily", "--as-of", "31.10.26", "--key", "a"
    )
    assert done.returncode == 2
    assert "write it like 2026-10-31" in done.stderr


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("--runs", "0"),
        ("--runs", "-1"),
        ("--days", "-1000"),
        ("--days", "999999999"),
        ("--text-days", "-1"),
        ("--result-days", "1.5"),
    ],
)
def test_what_retention_cannot_keep_is_refused_before_anything_goes(
    option: str, text: str, duckdb_settings: Settings, make_environment
) -> None:
    with open_warehouse(duckdb_settings) as wh:
        plant_source(wh)
        published(wh)
    done = run(make_environment(duckdb_settings), "retain", f"{option}={text}")
    assert done.returncode == 2
    assert f"argument {option}: '{text}': write a whole number from " in done.stderr
    with open_warehouse(duckdb_settings) as wh:
        assert wh.query("select * from ops.audit_log where action = 'retain'").num_rows == 0
