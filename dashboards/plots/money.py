"""Plots of what is told about scores: reasons by risk band, and the money at stake by value tier."""

from __future__ import annotations

from dashboards.language import Language
from dashboards.plots.bars import stacked_bars
from dashboards.plots.scores import BAND_COLOURS
from dashboards.scoring import Scoring

MOST_REASONS = 12


def reasons_by_band(scoring: Scoring, bands: dict[str, str], say: Language) -> str:
    """Share of the scored customers by the first reason told, stacked by risk band."""
    total = sum(row["count_customers"] for row in scoring.reasons)
    counts: dict[str, int] = {}
    parts = []
    for row in scoring.reasons:
        what = say.label(row, "reason") if row["reason_code"] else say("reasons.none")
        counts[what] = counts.get(what, 0) + row["count_customers"]
        words = say.words_of_share(row["count_customers"], total)
        parts.append(
            {
                "what": what,
                "key": row["risk_band"],
                "value": row["count_customers"] / total,
                "words": f"{bands[row['risk_band']]}: {words}",
            }
        )
    shown = sorted(counts, key=lambda what: (-counts[what], what))[:MOST_REASONS]
    totals = [
        {"what": what, "total": counts[what] / total, "words": say.words_of_share(counts[what], total)}
        for what in shown
    ]
    return stacked_bars(
        [part for part in parts if part["what"] in shown],
        totals,
        colours=BAND_COLOURS,
        name="reasons",
        width=260,
    )


def loss_by_tier(scoring: Scoring, tiers: dict[str, str], bands: dict[str, str], say: Language) -> str:
    """Expected loss by value tier (codes with their labels, the best first), stacked by risk band."""
    parts, totals = [], []
    for tier, label in tiers.items():
        total = scoring.loss_of(value_tier=tier)["sum_expected_loss"]
        totals.append({"what": label, "total": total, "words": say.amount(total)})
        for band, called in bands.items():
            amount = scoring.loss_of(value_tier=tier, risk_band=band)["sum_expected_loss"]
            parts.append(
                {"what": label, "key": band, "value": amount, "words": f"{called}: {say.amount(amount)}"}
            )
    return stacked_bars(parts, totals, colours=BAND_COLOURS, name="loss", height=38)
