"""The records of one file as a select over Parquet, and which of its columns need no reading of text.

A survey of the file decides for each column: where every value is already what the contract wants, the column
is taken as it is; any other is trimmed, matched and cast value by value. The fate of a row is the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb

from ingest.contracts import Contract
from ingest.errors import IngestError
from ingest.reading import BLANKS, EntityFile, Layout, split_csv

_SMALL_INTEGERS = ("TINYINT", "SMALLINT", "UTINYINT", "USMALLINT")
# Types whose values all fit the contract's, so that no value of them can break the type rule.
_FITTING = {
    "integer": (*_SMALL_INTEGERS, "INTEGER"),
    "numeric(18,2)": (*_SMALL_INTEGERS, "INTEGER", "UINTEGER"),
    "numeric(12,6)": _SMALL_INTEGERS,
    "boolean": ("BOOLEAN",),
}
_DECIMAL_DIGITS = {"numeric(18,2)": (16, 2), "numeric(12,6)": (6, 6)}
# Years beyond are not written YYYY.
_FIRST_DAY, _LAST_DAY = "0001-01-01", "9999-12-31"


@dataclass(frozen=True)
class Staged:
    """The records of a file: one select, `rows`, that any DuckDB can run.

    Columns: line_no bigint (the header is line 1), malformed varchar (the raw line where it cannot be split),
    problem varchar, and for each column and known_at `raw_<column>`: a value that is good as it is for the
    columns in `sound`, else varchar, trimmed, null when empty.
    """

    count: int
    sound: frozenset[str]
    _origin: str
    _columns: str
    _row_no: str
    _first_line: int

    @property
    def rows(self) -> str:
        return f"select {self._columns} from {self._origin}"

    def rows_of(self, lines: str) -> str:
        """`rows` of the line_no of a table, without reading the rest of the file."""
        chosen = f"select line_no - {self._first_line} from {lines}"
        return f"{self.rows} where {self._row_no} in ({chosen})"


def stage(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    file: EntityFile,
    layout: Layout,
    contract: Contract,
    on_rows: Callable[[int], None],
) -> Staged:
    """Survey the file; the records of a CSV file go to a Parquet file in `folder`.

    Raises IngestError when it is damaged.
    """
    names = [*contract.column_names, "known_at"]
    present = [name for name in names if name in layout.columns]
    path, first_line = file.path, 2
    columns = {name: f'"{name}"' for name in present}
    described = ["file_row_number + 2 as line_no", "null::varchar as malformed", "null::varchar as problem"]
    row_no = "file_row_number"
    if layout.separator is not None:
        path, first_line, row_no = folder / f"{contract.entity}.parquet", 0, "line_no"
        split_csv(file.path, path, layout, present, on_rows)
        columns = {name: f"raw_{name}" for name in present}
        described = ["line_no", "malformed", "problem"]
    literal = str(path).replace("'", "''")
    origin = f"read_parquet('{literal}', file_row_number = true, hive_partitioning = false)"
    try:
        count, sound = _survey(connection, origin, contract, columns)
    except (duckdb.OutOfMemoryException, duckdb.InterruptException):
        raise
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise IngestError(
            f"{file.name}: Parquet cannot be read, damaged: deliver it again ({reason})"
        ) from None
    if layout.separator is None:
        on_rows(count)
    for name in names:
        if name not in columns:
            value = "null::varchar"
        elif name in sound:
            value = columns[name]
        else:
            value = _clean(columns[name])
        described.append(f"{value} as raw_{name}")
    return Staged(count, sound, origin, ", ".join(described), row_no, first_line)


def _survey(
    connection: duckdb.DuckDBPyConnection, origin: str, contract: Contract, columns: dict[str, str]
) -> tuple[int, frozenset[str]]:
    """Number of records, and the columns of which every value is sound as it is. Reads every value."""
    types = {
        str(name): str(kind)
        for name, kind, *_ in connection.execute(f"describe select * from {origin}").fetchall()
    }
    wanted = {column.name: column.physical_type for column in contract.columns} | {"known_at": "timestamp"}
    tests, others = {}, []
    for name, column in columns.items():
        found = types[column.strip('"')]
        test = _unsound(column, found, wanted[name])
        if test:
            tests[name] = f"coalesce(bool_or({test}), false)"
        else:
            # Nothing to ask of its values, but damage in them is to be met here and not while loading.
            others.append(f"bit_xor(hash({column}))")
    selected = ", ".join(["count(*)", *tests.values(), *others])
    (row,) = connection.execute(f"select {selected} from {origin}").fetchall()
    fitting = {
        name
        for name, column in columns.items()
        if name not in tests and _fits(types[column.strip('"')], wanted[name])
    }
    passed = {name for name, is_unsound in zip(tests, row[1:], strict=False) if not is_unsound}
    return int(row[0]), frozenset(fitting | passed)


def _unsound(column: str, found: str, wanted: str) -> str | None:
    """SQL that is true of a value which cannot be taken as it is; None where its type alone decides."""
    if (wanted, found) == ("varchar", "VARCHAR"):
        # Plain ASCII without a blank at either end has nothing to trim; all else is trimmed to be sure.
        return (
            f"strlen({column}) <> length({column}) or {column} < '!' or {column}[-1] <= ' '"
            f" or contains({column}, chr(0))"
        )
    if (wanted, found) in (("date", "DATE"), ("timestamp", "TIMESTAMP")):
        return f"{column}::date not between date '{_FIRST_DAY}' and date '{_LAST_DAY}'"
    return None


def _fits(found: str, wanted: str) -> bool:
    """Do all values of a Parquet column of type `found` fit the type of the contract?"""
    decimal = re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", found)
    if decimal and wanted in _DECIMAL_DIGITS:
        whole, fraction = _DECIMAL_DIGITS[wanted]
        precision, scale = int(decimal[1]), int(decimal[2])
        return scale <= fraction and precision - scale <= whole
    return found in _FITTING.get(wanted, ())


def _clean(expression: str) -> str:
    blanks = " || ".join(f"chr({ord(blank)})" for blank in BLANKS)
    return f"nullif(trim(cast({expression} as varchar), {blanks}), '')"
