"""numpy arrays to the Arrow columns of the contracts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from simulator.calendar import NEVER

Array = npt.NDArray[Any]
SECONDS_OF_EVENING = 22 * 3600


def identifiers(prefix: str, numbers: Array, width: int) -> pa.Array:
    """`prefix` and a zero-padded number; a negative number becomes null; shape (n,)."""
    digits = pc.utf8_lpad(pa.array(np.abs(numbers)).cast(pa.string()), width=width, padding="0")
    joined = pc.binary_join_element_wise(prefix, digits, "")
    return (
        joined
        if (numbers >= 0).all()
        else pc.if_else(pa.array(numbers >= 0), joined, pa.scalar(None, pa.string()))
    )


def labels(names: Sequence[str], codes: Array) -> pa.Array:
    """The name of each code; a negative code becomes null; shape (n,)."""
    indices = pa.array(codes.astype(np.int32), mask=codes < 0)
    return pa.DictionaryArray.from_arrays(indices, pa.array(names, pa.string())).cast(pa.string())


def money(cents: Array, known: Array | None = None) -> pa.Array:
    """Whole cents to decimal128(18, 2), null where not `known`; shape (n,)."""
    return _decimals(cents, pa.decimal128(18, 2), known)


def rates(values: Array) -> pa.Array:
    """Floats to decimal128(12, 6); shape (n,)."""
    return _decimals(np.rint(values * 1e6).astype(np.int64), pa.decimal128(12, 6), None)


def dates(days: Array) -> pa.Array:
    """Day numbers to date32; NEVER becomes null; shape (n,)."""
    return pa.array(days.astype(np.int32), mask=days >= NEVER).cast(pa.date32())


def evenings(days: Array) -> pa.Array:
    """The nightly export of each day, 22:00, as timestamp("us"); shape (n,)."""
    return pa.array((days * 86_400 + SECONDS_OF_EVENING) * 1_000_000).cast(pa.timestamp("us"))


def integers(values: Array) -> pa.Array:
    """To int32; a negative value becomes null; shape (n,)."""
    return pa.array(values.astype(np.int32), mask=values < 0)


def draw(rng: np.random.Generator, weights: Sequence[float], size: int) -> npt.NDArray[np.int64]:
    """Codes 0 .. len(weights) - 1, drawn by weight; shape (size,)."""
    edges = np.cumsum(weights) / np.sum(weights)
    return np.minimum(np.searchsorted(edges, rng.random(size), side="right"), len(weights) - 1)


def _decimals(unscaled: Array, kind: pa.Decimal128Type, known: Array | None) -> pa.Array:
    # A 128-bit decimal is two little-endian words; the upper one repeats the sign.
    words = np.empty((len(unscaled), 2), dtype="<i8")
    words[:, 0] = unscaled
    words[:, 1] = words[:, 0] >> 63
    column = pa.Array.from_buffers(kind, len(unscaled), [None, pa.py_buffer(words)])
    if known is None:
        return column
    return pc.if_else(pa.array(known), column, pa.scalar(None, kind))
