"""The rules of a contract as SQL over staged records: typed values, what breaks a row, what may be shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from ingest.contracts import Column, Contract

# The business date of what has none: it was there before anything the warehouse knows.
BEGINNING = date(1900, 1, 1)
MASK = "***"
SHOWN_CHARACTERS = 60

# A row that breaks several rules is rejected for the first in this order, then in the order of the columns.
RULE_ORDER = ("key", "required", "type", "enum", "range")

_EXPECTED = {
    "varchar": "text (it holds a NUL character)",
    "numeric(18,2)": "an amount with at most two decimals (1234.50)",
    "numeric(12,6)": "a rate (0.0525)",
    "integer": "a whole number",
    "boolean": "true or false",
    "date": "a date (YYYY-MM-DD)",
}

_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_UTC = "(Z|[+]00(:00)?)?"
_MIDNIGHT = f"([ T]00:00:00(\\.0+)?{_UTC})?"
_CLOCK = f"([ T][0-9]{{2}}:[0-9]{{2}}(:[0-9]{{2}}(\\.[0-9]{{1,9}})?)?)?{_UTC}"


@dataclass(frozen=True)
class Arrival:
    """When a batch came, and the day on which its rows without known_at became known."""

    delivered_on: date
    is_history: bool
    known_on: date
    # The day whose end the delivery describes: the delivery date less the source's landing lag.
    told_of_on: date


@dataclass(frozen=True)
class Rule:
    """A rule over typed rows: `condition` is true where it is broken, `reason` is SQL text that says how."""

    code: str
    column: str
    condition: str
    reason: str


def typed_rows(contract: Contract, arrival: Arrival, records: str, sound: frozenset[str]) -> str:
    """Select of staged records with typed values, filled version and knowledge dates, a hash of the content.

    `sound` are the columns whose raw value is typed already. What is not selected of it costs nothing.
    """
    typed = [
        f"{_sound(column) if column.name in sound else _parsed(column)} as {given(column.name)}"
        for column in contract.columns
    ]
    known_at = "raw_known_at" if "known_at" in sound else _parsed_timestamp("raw_known_at")
    # Empty columns are left out, so that a column added to the contract later changes no hash.
    content = [f"'{name}=' || {name}::varchar" for name in contract.column_names if name != "valid_from"]
    business = f"coalesce({given(contract.business_date)}, date '{BEGINNING}')"
    is_version = contract.kind == "version"
    if arrival.is_history:
        valid_from = f"coalesce(given_valid_from, {business})"
        # A version was not known before it began to hold, and nothing was known later than it was delivered.
        began_on = f"greatest({business}, given_valid_from)" if is_version else business
        known_on = f"least({began_on}, date '{arrival.delivered_on}')"
    else:
        # Not before the business date: what was announced ahead would outlast its own correction otherwise.
        heard_on = f"coalesce(given_known_at::date, date '{arrival.told_of_on}')"
        valid_from = f"coalesce(given_valid_from, greatest({heard_on}, {business}))"
        known_on = f"date '{arrival.known_on}'"
    return f"""
        select
            *,
            {f"{valid_from} as valid_from," if is_version else ""}
            coalesce(given_known_at, {known_on}::timestamp) as known_at,
            {str(arrival.is_history).lower()} and given_known_at is null as is_known_at_assumed,
            md5(concat_ws(chr(31), {", ".join(content)})) as row_hash
        from (
            select *, {", ".join(typed)}, {known_at} as given_known_at
            from ({records}) as records
        ) as typed"""


def row_rules(contract: Contract, arrival: Arrival, sound: frozenset[str]) -> list[Rule]:
    """All rules for single rows, in the order in which the first broken one names the rejection."""
    return sorted(_rules(contract, arrival, sound), key=lambda rule: RULE_ORDER.index(rule.code))


def raw_text(name: str) -> str:
    """SQL text of a value as the file gave it."""
    return f"raw_{name}::varchar"


def given(name: str) -> str:
    """The typed value as the file gave it: valid_from and known_at are filled where it gave none."""
    return f"given_{name}" if name in ("valid_from", "known_at") else name


def named_value(contract: Contract, column: str, value: str) -> str:
    """SQL text of a column and its value; without it in a file with personal columns: it may be a name."""
    if contract.has_personal:
        return f"'{column}'"
    return f"'{column}: ' || to_json(left({value}, {SHOWN_CHARACTERS}))::varchar"


def masked_value(contract: Contract, name: str) -> str:
    """SQL of the raw value as far as everyone may see it.

    In a file with personal columns a shifted line puts a name into any text column, so only the key and
    values that fit a strict rule are shown.
    """
    raw = raw_text(name)
    if not contract.has_personal or name in contract.key:
        return raw
    column = next((column for column in contract.columns if column.name == name), None)
    is_sound = f"{given(name)} is not null"
    if column and column.allowed:
        is_sound = f"{name} in ({_listed(column.allowed)})"
    elif column and (column.is_personal or column.physical_type == "varchar"):
        is_sound = "false"
    return f"case when {raw} is null or {is_sound} then {raw} else '{MASK}' end"


def _rules(contract: Contract, arrival: Arrival, sound: frozenset[str]) -> Iterator[Rule]:
    delivery = f"is later than the delivery of {arrival.delivered_on}"
    for column in contract.columns:
        name, value = column.name, given(column.name)
        shown = named_value(contract, name, raw_text(name))
        if column.is_required:
            code = "key" if name in contract.key else "required"
            yield Rule(code, name, f"raw_{name} is null", f"'{name} is empty'")
        if name not in sound:
            is_untyped = f"raw_{name} is not null and {value} is null"
            yield Rule("type", name, is_untyped, f"{shown} || ' is not {_EXPECTED[column.physical_type]}'")
        if column.pattern:
            is_formless = f"not regexp_full_match({value}, '{column.pattern}')"
            yield Rule("type", name, is_formless, f"{shown} || ' is not of the form {column.pattern}'")
        if column.allowed:
            is_strange = f"{value} not in ({_listed(column.allowed)})"
            yield Rule("enum", name, is_strange, f"{shown} || ' is not one of {', '.join(column.allowed)}'")
        for operator, limit, words in (
            ("<", column.minimum, "below"),
            ("<=", column.exclusive_minimum, "not above"),
            (">", column.maximum, "above"),
        ):
            if limit is not None:
                yield Rule("range", name, f"{value} {operator} {limit}", f"{shown} || ' is {words} {limit}'")
        if contract.kind == "event" and name == contract.business_date:
            is_early = f"{value} > date '{arrival.delivered_on}'"
            yield Rule("range", name, is_early, f"{shown} || ' {delivery}'")
    shown = named_value(contract, "known_at", raw_text("known_at"))
    if "known_at" not in sound:
        is_untyped = "raw_known_at is not null and given_known_at is null"
        form = "is not a date or a UTC timestamp (YYYY-MM-DD HH:MM:SS)"
        yield Rule("type", "known_at", is_untyped, f"{shown} || ' {form}'")
    is_early = f"given_known_at::date > date '{arrival.delivered_on}'"
    yield Rule("range", "known_at", is_early, f"{shown} || ' {delivery}'")


def _listed(values: tuple[str, ...]) -> str:
    return ", ".join("'" + value.replace("'", "''") + "'" for value in values)


def _sound(column: Column) -> str:
    return f"raw_{column.name}::{column.physical_type}"


def _parsed(column: Column) -> str:
    """SQL of the typed value of a raw one, null where it is not of the type. A type is written in one way."""
    raw = f"raw_{column.name}"
    match column.physical_type:
        case "varchar":
            return f"case when not contains({raw}, chr(0)) then {raw} end"
        case "numeric(18,2)":
            # A binary fraction of whole cents prints with two decimals, so floating-point files pass too.
            return _matched(raw, "[+-]?[0-9]{1,16}(\\.[0-9]{1,2}0*)?", f"try_cast({raw} as decimal(18, 2))")
        case "numeric(12,6)":
            # Rates are often computed: further decimals are rounded.
            number = "[+-]?[0-9]+(\\.[0-9]+)?([eE][+-]?[0-9]+)?"
            return _matched(raw, number, f"try_cast({raw} as decimal(12, 6))")
        case "integer":
            return _matched(raw, "[+-]?[0-9]{1,10}(\\.0+)?", f"try_cast({raw} as integer)")
        case "boolean":
            lower = f"lower({raw})"
            return (
                f"case when {lower} in ('true', '1') then true when {lower} in ('false', '0') then false end"
            )
        case "date":
            return _matched(raw, _DAY + _MIDNIGHT, f"try_cast({raw}[1:10] as date)")
        case other:
            raise AssertionError(other)


def _parsed_timestamp(raw: str) -> str:
    return _matched(raw, _DAY + _CLOCK, f"try_cast(regexp_replace({raw}, '{_UTC}$', '') as timestamp)")


def _matched(raw: str, pattern: str, value: str) -> str:
    return f"case when regexp_full_match({raw}, '{pattern}') then {value} end"
