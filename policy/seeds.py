"""Every policy seed: what names a row and a version, and the rules that the rows of a version obey together.

A seed that is not declared here is refused, so none goes unchecked.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from policy import rows
from policy.rules import (
    across,
    bands,
    health,
    monitoring,
    rfm,
    risk,
    risk_index,
    savings,
    stability,
    value,
    weights,
)


@dataclass(frozen=True)
class Seed:
    """One seed: `key` names a row, `version_key` and the day a version, `rules` look at one version."""

    row: type[rows.Row]
    key: tuple[str, ...]
    version_key: tuple[str, ...] = ("policy_set",)
    rules: tuple[Callable[[Sequence[Any]], Iterable[rows.Finding]], ...] = ()
    # Every policy set, scheme and kind of customer that the version key can name has a version.
    is_complete: bool = True


_KIND = ("policy_set", "customer_kind")
_SCHEME = ("policy_set", "scheme", "customer_kind")
_DAY = "effective_from"

SEEDS: dict[str, Seed] = {
    "policy_tiers": Seed(
        rows.Tier, (*_SCHEME, "tier", _DAY), _SCHEME, (bands.tiers_are_the_schemes, bands.bounds)
    ),
    "policy_tier_stability": Seed(rows.Stability, (*_SCHEME, _DAY), _SCHEME, (stability.a_way_down,)),
    "policy_tier_weights": Seed(rows.Weight, (*_SCHEME, "component", _DAY), _SCHEME, (weights.add_up,)),
    "policy_potential": Seed(rows.Potential, (*_KIND, _DAY), _KIND),
    "policy_loan_records": Seed(rows.LoanRecords, (*_KIND, _DAY), _KIND),
    "policy_savings_grades": Seed(
        rows.SavingsRule, (*_KIND, "precedence", _DAY), _KIND, (savings.decide_once,)
    ),
    "policy_risk_questionnaires": Seed(rows.Questionnaire, (*_KIND, _DAY), _KIND),
    "policy_risk_caps": Seed(rows.RiskCap, (*_KIND, "min_experience_years", _DAY), _KIND, (risk.caps_rise,)),
    "policy_lifecycle": Seed(rows.Lifecycle, (*_KIND, _DAY), _KIND),
    "policy_rfm": Seed(rows.Rfm, (*_KIND, _DAY), _KIND),
    "policy_rfm_cuts": Seed(
        rows.RfmCut, (*_KIND, "measure", "score", _DAY), _KIND, (rfm.cut_has_its_side,), is_complete=False
    ),
    "policy_rfm_segments": Seed(
        rows.RfmSegment,
        (*_KIND, "segment", "r_from", "r_to", "fm_from", "fm_to", _DAY),
        _KIND,
        (rfm.segments,),
    ),
    "policy_churn": Seed(rows.Churn, ("policy_set", _DAY), rules=(risk.churn_can_be_seen,)),
    "policy_risk_bands": Seed(rows.RiskBand, ("policy_set", "risk_band", _DAY), rules=(risk.bands_cover,)),
    "policy_churn_reasons": Seed(
        rows.ChurnReason, ("policy_set", "reason_code", _DAY), rules=(risk.reasons_are_told,)
    ),
    "policy_churn_value": Seed(rows.ChurnValue, ("policy_set", _DAY)),
    "policy_model_alerts": Seed(
        rows.ModelAlert, ("policy_set", "check_name", _DAY), rules=(monitoring.every_check,)
    ),
    "policy_health": Seed(
        rows.Health,
        ("policy_set", "check_name", "subject", "effective_from"),
        rules=(health.every_check, health.bounds, health.can_alert),
    ),
    "policy_fairness": Seed(rows.Fairness, ("policy_set", _DAY)),
    "policy_risk_indicators": Seed(
        rows.RiskIndicator,
        (*_KIND, "indicator", _DAY),
        _KIND,
        (risk_index.indicators_are_those_of_the_kind, risk_index.references_rise, risk_index.weights_add_up),
    ),
    "policy_risk_index": Seed(rows.RiskIndex, (*_KIND, _DAY), _KIND, (risk_index.component_explains_enough,)),
    "policy_risk_grades": Seed(
        rows.RiskGrade, (*_KIND, "risk_grade", _DAY), _KIND, (risk_index.grades_cover,)
    ),
    # A bank may not know its customers' education.
    "policy_education_levels": Seed(
        rows.EducationLevel, ("policy_set", "education", _DAY), is_complete=False
    ),
    "policy_kpis": Seed(rows.Kpi, ("kpi_code",), ()),
    "policy_kpi_targets": Seed(rows.KpiTarget, ("policy_set", "kpi_code", _DAY)),
    "policy_satisfaction": Seed(rows.Satisfaction, ("policy_set", _DAY)),
    "policy_margins": Seed(rows.Margin, (*_KIND, "product_family", _DAY), _KIND, (value.every_family,)),
    "policy_service_costs": Seed(rows.ServiceCost, (*_KIND, "channel", _DAY), _KIND, (value.every_channel,)),
    "policy_credit_losses": Seed(rows.CreditLoss, (*_KIND, "from_days", _DAY), _KIND, (value.losses_rise,)),
    # A bank may have no plan.
    "policy_tier_plan": Seed(rows.TierPlan, (*_SCHEME, "tier", _DAY), is_complete=False),
}

# Rules that look at several seeds at once, by the seeds that they need.
ACROSS: tuple[tuple[tuple[str, ...], Callable[..., Iterable[tuple[str, rows.Finding]]]], ...] = (
    (("policy_rfm", "policy_rfm_segments"), across.every_cell_has_one_segment),
    (("policy_rfm", "policy_rfm_cuts"), across.cuts_for_every_score),
    (("policy_risk_index", "policy_risk_indicators"), risk_index.weights_in_force_are_there),
    (("policy_kpis", "policy_kpi_targets"), across.targets_are_of_indicators),
    (("policy_tiers", "policy_tier_plan"), across.plan_is_of_tiers),
)
