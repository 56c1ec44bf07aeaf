"""Training on any table, without a warehouse: numbers, booleans and words are features, nulls included.

With a column of time the newest fifth of the rows is the test and candidates are compared over time; without
one, folds are stratified by the label and apart by id. The same candidates, calibration and figures as for
the bank's own panel.
"""

import datetime as dt
import json
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet
from rich.progress import Progress
from scipy.stats import skew
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from ml.churn import card, leaks
from ml.churn.errors import InputError, LeakError, NothingToTrainError
from ml.churn.figures import judge
from ml.churn.fit import Choice, Part, compare, describe, fit_choice, fit_twice, pick
from ml.churn.frame import KEYS, panel_frame
from ml.churn.params import Feature, Params
from ml.churn.pipeline import check_candidates, probabilities
from ml.churn.registry import Registry

METRICS = "metrics.json"
TEST_SHARE = 0.2
TEST_FOLDS = 5
# A text column with more values is an id, a name or a remark: a column for each would fit single rows.
MOST_WORDS = 50
# Skewness of a number above which the logistic takes it on a signed logarithmic scale.
SKEWED = 2.0
# The value that is 1 in a label of two words; any other pair takes the rarer value.
YES = ("1", "true", "t", "yes", "y", "churned", "left")
NO_TIME = dt.date(1970, 1, 1)
REMARK = "leave it out with --drop"


@dataclass(frozen=True)
class Columns:
    """Which columns of the table are what; `time` and `row_id` may be missing."""

    label: str
    time: str | None = None
    row_id: str | None = None
    drop: tuple[str, ...] = ()


@dataclass(frozen=True)
class Prepared:
    """A panel as panel_frame() gives it, its features, the protected columns beside them, and what was done
    to the table, in words.
    """

    panel: pd.DataFrame
    features: tuple[Feature, ...]
    beside: tuple[str, ...]
    remarks: list[str]


@dataclass(frozen=True)
class Trained:
    """What a training on a table gives: `lines` is a header and a row for each candidate."""

    folder: Path
    chosen_model: str
    lines: list[list[str]]
    remarks: list[str]


def train_table(
    file: Path, columns: Columns, params: Params, progress: Progress, *, out: Path, embargo_days: int
) -> Trained:
    """Train on a Parquet or CSV file and write model, metrics and card to the folder `out`, which must not
    exist yet.

    Load the model again with Registry(out.parent).load(out.name). Raises InputError on a table that does not
    fit, LeakError when a feature knows the label, NothingToTrainError when one of its values is too rare.
    """
    if out.exists():
        raise InputError(f"{out} exists already; name another folder with --out")
    check_candidates(params)
    prepared = prepare(read_table(file), columns, params, file.name)
    params = replace(
        params,
        features=prepared.features,
        segments=prepared.beside,
        tracking=replace(params.tracking, mlflow=False),
    )
    panel = prepared.panel
    # Folds of the test, of the choice and of the calibration are apart by id.
    least = max(params.split.choice_folds, params.calibration.folds, 2)
    _check_ids(panel, max(TEST_FOLDS, least), columns, file.name)
    before, test = final_part(panel, columns.time, params, embargo_days)
    _check_ids(before, least, columns, f"{file.name} before the test")
    _check_classes(before, test, params)
    found = leaks.find_leaks(before, test, params.features, params.minimum.test_churners)
    if found:
        raise LeakError(f"{file.name}: {leaks.tell(found)} ({REMARK})")
    over_time = time_parts(before, params.split.choice_folds, embargo_days) if columns.time else []
    by_label = label_parts(before, params.split.choice_folds - len(over_time), params)
    parts = over_time + by_label
    tried = compare(parts, params, progress)
    chosen = pick(tried, params.tie_margin)
    choice = Choice(chosen["candidate"], chosen["settings"], len(parts), len(over_time), tried)
    judged = _judge_each(before, test, tried, params, progress)
    models = fit_twice(before, panel, choice, params, progress)
    metrics = judged[choice.candidate]
    metadata = describe(panel, (before, test), choice, metrics, params)
    metadata |= {"table": file.name, "columns": _named(columns), "remarks": prepared.remarks}
    metadata["metrics"]["candidates"] = {name: figures["test"] for name, figures in judged.items()}
    # They are of the bank's own panel.
    del metadata["windows"]
    if columns.time is None:
        for part in (metadata["trained_on"], *metadata["evaluated_on"].values()):
            del part["as_of_dates"]
    registry = Registry(out.resolve().parent)
    texts = {METRICS: _json(metadata["metrics"]), card.CARD: card.write(metadata)}
    registry.save(out.name, models, metadata, texts)
    return Trained(out, choice.candidate, _lines(judged, choice.candidate), prepared.remarks)


