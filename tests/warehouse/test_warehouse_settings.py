"""Settings: what the environment may say, and what a mistake in it is answered with."""

from __future__ import annotations

from pathlib import Path

import pytest

from warehouse import Settings, WarehouseError, dbt_environment
from warehouse.passwords import read_password
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


def test_a_relative_folder_of_passwords_lies_in_the_project_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings.from_environment({"KEEPWELL_PASSWORD_DIR": "secrets"})
    assert settings.password_dir == PROJECT_ROOT / "secrets"
    assert Settings.from_environment(settings.environment()).password_dir == PROJECT_ROOT / "secrets"


def test_a_folder_of_passwords_that_others_may_write_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "keepwell_scorer"
    file.write_text("hush\n")
    file.chmod(0o600)
    for mode in (0o770, 0o707):
        tmp_path.chmod(mode)
        with pytest.raises(WarehouseError, match=f"chmod go-w {tmp_path}$") as fault:
            read_password(file)
        assert "hush" not in str(fault.value)
    # In a folder like /tmp nobody replaces the file of another; /run/secrets of a container is 0755.
    for mode in (0o1777, 0o755):
        tmp_path.chmod(mode)
        assert read_password(file) == "hush"


def test_another_process_finds_the_same_warehouse() -> None:
    settings = Settings(home=Path("/srv/bank"), source="berka", target="postgres", url="postgresql://h/d")
    assert Settings.from_environment(settings.environment()) == settings


def test_another_process_has_the_same_role() -> None:
    settings = Settings(
        home=Path("/srv/bank"), url="postgresql://h/d", role="loader", password_dir=Path("/run/secrets")
    )
    assert Settings.from_environment(settings.environment()) == settings


def test_a_role_is_the_user_and_its_password_comes_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "keepwell_scorer").write_text("p@ss:w/ord?#'%\n")
    variables = {
        "KEEPWELL_HOME": str(tmp_path),
        "KEEPWELL_WAREHOUSE_URL": "postgresql://warehouse:5432/keepwell?sslmode=require",
        "KEEPWELL_ROLE": "scorer",
        "KEEPWELL_PASSWORD_DIR": str(tmp_path),
    }
    settings = Settings.from_environment(variables)
    dbt = dbt_environment(settings)
    assert (dbt["KEEPWELL_PG_USER"], dbt["KEEPWELL_PG_PASSWORD"]) == ("keepwell_scorer", "p@ss:w/ord?#'%")
    assert (dbt["KEEPWELL_PG_HOST"], dbt["KEEPWELL_PG_DBNAME"]) == ("warehouse", "keepwell")
    assert dbt["PGSSLMODE"] == "require"
    assert "p@ss" not in repr(settings)
    assert "p@ss" not in str(settings.environment())
    # A socket's folder stands in the query, and the host is empty.
    socket = Settings.from_environment({**variables, "KEEPWELL_WAREHOUSE_URL": "postgresql:///d?host=/tmp/s"})
    assert dbt_environment(socket)["KEEPWELL_PG_HOST"] == "/tmp/s"


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"KEEPWELL_ROLE": ""}, "KEEPWELL_ROLE is not: say as whom"),
        ({"KEEPWELL_ROLE": "admin"}, "KEEPWELL_ROLE is 'admin': use one of loader, .*, owner"),
        ({"KEEPWELL_WAREHOUSE_URL": ""}, "the embedded server has one user"),
        ({"KEEPWELL_WAREHOUSE_URL": "postgresql://me:hush@h/d"}, "names a user"),
        ({"KEEPWELL_WAREHOUSE_URL": "postgresql://h/d?password=hush"}, "names a user"),
        ({"KEEPWELL_WAREHOUSE_URL": "postgresql://[h/d"}, "cannot be read"),
        ({}, "there is no password file .*keepwell_loader"),
    ],
)
def test_mistakes_of_roles_are_named(tmp_path: Path, variables: dict[str, str], words: str) -> None:
    given = {
        "KEEPWELL_WAREHOUSE_URL": "postgresql://h/d",
        "KEEPWELL_ROLE": "loader",
        "KEEPWELL_PASSWORD_DIR": str(tmp_path),
        **variables,
    }
    with pytest.raises(WarehouseError, match=words) as fault:
        dbt_environment(Settings.from_environment(given))
    assert "hush" not in str(fault.value)
    # Without the folder of passwords the role means nothing.
    url = {"KEEPWELL_PASSWORD_DIR": "", "KEEPWELL_WAREHOUSE_URL": "postgresql://u@h/d"}
    plain = Settings.from_environment({**given, **url})
    assert dbt_environment(plain)["KEEPWELL_PG_USER"] == "u"


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
