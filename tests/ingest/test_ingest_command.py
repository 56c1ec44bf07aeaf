"""The command line in a process of its own: help, contracts, exit codes, a kill in the middle, memory."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.ingest.bank import AS_OF, Bank, bank, transaction, write_csv
from warehouse import Settings
from warehouse.settings import PROJECT_ROOT


def run(arguments: list[str], environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        env=environment,
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_contracts_and_mistakes_on_the_command_line() -> None:
    shown = run(["-m", "ingest", "load", "--help"])
    assert shown.returncode == 0
    assert "--landing" in shown.stdout
    entities = run(["-m", "ingest", "contracts"])
    assert "market_environment" in entities.stdout
    columns = run(["-m", "ingest", "contracts", "accounts"])
    assert "maturity_on" in columns.stdout
    unknown = run(["-m", "ingest", "contracts", "accnts"])
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "no entity 'accnts': choose one of" in unknown.stderr
    wrong_date = run(["-m", "ingest", "load", "--landing", ".", "--as-of", "31.3.2026"])
    assert wrong_date.returncode == 2
    assert "'31.3.2026' is not a date: write YYYY-MM-DD" in wrong_date.stderr


# Kills its own process, as kill -9 would, once every table of the batch is written and nothing committed.
DRIVER = """
import os, signal, sys
import warehouse.duck, warehouse.postgres
for engine in (warehouse.duck.DuckWarehouse, warehouse.postgres.PostgresWarehouse):
    def append(self, name, rows, plain=engine.append):
        count = plain(self, name, rows)
        if name == "restricted.rejected_rows":
            os.kill(os.getpid(), signal.SIGKILL)
        return count
    engine.append = append
from ingest.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def test_a_batch_killed_in_the_middle_leaves_nothing_and_loads_again(
    bank_here: Bank, tmp_path: Path, make_environment: Callable[[Settings], dict[str, str]]
) -> None:
    landing = write_csv(tmp_path / "landing", bank(transactions=[transaction(1), transaction(2, amount="?")]))
    command = ["load", "--landing", str(landing), "--as-of", AS_OF]
    killed = run(["-c", DRIVER, *command], make_environment(bank_here.settings))
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    rows = bank_here.table_rows()
    assert [name for name in rows if rows[name] and name != "ops.sources"] == []
    leftovers = list((bank_here.settings.bank_home / "scratch").iterdir())
    assert len(leftovers) == 1

    bank_here.load(landing)
    assert bank_here.rows("select count(*) from raw.transactions") == [(1,)]
    assert bank_here.rows("select batch_no, status, rows_read from ops.batches") == [(1, "loaded", 12)]
    assert list((bank_here.settings.bank_home / "scratch").iterdir()) == []


# A small limit for the scratch database shows within few rows that files do not pile up in memory.
PEAK = """
import resource, sys
import ingest.checking
ingest.checking.SCRATCH_MEMORY = "150MB"
from ingest.__main__ import main
code = main(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
sys.exit(code)
"""


def test_memory_does_not_grow_with_the_file(
    duckdb_settings: Settings, tmp_path: Path, make_environment: Callable[[Settings], dict[str, str]]
) -> None:
    peaks = []
    for count in (60_000, 300_000):
        landing = write_csv(tmp_path / str(count), bank(0))
        with (landing / "transactions.csv").open("w") as stream:
            stream.write(",".join(transaction(1)) + "\n")
            good = transaction(1, transaction_id="{0}", account_id="A{1}")
            line = ",".join(good.values()) + "\n"
            stream.writelines(line.format(number, number % 3 + 1) for number in range(count))
        environment = make_environment(
            replace(duckdb_settings, home=tmp_path / f"home-{count}", source="canonical")
        )
        done = run(["-c", PEAK, "check", "--landing", str(landing), "--as-of", AS_OF], environment)
        assert done.returncode == 0, done.stderr
        assert f"{count:,}" in done.stdout
        peaks.append(int(done.stdout.split()[-1]))
    assert peaks[1] < 1.25 * peaks[0], f"peak memory in KB by size of the file: {peaks}"