def read_table(file: Path) -> pa.Table:
    """A .parquet or .csv file; InputError when it is neither or cannot be read."""
    readers = {".parquet": pyarrow.parquet.read_table, ".csv": pyarrow.csv.read_csv}
    if file.suffix not in readers:
        raise InputError(f"{file} is no .parquet or .csv file")
    try:
        return readers[file.suffix](file)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{file} cannot be read: {error}") from error


def prepare(table: pa.Table, columns: Columns, params: Params, where: str) -> Prepared:
    """The table as a panel, with what cannot be learned from left out and said; raises InputError that names
    the column.
    """
    remarks: list[str] = []
    repeated = sorted({name for name in table.column_names if table.column_names.count(name) > 1})
    if repeated:
        raise InputError(f"{where} has columns of the same name: {', '.join(repeated)}; rename them")
    named = [name for name in (columns.label, columns.time, columns.row_id, *columns.drop) if name]
    missing = [name for name in named if name not in table.column_names]
    if missing:
        raise InputError(
            f"{where} has no column {', '.join(missing)}; it has {', '.join(table.column_names)}"
        )
    table = _decoded(table)
    known = table.filter(pc.is_valid(table[columns.label]))
    if known.num_rows < table.num_rows:
        remarks.append(f"{table.num_rows - known.num_rows} rows without a label are left out")
    label, said = _label(known[columns.label], columns.label, where)
    remarks.append(said)
    ids = _ids(known, columns, where)
    days = _days(known, ids, columns, where)
    if columns.row_id and columns.time is None and pc.count_distinct(ids).as_py() < len(ids):
        remarks.append(f"{columns.row_id} repeats: rows of one id are never on both sides of a fold")
    features, kept = [], {}
    for name in known.column_names:
        if name in named:
            continue
        why, values = _usable(known[name], where, name)
        if name in params.excluded:
            why = "protected by params.yaml: never learned from, figures by group are given"
        if why:
            remarks.append(f"{name} is not learned from: {why}")
            continue
        features.append(Feature(_feature_name(name), _kind(values), "", None, 0, meaning=name))
        kept[_feature_name(name)] = values
    if not kept:
        raise InputError(f"{where} has nothing to learn from: {'; '.join(remarks[1:]) or 'no other column'}")
    beside = tuple(name for name in known.column_names if name in params.excluded and name not in named)
    arrays = kept | {"as_of_date": days, "customer_id": ids, "is_churned": label}
    for name in beside:
        arrays[name] = known[name].cast(pa.string())
    try:
        panel = panel_frame(pa.table(arrays), features, beside, where)
    except InputError as error:
        if "more than one row" not in str(error):
            raise
        raise InputError(
            f"{where}: {columns.row_id} repeats within one {columns.time}; one row an id and time is meant"
        ) from error
    return Prepared(panel, tuple(features), beside, remarks)


def final_part(panel: pd.DataFrame, time: str | None, params: Params, embargo_days: int) -> Part:
    """What trains, and the test: the newest fifth of the rows by whole dates, or a stratified fifth of the
    ids. Raises InputError when no date is left to train on.
    """
    if time is None:
        rows = next(iter(_label_folds(panel, TEST_FOLDS, params.seed)))
        return panel.iloc[rows[0]], panel.iloc[rows[1]]
    part = _newest(panel, embargo_days)
    if part is None:
        raise InputError(
            f"{time} leaves nothing to train on before the newest {TEST_SHARE:.0%} of the rows and an "
            f"embargo of {embargo_days} days; give a shorter --embargo-days, or leave --time out"
        )
    return part


def time_parts(panel: pd.DataFrame, count: int, embargo_days: int) -> list[Part]:
    """At most `count` parts before the final test, newest first, each the newest fifth of what lies before
    the one after it, and what is known an embargo before it.
    """
    parts: list[Part] = []
    while len(parts) < count and (part := _newest(panel, embargo_days)):
        if all(rows["is_churned"].nunique() == 2 for rows in part):
            parts.append(part)
        panel = panel[panel["as_of_date"] < part[1]["as_of_date"].min()]
    return parts


