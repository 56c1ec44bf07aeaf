"""Population stability index on frozen bins, and how much of it is noise.

PSI = sum over bins of (actual - expected) * ln(actual / expected), the symmetric Kullback-Leibler divergence
of two distributions. Of two samples of one population, of N and M rows in B bins, it is about (1/N + 1/M)
times a chi-square with B - 1 degrees of freedom (Yurdakul 2018), so a small sample drifts by chance alone.
"""

from typing import Any

import numpy as np
from scipy.stats import chi2

Array = np.ndarray[Any, Any]
CONFIDENCE = 0.95


def psi(expected: Array, actual: Array) -> float:
    """PSI of two arrays (bins,) of shares, each above 0 and adding up to 1."""
    return float(np.sum((actual - expected) * np.log(actual / expected)))


def shares(counts: Array) -> Array:
    """(bins,) of counts to shares above 0: an empty bin counts as half a row, .5/n."""
    return np.maximum(counts, 0.5) / counts.sum()


def psi_of_counts(expected: Array, actual: Array) -> tuple[float, int]:
    """PSI of two arrays (bins,) of counts, and the number of bins in use: one that is empty in both says
    nothing. Neither may be empty as a whole.
    """
    used = (expected > 0) | (actual > 0)
    return psi(shares(expected[used]), shares(actual[used])), int(used.sum())


def noise(bins: int, expected_rows: int, actual_rows: int) -> float:
    """The PSI that two samples of one population stay below with 95 % confidence; 0 for a single bin."""
    if bins < 2:
        return 0.0
    return float(chi2.ppf(CONFIDENCE, bins - 1) * (1 / expected_rows + 1 / actual_rows))
