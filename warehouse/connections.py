"""The address of the warehouse, for the door and for dbt, which brings its own driver."""

from __future__ import annotations

from warehouse.errors import WarehouseError
from warehouse.settings import Settings


def postgres_url(settings: Settings) -> str:
    """The libpq URL of the bank's PostgreSQL database; starts the embedded server when no URL is set."""
    if settings.url:
        return settings.url
    from warehouse import embedded

    return embedded.up(settings.postgres_dir, settings.database)


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
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        address = conninfo_to_dict(postgres_url(settings))
    except ProgrammingError as fault:
        # The driver quotes the URL in its message, password and all.
        raise WarehouseError(
            "KEEPWELL_WAREHOUSE_URL cannot be read: write postgresql://user:password@host:5432/database"
        ) from fault.with_traceback(None)
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
        if address.get(key) is not None:
            variables[variable] = str(address[key])
    return variables