def label_parts(panel: pd.DataFrame, count: int, params: Params) -> list[Part]:
    """`count` parts stratified by the label, apart by id."""
    if count < 1:
        return []
    folds = _label_folds(panel, max(params.split.choice_folds, 2), params.seed)
    return [(panel.iloc[train], panel.iloc[test]) for train, test in folds[:count]]


def _newest(panel: pd.DataFrame, embargo_days: int) -> Part | None:
    if panel.empty:
        return None
    counts = panel["as_of_date"].value_counts().sort_index(ascending=False)
    enough = int(np.searchsorted(counts.cumsum().to_numpy(), TEST_SHARE * len(panel)))
    first = counts.index[enough]
    # Without an embargo the day before the test trains.
    before = panel[panel["as_of_date"] <= first - dt.timedelta(days=max(embargo_days, 1))]
    return (before, panel[panel["as_of_date"] >= first]) if len(before) else None


def _label_folds(panel: pd.DataFrame, count: int, seed: int) -> list[tuple[Any, Any]]:
    label, ids = panel["is_churned"].to_numpy(), panel["customer_id"].to_numpy()
    groups = np.unique(ids.astype(str), return_inverse=True)[1]
    rarer = min(int(label.sum()), int(len(label) - label.sum()))
    if rarer < count:
        raise NothingToTrainError("too_few_churners", f"{rarer} rows have the rarer label, {count} needed")
    if len(np.unique(groups)) == len(groups):
        folds = StratifiedKFold(count, shuffle=True, random_state=seed)
        return list(folds.split(label, label))
    grouped = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    return list(grouped.split(label, label, groups))


def _check_ids(rows: pd.DataFrame, least: int, columns: Columns, where: str) -> None:
    count = rows["customer_id"].nunique()
    if columns.row_id and count < least:
        raise InputError(
            f"{where}: {columns.row_id} has {count} different values and needs {least}, so that no id is on "
            "both sides of a fold; name the column of the customer with --id, or leave --id out"
        )


def _check_classes(before: pd.DataFrame, test: pd.DataFrame, params: Params) -> None:
    for part, rows, least in (
        ("training", before, params.minimum.train_churners),
        ("test", test, params.minimum.test_churners),
    ):
        ones = int(rows["is_churned"].sum())
        rarer = min(ones, len(rows) - ones)
        if rarer < least:
            raise NothingToTrainError(
                "too_few_churners", f"{rarer} rows of the {part} part have the rarer label, {least} needed"
            )


def _judge_each(
    before: pd.DataFrame, test: pd.DataFrame, tried: list[dict[str, Any]], params: Params, progress: Progress
) -> dict[str, dict[str, Any]]:
    """The figures of each candidate at its best setting, fitted and calibrated on `before`."""
    task = progress.add_task("Judge candidates", total=len(params.candidates))
    judged = {}
    for candidate in params.candidates:
        best = pick((one for one in tried if one["candidate"] == candidate.name), params.tie_margin)
        model = fit_choice(before, Choice(candidate.name, best["settings"]), params)
        judged[candidate.name] = judge(before, test, probabilities(model, test[params.feature_names]), params)
        progress.advance(task)
    return judged


def _lines(judged: dict[str, dict[str, Any]], chosen: str) -> list[list[str]]:
    lines = [
        ["candidate", "auc", "interval", "avg_precision", "slope", "calibration_error", "lift", "empc", ""]
    ]
    for name, figures in judged.items():
        test, between = figures["test"], figures["intervals"]["parts"]["test"].get("auc")
        lines.append(
            [
                name,
                _shown(test["auc"]),
                f"{between[0]:.4f} to {between[1]:.4f}" if between else "-",
                *(
                    _shown(test[figure])
                    for figure in ("average_precision", "calibration_slope", "calibration_error")
                ),
                _shown(test["lift_top_decile"], 2),
                _shown(test["empc"]),
                "chosen" if name == chosen else "",
            ]
        )
    return lines


def _shown(value: float | None, digits: int = 4) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _decoded(table: pa.Table) -> pa.Table:
    """Dictionaries as the values they stand for."""
    for place, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            table = table.set_column(place, field.name, table.column(place).cast(field.type.value_type))
    return table


