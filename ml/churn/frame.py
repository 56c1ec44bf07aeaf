"""From Arrow to the frame a model takes: columns checked by name and type, in the model's order."""

import hashlib
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from ml.churn.errors import InputError
from ml.churn.params import Feature

KEYS = ("as_of_date", "customer_id")


def check_columns(
    present: Sequence[str], *, needed: Collection[str], allowed: Collection[str], where: str, remedy: str
) -> None:
    """Raise InputError that names every missing and every undeclared column of the relation `where`."""
    missing = [name for name in needed if name not in present]
    extra = [name for name in present if name not in needed and name not in allowed]
    faults = [
        f"{word} {', '.join(names)}"
        for word, names in (("misses", missing), ("has undeclared", extra))
        if names
    ]
    if faults:
        raise InputError(f"{where} {' and '.join(faults)}; {remedy}")


def feature_frame(data: pa.Table | pa.RecordBatch, features: Sequence[Feature], where: str) -> pd.DataFrame:
    """(rows, features) in the order of `features`: numbers float64 with NaN for null, categories object with
    None.

    Raises InputError when a column's type is not its declared kind or a number is infinite.
    """
    return pd.DataFrame({feature.name: _values(data, feature, where) for feature in features})


def panel_frame(
    table: pa.Table, features: Sequence[Feature], segments: Sequence[str], where: str
) -> pd.DataFrame:
    """Mature rows with keys, is_churned (0, 1), features, and the columns `segments` where the table has
    them.

    Sorted by as-of date and customer, so that a fit does not depend on the order of arrival. Raises
    InputError on a repeated key or a label other than 0 and 1.
    """
    frame = feature_frame(table, features, where)
    frame.insert(0, "as_of_date", _objects(table.column("as_of_date").cast(pa.date32())))
    frame.insert(1, "customer_id", _objects(table.column("customer_id")))
    labels = table.column("is_churned").cast(pa.float64()).to_numpy(zero_copy_only=False)
    if not np.isin(labels, (0, 1)).all():
        raise InputError(f"{where}.is_churned of mature rows must be 0 or 1")
    frame.insert(2, "is_churned", labels.astype(np.int8))
    for name in segments:
        if name in table.column_names and name not in frame:
            frame[name] = _objects(table.column(name))
    if frame.duplicated(list(KEYS)).any():
        raise InputError(f"{where} has more than one row for a customer and as-of date")
    return frame.sort_values(list(KEYS), ignore_index=True)


def fingerprint(panel: pd.DataFrame, features: Sequence[Feature]) -> str:
    """SHA-256 (hex) of a sorted panel: keys, labels, features, and the columns beside them, of which figures
    and baselines are made.
    """
    columns = [*KEYS, "is_churned", *(feature.name for feature in features)]
    beside = [name for name in panel.columns if name not in columns]
    columns += beside
    text = {name: panel[name].astype(str) for name in (*KEYS, *beside)}
    hashes = pd.util.hash_pandas_object(panel[columns].assign(**text), index=False)
    return hashlib.sha256(",".join(columns).encode() + hashes.to_numpy().tobytes()).hexdigest()


def _values(data: pa.Table | pa.RecordBatch, feature: Feature, where: str) -> "pd.Series[Any]":
    column = data.column(feature.name)
    is_text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    if pa.types.is_null(column.type) or is_text == feature.is_category:
        if feature.is_category:
            return _objects(column)
        values = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
        if np.isinf(values).any():
            raise InputError(f"{where}.{feature.name} holds infinite values; make them null in SQL")
        return pd.Series(values, dtype="float64")
    raise InputError(
        f"{where}.{feature.name} is {column.type}, declared {feature.kind}; correct the SQL or params.yaml"
    )


def _objects(column: pa.ChunkedArray | pa.Array) -> "pd.Series[Any]":
    # Said, not inferred: pandas would make text with nulls a `str` column, and text without any other.
    return pd.Series(column.to_pylist(), dtype=object)
