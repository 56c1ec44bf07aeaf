"""The output folder: filled whole or not at all, and recognised when it is filled already."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from simulator.bank import make_bank, write_bank
from simulator.deliveries import Deliveries
from simulator.files import file_hashes
from simulator.parameters import SIMULATOR_VERSION, Parameters

# Ingest looks at dated folders and entity files only, so this one lies beside them unseen.
MANIFEST = "_demo.json"


class FolderError(Exception):
    """The output folder cannot be used; the message says why and what to do."""


def fill(out: Path, parameters: Parameters) -> str:
    """Write the deliveries to `out` unless they are there; returns a line on it. Raises FolderError."""
    wanted = {**asdict(parameters), "end": parameters.end.isoformat(), "version": SIMULATOR_VERSION}
    if out.exists() and not out.is_dir():
        raise FolderError(f"{out} is a file; give a folder with --out")
    if (out / MANIFEST).is_file():
        _check_same(out, wanted)
        return f"The demo bank is already in {out}"
    if out.is_dir() and any(out.iterdir()):
        raise FolderError(f"{out} holds other files; give an empty or a new folder with --out")
    out.parent.mkdir(parents=True, exist_ok=True)
    # Beside the folder, so that the renaming stays on one file system.
    partial = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        transactions = _simulate(parameters, partial)
        manifest = {"parameters": wanted, "sha256": file_hashes(partial)}
        (partial / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        partial.chmod(0o755)
        partial.replace(out)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return (
        f"Made a demo bank of {parameters.customers:,} customers and {transactions:,} transactions in {out}"
    )


def _simulate(parameters: Parameters, folder: Path) -> int:
    console = Console(stderr=True)
    progress = Progress(
        TextColumn("Demo bank"), BarColumn(), MofNCompleteColumn(), TextColumn("months"), TimeElapsedColumn(),
        console=console, disable=not console.is_terminal,
    )  # fmt: skip
    transactions = 0
    with progress:
        task = progress.add_task("months", total=parameters.months)

        def on_month(rows: int) -> None:
            nonlocal transactions
            transactions += rows
            progress.advance(task)

        write_bank(make_bank(parameters), Deliveries(parameters, folder), on_month)
    return transactions


def _check_same(out: Path, wanted: dict[str, Any]) -> None:
    manifest = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
    found = manifest["parameters"]
    if found != wanted:
        differing = [
            f"{name} {found.get(name)} instead of {value}"
            for name, value in wanted.items()
            if found.get(name) != value
        ]
        raise FolderError(
            f"{out} holds another demo bank ({', '.join(differing)}); "
            "give another folder with --out or remove this one"
        )
    hashes = file_hashes(out)
    if hashes != manifest["sha256"]:
        changed = sorted(
            {*hashes, *manifest["sha256"]}
            - {name for name in hashes if hashes[name] == manifest["sha256"].get(name)}
        )
        raise FolderError(
            f"{out} was changed after it was made ({', '.join(changed)}); "
            "remove the folder to have it made anew"
        )
