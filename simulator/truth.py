"""The truth folder: what was planted, for tests and benchmarks. No room of the pipeline reads it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from simulator import calibration, campaigns, columns, engagement, exit_interviews, hazard, leaving, portfolio
from simulator.bank import Bank
from simulator.calendar import NEVER
from simulator.outlook import Rolling, look_ahead
from simulator.people import KINDS, SEGMENTS, customer_ids
from simulator.plan import GROUPS
from simulator.relationship import is_reached

Array = npt.NDArray[Any]
CONTRIBUTION = "contribution_"


class Truth:
    """Writes the plan of a bank into a folder, month by month, in memory bounded by the customers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, bank: Bank) -> None:
        """Write every file of the truth; the folder must exist."""
        folder = self.folder
        pq.write_table(_customers(bank), folder / "customers.parquet", compression="zstd")
        self._write_customer_months(bank)
        pq.write_table(_campaign_effects(bank), folder / "campaign_effects.parquet", compression="zstd")
        pq.write_table(_association_rules(), folder / "association_rules.parquet", compression="zstd")
        text = json.dumps(_parameters(bank), indent=2, ensure_ascii=False)
        (folder / "parameters.json").write_text(text + "\n", encoding="utf-8")

    def _write_customer_months(self, bank: Bank) -> None:
        writer = None
        for month in range(bank.parameters.months + 1):
            if bank.truth.hazard.starts[month] - 1 <= bank.parameters.last_day:
                rows = customer_month(bank, month)
                if writer is None:
                    writer = pq.ParquetWriter(
                        self.folder / "customer_months.parquet",
                        rows.schema,
                        compression="zstd",
                        compression_level=1,
                        use_dictionary=["as_of_date", "engagement_stage", "intercept"],
                    )
                writer.write_table(rows)
        assert writer is not None
        writer.close()


def bayes_optimal_auc(probability: npt.NDArray[np.floating[Any]]) -> float:
    """The AUC that nobody can beat on outcomes that come independently with these chances; shape (n,).

    Scoring by p itself ranks best. Of its AUC this is the ratio of expectations over pairs of two customers,
    sum_ij p_i (1 - p_j) [p_i > p_j, or half where p_i = p_j] / sum_ij p_i (1 - p_j), i and j different, which
    the expected AUC approaches as customers grow many. Raises ValueError when there is no pair to rank.
    """
    p = np.sort(np.asarray(probability, dtype=np.float64))
    if len(p) < 2 or p[0] < 0 or p[-1] > 1:
        raise ValueError("bayes_optimal_auc needs two probabilities or more, each between 0 and 1")
    _, group = np.unique(p, return_inverse=True)
    wins, losses = np.bincount(group, p), np.bincount(group, 1 - p)
    itself = (p * (1 - p)).sum()
    pairs = p.sum() * (1 - p).sum() - itself
    if pairs <= 0:
        raise ValueError("bayes_optimal_auc: no pair of customers of whom one can churn and the other stay")
    below = np.cumsum(losses) - losses
    return float((wins @ (below + losses / 2) - itself / 2) / pairs)


def customer_month(bank: Bank, month: int) -> pa.Table:
    """What is planned for each customer with an open account at the eve of a month; one row a customer.

    `monthly_hazard` is the chance to begin to leave by choice within the month that follows, its noise
    included: 0 for who is too new to be at risk, null for who is leaving already. `churn_probability` and
    `gap_churn_probability` are those of `outlook.look_ahead`.
    """
    plan = bank.truth
    hazards = plan.hazard
    day = int(hazards.starts[month]) - 1
    rows = np.flatnonzero((bank.customers.opened <= day) & (plan.closes > day))
    parts = {**hazards.lasting(month), **hazards.engagement(month)}
    treatment = hazards.contacts.log_effect(month, known_by=month - 1)
    noise = hazards.noise(bank.parameters, month)
    intercept = plan.intercept
    eta = intercept + sum(parts.values(), treatment) + noise
    chance = np.where(hazards.is_at_risk(month), -np.expm1(-np.exp(eta)), 0)[rows]
    outlook = look_ahead(plan, month)
    return pa.table(
        {
            "customer_id": customer_ids(rows),
            "as_of_date": columns.dates(np.full(len(rows), day)),
            "engagement_stage": columns.labels(engagement.STAGES, hazards.engaged.stage[month, rows]),
            "monthly_hazard": pa.array(chance.astype(np.float32), mask=plan.left[rows] <= day),
            "churn_probability": pa.array(outlook.outcome[rows]),
            "gap_churn_probability": pa.array(outlook.gap[rows]),
            "intercept": pa.array(intercept[rows]),
            **{CONTRIBUTION + driver.name: pa.array(parts[driver.name][rows]) for driver in hazard.DRIVERS},
            CONTRIBUTION + "treatment": pa.array(treatment[rows]),
            "noise": pa.array(noise[rows]),
        }
    )


def _customers(bank: Bank) -> pa.Table:
    customers, plan = bank.customers, bank.truth
    numbers = np.arange(len(customers))
    group = plan.traits.group
    leaves = plan.left < NEVER
    return pa.table(
        {
            "customer_id": customer_ids(numbers),
            "customer_kind": columns.labels(KINDS, customers.kind),
            "planned_tier": columns.labels(GROUPS, np.where(group == hazard.BUSINESS, -1, group)),
            "segment": columns.labels(SEGMENTS, customers.segment),
            "form": columns.labels(leaving.FORMS, plan.form),
            "is_voluntary": pa.array(plan.is_voluntary, mask=~leaves),
            "reason": columns.labels(leaving.REASONS, np.where(leaves, plan.reason, -1)),
            "destination": columns.labels(leaving.DESTINATIONS, plan.destination),
            "left_on": columns.dates(plan.left),
            "churned_on": columns.dates(plan.churned),
        }
    )


