"""What every room may ask of a warehouse, whichever engine keeps it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol, Self

from warehouse.errors import WarehouseError
from warehouse.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa


class Warehouse(Protocol):
    """An open connection. Parameters are `$1`, `$2` ... and Python values: a date is a `datetime.date`.

    Outside `transaction()` every statement commits by itself. Every method raises WarehouseError with the
    engine's message when a statement fails.
    """

    target: str

    def query(self, sql: str, params: Sequence[Any] = ()) -> pa.Table:
        """All rows of a select. Numeric comes as decimal128; computed numeric on PostgreSQL as (38, 9)."""
        ...

    def stream(self, sql: str, params: Sequence[Any] = (), batch_rows: int = 65_536) -> pa.RecordBatchReader:
        """Rows of a select in batches of at most `batch_rows`.

        On a connection of its own, so it sees what is committed.
        """
        ...

    def execute(self, sql: str, params: Sequence[Any] = ()) -> int:
        """Run one statement; rows affected, -1 where the engine does not say."""
        ...

    def append(self, name: str, rows: pa.Table | pa.RecordBatch | pa.RecordBatchReader) -> int:
        """Add rows to `schema.table` by column name, in bulk, with memory of one batch; the number of rows.

        Columns that the rows lack become null. A value that does not fit its column is an error.
        """
        ...

    def append_files(self, name: str, sql: str, tables: Mapping[str, pa.Table]) -> int:
        """Add the rows of a DuckDB select over files and `tables` to `schema.table`; the number of rows.

        A DuckDB warehouse reads the files itself; elsewhere an in-process DuckDB does and its rows stream in.
        """
        ...

    def create_table(self, name: str, schema: pa.Schema) -> None:
        """Create `schema.table` with the columns of an Arrow schema when it is missing."""
        ...

    def exists(self, name: str) -> bool:
        """Is there a table or view `schema.table`?"""
        ...

    def column_types(self, name: str) -> dict[str, str]:
        """Column names to SQL types of this engine, in order; empty when there is no such table or view."""
        ...

    def schemas(self) -> list[str]:
        """Names of all schemas, sorted."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """All of the above inside one transaction, DDL too; rolled back when the block raises."""
        ...

    def lock(self, name: str) -> None:
        """Wait until no other transaction holds the lock `name`; held until this transaction ends."""
        ...

    def replace_views(self, views: Mapping[str, str | None]) -> None:
        """Make each view `schema.view` the given select, or drop it for None; inside a transaction.

        Waits for readers without blocking new ones, and keeps privileges where the columns stay.
        """
        ...

    def forget_deleted(self, tables: Sequence[str]) -> None:
        """Let go, outside a transaction, of what the files of the database still hold of deleted rows.

        DuckDB: the file is written anew, whatever the tables. PostgreSQL: the tables are vacuumed, and those
        of `restricted` written anew; freed space of the others holds it until it is used again.
        """
        ...

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exception: object) -> None: ...


def open_warehouse(settings: Settings, *, read_only: bool = False) -> Warehouse:
    """Connect to the bank's warehouse, starting the embedded server when the settings mean it.

    Raises WarehouseError when it cannot be reached. The drivers are loaded here, not at import.
    """
    settings.bank_home.mkdir(parents=True, exist_ok=True)
    if settings.target == "duckdb":
        from warehouse.duck import DuckWarehouse

        return DuckWarehouse(settings.duckdb_path, read_only=read_only)
    if settings.target == "postgres":
        from warehouse.connections import postgres_url
        from warehouse.postgres import PostgresWarehouse

        return PostgresWarehouse(postgres_url(settings), read_only=read_only)
    raise WarehouseError(f"unknown target {settings.target!r}")
