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
        self._writers: dict[tuple[int, str], pq.ParquetWriter | pa_csv.CSVWriter] = {}
        self._waiting: dict[tuple[int, str], list[pa.Table]] = {}
        for folder in folders:
            folder.mkdir(parents=True)

    def write(self, delivery: int, entity: str, rows: pa.Table) -> None:
        """Add rows of an entity to a delivery; a table without rows makes a file without rows."""
        waiting = self._waiting.setdefault((delivery, entity), [])
        waiting.append(rows)
        if sum(map(len, waiting)) >= ROWS_OF_A_GROUP:
            self._flush((delivery, entity))
        while (sizes := {key: sum(map(len, tables)) for key, tables in self._waiting.items()}) and (
            sum(sizes.values()) > MOST_ROWS_WAITING
        ):
            self._flush(max(sizes, key=lambda key: sizes[key]))

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
        writer = self._writers[key]
        if isinstance(writer, pq.ParquetWriter):
            writer.write_table(rows, row_group_size=ROWS_OF_A_GROUP)
        else:
            writer.write_table(rows)

    def _open(self, delivery: int, entity: str, schema: pa.Schema) -> pq.ParquetWriter | pa_csv.CSVWriter:
        path = self._folders[delivery] / f"{entity}.{self._format}"
        if self._format == "csv":
            return pa_csv.CSVWriter(path, schema, write_options=pa_csv.WriteOptions(quoting_style="needed"))
        repeating = [name for name in schema.names if name not in RARELY_REPEATED]
        return pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=repeating)


def write_badly_encoded(folder: Path) -> int:
    """A delivery of one CSV file in the encoding of older Chinese systems; returns its rows."""
    folder.mkdir(parents=True)
    text = "branch_id,branch_name\nB901,浦东支行\nB902,天河支行\n"
    (folder / "branches.csv").write_bytes(text.encode("gb18030"))
    return text.count("\n") - 1


def file_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file under `folder` but its manifest's, by path."""
    hashes = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix not in (".parquet", ".csv"):
            continue
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(HASHED_AT_ONCE):
                digest.update(block)
        hashes[path.relative_to(folder).as_posix()] = digest.hexdigest()
    return hashes
