"""What a suite is made of: something to look at, and what must be true of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import great_expectations.expectations as gxe
from great_expectations.expectations.expectation import Expectation

# Great Expectations' words for a finding that closes the gate, and for one that is only recorded.
ERROR, WARN = "critical", "warning"


@dataclass(frozen=True)
class Asset:
    """A query over the whole bank, whose few rows of counts are read, and the expectations on them.

    `relation` is the table as ops.test_results names it; `reads` are the tables the query needs, so that a
    missing one is reported by name. No row of a customer leaves the engine: `every_row` counts there. With
    `counts_rows` each expectation compares how many rows are sound with how many there are. `remedy` follows
    what was found, where the names do not say what to do.
    """

    relation: str
    query: str
    expectations: tuple[Expectation, ...]
    reads: tuple[str, ...]
    counts_rows: bool = False
    remedy: str = ""


@dataclass(frozen=True)
class Rule:
    """What no row may do: `breaks` is a SQL condition, true of a row that breaks the rule called `name`.

    With an `allowed_share` above 0 that share of all rows may break it, and more than that is a warning, or
    closes the gate where `is_strict` says so.
    """

    name: str
    breaks: str
    allowed_share: float = 0
    is_strict: bool = False


def every_row(
    *,
    relation: str,
    columns: str,
    source: str,
    rules: Sequence[Rule],
    reads: tuple[str, ...],
    at_most: tuple[str, str] | None = None,
    remedy: str = "",
) -> Asset:
    """An asset that holds each row of `select <columns> from <source>` against the rules, in one scan.

    `at_most` is the name of one more expectation and a select of one number: there are no more rows.
    Great Expectations asks the engine anew for every few expectations, and keeps what it finds; here the
    engine counts once, and one row of counts is judged.
    """
    sound = [_count_sound(rule) + f" as count_sound_{number}" for number, rule in enumerate(rules)]
    held = [(rule.name, rule.allowed_share > 0 and not rule.is_strict) for rule in rules]
    if at_most is not None:
        name, limit = at_most
        sound.append(f"least(count(*), ({limit})) as count_sound_{len(rules)}")
        held.append((name, False))
    return Asset(
        relation=relation,
        query=f"""
        select count(*) as count_rows, {", ".join(sound)}
        from (select {columns} from {source}) as looked_at
        """,
        expectations=tuple(
            gxe.ExpectColumnPairValuesToBeEqual(
                column_A=f"count_sound_{number}",
                column_B="count_rows",
                severity=WARN if is_warning else ERROR,
                meta=named(name),
            )
            for number, (name, is_warning) in enumerate(held)
        ),
        reads=reads,
        counts_rows=True,
        remedy=remedy,
    )


def _count_sound(rule: Rule) -> str:
    broken = f"count(case when {rule.breaks} then 1 end)"
    if not rule.allowed_share:
        return f"count(*) - {broken}"
    return f"count(*) - case when {broken} > {rule.allowed_share} * count(*) then {broken} else 0 end"


def not_null(column: str, name: str) -> Rule:
    """Every row has a value in `column`."""
    return Rule(name, f"{column} is null")


def between(column: str, name: str, low: object = None, high: object = None) -> Rule:
    """Every value of `column` lies within the bounds, both inclusive SQL literals; null is not judged."""
    sides = [f"{column} < {low}"] * (low is not None) + [f"{column} > {high}"] * (high is not None)
    return Rule(name, " or ".join(sides))


def in_set(column: str, name: str, values: Sequence[str]) -> Rule:
    """Every text of `column` is one of `values`; null is not judged."""
    listed = ", ".join("'" + value.replace("'", "''") + "'" for value in values)
    return Rule(name, f"{column} not in ({listed})")


def named(name: str) -> dict[str, str]:
    """The `meta` of an expectation: its name, a sentence that is true when it holds."""
    return {"name": name}
