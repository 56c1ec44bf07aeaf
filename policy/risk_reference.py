"""The frozen reference of the risk index, fitted on a published day: rows for its three seeds.

What the bank decides (directions, expert weights, words, which weights are in force) is taken from the
version before. On one day all customers see the same market: the scales of market rates are those of the
rates since the data began, and a component gives them no weight.
"""

import csv
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from policy import risk_fitting
from policy.check import SEEDS_DIR, check
from policy.codes import CUSTOMER_KINDS, PROTECTED_INDICATORS, RISK_GRADES, CustomerKind
from policy.faults import PolicyError
from policy.reading import read
from policy.risk_fitting import Component, Floats, Scale
from policy.rows import KindPolicy, RiskGrade, RiskIndex, RiskIndicator
from policy.seeds import SEEDS
from warehouse import Warehouse

HISTORY = "history.fct_customer_risk_index"
MARKET = "raw.market_environment"
INDICATORS, INDEX, GRADES = "policy_risk_indicators", "policy_risk_index", "policy_risk_grades"


@dataclass(frozen=True)
class Reference:
    """Rows for each seed, by name of the seed, and what is to be known about them."""

    rows: dict[str, list[dict[str, str]]]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Kind:
    """One kind of customer on the reference day, and the policy before."""

    name: CustomerKind
    indicators: Sequence[RiskIndicator]
    index: RiskIndex
    grades: Sequence[RiskGrade]
    values: dict[str, Floats]


def fit(
    wh: Warehouse,
    *,
    as_of: dt.date,
    effective_from: dt.date,
    min_explained: Decimal | None = None,
    seeds: Path = SEEDS_DIR,
) -> Reference:
    """The rows of the three seeds for each kind of customer, from the snapshot that stands for `as_of`.

    `min_explained` replaces what the policy asks of a component. Raises PolicyError when the seeds are not
    sound, no snapshot of that day stands, the weights of a component are in force and none can be fitted, or
    the index does not tell customers apart.
    """
    if faults := check(seeds):
        raise PolicyError("\n".join(["the policy is not sound:", *map(str, faults)]))
    _refuse_unpublished(wh, as_of)
    policy_set = wh.query("select policy_set from ops.sources")["policy_set"][0].as_py()
    found = Reference(rows={INDICATORS: [], INDEX: [], GRADES: []})
    for name in CUSTOMER_KINDS:
        indicators, index, grades = (
            _in_force(seeds, seed, policy_set, name, effective_from) for seed in (INDICATORS, INDEX, GRADES)
        )
        values = _values_on(wh, as_of, name, [row.indicator for row in indicators])
        if not len(values[indicators[0].indicator]):
            found.notes.append(f"no {name} customer on {as_of}: no rows of that kind")
            continue
        kind = _Kind(name, indicators, index[0], grades, values)
        least = kind.index.min_explained_share if min_explained is None else min_explained
        _fit_kind(wh, kind, as_of, effective_from, least, found)
    return found


def _fit_kind(
    wh: Warehouse, kind: _Kind, as_of: dt.date, effective_from: dt.date, least: Decimal, found: Reference
) -> None:
    scales: dict[str, Scale] = {}
    places: dict[str, Floats] = {}
    compared: dict[str, Floats] = {}
    for row in kind.indicators:
        name, values = row.indicator, kind.values[row.indicator]
        fitted = _scale_of(wh, as_of, row, values)
        scales[name] = fitted or Scale(row.lower_value, row.middle_value, row.upper_value)
        places[name] = risk_fitting.scaled(
            values, scales[name], row.direction, float(kind.index.neutral_value)
        )
        if fitted is None:
            found.notes.append(f"{kind.name}: {name} is unknown or all the same by {as_of}: its scale stays")
        elif row.indicator_group != "market" and name not in PROTECTED_INDICATORS:
            compared[name] = places[name]
    component = _component_of(kind, compared, least, found)
    weights: dict[str, Decimal] = {row.indicator: row.expert_weight for row in kind.indicators}
    pca_weights = dict.fromkeys(weights, "")
    if component is not None:
        of_component = {name: component.weights.get(name, Decimal("0.0000")) for name in weights}
        pca_weights = {name: str(weight) for name, weight in of_component.items()}
        if kind.index.weights == "pca":
            weights = dict(of_component)
    score = 100 * np.stack([float(weights[name]) * place for name, place in places.items()]).sum(axis=0)
    edges = ["", *map(str, risk_fitting.grade_cuts(score)), ""]

    for row in kind.indicators:
        scale = scales[row.indicator]
        ends = {"lower_value": scale.lower, "middle_value": scale.middle, "upper_value": scale.upper}
        _add(found, INDICATORS, row, effective_from, **ends, pca_weight=pca_weights[row.indicator])
    explained = "" if component is None else component.explained
    _add(found, INDEX, kind.index, effective_from, min_explained_share=least, explained_share=explained)
    for grade in sorted(kind.grades, key=lambda each: each.risk_grade):
        place = RISK_GRADES.index(grade.risk_grade)
        _add(found, GRADES, grade, effective_from, lower_bound=edges[place], upper_bound=edges[place + 1])


