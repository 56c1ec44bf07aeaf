"""One entity file into a scratch table of text, with the line that each record stands on.

Memory is that of one chunk of records, whatever the size of the file.
"""

from __future__ import annotations

import csv
import difflib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from ingest.contracts import Contract
from ingest.errors import IngestError

CHUNK_RECORDS = 20_000
# Trimmed off every value: blanks, tabs, line ends, the no-break and the ideographic space.
BLANKS = " \t\r\n\u00a0\u3000"


@dataclass(frozen=True)
class EntityFile:
    """One file of a delivery. `name` is what messages and ops tables call it."""

    entity: str
    path: Path
    name: str
    content_hash: str


@dataclass(frozen=True)
class Layout:
    """What the head of a file says: its columns, and the separator of a CSV file (None for Parquet)."""

    columns: tuple[str, ...]
    separator: str | None


def read_layout(file: EntityFile, contract: Contract) -> tuple[Layout, list[str]]:
    """Layout of the file and warnings about it. Raises IngestError when it cannot be read against the contract."""
    layout = _parquet_layout(file) if file.path.suffix == ".parquet" else csv_layout(file.path, file.name)
    return layout, _column_faults(file, contract, layout.columns)


def csv_layout(path: Path, name: str) -> Layout:
    """Columns and separator, from the header line alone. Raises IngestError when there is no header."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        header = stream.readline()
    if not header.strip():
        raise IngestError(
            f"{name}: empty, not even a header: deliver it with a header, or leave the file out"
        )
    separator = ";" if header.count(";") > header.count(",") else ","
    try:
        columns = next(csv.reader([header], delimiter=separator, strict=True))
    except csv.Error as error:
        raise IngestError(f"{name}: line 1: the header cannot be read ({error})") from None
    return Layout(tuple(column.strip(BLANKS) for column in columns), separator)


def _parquet_layout(file: EntityFile) -> Layout:
    try:
        schema = pq.ParquetFile(file.path).schema_arrow
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise IngestError(
            f"{file.name}: not a whole Parquet file, cut off or damaged: deliver it again ({reason})"
        ) from None
    faults = [
        f"{file.name}: column {field.name}: Parquet type {field.type} holds no single value: write text, numbers or dates"
        for field in schema
        if pa.types.is_nested(field.type) and not pa.types.is_dictionary(field.type)
    ]
    if faults:
        raise IngestError(faults)
    return Layout(tuple(schema.names), None)


def _column_faults(file: EntityFile, contract: Contract, found: tuple[str, ...]) -> list[str]:
    known = {*contract.column_names, "known_at"}
    faults = [
        f"{file.name}: column {name} stands twice in the header: keep one"
        for name in sorted({name for name in found if found.count(name) > 1 and name in known})
    ]
    missing = [column.name for column in contract.columns if column.is_required and column.name not in found]
    if missing and not known.intersection(found):
        # A file without header: its first line may hold personal data, so it is not shown.
        raise IngestError(
            f"{file.name}: line 1 is no header: none of the columns of {contract.entity} is in it: "
            f"add a header line ({', '.join(contract.column_names)})"
        )
    for name in missing:
        near = difflib.get_close_matches(
            name, [other for other in found if other not in known], n=1, cutoff=0.6
        )
        remedy = f"rename {near[0]} to {name}" if near else f"add {name}"
        faults.append(f"{file.name}: required column {name} is missing: {remedy} (found: {', '.join(found)})")
    if faults:
        raise IngestError(faults)
    return [
        f"{file.name}: column {name} is not in the contract of {contract.entity}: ignored"
        for name in found
        if name not in known
    ]


def stage(
    connection: duckdb.DuckDBPyConnection,
    file: EntityFile,
    layout: Layout,
    contract: Contract,
    on_rows: Callable[[int], None],
) -> int:
    """Fill `staged` with the records of the file and return how many there are.

    Columns: line_no bigint (the header is line 1), malformed varchar (the raw line where it could not be split),
    problem varchar, and `raw_<column>` varchar, trimmed, null when empty or absent, for each column and known_at.
    """
    names = [*contract.column_names, "known_at"]
    columns = ", ".join(f"raw_{name} varchar" for name in names)
    connection.execute(
        f"create or replace table staged (line_no bigint, malformed varchar, problem varchar, {columns})"
    )
    present = [name for name in names if name in layout.columns]
    targets = ", ".join(["line_no", "malformed", "problem", *(f"raw_{name}" for name in present)])
    if layout.separator is None:
        values = ", ".join(_clean(f'"{name}"') for name in present)
        connection.execute("set timezone = 'UTC'")
        try:
            connection.execute(
                f"insert into staged ({targets}) select file_row_number + 2, null, null, {values}"
                " from read_parquet($1, file_row_number = true, hive_partitioning = false)",
                [str(file.path)],
            )
        except duckdb.Error as error:
            reason = str(error).splitlines()[0]
            raise IngestError(
                f"{file.name}: Parquet cannot be read, damaged: deliver it again ({reason})"
            ) from None
    else:
        values = ", ".join(_clean(f"raw_{name}") for name in present)
        with file.path.open(encoding="utf-8-sig", newline="") as stream:
            chunks = _csv_batches(stream, layout, present, on_rows)
            schema = _batch_schema(present)
            reader = pa.RecordBatchReader.from_batches(schema, chunks)
            connection.register("arriving", reader)
            connection.execute(
                f"insert into staged ({targets}) select line_no, malformed, problem, {values} from arriving"
            )
            connection.unregister("arriving")
    row = connection.execute("select count(*) from staged").fetchone()
    count = int(row[0]) if row else 0
    if layout.separator is None:
        on_rows(count)
    return count


def _clean(expression: str) -> str:
    blanks = (
        BLANKS.replace("\t", "' || chr(9) || '")
        .replace("\r", "' || chr(13) || '")
        .replace("\n", "' || chr(10) || '")
    )
    return f"nullif(trim(cast({expression} as varchar), '{blanks}'), '')"


def _batch_schema(names: list[str]) -> pa.Schema:
    text = [
        pa.field(name, pa.string()) for name in ["malformed", "problem", *(f"raw_{name}" for name in names)]
    ]
    return pa.schema([pa.field("line_no", pa.int64()), *text])


def _csv_batches(
    stream: TextIO, layout: Layout, names: list[str], on_rows: Callable[[int], None]
) -> Iterator[pa.RecordBatch]:
    schema = _batch_schema(names)
    positions = [layout.columns.index(name) for name in names]
    width = len(layout.columns)
    nothing = [""] * width
    lines: list[int] = []
    malformed: list[str | None] = []
    problems: list[str | None] = []
    rows: list[list[str]] = []

    def batch() -> pa.RecordBatch:
        columns = list(zip(*rows, strict=True)) if rows else [()] * width
        arrays = [
            pa.array(lines, pa.int64()),
            pa.array(malformed, pa.string()),
            pa.array(problems, pa.string()),
        ]
        arrays += [pa.array(columns[position], pa.string()) for position in positions]
        on_rows(len(rows))
        for gathered in (lines, malformed, problems, rows):
            gathered.clear()
        return pa.RecordBatch.from_arrays(arrays, schema=schema)

    for line_no, fields, raw, problem in _records(stream, layout.separator or ",", width):
        lines.append(line_no)
        malformed.append(raw)
        problems.append(problem)
        rows.append(nothing if fields is None else fields)
        if len(rows) == CHUNK_RECORDS:
            yield batch()
    if rows:
        yield batch()


def _records(
    stream: TextIO, separator: str, width: int
) -> Iterator[tuple[int, list[str] | None, str | None, str | None]]:
    """Records after the header: (line, fields, None, None), or (line, None, raw line, problem) for a malformed one.

    A record that cannot be split condemns its first line only: reading goes on with the next line, so that a quote
    that never closes costs one row and not the rest of the file. Blank lines are no records.
    """
    consumed: list[str] = []
    waiting: deque[str] = deque()

    def feed() -> Iterator[str]:
        while line := (waiting.popleft() if waiting else stream.readline()):
            consumed.append(line)
            yield line

    def new_reader() -> Iterator[list[str]]:
        return csv.reader(feed(), delimiter=separator, strict=True)

    stream.readline()
    line_no = 2
    reader = new_reader()
    while True:
        consumed.clear()
        problem = None
        fields: list[str] = []
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            problem = f"the line cannot be split: {error}"
        if not problem and not fields:
            line_no += len(consumed)
            continue
        if not problem and len(fields) == width:
            yield line_no, fields, None, None
            line_no += len(consumed)
            continue
        first = consumed[0].rstrip("\r\n")
        waiting.extendleft(reversed(consumed[1:]))
        reader = new_reader()
        yield line_no, None, first, problem or f"{len(fields)} fields where the header has {width}"
        line_no += 1
