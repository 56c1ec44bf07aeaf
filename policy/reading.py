"""A seed's file as typed rows, or what is wrong with its cells."""

import csv
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from policy.faults import Fault
from policy.rows import Row
from policy.seeds import Seed


def read(path: Path, seed: Seed) -> tuple[list[Row], list[Fault]]:
    """The rows of a seed that can be read, in the order of the file, and the faults of those that cannot."""
    try:
        # A spreadsheet may put a byte order mark before the header; dbt skips it too.
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            lines = [(reader.line_num, cells) for cells in reader]
    except UnicodeDecodeError:
        return [], [Fault(path.name, None, "", "is not UTF-8: save it as CSV UTF-8")]
    except csv.Error as error:
        return [], [Fault(path.name, reader.line_num, "", f"is no CSV: {error}")]
    if wrong := "; ".join(_header_faults(header, seed)):
        return [], [Fault(path.name, 1, "header", wrong)]
    rows: list[Row] = []
    faults: list[Fault] = []
    for line, cells in lines:
        if len(cells) != len(header):
            message = (
                f"has {len(cells)} cells and the header {len(header)}: text with a comma stands in quotes"
            )
            faults.append(Fault(path.name, line, ", ".join(cells)[:80] or "empty line", message))
            continue
        values = dict(zip(header, cells, strict=True))
        try:
            rows.append(
                seed.row.model_validate(
                    {**{name: cell or None for name, cell in values.items()}, "line": line}
                )
            )
        except ValidationError as error:
            named = ", ".join(values[name] or "(empty)" for name in seed.key)
            faults.extend(
                Fault(path.name, line, named, f"{found['loc'][0]} {_said(found)}") for found in error.errors()
            )
    return rows, faults


def _header_faults(header: list[str], seed: Seed) -> Iterator[str]:
    columns = [name for name in seed.row.model_fields if name != "line"]
    if repeated := sorted({name for name in header if header.count(name) > 1}):
        yield f"column {', '.join(repeated)} stands twice"
    if missing := [name for name in columns if name not in header]:
        yield f"column {', '.join(missing)} is missing"
    if unknown := [name for name in header if name not in columns]:
        yield f"column {', '.join(map(repr, unknown))} is unknown, the columns are {', '.join(columns)}"


def _said(error: Mapping[str, Any]) -> str:
    """One of the library's errors in the words of this project: what the cell says, and what to write."""
    kind, given, context = error["type"], error["input"], error.get("ctx", {})
    if given is None:
        return "is empty: write a value"
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        return f"is {given!r}: write {context['expected']}"
    bounds = {
        "greater_than_equal": "at least",
        "greater_than": "more than",
        "less_than_equal": "at most",
        "less_than": "less than",
    }
    if kind in bounds:
        return f"is {given}: write {bounds[kind]} {next(iter(context.values()))}"
    if kind == "decimal_max_places":
        return f"is {given}: write at most {context['decimal_places']} decimal places, more would be rounded"
    if kind == "string_pattern_mismatch" and re.search(r"^\s|\s$", str(given)):
        return f"is {given!r}: remove the blanks at its ends"
    return f"is {given!r}: {error['msg']}"
