"""A warehouse in PostgreSQL, through ADBC: COPY both ways, Arrow at both ends."""

from __future__ import annotations

import re
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Self

import adbc_driver_postgresql.dbapi as adbc
import pyarrow as pa
import pyarrow.compute as pc

from warehouse.errors import UnavailableError, WarehouseError
from warehouse.files import selected_rows
from warehouse.names import quoted_name, split_name
from warehouse.relations import COMPUTED_NUMERIC, FittedRows, as_reader, column_definitions

USE_COPY = "adbc.postgresql.use_copy"

ROWS_WORTH_ANALYSING = 10_000

# How long a publication waits for readers that hold a view, and how long it may make new readers wait.
READERS_PATIENCE_S = 300
VIEW_LOCK_TIMEOUT_MS = 1_000
STREAM_LOCK_TIMEOUT_S = 60
LOCK_NOT_AVAILABLE, DEADLOCK, CANNOT_CHANGE_VIEW = "55P03", "40P01", "42P16"

# A server that is gone, stopping or starting. The driver gives no SQLSTATE where libpq speaks, and the same
# status to every other fault, so its words decide; a wrong name or password stays wrong.
UNAVAILABLE_STATES = re.compile(r"08...|57P0[123]")
UNAVAILABLE_WORDS = re.compile(
    r"Failed to connect|no connection to the server|server closed the connection|terminating connection"
    r"|could not (receive|send) data|connection has been closed|connection (was|not) (lost|open)"
)
REFUSED_FOR_GOOD = re.compile(
    r'FATAL:\s+(database ".*" does not exist|role ".*" does not exist|password|no pg_hba)'
)


