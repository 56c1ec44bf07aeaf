"""Through which channel customers act: by how digital they are, the drift of the years, and holidays."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.journal import CHANNEL

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

# Year by year customers move from counter and cash machine to the mobile phone: growth of the log-odds.
DIGITAL_DRIFT_A_YEAR = 0.3
# Few branches open on public holidays: the share of usual visits that remains.
BRANCH_VISITS_ON_HOLIDAYS = 0.12


def drifted(digital: Floats, years: float) -> Floats:
    """The share of acts in digital channels so many years after the first day; shape of `digital`."""
    odds = np.exp(DIGITAL_DRIFT_A_YEAR * years)
    return digital * odds / (1 - digital + digital * odds)


def of_card_payments(draw: Floats, digital: Floats) -> Array:
    """Channel codes of card payments by uniform draws and digital shares; all arrays of shape (n,)."""
    return _by_share(draw, [0.15 + 0.3 * digital, 0.1], ["mobile", "web", "pos"])


def of_cash_withdrawals(draw: Floats, digital: Floats, is_holiday: Array) -> Array:
    """Channel codes of cash withdrawals; all arrays of shape (n,)."""
    return _by_share(draw, [_branch(0.05 + 0.3 * (1 - digital) ** 2, is_holiday)], ["branch", "atm"])


def of_cash_deposits(draw: Floats, digital: Floats, is_holiday: Array) -> Array:
    """Channel codes of cash deposits; all arrays of shape (n,)."""
    return _by_share(draw, [_branch(0.2 + 0.4 * (1 - digital), is_holiday)], ["branch", "atm"])


def of_transfers_out(draw: Floats, digital: Floats, is_holiday: Array) -> Array:
    """Channel codes of transfers to others; all arrays of shape (n,)."""
    return _by_share(
        draw, [_branch(0.5 * (1 - digital), is_holiday), 0.03, 0.15], ["branch", "phone", "web", "mobile"]
    )


def of_transfers_in(draw: Floats, digital: Floats, is_holiday: Array) -> Array:
    """Channel codes of money brought in from elsewhere; all arrays of shape (n,)."""
    return _by_share(draw, [_branch(0.4 * (1 - digital), is_holiday), 0.15], ["branch", "web", "mobile"])


def _branch(share: Floats, is_holiday: Array) -> Floats:
    return share * np.where(is_holiday, BRANCH_VISITS_ON_HOLIDAYS, 1.0)


def _by_share(draw: Floats, shares: list[Any], channels: list[str]) -> Array:
    """Channel codes by cumulative shares; the last channel takes the rest; shape of `draw`."""
    edge = np.zeros_like(draw)
    chosen = np.full(draw.shape, CHANNEL[channels[-1]])
    for share, channel in zip(shares, channels[:-1], strict=True):
        chosen = np.where((draw >= edge) & (draw < edge + share), CHANNEL[channel], chosen)
        edge = edge + share
    return chosen
