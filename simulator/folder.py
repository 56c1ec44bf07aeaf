"""The folders of deliveries and truth: filled whole or not at all, recognised when filled already."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from simulator.bank import make_bank, write_bank
from simulator.deliveries import Deliveries
from simulator.files import file_hashes
from simulator.parameters import SIMULATOR_VERSION, Parameters
from simulator.truth import Truth

# Ingest looks at dated folders and entity files only, so this one lies beside them unseen.
MANIFEST = "_bank.json"
MANIFEST_PARTS = ("parameters", "faults", "sha256")
PLANTED_FAULTS = "planted_faults.parquet"


class FolderError(Exception):
    """An output folder cannot be used; the message says why and what to do."""


def fill(out: Path, truth: Path, parameters: Parameters) -> str:
    """Write the deliveries to `out` and what was planted to `truth`, unless they are there.

    Returns a line on it. Raises FolderError, and OSError when the disk fails.
    """
    wanted = {**asdict(parameters), "end": parameters.end.isoformat(), "version": SIMULATOR_VERSION}
    for folder, option in ((out, "--out"), (truth, "--truth")):
        if folder.exists() and not folder.is_dir():
            raise FolderError(f"{folder} is a file; give a folder with {option}")
    if _are_nested(out.resolve(), truth.resolve()):
        raise FolderError(f"{truth} and {out} lie within each other; give another folder with --truth")
    if (out / MANIFEST).is_file():
        _check_same(out, wanted)
        if not (truth / MANIFEST).is_file():
            raise FolderError(
                f"{out} holds this bank, but {truth} not its truth; "
                "give its folder with --truth, or remove both to have them made anew"
            )
        _check_same(truth, wanted)
        return f"The bank is already in {out}, its truth in {truth}"
    _check_free(out, "--out")
    # A run that broke off between the two renamings leaves the truth alone: it is made anew.
    is_left_over = (truth / MANIFEST).is_file() and _manifest_of(truth)["parameters"] == wanted
    if not is_left_over:
        _check_free(truth, "--truth")
    partials: list[Path] = []
    try:
        for folder in (out, truth):
            partials.append(_partial(folder))
        partial_out, partial_truth = partials
        counts, faults = _simulate(parameters, partial_out, partial_truth)
        for partial in partials:
            contents = (wanted, faults, file_hashes(partial))
            manifest = dict(zip(MANIFEST_PARTS, contents, strict=True))
            (partial / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
            partial.chmod(0o755)
        if is_left_over:
            shutil.rmtree(truth)
        # Truth first: deliveries that stand have their truth.
        partial_truth.replace(truth)
        partial_out.replace(out)
    except BaseException:
        for partial in partials:
            shutil.rmtree(partial, ignore_errors=True)
        raise
    return _summary(parameters, counts, faults, out, truth)


def _are_nested(one: Path, other: Path) -> bool:
    return one == other or one in other.parents or other in one.parents


def _check_free(folder: Path, option: str) -> None:
    if folder.is_dir() and any(folder.iterdir()):
        raise FolderError(f"{folder} holds other files; give an empty or a new folder with {option}")


def _partial(folder: Path) -> Path:
    """A temporary folder beside another, so that the renaming stays on one file system."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))


def _simulate(parameters: Parameters, out: Path, truth: Path) -> tuple[Counter[str], dict[str, int]]:
    """Rows by entity, and how many rows each kind of fault touched."""
    console = Console(stderr=True)
    progress = Progress(
        TextColumn("Synthetic bank"), BarColumn(), MofNCompleteColumn(), TextColumn("months"),
        TextColumn("{task.fields[transactions]:,} transactions"), TimeElapsedColumn(),
        console=console, disable=not console.is_terminal,
    )  # fmt: skip
    with progress:
        task = progress.add_task("months", total=parameters.months, transactions=0)
        transactions = 0

        def on_month(rows: int) -> None:
            nonlocal transactions
            transactions += rows
            progress.update(task, advance=1, transactions=transactions)

        deliveries = Deliveries(parameters, out)
        bank = make_bank(parameters)
        write_bank(bank, deliveries, on_month)
    Truth(truth).write(bank)
    planted = deliveries.planted_faults()
    pq.write_table(planted, truth / PLANTED_FAULTS, compression="zstd")
    return deliveries.rows, _totals(planted)


def _totals(planted: pa.Table) -> dict[str, int]:
    totals = planted.group_by("fault").aggregate([("rows", "sum")]).sort_by("fault")
    return dict(zip(totals["fault"].to_pylist(), totals["rows_sum"].to_pylist(), strict=True))


def _summary(
    parameters: Parameters, rows: Counter[str], faults: dict[str, int], out: Path, truth: Path
) -> str:
    transactions, others = rows["transactions"], rows.total() - rows["transactions"]
    soiled = f" (planted faults touch {sum(faults.values()):,} rows)" if faults else ""
    return (
        f"Made a bank of {parameters.customers:,} customers on its first day: {transactions:,} transactions "
        f"and {others:,} other rows{soiled} in {out}; its truth in {truth}"
    )


def _manifest_of(folder: Path) -> dict[str, dict[str, Any]]:
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        manifest = None
    if isinstance(manifest, dict) and all(isinstance(manifest.get(part), dict) for part in MANIFEST_PARTS):
        return manifest
    raise FolderError(f"{path} is damaged; remove {folder} to have it made anew")


def _check_same(folder: Path, wanted: dict[str, Any]) -> None:
    manifest = _manifest_of(folder)
    found = manifest["parameters"]
    if found != wanted:
        differing = [
            f"{name} {found.get(name)} instead of {value}"
            for name, value in wanted.items()
            if found.get(name) != value
        ]
        raise FolderError(
            f"{folder} holds another bank ({', '.join(differing)}); "
            "give other folders with --out and --truth, or remove this one"
        )
    hashes = file_hashes(folder)
    made = manifest["sha256"]
    if hashes != made:
        changed = sorted({*hashes, *made} - {name for name in hashes if hashes[name] == made.get(name)})
        raise FolderError(
            f"{folder} was changed after it was made ({', '.join(changed)}); "
            "remove the folder to have it made anew"
        )
