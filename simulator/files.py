"""The files of all deliveries, open side by side: Parquet or CSV, piece by piece in bounded memory."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

HASHED_AT_ONCE = 1 << 20
# A row group is written when so many rows wait: large files get few groups, small ones a single one.
ROWS_OF_A_GROUP = 1_000_000
# Rows waiting in all files together: what bounds the memory when many deliveries are open.
MOST_ROWS_WAITING = 2_000_000
# A dictionary of values that hardly repeat costs time and saves nothing.
RARELY_REPEATED = ("transaction_id", "account_id", "amount", "balance_amount", "reverses_transaction_id")


class EntityFiles:
    """One file for each delivery and entity that gets a row."""

    def __init__(self, folders: list[Path], file_format: Literal["parquet", "csv"]) -> None:
        self._folders = folders
        self._format = file_format
        self._writers: dict[tuple[int, str], pq.ParquetWriter | CsvWriter] = {}
        self._waiting: dict[tuple[int, str], list[pa.Table]] = {}
        for folder in folders:
            folder.mkdir(parents=True)

    def write(self, delivery: int, entity: str, rows: pa.Table) -> None:
        """Add rows of an entity to a delivery; a table without rows makes a file without rows."""
        waiting = self._waiting.setdefault((delivery, entity), [])
        waiting.append(rows)
        if sum(map(len, waiting)) >= ROWS_OF_A_GROUP:
            self._flush((delivery, entity))
        while self.rows_waiting > MOST_ROWS_WAITING:
            self._flush(max(self._waiting, key=lambda key: sum(map(len, self._waiting[key]))))

    @property
    def rows_waiting(self) -> int:
        """Rows of all files that are not written yet."""
        return sum(len(table) for tables in self._waiting.values() for table in tables)

    def close(self) -> None:
        """Write what waits and finish all files."""
        for key in list(self._waiting):
            self._flush(key)
        for writer in self._writers.values():
            writer.close()

    def _flush(self, key: tuple[int, str]) -> None:
        rows = pa.concat_tables(self._waiting.pop(key))
        if key not in self._writers:
            self._writers[key] = self._open(*key, rows.schema)
        # Equal groups, not full ones and a rest.
        groups = max(len(rows) // ROWS_OF_A_GROUP, 1)
        self._writers[key].write_table(rows, max(-(-len(rows) // groups), 1))

    def _open(self, delivery: int, entity: str, schema: pa.Schema) -> pq.ParquetWriter | CsvWriter:
        path = self._folders[delivery] / f"{entity}.{self._format}"
        if self._format == "csv":
            return CsvWriter(path)
        repeating = [name for name in schema.names if name not in RARELY_REPEATED]
        return pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=repeating)


class CsvWriter:
    """A CSV file in UTF-8 with a header: dates ISO, decimals plain, booleans true and false, nulls empty."""

    def __init__(self, path: Path) -> None:
        self._stream = path.open("wb")

    def write_table(self, rows: pa.Table, rows_at_once: int) -> None:
        """Add rows."""
        for start in range(0, max(len(rows), 1), rows_at_once):
            self._stream.write(_csv(rows.slice(start, rows_at_once), has_header=self._stream.tell() == 0))

    def close(self) -> None:
        """Finish the file."""
        self._stream.close()


def _csv(rows: pa.Table, has_header: bool) -> pa.Buffer:
    # Without quotes where no value needs them: a tenth less to write, and several times faster to read.
    for quoting in ("none", "needed"):
        stream = pa.BufferOutputStream()
        options = pa_csv.WriteOptions(include_header=has_header, quoting_style=quoting, quoting_header="none")
        try:
            pa_csv.write_csv(rows, stream, options)
            break
        except pa.ArrowInvalid:
            if quoting == "needed":
                raise
    return stream.getvalue()


def write_badly_encoded(folder: Path) -> int:
    """A delivery of one CSV file in the encoding of older Chinese systems; returns its rows."""
    folder.mkdir(parents=True)
    text = "branch_id,branch_name\nB901,浦东支行\nB902,天河支行\n"
    (folder / "branches.csv").write_bytes(text.encode("gb18030"))
    return text.count("\n") - 1


def file_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file under `folder`, by path; files that begin with an underscore are left out."""
    hashes = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.name.startswith("_"):
            continue
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(HASHED_AT_ONCE):
                digest.update(block)
        hashes[path.relative_to(folder).as_posix()] = digest.hexdigest()
    return hashes
