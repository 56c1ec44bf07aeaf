"""Rules that hold between seeds, on every day on which their versions meet."""

import datetime as dt
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import TypeVar

from policy.rows import Finding, KindPolicy, Kpi, KpiTarget, Rfm, RfmCut, RfmSegment, Tier, TierPlan

_Policy = TypeVar("_Policy", bound=KindPolicy)
_Row = TypeVar("_Row", bound=KindPolicy)


def every_cell_has_one_segment(
    policies: Sequence[Rfm], segments: Sequence[RfmSegment]
) -> Iterator[tuple[str, Finding]]:
    """Each cell of recency and mean of frequency and money, and the one without activity, has one row."""
    for policy, maps in meetings(policies, segments):
        cells = [(r, fm) for r in range(1, policy.count_bins + 1) for fm in range(1, policy.count_bins + 1)]
        for r, fm in [(0, 0), *cells]:
            rows = [row for row in maps if row.r_from <= r <= row.r_to and row.fm_from <= fm <= row.fm_to]
            if len(rows) > 1:
                names = " and ".join(f"{row.segment} (line {row.line})" for row in rows)
                yield (
                    "policy_rfm_segments",
                    (rows[-1], f"{_cell(r, fm)} lies in {names}: a cell has one segment"),
                )
            if not rows and maps:
                yield (
                    "policy_rfm_segments",
                    (maps[0], f"{_cell(r, fm)} lies in no segment of the version: add it to one"),
                )


def cuts_for_every_score(policies: Sequence[Rfm], cuts: Sequence[RfmCut]) -> Iterator[tuple[str, Finding]]:
    """Frozen and fixed modes have a cut for each measure and score above 1, and cuts rise with the score.

    Fixed cuts rise strictly. Frozen ones are fitted, and where many customers share a value two may be equal:
    the lower of the two scores is then given to nobody.
    """
    for policy, in_force in meetings(policies, cuts):
        if policy.rfm_mode == "quantile":
            continue
        for measure in ("r", "f", "m"):
            of_measure = sorted(
                (row for row in in_force if row.measure == measure), key=lambda row: row.score
            )
            missing = set(range(2, policy.count_bins + 1)) - {row.score for row in of_measure}
            if missing:
                scores = ", ".join(map(str, sorted(missing)))
                message = (
                    f"mode {policy.rfm_mode} with {policy.count_bins} bins needs cuts of {measure} for "
                    f"score {scores} in policy_rfm_cuts.csv: `python -m policy rfm-cuts` fits them"
                )
                yield "policy_rfm", (policy, message)
            yield from (("policy_rfm_cuts", finding) for finding in _rise(policy, of_measure))


def _rise(policy: Rfm, cuts: Sequence[RfmCut]) -> Iterator[Finding]:
    for lower, higher in pairwise(cuts):
        step = _edge(higher) - _edge(lower)
        if step < 0 or (step == 0 and policy.rfm_mode == "fixed"):
            side = "below" if higher.measure == "r" else "above"
            place = f"score {lower.score} (line {lower.line})"
            yield higher, f"the cut of score {higher.score} has to lie {side} that of {place}"


def targets_are_of_indicators(
    kpis: Sequence[Kpi], targets: Sequence[KpiTarget]
) -> Iterator[tuple[str, Finding]]:
    """A target names a known indicator, and a share is at most 1."""
    units = {kpi.kpi_code: kpi.unit for kpi in kpis}
    for row in targets:
        if row.kpi_code not in units:
            yield (
                "policy_kpi_targets",
                (row, f"policy_kpis.csv has no indicator {row.kpi_code!r}: {', '.join(units)}"),
            )
        elif units[row.kpi_code] == "share" and row.target_value > 1:
            yield (
                "policy_kpi_targets",
                (row, f"target_value {row.target_value} of a share is above 1: 90 % is 0.90"),
            )


def plan_is_of_tiers(tiers: Sequence[Tier], plan: Sequence[TierPlan]) -> Iterator[tuple[str, Finding]]:
    """The plan names tiers that its scheme has in some version, and `all` only where the scheme is `all`."""
    for row in plan:
        known = ["all"] if row.scheme == "all" else _tiers_of(tiers, row)
        if row.tier not in known:
            message = f"scheme {row.scheme} has no tier {row.tier!r}: write {', '.join(known)}"
            yield "policy_tier_plan", (row, message)


def _tiers_of(tiers: Sequence[Tier], plan: TierPlan) -> list[str]:
    named = (plan.policy_set, plan.scheme)
    return list(dict.fromkeys(row.tier for row in tiers if (row.policy_set, row.scheme) == named))


def _cell(r: int, fm: int) -> str:
    return f"the cell of recency score {r} and frequency-money score {fm}"


def _edge(row: RfmCut) -> Decimal:
    """Grows with the score, whichever way the measure counts."""
    return -(row.at_most or Decimal(0)) if row.measure == "r" else row.at_least or Decimal(0)


def meetings(policies: Sequence[_Policy], others: Sequence[_Row]) -> Iterator[tuple[_Policy, list[_Row]]]:
    """Each version of the policy with the rows in force beside it, for every day on which either begins."""
    for policy in policies:
        kind = (policy.policy_set, policy.customer_kind)
        of_kind = [row for row in others if (row.policy_set, row.customer_kind) == kind]
        later = min(
            (
                other.effective_from
                for other in policies
                if (other.policy_set, other.customer_kind) == kind
                and other.effective_from > policy.effective_from
            ),
            default=dt.date.max,
        )
        begins = {policy.effective_from, *(row.effective_from for row in of_kind)}
        for day in sorted(day for day in begins if policy.effective_from <= day < later):
            newest = max((row.effective_from for row in of_kind if row.effective_from <= day), default=None)
            in_force = [row for row in of_kind if row.effective_from == newest]
            yield policy, in_force
