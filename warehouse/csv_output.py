"""Rows as CSV: the same text from both engines."""

from __future__ import annotations

import csv
import datetime as dt
import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, TextIO

import pyarrow as pa

from warehouse.door import Warehouse
from warehouse.relations import COMPUTED_NUMERIC


def write_csv(wh: Warehouse, sql: str, out: TextIO) -> None:
    """Write a header and the rows of one select, in memory of one batch. Null is empty, true is `true`."""
    write_rows(wh.stream(sql), out)


def write_rows(reader: pa.RecordBatchReader, out: TextIO) -> None:
    """`write_csv` of rows that are read already."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(reader.schema.names)
    # PostgreSQL pads a computed numeric with zeros; nobody asked for them.
    padded = [field.type == COMPUTED_NUMERIC for field in reader.schema]
    for batch in reader:
        columns = [
            [_text(value, is_padded=is_padded) for value in column.to_pylist()]
            for column, is_padded in zip(batch.columns, padded, strict=True)
        ]
        writer.writerows(_rows(columns))


def _rows(columns: Sequence[Sequence[str]]) -> Any:
    return zip(*columns, strict=True)


def _text(value: Any, *, is_padded: bool) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        text = f"{value:f}"
        return text.rstrip("0").rstrip(".") if is_padded and "." in text else text
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