class PostgresWarehouse:
    """One connection that commits by itself outside `transaction()`."""

    target = "postgres"

    def __init__(self, url: str, *, read_only: bool = False) -> None:
        self._url = url
        self._read_only = read_only
        self._connection = self._connect()
        self._in_transaction = False

    def query(self, sql: str, params: Sequence[Any] = ()) -> pa.Table:
        with _said_plainly(), self._connection.cursor() as cursor:
            cursor.execute(sql, list(params) or None)
            rows = cursor.fetch_arrow_table()
            return pa.Table.from_batches(
                (_typed(batch) for batch in rows.to_batches()), schema=_typed_schema(rows.schema)
            )

    def stream(self, sql: str, params: Sequence[Any] = (), batch_rows: int = 65_536) -> pa.RecordBatchReader:
        batches = self._fetch(sql, params, batch_rows)
        first = next(batches)

        def all_batches() -> Iterator[pa.RecordBatch]:
            if first.num_rows:
                yield first
                yield from batches
            batches.close()

        return pa.RecordBatchReader.from_batches(first.schema, all_batches())

    def execute(self, sql: str, params: Sequence[Any] = ()) -> int:
        with _said_plainly(), self._connection.cursor() as cursor:
            cursor.execute(sql, list(params) or None)
            return cursor.rowcount

    def append(self, name: str, rows: pa.Table | pa.RecordBatch | pa.RecordBatchReader) -> int:
        schema, table = split_name(name)
        fitted = FittedRows(
            as_reader(rows), name, self.query(f"select * from {quoted_name(name)} limit 0").schema
        )
        try:
            with _said_plainly(), self._connection.cursor() as cursor:
                cursor.adbc_ingest(table, fitted.reader(), mode="append", db_schema_name=schema)
        except WarehouseError as fault:
            raise (fitted.fault or fault) from None
        if fitted.rows >= ROWS_WORTH_ANALYSING:
            # The next statements are big joins over these rows; autovacuum would come a minute too late.
            self.execute(f"analyze {quoted_name(name)}")
        return fitted.rows

    def append_files(self, name: str, sql: str, tables: Mapping[str, pa.Table]) -> int:
        with selected_rows(sql, tables) as rows:
            return self.append(name, rows)

    def create_table(self, name: str, schema: pa.Schema) -> None:
        self.execute(f"create table if not exists {quoted_name(name)} ({column_definitions(schema)})")

    def exists(self, name: str) -> bool:
        rows = self.query("select to_regclass($1) is not null as is_there", [quoted_name(name)])
        return bool(rows["is_there"][0].as_py())

    def column_types(self, name: str) -> dict[str, str]:
        columns = self.query(
            """
            select attname::text as name, format_type(atttypid, atttypmod) as type
            from pg_attribute
            where attrelid = to_regclass($1) and attnum > 0 and not attisdropped
            order by attnum
            """,
            [quoted_name(name)],
        )
        return {column["name"]: column["type"] for column in columns.to_pylist()}

    def schemas(self) -> list[str]:
        rows = self.query("select nspname::text as name from pg_namespace")
        return sorted(rows["name"].to_pylist())

    @contextmanager
    def transaction(self) -> Iterator[None]:
        if self._in_transaction:
            raise WarehouseError("a transaction is open already: transactions do not nest")
        # Not the driver's own transactions: after an error those refuse "rollback to savepoint".
        self.execute("begin")
        self._in_transaction = True
        try:
            yield
            # Where the block swallowed an error, commit would roll back without a word; this complains.
            self.execute("savepoint keepwell_commit")
            self.execute("commit")
        except BaseException:
            self._roll_back()
            raise
        finally:
            self._in_transaction = False

    def lock(self, name: str) -> None:
        self.query("select pg_advisory_xact_lock(hashtext($1))::text as held", [f"keepwell {name}"])

    def replace_views(self, views: Mapping[str, str | None]) -> None:
        deadline = time.monotonic() + READERS_PATIENCE_S
        while not self._try_replacing(views):
            if time.monotonic() > deadline:
                raise UnavailableError(
                    f"readers have held {', '.join(views)} for {READERS_PATIENCE_S} s: "
                    "end their transactions and try again"
                )
            time.sleep(0.5)

    def forget_deleted(self, tables: Sequence[str]) -> None:
        for name in tables:
            # Written anew are the tables with names and texts, which are small.
            whole = "full, " if split_name(name)[0] == "restricted" else ""
            self.execute(f"vacuum ({whole}analyze) {quoted_name(name)}")

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _roll_back(self) -> None:
        # Where the connection is gone the transaction is too, and the error on its way says why.
        with suppress(WarehouseError):
            self.execute("rollback")

    def _connect(self) -> adbc.Connection:
        with _said_plainly("cannot connect to PostgreSQL: "):
            connection = adbc.connect(self._url, autocommit=True)
            with connection.cursor() as cursor:
                cursor.execute("set timezone to 'UTC'")
                if self._read_only:
                    cursor.execute("set default_transaction_read_only to on")
        return connection

    def _fetch(self, sql: str, params: Sequence[Any], batch_rows: int) -> Generator[pa.RecordBatch]:
        """Batches through a server-side cursor; the first may be empty and tells the schema.

        ADBC holds the whole result of a query that has parameters in memory; a cursor never does.
        """
        with self._connect() as connection, connection.cursor() as cursor, _said_plainly():
            cursor.adbc_statement.set_options(**{USE_COPY: "false"})
            cursor.execute("begin read only")
            # A stream opened inside a transaction that locked the same table would wait for itself.
            cursor.execute(f"set local lock_timeout to '{STREAM_LOCK_TIMEOUT_S}s'")
            # All rows will be read, so plan for all of them.
            cursor.execute("set local cursor_tuple_fraction to 1.0")
            cursor.execute(f"declare keepwell_stream no scroll cursor for {sql}", list(params) or None)
            is_first = True
            while True:
                cursor.execute(f"fetch forward {int(batch_rows)} from keepwell_stream")
                rows = cursor.fetch_arrow_table().combine_chunks()
                batches = rows.to_batches() or [pa.RecordBatch.from_pylist([], schema=rows.schema)]
                if not rows.num_rows and not is_first:
                    return
                is_first = False
                for batch in batches:
                    yield _typed(batch)

    def _try_replacing(self, views: Mapping[str, str | None]) -> bool:
        """Replace all views, or none and return False when a reader is in the way.

        A waiting lock on a view also stops every new reader of it, so wait shortly, let them pass, try again.
        """
        self.execute("savepoint keepwell_views")
        self.execute(f"set local lock_timeout to {VIEW_LOCK_TIMEOUT_MS}")
        try:
            for name in sorted(views):
                self._replace_view(name, views[name])
        except WarehouseError as fault:
            if _sqlstate(fault) not in (LOCK_NOT_AVAILABLE, DEADLOCK):
                raise
            self.execute("rollback to savepoint keepwell_views")
            return False
        self.execute("release savepoint keepwell_views")
        return True

    def _replace_view(self, name: str, sql: str | None) -> None:
        view = quoted_name(name)
        if sql is None:
            self.execute(f"drop view if exists {view}")
            return
        self.execute("savepoint keepwell_view")
        try:
            # Replacing keeps what roles were granted; it works while columns stay or are added at the end.
            self.execute(f"create or replace view {view} as {sql}")
        except WarehouseError as fault:
            if _sqlstate(fault) != CANNOT_CHANGE_VIEW:
                raise
            self.execute("rollback to savepoint keepwell_view")
            self.execute(f"drop view {view}")
            self.execute(f"create view {view} as {sql}")
        self.execute("release savepoint keepwell_view")


