"""The task list: what it says about itself, what it hands on, and what it keeps quiet about."""

import csv
import os
import re
import stat
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
MAKEFILE = (PROJECT / "Makefile").read_text()


def make(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        ["make", *arguments],
        cwd=PROJECT,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_is_the_default_and_names_every_target() -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    listed = set(re.findall(r"^  ([a-z-]+) ", make().stdout, re.MULTILINE))
    assert {"run", "test", "sql", "rollback", "down", "airflow"} <= targets
    assert listed == targets


def test_ci_runs_what_a_developer_runs() -> None:
    entry = PROJECT / ".ci" / "run"
    assert entry.stat().st_mode & stat.S_IXUSR
    assert entry.read_text().splitlines()[-1] == "exec make test"


def test_the_example_of_the_environment_names_every_variable() -> None:
    tables = (PROJECT / "docs" / "interfaces.md").read_text(encoding="utf-8")
    environment = tables.split("\n## Environment", 1)[1].split("\n## ", 1)[0]
    cells = "".join(line.split("|")[1] for line in environment.splitlines() if line.startswith("| `"))
    names = re.findall(r"`(\w+)`", cells)
    assert {"KEEPWELL_HOME", "KEEPWELL_ROLE", "REPORT_LANG", "KEEPWELL_OPENLINEAGE_URL"} <= set(names)
    example = (PROJECT / ".env.example").read_text(encoding="utf-8")
    assert [name for name in names if not re.search(rf"^#{name}=", example, re.MULTILINE)] == []


def test_a_comment_behind_a_value_of_the_environment_file_is_no_part_of_it(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text(
        MAKEFILE + '\ntold:\n\t@printf \'<%s>\\n\' "$$KEEPWELL_AS_OF" "$$REPORT_LANG"\n'
    )
    (tmp_path / ".env").write_text("KEEPWELL_AS_OF=2026-10-31     # the first day\nREPORT_LANG=zh\n")
    told = subprocess.run(["make", "told"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert told == "<2026-10-31>\n<zh>\n"


def test_parameters_reach_the_runner() -> None:
    command = make("-n", "run", "SOURCE=berka", "LANDING=../a b", "AS_OF=1993-12-31", "TARGET=duckdb").stdout
    assert '--source "berka" --landing "../a b" --as-of "1993-12-31" --target "duckdb"' in command


@pytest.fixture(scope="module")
def empty_warehouse(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    environment = {"KEEPWELL_HOME": str(tmp_path_factory.mktemp("home")), "KEEPWELL_TARGET": "duckdb"}
    python = PROJECT / ".venv" / "bin" / "python"
    subprocess.run(
        [python, "-m", "warehouse", "init"], cwd=PROJECT, env={**os.environ, **environment}, check=True
    )
    return environment


def test_sql_prints_csv_and_nothing_else(empty_warehouse: dict[str, str]) -> None:
    query = """select 1 as "one", 'a "quoted", $HOME' as text where 'x' like '%'"""
    done = make("sql", f"Q={query}", **empty_warehouse)
    assert (done.returncode, done.stderr) == (0, "")
    assert list(csv.reader(done.stdout.splitlines())) == [["one", "text"], ["1", 'a "quoted", $HOME']]


def test_a_bad_query_is_an_error_without_a_traceback(empty_warehouse: dict[str, str]) -> None:
    done = make("sql", "Q=select nothing_of_the_kind", **empty_warehouse)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "nothing_of_the_kind" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_source_without_files_is_told_before_anything_is_made(tmp_path: Path) -> None:
    done = make("run", "SOURCE=canonical", KEEPWELL_HOME=str(tmp_path))
    assert done.returncode == 2
    assert "SOURCE=canonical needs LANDING" in done.stderr
    assert list(tmp_path.iterdir()) == []