def _component_of(
    kind: _Kind, places: dict[str, Floats], least: Decimal, found: Reference
) -> Component | None:
    """The component of some indicators; None, with a note, where it is refused and not in force."""
    try:
        component = risk_fitting.principal_weights(places, least)
    except PolicyError as refusal:
        if kind.index.weights == "pca":
            raise PolicyError(f"{kind.name}: {refusal}") from None
        found.notes.append(f"{kind.name}: no weights of a component: {refusal}")
        return None
    found.notes.append(f"{kind.name}: the first component explains {component.explained} of the variance")
    return component


def _scale_of(wh: Warehouse, as_of: dt.date, row: RiskIndicator, values: Floats) -> Scale | None:
    if row.indicator_group != "market":
        scale = risk_fitting.fitted_scale(values)
        return risk_fitting.within_the_law(scale) if scale and row.indicator == "age" else scale
    if not wh.exists(MARKET):
        return None
    rate = "competitor_deposit_rate - own_deposit_rate" if row.indicator == "rate_gap" else "policy_rate"
    told = wh.query(
        f"select cast({rate} as double precision) * 10000 as rate from {MARKET} where market_on <= $1",
        [as_of],
    )
    scale = risk_fitting.fitted_scale(_floats(told["rate"]))
    if scale and row.indicator == "rate_gap":
        # From nothing on: that is what counts for customers who hold nothing that a rate is paid on.
        return risk_fitting.fitted_scale(np.array([0.0, float(scale.upper)]))
    return scale


def _values_on(
    wh: Warehouse, as_of: dt.date, kind: CustomerKind, indicators: Sequence[str]
) -> dict[str, Floats]:
    """The indicators of a kind's customers on a published day, NaN unknown; arrays of shape (customers,)."""
    columns = ", ".join(f"cast(value_{name} as double precision) as {name}" for name in indicators)
    table = wh.query(
        f"select {columns} from {HISTORY} where as_of_date = $1 and customer_kind = $2", [as_of, kind]
    )
    return {name: _floats(table[name]) for name in indicators}


def _floats(column: Any) -> Floats:
    return np.asarray(column.combine_chunks().to_numpy(zero_copy_only=False), dtype=np.float64)


def _in_force(seeds: Path, name: str, policy_set: str, kind: CustomerKind, day: dt.date) -> list[Any]:
    """The rows of a seed that hold for a kind of customer on a day, in the order of the file."""
    rows = [
        row
        for row in read(seeds / f"{name}.csv", SEEDS[name])[0]
        if isinstance(row, KindPolicy)
        and (row.policy_set, row.customer_kind) == (policy_set, kind)
        and row.effective_from <= day
    ]
    if not rows:
        raise PolicyError(
            f"{name}.csv has no version of {policy_set}, {kind} by {day}: choose a later day with --from"
        )
    newest = max(row.effective_from for row in rows)
    return [row for row in rows if row.effective_from == newest]


def _add(found: Reference, seed: str, row: KindPolicy, effective_from: dt.date, **cells: object) -> None:
    """A row of the policy before with new cells, as of a new version."""
    before = {name: getattr(row, name) for name in type(row).model_fields if name != "line"}
    version = f"{seed.removeprefix('policy_')}_{effective_from:%Y_%m_%d}"
    new = {**before, **cells, "rule_version": version, "effective_from": effective_from}
    found.rows[seed].append({name: _cell(value) for name, value in new.items()})


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def write_rows(reference: Reference, out: TextIO, seeds: Path = SEEDS_DIR) -> None:
    """The rows of each seed under a line with its file, to be added to it."""
    for name, rows in reference.rows.items():
        header = (seeds / f"{name}.csv").read_text(encoding="utf-8-sig").splitlines()[0].split(",")
        out.write(f"# {name}.csv\n")
        csv.DictWriter(out, header, lineterminator="\n").writerows(rows)


def _refuse_unpublished(wh: Warehouse, as_of: dt.date) -> None:
    if not wh.exists(HISTORY):
        raise PolicyError("no risk index is published yet: publish a day first (`make run`)")
    if not wh.query(f"select 1 as one from {HISTORY} where as_of_date = $1 limit 1", [as_of]).num_rows:
        dates = wh.query(f"select distinct as_of_date from {HISTORY} order by as_of_date desc limit 5")
        listed = ", ".join(str(date) for date in dates["as_of_date"].to_pylist())
        raise PolicyError(f"no published snapshot of {as_of} stands; the newest are of {listed}")
