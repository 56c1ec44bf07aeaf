"""What columns and their codes are called in the dashboards, as SQL that Superset puts into its queries."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from typing import Any

from dashboards.language import LANGUAGES, read_catalogue
from dashboards.superset.spec import Column, Dimension, Label, Shared, SpecError, Text
from warehouse.settings import PROJECT_ROOT

POLICY_TIERS = PROJECT_ROOT / "dbt_project" / "seeds" / "policy_tiers.csv"


@dataclass(frozen=True)
class Named:
    """A column of a mart with all that is known of it: from the chart, else from shared/columns.yaml."""

    column: str
    label: Label
    names: str | dict[str, Text] | None = None
    scheme: str | None = None
    order: str | None = None
    state: str | None = None
    is_day: bool = False

    def sql(self, lang: str) -> str:
        """What a query selects: the column, or what its codes are called in a language."""
        if self.is_day:
            # As text, so that a filter and a table show the day alone.
            return f"to_char({self.column}, 'YYYY-MM-DD')"
        if self.names is None:
            return self.column
        if self.names == "mart":
            name = f"{self.column}_{lang}"
            return name if self.order is None else f"{self.order} || ' ' || {name}"
        if self.names == "tiers":
            tiers = _case_of_tiers(self.column, self.scheme, lang)
            if self.state is None:
                return tiers
            states = _case(self.column, section("state", lang))
            return f"case when {self.state} = 'in_stock' then {tiers} else {states} end"
        return _case(self.column, self.words(lang))

    def words(self, lang: str) -> dict[str, str]:
        """Code to name, where the names are known without the mart."""
        if isinstance(self.names, dict):
            return {code: text.of(lang) for code, text in self.names.items()}
        if self.names == "tiers" and self.scheme is not None:
            return {tier: name for (scheme, tier), name in tier_names(lang).items() if scheme == self.scheme}
        if self.names is not None and self.names.startswith("texts."):
            return section(self.names.removeprefix("texts."), lang)
        return {}


def named(shared: Shared, asked: Dimension | str) -> Named:
    """A column as a chart shows it. Raises SpecError for one without a label."""
    own = Dimension(column=asked) if isinstance(asked, str) else asked
    known = shared.columns.get(own.column)
    label = own.label or (known.label if known else None)
    if label is None:
        raise SpecError(
            f"column {own.column} has no label: give it one here or in superset/shared/columns.yaml"
        )
    common = known or Column(label=label)
    return Named(
        column=own.column,
        label=label,
        names=own.names if own.names is not None else common.names,
        scheme=own.scheme or common.scheme,
        order=own.order or common.order,
        state=common.state,
        is_day=common.is_day,
    )


@cache
def section(name: str, lang: str) -> dict[str, str]:
    """One section of the report's catalogue: code to name. Raises SpecError for an unknown one."""
    prefix = f"{name}."
    found = {
        key.removeprefix(prefix): text for key, text in read_catalogue(lang).items() if key.startswith(prefix)
    }
    if not found:
        raise SpecError(f"texts.{name}: the catalogues in dashboards/texts have no such section")
    return found


@cache
def tier_names(lang: str) -> dict[tuple[str, str], str]:
    """(scheme, tier) to `1 High value`: the number keeps the bank's order where Superset sorts by name."""
    with POLICY_TIERS.open(encoding="utf-8", newline="") as file:
        rows: list[dict[str, Any]] = list(csv.DictReader(file))
    count: dict[str, int] = {}
    for row in rows:
        count[row["scheme"]] = max(count.get(row["scheme"], 0), int(row["tier_order"]))
    return {
        (row["scheme"], row["tier"]):
            f"{int(row['tier_order']):0{len(str(count[row['scheme']]))}d} {row[f'tier_{lang}']}"
        for row in rows
    }  # fmt: skip


def names_of_columns(shared: Shared, columns: list[str]) -> dict[str, str]:
    """Calculated columns of a mart: `<column>_en` and `<column>_zh` with names of codes, days as text.

    Native filters need a column of the dataset, and whoever makes charts of their own finds the names there.
    """
    found = {}
    for column in columns:
        known = shared.columns.get(column)
        if known is None or (known.names is None and not known.is_day):
            continue
        if known.is_day:
            found[f"{column}_text"] = named(shared, column).sql(LANGUAGES[0])
        elif known.names != "mart" and not (
            known.names == "tiers" and not known.scheme and "scheme" not in columns
        ):
            for lang in LANGUAGES:
                found[f"{column}_{lang}"] = named(shared, column).sql(lang)
    return {name: sql for name, sql in found.items() if name not in columns}


def _case(column: str, words: dict[str, str]) -> str:
    booleans = set(words) <= {"true", "false"}
    tests = {code: f"{column} is {code}" if booleans else f"{column} = {quoted(code)}" for code in words}
    cases = " ".join(f"when {test} then {quoted(words[code])}" for code, test in tests.items())
    other = "null" if booleans else column
    return f"case {cases} else {other} end"


def _case_of_tiers(column: str, scheme: str | None, lang: str) -> str:
    if scheme is not None:
        return _case(column, {tier: name for (of, tier), name in tier_names(lang).items() if of == scheme})
    cases = " ".join(
        f"when scheme = {quoted(of)} and {column} = {quoted(tier)} then {quoted(name)}"
        for (of, tier), name in tier_names(lang).items()
    )
    return f"case {cases} else {column} end"


def quoted(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"
