"""Risk appetite, churn, its reasons and risk bands."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from policy.codes import APPETITES, CHURN_REASONS
from policy.rows import Churn, ChurnReason, Finding, RiskBand, RiskCap

# As far back before a churn period as the warehouse reads acts (int_observations.looked_back_to).
LONGEST_SILENCE_DAYS = 365


def caps_rise(rows: Sequence[RiskCap]) -> Iterator[Finding]:
    """Caps begin at no experience and never fall as experience grows."""
    ordered = sorted(rows, key=lambda row: row.min_experience_years)
    if ordered[0].min_experience_years != 0:
        yield (
            ordered[0],
            f"the first cap begins at {ordered[0].min_experience_years} years: begin at 0, which also "
            "stands for unknown experience",
        )
    for less, more in pairwise(ordered):
        if APPETITES.index(more.highest_appetite) < APPETITES.index(less.highest_appetite):
            yield (
                more,
                f"highest_appetite {more.highest_appetite} from {more.min_experience_years} years on is more "
                f"careful than {less.highest_appetite} before: a cap never falls with experience",
            )


def churn_can_be_seen(rows: Sequence[Churn]) -> Iterator[Finding]:
    """One form counts at least, no two silences fall into one period (int_churn_forms reads one), and a
    silence is no longer than the acts are looked back to.
    """
    for row in rows:
        if not (
            row.counts_account_closure
            or row.counts_balance_drain
            or row.counts_silence
            or row.counts_loan_runoff
            or row.counts_card_stop
        ):
            yield row, "no form counts as churn: one of the counts_ columns is true at least"
        period = row.gap_days + row.outcome_days
        if row.silence_days <= period:
            yield (
                row,
                f"silence_days {row.silence_days} is not above gap and outcome together, {period} days",
            )
        if row.silence_days > LONGEST_SILENCE_DAYS:
            yield (
                row,
                f"silence_days {row.silence_days} is above {LONGEST_SILENCE_DAYS}: acts are read for "
                f"{LONGEST_SILENCE_DAYS} days before a period (int_observations.looked_back_to), and who "
                "acted last before that would be taken for active",
            )


def bands_cover(rows: Sequence[RiskBand]) -> Iterator[Finding]:
    """High, medium and low meet at their bounds and are open at the ends: every probability has one band."""
    by_band = {row.risk_band: row for row in rows}
    missing = [band for band in ("high", "medium", "low") if band not in by_band]
    if missing:
        yield rows[0], f"the version has no band {', '.join(missing)}: every probability needs one"
        return
    high, medium, low = by_band["high"], by_band["medium"], by_band["low"]
    if high.upper_bound is not None:
        yield high, "upper_bound is given: high is open above, leave it empty"
    if low.lower_bound is not None:
        yield low, "lower_bound is given: low is open below, leave it empty"
    for upper, lower in ((high, medium), (medium, low)):
        if upper.lower_bound is None or upper.lower_bound != lower.upper_bound:
            yield (
                lower,
                f"upper_bound {lower.upper_bound} is not {upper.lower_bound}, the lower_bound of "
                f"{upper.risk_band}: bands meet, without gap or overlap",
            )
    if (
        medium.lower_bound is not None
        and medium.upper_bound is not None
        and medium.lower_bound >= medium.upper_bound
    ):
        yield medium, f"lower_bound {medium.lower_bound} is not below upper_bound {medium.upper_bound}"


def reasons_are_told(rows: Sequence[ChurnReason]) -> Iterator[Finding]:
    """Every reason that a score may have is there, and an action has one wording, whatever leads to it."""
    missing = [code for code in CHURN_REASONS if code not in {row.reason_code for row in rows}]
    if missing:
        yield (
            rows[0],
            f"the version has no row of {', '.join(missing)}: to tell a reason no more, keep its row and "
            "set is_allowed to false",
        )
    wordings: dict[str, tuple[str, str]] = {}
    for row in rows:
        if row.reason_code not in CHURN_REASONS:
            yield row, f"reason_code is none of the scores: write one of {', '.join(CHURN_REASONS)}"
        words = (row.action_en, row.action_zh)
        if wordings.setdefault(row.action_code, words) != words:
            yield row, f"action {row.action_code} has other words in another row: give it one wording"