def _campaign_effects(bank: Bank) -> pa.Table:
    """One row a contact: the chance to begin to leave within the EFFECT_MONTHS months after its month.

    Both chances are null where leaving had begun before those months.
    """
    plan, contacts = bank.truth, bank.truth.contacts
    starts = plan.hazard.starts
    reached = is_reached(plan)
    size = len(contacts.campaign)
    treated, spared = np.full(size, np.nan, np.float32), np.full(size, np.nan, np.float32)
    for number in range(len(contacts.starts)):
        of_campaign = np.flatnonzero(reached & (contacts.campaign == number))
        if not len(of_campaign):
            continue
        month = int(contacts.month[of_campaign[0]]) + 1
        here = of_campaign[plan.left[contacts.customer[of_campaign]] >= starts[month]]
        rows = contacts.customer[here]
        effect = np.log(campaigns.MULTIPLIERS)[contacts.response_type[rows]].astype(np.float32)
        treated[here] = _chance_to_leave(bank, month, rows, effect)
        spared[here] = _chance_to_leave(bank, month, rows, np.zeros_like(effect))
    chosen = np.flatnonzero(reached)
    customer, contacted_in = contacts.customer[chosen], contacts.month[chosen]
    treated, spared = treated[chosen], spared[chosen]
    unknown = np.isnan(treated)
    return pa.table(
        {
            "campaign_id": columns.identifiers("M", contacts.campaign[chosen] + 1, 4),
            "customer_id": customer_ids(customer),
            "contact_group": columns.labels(("treatment", "control"), contacts.is_control[chosen]),
            "contacted_on": columns.dates(contacts.day[chosen]),
            "response_type": columns.labels(campaigns.RESPONSE_TYPES, contacts.response_type[customer]),
            "effect_from": columns.dates(starts[contacted_in + 1]),
            "effect_to": columns.dates(starts[contacted_in + 1 + campaigns.EFFECT_MONTHS] - 1),
            "churn_probability_if_treated": pa.array(treated, mask=unknown),
            "churn_probability_if_not": pa.array(spared, mask=unknown),
            "effect": pa.array(treated - spared, mask=unknown),
        }
    )


def _chance_to_leave(
    bank: Bank, month: int, rows: Array, treatment: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    rolling = Rolling(bank.truth, month, rows)
    chance = np.zeros(len(rows), dtype=np.float32)
    for _ in range(campaigns.EFFECT_MONTHS):
        leaves, lost = rolling.advance(treatment)
        chance += leaves + lost
    return chance


def _association_rules() -> pa.Table:
    """The rules planted among personal customers, as in `portfolio.RULES`."""
    return pa.Table.from_pylist([asdict(rule) for rule in portfolio.RULES])


def _parameters(bank: Bank) -> dict[str, Any]:
    """Every constant of the plan that a reader of the truth may want, named as in the code."""
    return {
        "sigma": hazard.SIGMA,
        "intercepts": dict(zip(GROUPS, map(float, bank.truth.intercepts), strict=True)),
        "turnover_of_tiers": hazard.TURNOVER_OF_TIERS,
        "drivers": [asdict(driver) for driver in hazard.DRIVERS],
        "yearly_churn_of_measured_tiers": dict(zip(GROUPS, calibration.YEARLY_CHURN.tolist(), strict=True)),
        "engagement": {
            "stages": engagement.STAGES,
            "activity": engagement.ACTIVITY.tolist(),
            "balance": engagement.BALANCE.tolist(),
            "transition_of_settled_longstanding_customers": _transitions().tolist(),
            "begins_to_cool": engagement.BEGINS_TO_COOL,
            "begins_after_complaint": engagement.BEGINS_AFTER_COMPLAINT,
            "begins_when_new": engagement.BEGINS_WHEN_NEW,
            "complaints_a_year": engagement.COMPLAINTS_A_YEAR,
            "complaints_when_cooling": engagement.COMPLAINTS_WHEN_COOLING,
            "complaint_months": engagement.COMPLAINT_MONTHS,
        },
        "forms": dict(zip(leaving.FORMS, leaving.FORM_SHARES, strict=True)),
        "kept_shares_of_drains": leaving.KEPT_SHARES,
        "passive": {
            "deaths_a_month_at_60": hazard.DEATHS_A_MONTH_AT_60,
            "years_of_e_fold": hazard.YEARS_OF_E_FOLD,
            **hazard.BLOCKS_A_MONTH,
        },
        "campaigns": {
            "multipliers": dict(zip(campaigns.RESPONSE_TYPES, campaigns.MULTIPLIERS.tolist(), strict=True)),
            "effect_months": campaigns.EFFECT_MONTHS,
            "treated_share": campaigns.TREATED_SHARE,
        },
        "exit_interviews": {
            "answering_share": exit_interviews.ANSWERING_SHARE,
            "usual_weights": exit_interviews.REASONS,
            "reason_of_driver": exit_interviews.REASON_OF_DRIVER,
        },
    }


def _transitions() -> npt.NDArray[np.float64]:
    """Stage to stage within a month, for who is long here and did not complain; shape (stages, stages)."""
    deepens = engagement.DEEPENS.copy()
    deepens[engagement.SETTLED] = engagement.BEGINS_TO_COOL
    matrix = np.diag(1 - deepens - engagement.RECOVERS)
    return matrix + np.diag(deepens[:-1], 1) + np.diag(engagement.RECOVERS[1:], -1)
