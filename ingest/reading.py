"""One entity file as records: its layout, and where a select finds its values and the line of each.

A Parquet file is read where it lies; the records of a CSV file are split here and written to a Parquet file
of text first. Memory is that of one chunk of records, whatever the size of the file.
"""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TextIO

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from ingest.contracts import Contract
from ingest.errors import IngestError

CHUNK_LINES = 20_000
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
    """Layout of the file and warnings about it. Raises IngestError when it does not fit the contract."""
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
        f"{file.name}: column {field.name}: Parquet type {field.type} holds no single value: "
        "write text, numbers or dates"
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


def split_csv(
    path: Path, target: Path, layout: Layout, names: list[str], on_rows: Callable[[int], None]
) -> None:
    """Write the records of a CSV file to the Parquet file `target`, in the columns of `csv_batches`."""
    schema = _batch_schema(names)
    with path.open(encoding="utf-8-sig", newline="") as stream, pq.ParquetWriter(target, schema) as writer:
        for batch in csv_batches(stream, layout, names, on_rows):
            writer.write_batch(batch)


def _batch_schema(names: list[str]) -> pa.Schema:
    text = [
        pa.field(name, pa.string()) for name in ["malformed", "problem", *(f"raw_{name}" for name in names)]
    ]
    return pa.schema([pa.field("line_no", pa.int64()), *text])


def csv_batches(
    stream: TextIO, layout: Layout, names: list[str], on_rows: Callable[[int], None]
) -> Iterator[pa.RecordBatch]:
    """The records after the header, chunk by chunk, in the columns of `_batch_schema`."""
    positions = [layout.columns.index(name) for name in names]
    width = len(layout.columns)
    separator = layout.separator or ","
    stream.readline()
    next_line = 2
    while lines := list(islice(stream, CHUNK_LINES)):
        columns = _plain_columns(lines, separator, width)
        if columns is not None:
            numbers = pa.array(range(next_line, next_line + len(lines)), pa.int64())
            malformed = problems = pa.nulls(len(lines), pa.string())
        else:
            records = list(_careful_records(lines, next_line, separator, width, stream))
            rows = [record.fields or [""] * width for record in records]
            columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
            columns = columns or [pa.nulls(0, pa.string())] * width
            numbers = pa.array([record.line_no for record in records], pa.int64())
            malformed = pa.array([record.malformed for record in records], pa.string())
            problems = pa.array([record.problem for record in records], pa.string())
        # Careful reading may have taken further lines, to complete its last record.
        next_line += len(lines)
        on_rows(len(numbers))
        texts = [columns[position] for position in positions]
        yield pa.RecordBatch.from_arrays([numbers, malformed, problems, *texts], schema=_batch_schema(names))


def _plain_columns(lines: list[str], separator: str, width: int) -> list[pa.Array] | None:
    """Columns of lines without quotes that all have the right number of fields; None for any others."""
    text = "".join(lines)
    if '"' in text:
        return None
    names = [str(number) for number in range(width)]
    try:
        table = pa_csv.read_csv(
            io.BytesIO(text.encode()),
            read_options=pa_csv.ReadOptions(use_threads=False, column_names=names),
            parse_options=pa_csv.ParseOptions(delimiter=separator, quote_char=False),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid:
        return None
    # Blank lines are skipped; then lines and records do not correspond.
    return [column.combine_chunks() for column in table.columns] if table.num_rows == len(lines) else None


@dataclass(frozen=True, slots=True)
class _Record:
    line_no: int
    fields: list[str] | None = None
    malformed: str | None = None
    problem: str | None = None


def _careful_records(
    lines: list[str], first_line: int, separator: str, width: int, stream: TextIO
) -> Iterator[_Record]:
    """Records of lines that may be blank, malformed or part of a record; lines are added to end the last.

    A record that cannot be split condemns its first line only and reading goes on with the next line, so that
    a quote that never closes costs one row and not the rest of the file. Blank lines are no records.
    """
    start = end = 0

    def feed() -> Iterator[str]:
        nonlocal end
        while end < len(lines) or _take_line(stream, lines):
            end += 1
            yield lines[end - 1]

    reader = csv.reader(feed(), delimiter=separator, strict=True)
    while start < len(lines):
        problem = None
        try:
            fields = next(reader)
            if fields and len(fields) != width:
                problem = f"{len(fields)} fields where the header has {width}"
        except csv.Error as error:
            problem = f"the line cannot be split: {error}"
        if problem:
            yield _Record(first_line + start, malformed=lines[start].rstrip("\r\n"), problem=problem)
            end = start + 1
            reader = csv.reader(feed(), delimiter=separator, strict=True)
        elif fields:
            yield _Record(first_line + start, fields=fields)
        start = end


def _take_line(stream: TextIO, lines: list[str]) -> bool:
    line = stream.readline()
    if line:
        lines.append(line)
    return bool(line)