@contextmanager
def _said_plainly(prefix: str = "") -> Iterator[None]:
    """The driver's errors as WarehouseError, with the server's message and without the driver's plumbing."""
    try:
        yield
    except adbc.Error as fault:
        text = str(fault).partition("ERROR:")[2] or str(fault)
        text = text.partition("\nQuery was:")[0].partition(". SQLSTATE:")[0].strip()
        error = UnavailableError if _is_unavailable(fault) else WarehouseError
        raise error(prefix + text) from fault


def _is_unavailable(fault: adbc.Error) -> bool:
    if fault.sqlstate:
        return bool(UNAVAILABLE_STATES.fullmatch(fault.sqlstate))
    text = str(fault).partition("\nQuery was:")[0]
    return bool(UNAVAILABLE_WORDS.search(text)) and not REFUSED_FOR_GOOD.search(text)


def _sqlstate(fault: WarehouseError) -> str | None:
    return getattr(fault.__cause__, "sqlstate", None)


def _typed_schema(schema: pa.Schema) -> pa.Schema:
    return pa.schema([pa.field(field.name, _arrow_type(field)) for field in schema])


def _typed(batch: pa.RecordBatch) -> pa.RecordBatch:
    """ADBC hands numeric over as text; give it its declared precision and scale back."""
    schema = _typed_schema(batch.schema)
    columns = [
        _decimals(column.storage, field.type) if _is_numeric(raw) else column
        for raw, field, column in zip(batch.schema, schema, batch.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _is_numeric(field: pa.Field) -> bool:
    return isinstance(field.type, pa.OpaqueType) and field.type.type_name == "numeric"


def _arrow_type(field: pa.Field) -> pa.DataType:
    if not _is_numeric(field):
        return field.type
    modifier = int((field.metadata or {}).get(b"POSTGRESQL:typmod", b"-1")) - 4
    if modifier < 0:
        return COMPUTED_NUMERIC
    return pa.decimal128(modifier >> 16, modifier & 0x7FF)


def _decimals(text: pa.Array, decimal_type: pa.DataType) -> pa.Array:
    try:
        if decimal_type != COMPUTED_NUMERIC:
            return text.cast(decimal_type)
        return pc.round(text.cast(pa.decimal256(76, 38)), COMPUTED_NUMERIC.scale).cast(COMPUTED_NUMERIC)
    except pa.ArrowInvalid as fault:
        raise WarehouseError(
            f"a numeric value does not fit {decimal_type}: cast it in the query ({fault})"
        ) from fault
