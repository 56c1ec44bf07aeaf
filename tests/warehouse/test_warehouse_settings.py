"""Settings: what the environment may say, and what a mistake in it is answered with."""

from __future__ import annotations

from pathlib import Path

import pytest

from warehouse import Settings, WarehouseError, dbt_environment
from warehouse.settings import PROJECT_ROOT


def test_defaults() -> None:
    settings = Settings.from_environment({"KEEPWELL_WAREHOUSE_URL": ""})
    assert settings.home == PROJECT_ROOT / "var"
    assert (settings.source, settings.target, settings.url) == ("demo", "postgres", None)
    assert settings.bank_home == PROJECT_ROOT / "var" / "banks" / "demo-postgres"
    assert settings.landing_dir == PROJECT_ROOT / "var" / "landing" / "demo"


def test_a_relative_home_lies_in_the_project_wherever_it_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert Settings.from_environment({"KEEPWELL_HOME": "elsewhere"}).home == PROJECT_ROOT / "elsewhere"
    assert Settings.from_environment({"KEEPWELL_HOME": str(tmp_path)}).home == tmp_path


def test_another_process_finds_the_same_warehouse() -> None:
    settings = Settings(home=Path("/srv/bank"), source="berka", target="postgres", url="postgresql://h/d")
    assert Settings.from_environment(settings.environment()) == settings


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"KEEPWELL_TARGET": "oracle"}, "KEEPWELL_TARGET is 'oracle': use one of postgres, duckdb"),
        ({"KEEPWELL_SOURCE": "My Bank"}, "KEEPWELL_SOURCE is 'My Bank'"),
        ({"KEEPWELL_TARGET": "duckdb", "KEEPWELL_WAREHOUSE_URL": "postgresql://h/d"}, "unset the URL"),
        ({"KEEPWELL_WAREHOUSE_URL": "mysql://u:secret@h/d"}, "has to look like"),
    ],
)
def test_mistakes_are_named(variables: dict[str, str], words: str) -> None:
    with pytest.raises(WarehouseError, match=words) as fault:
        Settings.from_environment(variables)
    assert "secret" not in str(fault.value)


def test_the_password_is_in_no_repr_and_no_message(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, url="postgresql://keepwell:se%ret@db:5432/bank")
    assert "se%ret" not in repr(settings)
    with pytest.raises(WarehouseError) as fault:
        dbt_environment(settings)
    assert "se%ret" not in str(fault.value)


def test_dbt_takes_the_banks_own_server(tmp_path: Path) -> None:
    settings = Settings(
        home=tmp_path, url="postgresql://keepwell:s%40cret@db.example:6432/bank?sslmode=require"
    )
    variables = dbt_environment(settings)
    assert {name: variables[name] for name in variables if name != "KEEPWELL_DUCKDB_PATH"} == {
        "KEEPWELL_PG_HOST": "db.example",
        "KEEPWELL_PG_PORT": "6432",
        "KEEPWELL_PG_USER": "keepwell",
        "KEEPWELL_PG_PASSWORD": "s@cret",
        "KEEPWELL_PG_DBNAME": "bank",
        "PGSSLMODE": "require",
    }
