"""The planted probability of churn: the plan rolled forward from what is known at a month end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from simulator import engagement, leaving
from simulator.engagement import COMPLAINT_MONTHS, STAGES
from simulator.hazard import BETA, STAGE_EFFECT, Floats, mean_hazard

if TYPE_CHECKING:
    from simulator.plan import Plan

Array = npt.NDArray[Any]

GAP_DAYS, OUTCOME_DAYS = 30, 90
# Gap and outcome reach into so many months after a month end.
MONTHS_AHEAD = 4
# Whether a complaint counts: none, one known at the month end, one that has come since.
NONE, KNOWN, NEW = 0, 1, 2


@dataclass
class Outlook:
    """Chances of the first day of churn to lie in the outcome window and in the gap; shape (customers,).

    0 for those who have churned before, whose accounts are closed or who have not joined.
    """

    outcome: Floats
    gap: Floats


class Rolling:
    """The engagement of some customers after a month end, as chances of its states, and who is still there.

    Exact for the chain of `engagement` and the hazard of `hazard`, the noise integrated out, given the
    stage, the last complaint and everything else that is known at the eve of `month`. Taken as known
    beforehand: the path of market rates, ageing and the accounts that customers mean to open. Later
    contacts are not foreseen.
    """

    def __init__(self, plan: Plan, month: int, rows: Array) -> None:
        self._plan, self._month, self._rows, self._ahead = plan, month, rows, 0
        engaged = plan.hazard.engaged
        self._age = engaged.complaint_age[month, rows]
        self._mass = np.zeros((len(STAGES), 3, len(rows)), dtype=np.float32)
        known = np.where(self._age < COMPLAINT_MONTHS, KNOWN, NONE)
        self._mass[engaged.stage[month, rows], known, np.arange(len(rows))] = 1
        self._newness = engaged.newness[rows]

    def advance(self, treatment: Floats) -> tuple[Floats, Floats]:
        """Chances to begin to leave within the next month by choice and otherwise; shape (rows,) each.

        `treatment` is what contacts add to the log hazard, shape (rows,).
        """
        plan, rows, month = self._plan, self._rows, self._month + self._ahead
        hazard = plan.hazard
        base = plan.intercept[rows] + treatment
        for part in hazard.lasting(month).values():
            base = base + part[rows]
        at_risk = hazard.is_at_risk(month)[rows]
        effect = STAGE_EFFECT.astype(np.float32)[:, None, None]
        complained = np.array([0.0, BETA["complaints"]], dtype=np.float32)[None, :, None]
        chosen = mean_hazard(base + effect + complained) * at_risk
        chosen = chosen[:, [0, 1, 1]]
        passive = hazard.passive_in_all(month)[rows] * at_risk
        leaves = (self._mass * chosen).sum(axis=(0, 1)) * (1 - passive)
        lost = self._mass.sum(axis=(0, 1)) * passive
        self._mass *= (1 - chosen) * (1 - passive)
        self._move()
        self._ahead += 1
        return leaves, lost

    def _move(self) -> None:
        mass = self._mass
        deepens = np.broadcast_to(engagement.DEEPENS.astype(np.float32)[:, None, None], mass.shape).copy()
        deepens[0, 0] = engagement.begins_to_cool(self._newness, np.zeros(1, dtype=bool))
        deepens[0, 1:] = engagement.begins_to_cool(self._newness, np.ones(1, dtype=bool))
        up, down = mass * deepens, mass * engagement.RECOVERS.astype(np.float32)[:, None, None]
        moved = mass - up - down
        moved[1:] += up[:-1]
        moved[:-1] += down[1:]
        # Complaints of the month, by the stage just reached; a known one that grows too old counts no more.
        comes = engagement.complaint_chance(np.arange(len(STAGES)))[:, None]
        expires = self._age + self._ahead + 1 >= COMPLAINT_MONTHS
        none = moved[:, NONE] + moved[:, KNOWN] * expires
        known = moved[:, KNOWN] * ~expires
        new = moved[:, NEW] + (none + known) * comes
        self._mass = np.stack([none * (1 - comes), known * (1 - comes), new], axis=1)


def look_ahead(plan: Plan, month: int) -> Outlook:
    """Chances of churn after the eve D of a month: in the gap (D, D + 30], in the outcome (D + 30, D + 120].

    Exact up to the drains: their delay is taken as that of a steady balance (`leaving.usual_drain_delays`).
    """
    hazard = plan.hazard
    day = int(hazard.starts[month]) - 1
    size = len(hazard.customers)
    outcome, gap = np.zeros(size, dtype=np.float32), np.zeros(size, dtype=np.float32)
    spans = {
        "gap": (day, day + GAP_DAYS),
        "outcome": (day + GAP_DAYS, day + GAP_DAYS + OUTCOME_DAYS),
    }
    found = {"gap": gap, "outcome": outcome}
    # A silence or a drain that has begun is seen, and the plan says from when it counts.
    for name, (since, until) in spans.items():
        found[name][(plan.left <= day) & (plan.churned > since) & (plan.churned <= until)] = 1
    rows = np.flatnonzero((hazard.customers.opened <= day) & (plan.left > day))
    rolling = Rolling(plan, month, rows)
    for ahead in range(MONTHS_AHEAD):
        treatment = hazard.contacts.log_effect(month + ahead, known_by=month - 1)[rows]
        leaves, lost = rolling.advance(treatment)
        first, after = int(hazard.starts[month + ahead]), int(hazard.starts[month + ahead + 1])
        too_new = first + (after - first) // 2 - hazard.customers.opened[rows] < leaving.DAYS_BEFORE_DRAIN
        for name, span in spans.items():
            chance = leaving.chance_within(first, after, *span)
            closure, drain, silence = (share * chance[form] for form, share in enumerate(leaving.FORM_SHARES))
            instead = leaving.FORM_SHARES[leaving.DRAIN] * chance[leaving.CLOSURE]
            counted = np.where(too_new, closure + instead + silence, closure + drain + silence)
            found[name][rows] += leaves * counted + lost * chance[leaving.CLOSURE]
    return Outlook(outcome=outcome, gap=gap)
