"""Rows of files for engines that cannot read them: an in-process DuckDB does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import duckdb
import pyarrow as pa

from warehouse.errors import WarehouseError

READER_MEMORY = "1GB"
BATCH_ROWS = 65_536


@contextmanager
def selected_rows(sql: str, tables: Mapping[str, pa.Table]) -> Iterator[pa.RecordBatchReader]:
    """Rows of a DuckDB select over files and Arrow tables, in memory of some batches.

    Raises WarehouseError with DuckDB's message when the select fails.
    """
    try:
        with duckdb.connect() as connection:
            connection.execute(f"set memory_limit = '{READER_MEMORY}'; set TimeZone = 'UTC'")
            for name, rows in tables.items():
                connection.register(name, rows)
            yield connection.sql(sql).to_arrow_reader(BATCH_ROWS)
    except duckdb.Error as fault:
        raise WarehouseError(str(fault)) from fault
