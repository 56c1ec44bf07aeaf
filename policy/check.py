"""Are the policy seeds sound? Everything that can be told without the warehouse."""

import typing
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from policy.faults import Fault
from policy.reading import read
from policy.rows import Row
from policy.seeds import ACROSS, SEEDS, Seed
from policy.sources import currencies

SEEDS_DIR = Path(__file__).resolve().parents[1] / "dbt_project" / "seeds"


def check(folder: Path = SEEDS_DIR) -> list[Fault]:
    """Every fault of the seeds in `folder`, by file and line; empty when they are sound.

    Rules over several rows are asked only of a seed whose rows can all be read: a row missing from a sum
    would be told as a second fault.
    """
    faults = list(_files(folder))
    sound: dict[str, Sequence[Row]] = {}
    for name, seed in SEEDS.items():
        path = folder / f"{name}.csv"
        if not path.is_file():
            continue
        rows, found = read(path, seed)
        if not found:
            found = list(_in_file(path.name, seed, rows))
            sound[name] = rows
        faults.extend(found)
    for needed, rule in ACROSS:
        if all(name in sound for name in needed):
            faults.extend(
                _fault(f"{name}.csv", SEEDS[name], row, message)
                for name, (row, message) in rule(*(sound[name] for name in needed))
            )
    return sorted(set(faults), key=lambda fault: (fault.file, fault.line or 0, fault.message))


def _files(folder: Path) -> Iterator[Fault]:
    found = {path.stem for path in folder.glob("*.csv")}
    for name in sorted(SEEDS.keys() - found):
        yield Fault(f"{name}.csv", None, "", f"is missing from {folder}")
    for name in sorted(found - SEEDS.keys()):
        yield Fault(
            f"{name}.csv", None, "", "is checked by nobody: declare it in policy/seeds.py, or remove it"
        )


def _in_file(file: str, seed: Seed, rows: Sequence[Row]) -> Iterator[Fault]:
    versions: defaultdict[tuple[Any, ...], list[Row]] = defaultdict(list)
    first: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        key = _values(row, seed.key)
        if key in first:
            yield _fault(file, seed, row, f"stands in line {first[key].line} already: a row has one place")
        first.setdefault(key, row)
        versions[_values(row, (*seed.version_key, *_day(seed)))].append(row)
        yield from _currency(file, seed, row)
    if seed.version_key:
        yield from _names_of_versions(file, seed, versions)
        yield from _missing(file, seed, rows)
    for version in versions.values():
        for rule in seed.rules:
            for at_fault, message in rule(version):
                yield _fault(file, seed, at_fault, message)


def _currency(file: str, seed: Seed, row: Row) -> Iterator[Fault]:
    """Policy sets are those of the sources, and amounts are in the currency of their set."""
    policy_set = getattr(row, "policy_set", None)
    if policy_set is None:
        return
    currency = currencies().get(policy_set)
    if currency is None:
        known = ", ".join(currencies())
        yield _fault(
            file, seed, row, f"no source in ingest/sources uses policy_set {policy_set!r}: known are {known}"
        )
        return
    for column in ("currency_code", "unit"):
        given = getattr(row, column, None)
        if given not in (None, "score", "days", currency):
            yield _fault(
                file,
                seed,
                row,
                f"{column} is {given}: the amounts of policy set {policy_set} are in {currency}",
            )


def _names_of_versions(file: str, seed: Seed, versions: dict[tuple[Any, ...], list[Row]]) -> Iterator[Fault]:
    """A version has one rule_version, and a rule_version one day from which it holds."""
    begun: dict[tuple[Any, ...], Row] = {}
    for key, rows in versions.items():
        names = [getattr(row, "rule_version", None) for row in rows]
        for row, name in zip(rows, names, strict=True):
            if name != names[0]:
                yield _fault(
                    file, seed, row,
                    f"rule_version {name} begins on the day of {names[0]} (line {rows[0].line}): two "
                    "versions cannot begin on one day, change effective_from or the name",
                )  # fmt: skip
        if names[0] is not None:
            earlier = begun.setdefault((*key[:-1], names[0]), rows[0])
            if earlier is not rows[0]:
                yield _fault(
                    file, seed, rows[0],
                    f"rule_version {names[0]} is taken by the version in line {earlier.line}: rows of "
                    "customers name the version they were made by, give this one a name of its own",
                )  # fmt: skip


def _missing(file: str, seed: Seed, rows: Sequence[Row]) -> Iterator[Fault]:
    """Every policy set, scheme and kind of customer has a version."""
    if not seed.is_complete:
        return
    known = {"policy_set": tuple(currencies())}
    spaces = [known.get(column) or _literals(seed, column) for column in seed.version_key]
    found = {_values(row, seed.version_key) for row in rows}
    for combination in product(*spaces):
        if combination not in found:
            named = ", ".join(combination)
            yield Fault(
                file, None, named, "has no row: every bank, scheme and kind of customer needs a version"
            )


def _literals(seed: Seed, column: str) -> tuple[str, ...]:
    return typing.get_args(seed.row.model_fields[column].annotation)


def _day(seed: Seed) -> tuple[str, ...]:
    return ("effective_from",) if "effective_from" in seed.row.model_fields else ()


def _values(row: Row, columns: Sequence[str]) -> tuple[Any, ...]:
    return tuple(getattr(row, column) for column in columns)


def _fault(file: str, seed: Seed, row: Row | None, message: str) -> Fault:
    named = ", ".join(str(value) for value in _values(row, seed.key)) if row else ""
    return Fault(file, row.line if row else None, named, message)
