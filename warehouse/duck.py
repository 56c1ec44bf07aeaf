"""A warehouse in one DuckDB file: one writing process at a time."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import duckdb
import pyarrow as pa

from warehouse.errors import UnavailableError, WarehouseError
from warehouse.names import quoted, quoted_name, split_name
from warehouse.relations import MANY_VALUES, FittedRows, as_reader, column_definitions

# Steps of a run follow each other closely; wait for the one that is just closing the file.
LOCK_PATIENCE_S = 15.0
APPEND_MEMORY = "1GB"
# For everything else; dbt has a limit of its own in its profile.
MEMORY = "4GB"


class DuckWarehouse:
    """One connection that commits by itself outside `transaction()`."""

    target = "duckdb"

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self._path = path
        self._connection = _connect(path, read_only=read_only)
        self._in_transaction = False

    def query(self, sql: str, params: Sequence[Any] = ()) -> pa.Table:
        with _said_plainly():
            return _relation(self._connection, sql, params).to_arrow_table()

    def stream(self, sql: str, params: Sequence[Any] = (), batch_rows: int = 65_536) -> pa.RecordBatchReader:
        with _said_plainly():
            return _relation(self._connection.cursor(), sql, params).to_arrow_reader(batch_rows)

    def execute(self, sql: str, params: Sequence[Any] = ()) -> int:
        with _said_plainly():
            result = self._connection.execute(sql, list(params))
            if not result.description or result.description[0][0] != "Count":
                return -1
            count = result.fetchone()
            return int(count[0]) if count else -1

    def append(self, name: str, rows: pa.Table | pa.RecordBatch | pa.RecordBatchReader) -> int:
        fitted = FittedRows(
            as_reader(rows), name, self.query(f"select * from {quoted_name(name)} limit 0").schema
        )
        columns = ", ".join(quoted(column) for column in fitted.schema.names)
        try:
            with _said_plainly():
                self._connection.register("keepwell_rows", fitted.reader())
                self._connection.execute(
                    f"insert into {quoted_name(name)} ({columns}) select {columns} from keepwell_rows"
                )
        except WarehouseError as fault:
            raise (fitted.fault or fault) from None
        finally:
            # In a transaction that a failed append has aborted there is nothing left to unregister.
            with suppress(duckdb.TransactionException):
                self._connection.unregister("keepwell_rows")
        return fitted.rows

    def append_files(self, name: str, sql: str, tables: Mapping[str, pa.Table]) -> int:
        try:
            with _said_plainly():
                for table, rows in tables.items():
                    self._connection.register(table, rows)
                selected = _relation(self._connection, sql, ())
                target = _relation(self._connection, f"select * from {quoted_name(name)}", ())
                held = dict(zip(target.columns, target.types, strict=True))
                for column, found in zip(selected.columns, selected.types, strict=True):
                    # An insert would round and cut in silence to make a value fit.
                    if held.get(column) != found:
                        raise WarehouseError(
                            f"{name}.{column}: cannot keep {found} as {held.get(column, 'no column')}"
                        )
                columns = ", ".join(quoted(column) for column in selected.columns)
            # Without it, DuckDB keeps what it has written until most of the machine's memory is in use.
            self.execute(f"set memory_limit = '{APPEND_MEMORY}'")
            return self.execute(f"insert into {quoted_name(name)} ({columns}) {sql}")
        finally:
            with suppress(WarehouseError):
                self.execute(f"set memory_limit = '{MEMORY}'")
            with suppress(duckdb.TransactionException):
                for table in tables:
                    self._connection.unregister(table)

    def create_table(self, name: str, schema: pa.Schema) -> None:
        # Dictionaries, which DuckDB chooses by itself, double the time of writing where few values repeat.
        definitions = ", ".join(
            column_definitions(pa.schema([field]))
            + (" using compression zstd" if _has_many_values(field) else "")
            for field in schema
        )
        self.execute(f"create table if not exists {quoted_name(name)} ({definitions})")

    def exists(self, name: str) -> bool:
        return bool(self.column_types(name))

    def column_types(self, name: str) -> dict[str, str]:
        schema, table = split_name(name)
        columns = self.query(
            """
            select column_name as name, data_type as type
            from duckdb_columns()
            where database_name = current_database() and schema_name = $1 and table_name = $2
            order by column_index
            """,
            [schema, table],
        )
        return {column["name"]: column["type"] for column in columns.to_pylist()}

    def schemas(self) -> list[str]:
        rows = self.query(
            "select schema_name as name from duckdb_schemas() where database_name = current_database()"
        )
        return sorted(rows["name"].to_pylist())

    @contextmanager
    def transaction(self) -> Iterator[None]:
        if self._in_transaction:
            raise WarehouseError("a transaction is open already: transactions do not nest")
        self.execute("begin transaction")
        self._in_transaction = True
        try:
            yield
            # Where the block swallowed an error, commit would roll back without a word; this complains.
            self.execute("select 1")
            self.execute("commit")
        except BaseException:
            self._rollback()
            raise
        finally:
            self._in_transaction = False

    def lock(self, name: str) -> None:
        """Nothing to do: only one process at a time can write the file."""

    def replace_views(self, views: Mapping[str, str | None]) -> None:
        for name, sql in views.items():
            if sql is None:
                self.execute(f"drop view if exists {quoted_name(name)}")
            else:
                self.execute(f"create or replace view {quoted_name(name)} as {sql}")

    def forget_deleted(self, tables: Sequence[str]) -> None:
        # A checkpoint keeps the deleted rows of a group of rows that is not empty.
        draft = self._path.with_name(f"{self._path.name}.draft")
        draft.unlink(missing_ok=True)
        name = quoted(self.query("select current_database() as name")["name"][0].as_py())
        place = str(draft).replace("'", "''")
        try:
            self.execute(f"attach '{place}' as draft")
            self.execute(f"copy from database {name} to draft")
            self.execute("detach draft")
            # Nothing is left to write to the old file, which stays locked until the new one has its place.
            self.execute("checkpoint")
            shutil.copymode(self._path, draft)
            draft.replace(self._path)
        finally:
            draft.unlink(missing_ok=True)
        self._connection.close()
        self._connection = _connect(self._path, read_only=False)

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _rollback(self) -> None:
        # A commit that failed has ended the transaction already.
        with suppress(duckdb.TransactionException):
            self._connection.execute("rollback")


def _connect(path: Path, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    if read_only and not path.exists():
        raise WarehouseError(
            f"there is no warehouse at {path} yet: run `python -m warehouse init`, then ingest"
        )
    deadline = time.monotonic() + LOCK_PATIENCE_S
    while True:
        try:
            connection = duckdb.connect(path, read_only=read_only)
            connection.execute("set TimeZone = 'UTC'")
            # What needs more goes to disk beside the file.
            connection.execute(f"set memory_limit = '{MEMORY}'")
            # It would draw into the CSV on stdout.
            connection.execute("set enable_progress_bar = false")
            return connection
        except duckdb.IOException as fault:
            if "lock" not in str(fault).lower():
                raise WarehouseError(f"cannot open {path}: {fault}") from fault
            if time.monotonic() > deadline:
                raise UnavailableError(
                    f"another process keeps {path} open, and DuckDB lets in one at a time: "
                    f"wait for it or stop it ({fault})"
                ) from fault
            time.sleep(0.2)


def _has_many_values(field: pa.Field) -> bool:
    metadata = {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
    return MANY_VALUES.items() <= metadata.items()


def _relation(
    connection: duckdb.DuckDBPyConnection, sql: str, params: Sequence[Any]
) -> duckdb.DuckDBPyRelation:
    relation = connection.sql(sql, params=list(params) or None)
    if relation is None:
        raise WarehouseError("this statement gives no rows: query and stream take a select")
    return relation


@contextmanager
def _said_plainly() -> Iterator[None]:
    try:
        yield
    except duckdb.Error as fault:
        raise WarehouseError(str(fault)) from fault
