"""A server that is gone is worth a retry; a wrong name or password is not."""

from __future__ import annotations

import re
import traceback
from dataclasses import replace

import pytest

from warehouse import Settings, WarehouseError, dbt_environment, embedded, open_warehouse
from warehouse.__main__ import main
from warehouse.errors import UnavailableError


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nowhere.invalid:5432"])
def test_a_server_that_does_not_answer_is_worth_a_retry(
    duckdb_settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    address: str,
) -> None:
    url = f"postgresql://analyst@{address}/bank"
    settings = replace(duckdb_settings, target="postgres", url=url)
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    assert main(["init"]) == 75
    assert "cannot connect to PostgreSQL" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["init", "dbt-environment"])
@pytest.mark.parametrize("user", ["u:hush%zz", "u:hush/word", "u:12/hush", "u:hu@sh"])
def test_an_address_that_cannot_be_read_tells_nothing_of_its_password(
    duckdb_settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    user: str,
    command: str,
) -> None:
    url = f"postgresql://{user}@127.0.0.1:1/bank"
    settings = replace(duckdb_settings, target="postgres", url=url)
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    assert main([command]) == 2
    said = capsys.readouterr()
    assert "KEEPWELL_WAREHOUSE_URL cannot be read" in said.err
    assert not re.search("hu(@?sh)|sh@|word@1|zz", said.out + said.err)
    with pytest.raises(WarehouseError) as fault:
        dbt_environment(settings)
    # Nor does a traceback, which shows what an error was raised from.
    shown = "".join(traceback.format_exception(fault.value))
    assert "hush" not in shown
    assert "word@1" not in shown


def test_a_connection_that_is_cut_is_worth_a_retry(postgres_settings: Settings) -> None:
    with open_warehouse(postgres_settings) as wh, open_warehouse(postgres_settings) as other:
        process = wh.query("select pg_backend_pid() as id")["id"][0].as_py()
        other.query(f"select pg_terminate_backend({process})::text as done")
        for _ in range(2):
            with pytest.raises(UnavailableError):
                wh.query("select 1 as one")


def test_what_stays_wrong_is_bad_input(cluster: embedded.Address, postgres_settings: Settings) -> None:
    with open_warehouse(postgres_settings) as wh:
        for statement in ("select nothing", "select 1/0 as zero"):
            with pytest.raises(WarehouseError) as fault:
                wh.query(statement)
            assert fault.value.exit_code == 2
    with pytest.raises(WarehouseError, match="does not exist") as fault:
        open_warehouse(replace(postgres_settings, url=cluster.url("nobank")))
    assert fault.value.exit_code == 2
