"""The address of the warehouse, for the door and for dbt, which brings its own driver."""

from __future__ import annotations

from urllib.parse import parse_qs, quote, urlsplit, urlunsplit

from warehouse.errors import WarehouseError
from warehouse.passwords import read_password
from warehouse.settings import OWNER, ROLES, Settings, role_name


def postgres_url(settings: Settings) -> str:
    """The libpq URL of the bank's PostgreSQL database; starts the embedded server when no URL is set.

    With a folder of passwords, the URL of the role. Raises WarehouseError when the role, its file or the URL
    cannot be used; no message holds the password.
    """
    if settings.url or settings.password_dir is not None:
        url = _role_url(settings) if settings.password_dir is not None else str(settings.url)
        _parts(url)
        return url
    from warehouse import embedded

    return embedded.up(settings.postgres_dir, settings.database)


def _parts(url: str) -> dict[str, str]:
    """What libpq reads in a URL.

    Raises WarehouseError when that is nothing, or a character of the password, written as it is, has moved
    the rest of it to where host, port and database stand. The drivers' messages quote those, and so parts of
    the password.
    """
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = {key: str(value) for key, value in conninfo_to_dict(url).items() if value is not None}
        is_whole = "@" not in urlsplit(url).path + parts.get("host", "")
        is_whole &= all(port.isdigit() for port in parts.get("port", "5432").split(","))
    except (ProgrammingError, ValueError):
        is_whole = False
    if not is_whole:
        raise WarehouseError(
            "KEEPWELL_WAREHOUSE_URL cannot be read: write postgresql://user:password@host:5432/database, "
            "with %40 for @, %2F for / and %25 for % in the password"
        )
    return parts


def _role_url(settings: Settings) -> str:
    known = ", ".join((*ROLES, OWNER))
    if settings.role is None:
        raise WarehouseError(
            "KEEPWELL_PASSWORD_DIR is set and KEEPWELL_ROLE is not: say as whom, KEEPWELL_ROLE= one of "
            f"{known}; or unset KEEPWELL_PASSWORD_DIR to connect as KEEPWELL_WAREHOUSE_URL says"
        )
    if settings.role not in (*ROLES, OWNER):
        raise WarehouseError(f"KEEPWELL_ROLE is {settings.role!r}: use one of {known}")
    if not settings.url:
        raise WarehouseError(
            "KEEPWELL_PASSWORD_DIR is set and KEEPWELL_WAREHOUSE_URL is not, and the embedded server has one "
            "user: set KEEPWELL_WAREHOUSE_URL=postgresql://host:5432/database"
        )
    assert settings.password_dir is not None
    try:
        address = urlsplit(settings.url)
        named = "@" in address.netloc or {"user", "password"} & set(parse_qs(address.query))
    except ValueError:
        raise WarehouseError(
            "KEEPWELL_WAREHOUSE_URL cannot be read: write postgresql://host:5432/database"
        ) from None
    if named:
        raise WarehouseError(
            "KEEPWELL_PASSWORD_DIR is set and KEEPWELL_WAREHOUSE_URL names a user, which is that of "
            "KEEPWELL_ROLE: write postgresql://host:5432/database"
        )
    user = role_name(settings.role)
    password = read_password(settings.password_dir / user)
    return urlunsplit(address._replace(netloc=f"{user}:{quote(password, safe='')}@{address.netloc}"))


def dbt_environment(settings: Settings) -> dict[str, str]:
    """The variables that dbt's profiles read with env_var. All are set on both engines, some empty."""
    variables = {
        "KEEPWELL_PG_HOST": "",
        "KEEPWELL_PG_PORT": "5432",
        "KEEPWELL_PG_USER": "",
        "KEEPWELL_PG_PASSWORD": "",
        "KEEPWELL_PG_DBNAME": "",
        "KEEPWELL_DUCKDB_PATH": str(settings.duckdb_path),
    }
    if settings.target == "duckdb":
        settings.bank_home.mkdir(parents=True, exist_ok=True)
        return variables
    address = _parts(postgres_url(settings))
    for variable, key in (
        ("KEEPWELL_PG_HOST", "host"),
        ("KEEPWELL_PG_PORT", "port"),
        ("KEEPWELL_PG_USER", "user"),
        ("KEEPWELL_PG_PASSWORD", "password"),
        ("KEEPWELL_PG_DBNAME", "dbname"),
        # libpq itself reads these, so dbt's profile need not name them.
        ("PGSSLMODE", "sslmode"),
        ("PGSSLROOTCERT", "sslrootcert"),
    ):
        if key in address:
            variables[variable] = address[key]
    return variables
