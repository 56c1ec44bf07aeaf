"""A mart as a file for whoever may not know whom it is about: identifiers replaced by keyed hashes.

One key gives a person the same pseudonym in every mart and on every day, so that files can be joined; another
key gives another. Rows come in an order that follows from the key, since their order in the warehouse follows
the identifiers.
"""

from __future__ import annotations

import datetime as dt
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from warehouse import audit
from warehouse.csv_output import write_rows
from warehouse.door import Warehouse
from warehouse.errors import WarehouseError
from warehouse.names import quoted
from warehouse.pseudonyms import HARMLESS_IDS, IDENTIFIERS, NAMING_TEXTS, PERSONAL, key_name, keyed_hash
from warehouse.publish import PUBLIC_MARTS

SUFFIXES = (".parquet", ".csv")
# A line on stderr for whoever waits.
ROWS_A_NOTE = 1_000_000


def export(wh: Warehouse, mart: str, out: Path, key: bytes, *, as_of_date: dt.date | None = None) -> int:
    """Write marts.<mart>, or the rows of `as_of_date` of history.<mart>, to a Parquet or CSV file; its rows.

    The file is whole or absent, and its owner's alone. Raises WarehouseError for a mart that is not public or
    not published, for one with personal columns or columns of which nobody has said whether they identify
    somebody, and for a day that does not stand in history.
    """
    if out.suffix not in SUFFIXES:
        raise WarehouseError(f"--out {out} has to end in {' or '.join(SUFFIXES)}")
    if mart not in PUBLIC_MARTS:
        raise WarehouseError(f"{mart} is no public mart: choose one of {', '.join(PUBLIC_MARTS)}")
    relation = f"{'history' if as_of_date else 'marts'}.{mart}"
    columns = wh.column_types(relation)
    if not columns:
        raise WarehouseError(f"there is no {relation}: publish a run first")
    _refuse(mart, list(columns))
    if (
        as_of_date
        and not wh.query(
            "select 1 as one from ops.standing_snapshots where as_of_date = $1", [as_of_date]
        ).num_rows
    ):
        raise WarehouseError(f"no snapshot as of {as_of_date} stands in history")
    replaced = [name for name in columns if name in IDENTIFIERS]
    sql, values = _select(relation, list(columns), replaced, key, as_of_date)
    with _whole(out) as draft:
        rows = _write(_pseudonymised(wh.stream(sql, values), replaced, key), draft, out.suffix)
        with wh.transaction():
            day = f" as of {as_of_date}" if as_of_date else ""
            audit.record(
                wh, "export", relation, f"{rows} rows{day} to {out.name}, pseudonyms by key {key_name(key)}"
            )
    return rows


def undeclared_identifiers(columns: list[str]) -> list[str]:
    """Columns that look like identifiers and are declared neither as such nor as harmless."""
    return [
        name
        for name in columns
        if name.endswith(("_id", "_author")) and name not in (*IDENTIFIERS, *HARMLESS_IDS)
    ]


def _refuse(mart: str, columns: list[str]) -> None:
    personal = [name for name in columns if name in PERSONAL]
    if personal:
        raise WarehouseError(f"{mart} has personal columns, which no export takes: {', '.join(personal)}")
    undeclared = undeclared_identifiers(columns)
    if undeclared:
        raise WarehouseError(
            f"{mart}: nobody has said whether {', '.join(undeclared)} names a person or an account: put it "
            "into IDENTIFIERS or HARMLESS_IDS of warehouse/pseudonyms.py"
        )


def _select(
    relation: str, columns: list[str], replaced: list[str], key: bytes, as_of_date: dt.date | None
) -> tuple[str, list[object]]:
    values: list[object] = []
    where = ""
    if as_of_date:
        values.append(as_of_date)
        where = f"where as_of_date = ${len(values)}"
    order = [quoted(name) for name in columns if name not in replaced]
    if replaced:
        # The salt goes to the server, the key does not, and nobody gets from one to the other.
        values.append(keyed_hash(key, "the order of an export"))
        order = [f"md5(cast(${len(values)} as varchar) || {quoted(name)})" for name in replaced] + order
    listed = ", ".join(_shown(name, columns) for name in columns)
    return f"select {listed} from {relation} {where} order by {', '.join(order)}", values


def _shown(name: str, columns: list[str]) -> str:
    """SQL of a column; empty where its text names whoever another column names."""
    named = NAMING_TEXTS.get(name)
    if named not in columns:
        return quoted(name)
    return f"case when {quoted(named)} is null then {quoted(name)} end as {quoted(name)}"


def _pseudonymised(reader: pa.RecordBatchReader, replaced: list[str], key: bytes) -> pa.RecordBatchReader:
    schema = pa.schema(
        [pa.field(field.name, pa.string()) if field.name in replaced else field for field in reader.schema]
    )

    def batches() -> Iterator[pa.RecordBatch]:
        rows = 0
        for batch in reader:
            arrays = [
                _hashed(column, key) if name in replaced else column
                for name, column in zip(schema.names, batch.columns, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)
            if (rows + batch.num_rows) // ROWS_A_NOTE > rows // ROWS_A_NOTE:
                print(f"export: {rows + batch.num_rows:,} rows", file=sys.stderr)
            rows += batch.num_rows

    return pa.RecordBatchReader.from_batches(schema, batches())


def _hashed(column: pa.Array, key: bytes) -> pa.Array:
    """Each value as its keyed hash, null as null; computed once for every value of the batch."""
    encoded = column.dictionary_encode()
    hashes = [keyed_hash(key, str(value)) for value in encoded.dictionary.to_pylist()]
    return pa.array(hashes, pa.string()).take(encoded.indices)


def _write(rows: pa.RecordBatchReader, file: Path, suffix: str) -> int:
    count = 0

    def counted() -> Iterator[pa.RecordBatch]:
        nonlocal count
        for batch in rows:
            count += batch.num_rows
            yield batch

    reader = pa.RecordBatchReader.from_batches(rows.schema, counted())
    if suffix == ".csv":
        with file.open("w", newline="", encoding="utf-8") as out:
            write_rows(reader, out)
    else:
        with pq.ParquetWriter(file, reader.schema) as writer:
            for batch in reader:
                writer.write_batch(batch)
    return count


@contextmanager
def _whole(out: Path) -> Iterator[Path]:
    """A draft beside the file, private from its first byte, which takes its place when all went well."""
    try:
        handle, name = tempfile.mkstemp(dir=out.parent, prefix=f".{out.name}.")
    except OSError as fault:
        raise WarehouseError(f"cannot write {out}: {fault.strerror}") from None
    os.close(handle)
    draft = Path(name)
    try:
        yield draft
        draft.replace(out)
    finally:
        draft.unlink(missing_ok=True)
