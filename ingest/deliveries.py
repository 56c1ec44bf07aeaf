"""Which deliveries lie in a landing folder, and what identifies each.

`LANDING/<entity>.csv|parquet` is one delivery, dated by the as-of date; `LANDING/YYYY-MM-DD/` with such files
is one a folder. A delivery is known by its content: the same files under a new path or in a new order are the
same batch.
"""

from __future__ import annotations

import codecs
import difflib
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from ingest.contracts import Contract
from ingest.errors import IngestError
from ingest.reading import EntityFile
from ingest.sources import Source

BLOCK_BYTES = 1 << 20
SUFFIXES = (".csv", ".parquet")
_DATED = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class Delivery:
    """The entity files that arrived together. With `faults` of their bytes nothing of it may be loaded."""

    source: str
    delivered_on: date
    is_flat: bool
    files: tuple[EntityFile, ...]
    faults: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def batch_id(self) -> str:
        parts = sorted(f"{file.entity}={file.content_hash}" for file in self.files)
        return hashlib.sha256(
            "\n".join([self.source, self.delivered_on.isoformat(), *parts]).encode()
        ).hexdigest()[:16]

    @property
    def content(self) -> frozenset[tuple[str, str]]:
        return frozenset((file.entity, file.content_hash) for file in self.files)


def find_deliveries(
    *,
    landing: Path,
    source: Source,
    contracts: Mapping[str, Contract],
    as_of: date,
    on_file: Callable[[str], None],
) -> list[Delivery]:
    """Deliveries up to the as-of date plus the source's landing lag, oldest first.

    `on_file` hears the name of each file before it is hashed. Raises IngestError when the landing is missing,
    empty or ambiguous.
    """
    if not landing.is_dir():
        raise IngestError(f"landing {landing} is not a folder: give the folder that holds the files")
    if source.adapter is not None:
        return [_adapted(landing, source, as_of, on_file)]
    dated = {
        path: _folder_date(path)
        for path in sorted(landing.iterdir())
        if path.is_dir() and _DATED.fullmatch(path.name)
    }
    flat = _entity_paths(landing, contracts)
    if dated and flat:
        raise IngestError(
            f"landing {landing} holds both files ({flat[0].name} ...) and dated folders "
            f"({next(iter(dated)).name} ...): keep files in dated folders only, or have no dated folder"
        )
    if not dated and not flat:
        raise IngestError(
            f"landing {landing} is empty: no <entity>.csv, no <entity>.parquet and no folder YYYY-MM-DD; "
            + f"entities: {', '.join(contracts)}"
            + "".join(f"\n{note}" for note in _strange_files(landing, contracts))
        )
    if flat:
        return [_delivery(landing, "", as_of, source, contracts, on_file)]
    last_day = as_of + timedelta(days=source.landing_lag_days)
    arrived = [path for path, day in dated.items() if day <= last_day]
    if not arrived:
        raise IngestError(
            f"landing {landing} holds no delivery up to {last_day} (as-of date {as_of} plus "
            f"{source.landing_lag_days} day(s) of landing lag): the first is of {next(iter(dated)).name}"
        )
    return [_delivery(path, f"{path.name}/", dated[path], source, contracts, on_file) for path in arrived]


def _folder_date(path: Path) -> date:
    try:
        return date.fromisoformat(path.name)
    except ValueError:
        raise IngestError(f"folder {path} is not a date (YYYY-MM-DD): rename it") from None


def _entity_paths(folder: Path, contracts: Mapping[str, Contract]) -> list[Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if path.is_file() and path.suffix in SUFFIXES and path.stem in contracts
    )


def _strange_files(folder: Path, contracts: Mapping[str, Contract]) -> list[str]:
    notes = []
    for path in sorted(folder.iterdir()):
        if (
            not path.is_file()
            or path.name.startswith(".")
            or (path.suffix in SUFFIXES and path.stem in contracts)
        ):
            continue
        near = difflib.get_close_matches(path.name.split(".")[0].lower(), list(contracts), n=1, cutoff=0.75)
        hint = f": did you mean {near[0]}.csv or {near[0]}.parquet?" if near else ""
        notes.append(f"{path.name}: not the file of an entity, ignored{hint}")
    return notes


def _delivery(
    folder: Path,
    prefix: str,
    delivered_on: date,
    source: Source,
    contracts: Mapping[str, Contract],
    on_file: Callable[[str], None],
) -> Delivery:
    paths = _entity_paths(folder, contracts)
    warnings = _strange_files(folder, contracts)
    if not paths:
        raise IngestError(
            [f"delivery {folder} holds no file of an entity: complete it or remove the folder", *warnings]
        )
    faults, files = [], []
    for path in paths:
        if path.suffix == ".csv" and path.with_suffix(".parquet") in paths:
            faults.append(
                f"{prefix}{path.stem}: both {path.name} and {path.stem}.parquet are delivered: keep one"
            )
        on_file(prefix + path.name)
        content_hash, fault = _hash_file(path, prefix + path.name)
        files.append(EntityFile(path.stem, path, prefix + path.name, content_hash))
        if fault:
            faults.append(fault)
    return Delivery(source.name, delivered_on, not prefix, tuple(files), tuple(faults), tuple(warnings))


def _adapted(landing: Path, source: Source, as_of: date, on_file: Callable[[str], None]) -> Delivery:
    """One delivery of everything. An entity is known by the content of the files that it is made of."""
    adapter = source.adapter
    assert adapter is not None
    originals = adapter.find_files(landing)
    hashes, faults = {}, []
    for table, path in originals.items():
        on_file(path.name)
        hashes[table], fault = _hash_file(path, path.name)
        if fault:
            faults.append(fault)
    files = []
    for entity, tables in adapter.ORIGINS.items():
        content_hash = hashlib.sha256("".join(hashes[table] for table in tables).encode()).hexdigest()
        files.append(EntityFile(entity, landing, originals[tables[0]].name, content_hash))
    # The files were delivered when their last row was written, whatever day they are looked at.
    delivered_on = as_of if faults else max(as_of, adapter.last_date(originals))
    return Delivery(source.name, delivered_on, True, tuple(files), tuple(faults))


def _hash_file(path: Path, name: str) -> tuple[str, str | None]:
    """SHA-256 of the file, and its fault when it is text that is not UTF-8."""
    digest = hashlib.sha256()
    decoder = None if path.suffix == ".parquet" else codecs.getincrementaldecoder("utf-8")()
    fault, lines = None, 0
    with path.open("rb") as stream:
        while block := stream.read(BLOCK_BYTES):
            digest.update(block)
            if decoder is None or fault:
                continue
            try:
                decoder.decode(block)
            except UnicodeDecodeError as error:
                # The decoder may have kept the start of a character back from the block before.
                held_back = len(error.object) - len(block)
                line = lines + block[: max(error.start - held_back, 0)].count(b"\n") + 1
                fault = _encoding_fault(name, line, block if line == 1 else b"")
            lines += block.count(b"\n")
    if decoder is not None and fault is None:
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            fault = f"{name}: line {lines + 1}: the file ends in the middle of a character: deliver it again"
    return digest.hexdigest(), fault


def _encoding_fault(name: str, line: int, start: bytes) -> str:
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return f"{name}: line 1: the file is UTF-16, not UTF-8: save it as UTF-8 (iconv -f UTF-16 -t UTF-8)"
    return (
        f"{name}: line {line}: not UTF-8: save the file as UTF-8 "
        "(iconv -f GB18030 -t UTF-8 for Chinese systems, -f WINDOWS-1252 for western ones)"
    )