def _label(column: pa.ChunkedArray, name: str, where: str) -> tuple[pa.Array, str]:
    """0 and 1, and which value is 1, in words."""
    counts = {entry["values"]: entry["counts"] for entry in column.value_counts().to_pylist()}
    if len(counts) < 2:
        only = ", ".join(map(str, counts)) or "nothing"
        raise InputError(
            f"{where}: the label {name} holds one value only ({only}): nothing can be told apart"
        )
    if len(counts) > 2:
        some = ", ".join(map(str, list(counts)[:5]))
        raise InputError(f"{where}: the label {name} has {len(counts)} values ({some} ...); it must have two")
    words = {_word(value): value for value in counts}
    yes = [word for word in words if word in YES]
    rarer = min(counts, key=lambda value: (counts[value], str(value)))
    one = words[yes[0]] if len(yes) == 1 else rarer
    zero = next(value for value in counts if value != one)
    values = np.array([value == one for value in column.to_pylist()])
    return pa.array(values.astype(np.int8)), f"{name}: {one} is 1 ({counts[one]} rows), {zero} is 0"


def _word(value: Any) -> str:
    if isinstance(value, float | int | Decimal) and not isinstance(value, bool) and value == int(value):
        return str(int(value))
    return str(value).strip().lower()


def _ids(table: pa.Table, columns: Columns, where: str) -> pa.Array:
    if columns.row_id is None:
        return pa.array([f"{number:012d}" for number in range(table.num_rows)])
    ids = table[columns.row_id].cast(pa.string())
    if ids.null_count:
        raise InputError(
            f"{where}: {ids.null_count} rows have no {columns.row_id}; fill it, or leave out --id"
        )
    return ids.combine_chunks()


def _days(table: pa.Table, ids: pa.Array, columns: Columns, where: str) -> pa.Array:
    if columns.time is None:
        # The panel takes one row an id and date: the rows of one id are told apart by made-up days.
        nth = pd.Series(ids.to_pylist()).groupby(ids.to_pylist()).cumcount()
        return pa.array([NO_TIME + dt.timedelta(days=int(days)) for days in nth], pa.date32())
    column = table[columns.time]
    try:
        if not pa.types.is_temporal(column.type):
            column = column.cast(pa.string()).cast(pa.timestamp("us"))
        days = column.cast(pa.timestamp("us")).cast(pa.date32(), safe=False)
    except pa.ArrowException as error:
        raise InputError(f"{where}: {columns.time} is {column.type}, no dates such as 2026-10-31") from error
    if days.null_count:
        raise InputError(
            f"{where}: {days.null_count} rows have no {columns.time}; fill it, or leave out --time"
        )
    return days.combine_chunks()


def _usable(column: pa.ChunkedArray, where: str, name: str) -> tuple[str | None, pa.ChunkedArray]:
    """Why a column cannot be learned from (None: it can), and its values as numbers or text."""
    kind = column.type
    if pa.types.is_temporal(kind):
        return "a date or time; give the days since it as a number", column
    if pa.types.is_boolean(kind):
        column = column.cast(pa.int8()).cast(pa.float64())
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        column = column.cast(pa.float64(), safe=False)
        # Arrow keeps NaN apart from null.
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, pa.float64()), column)
        if pc.any(pc.is_inf(column)).as_py():
            raise InputError(f"{where}: {name} holds infinite values; make them null, or {REMARK}")
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        count = pc.count_distinct(column).as_py()
        if count > MOST_WORDS:
            return f"text of {count} different values, more than {MOST_WORDS}", column
    elif not pa.types.is_null(kind):
        return f"{kind} is neither number nor text", column
    if column.null_count == len(column):
        return "all null", column
    if pc.count_distinct(column, mode="all").as_py() == 1:
        return "constant", column
    return None, column


def _kind(values: pa.ChunkedArray) -> str:
    if not pa.types.is_floating(values.type):
        return "category"
    numbers = values.to_numpy()
    return "amount" if abs(float(skew(numbers[~np.isnan(numbers)], bias=False))) > SKEWED else "score"


def _feature_name(name: str) -> str:
    """The column's name, unless the panel has its own of that name."""
    return f"{name}_feature" if name in (*KEYS, "is_churned") else name


def _named(columns: Columns) -> dict[str, Any]:
    return {"label": columns.label, "time": columns.time, "id": columns.row_id, "dropped": list(columns.drop)}


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
