"""The rows of the seeds, one model a seed: columns in the file's words, types, ranges of single cells."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from policy.codes import (
    HIGHEST_RFM_SCORE,
    Appetite,
    CustomerKind,
    HealthCheck,
    LoanRecord,
    Measure,
    ModelCheck,
    ProductFamily,
    RiskIndicatorCode,
    SavingsGrade,
    Scheme,
)
from policy.fields import Amount, Code, Currency, Day, Flag, Number, Share, Version, Whole, Words

AtLeastOne = Annotated[Whole, Field(ge=1)]
NotNegative = Annotated[Whole, Field(ge=0)]
Days = Annotated[Whole, Field(ge=1, le=3650)]
PositiveAmount = Annotated[Amount, Field(gt=0)]
Score = Annotated[Whole, Field(ge=0, le=HIGHEST_RFM_SCORE)]


class Row(BaseModel):
    """One row; `line` is where it stands in its file, every other field is a column."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    line: int


# What a rule says of a row; the row is None when it is of rows that are missing.
Finding = tuple[Row | None, str]


class BankPolicy(Row):
    """A row of a version that one bank's policy set holds."""

    policy_set: Code
    effective_from: Day


class KindPolicy(BankPolicy):
    """A row of a version for one kind of customer."""

    customer_kind: CustomerKind
    rule_version: Version


class Tier(KindPolicy):
    scheme: Scheme
    tier: Code
    tier_order: AtLeastOne
    tier_en: Words
    tier_zh: Words
    entry_bound: PositiveAmount | None
    exit_bound: PositiveAmount | None
    unit: Annotated[str, Field(pattern=r"^([A-Z]{3}|score)$")] | None
    action_en: Words
    action_zh: Words


class Stability(KindPolicy):
    scheme: Scheme
    promote_after_snapshots: AtLeastOne
    demote_after_snapshots: AtLeastOne | None
    grace_days: Annotated[Whole, Field(ge=0, le=3650)] | None
    dwell_days: Annotated[Whole, Field(ge=0, le=3650)]


class Weight(KindPolicy):
    scheme: Literal["pyramid_tier", "loyalty_class"]
    component: Code
    weight: Annotated[Share, Field(decimal_places=4)]
    full_at: Annotated[Amount, Field(gt=0)] | None


class Potential(KindPolicy):
    max_active_days_90d: Annotated[Whole, Field(ge=0, le=90)]
    max_product_families: NotNegative
    min_annual_income_amount: PositiveAmount
    currency_code: Currency


class LoanRecords(KindPolicy):
    poor_from_days_past_due: AtLeastOne
    lookback_days: Days


class SavingsRule(KindPolicy):
    precedence: AtLeastOne
    savings_grade: SavingsGrade
    loan_record: LoanRecord | None
    min_deposit_amount: PositiveAmount | None
    min_term_months: Annotated[Number, Field(gt=0, le=600, decimal_places=2)] | None
    min_spending_amount: PositiveAmount | None
    currency_code: Currency


class Questionnaire(KindPolicy):
    valid_days: Days


class RiskCap(KindPolicy):
    min_experience_years: NotNegative
    highest_appetite: Appetite


class Lifecycle(KindPolicy):
    exploration_days: Days
    growth_from_ratio: Annotated[Number, Field(ge=1, le=100, decimal_places=4)]
    decline_to_ratio: Annotated[Number, Field(gt=0, le=1, decimal_places=4)]
    activity_growth_from_ratio: Annotated[Number, Field(ge=1, le=100, decimal_places=4)]
    activity_decline_to_ratio: Annotated[Number, Field(gt=0, le=1, decimal_places=4)]


class Rfm(KindPolicy):
    rfm_mode: Literal["quantile", "frozen", "fixed"]
    # Scores are 1 to 5: the models and the tests of the cuts and of the map know no other number of bins.
    count_bins: Annotated[Whole, Field(ge=HIGHEST_RFM_SCORE, le=HIGHEST_RFM_SCORE)]


class RfmCut(KindPolicy):
    measure: Measure
    score: Annotated[Whole, Field(ge=2, le=HIGHEST_RFM_SCORE)]
    at_least: Amount | None
    at_most: Annotated[Amount, Field(ge=0)] | None
    unit: Annotated[str, Field(pattern=r"^([A-Z]{3}|days)$")]


class RfmSegment(KindPolicy):
    segment: Code
    r_from: Score
    r_to: Score
    fm_from: Score
    fm_to: Score


class Churn(BankPolicy):
    observation_days: Days
    gap_days: Annotated[Whole, Field(ge=0, le=3650)]
    outcome_days: Days
    drain_share: Annotated[Share, Field(gt=0, lt=1, decimal_places=4)]
    silence_days: Days
    min_tenure_days: NotNegative
    counts_account_closure: Flag
    counts_balance_drain: Flag
    counts_silence: Flag
    counts_loan_runoff: Flag
    counts_card_stop: Flag
    rule_version: Version


class RiskBand(BankPolicy):
    risk_band: Literal["high", "medium", "low"]
    risk_band_en: Words
    risk_band_zh: Words
    lower_bound: Annotated[Share, Field(gt=0, lt=1)] | None
    upper_bound: Annotated[Share, Field(gt=0, lt=1)] | None
    rule_version: Version


class ChurnReason(BankPolicy):
    reason_code: Code
    reason_en: Words
    reason_zh: Words
    is_allowed: Flag
    action_code: Code
    action_en: Words
    action_zh: Words
    rule_version: Version


class ChurnValue(BankPolicy):
    horizon_months: Annotated[Whole, Field(ge=1, le=120)]
    discount_rate_annual: Annotated[Share, Field(lt=1)]
    rule_version: Version


class ModelAlert(BankPolicy):
    check_name: ModelCheck
    threshold: Annotated[Number, Field(ge=0, le=3650)]
    min_count: AtLeastOne
    is_retraining_reason: Flag
    rule_version: Version


class Fairness(BankPolicy):
    elderly_from_age: Annotated[Whole, Field(ge=18, le=120)]
    min_group_size: AtLeastOne
    min_selection_ratio: Annotated[Share, Field(gt=0, decimal_places=4)]
    rule_version: Version


class Health(BankPolicy):
    check_name: HealthCheck
    subject: Code
    lower_bound: Annotated[Number, Field(ge=0, le=3650)] | None
    upper_bound: Annotated[Number, Field(ge=0, le=3650)]
    min_count: AtLeastOne | None
    lookback: AtLeastOne | None
    grace_hours: NotNegative | None
    rule_version: Version


class RiskIndicator(KindPolicy):
    indicator: RiskIndicatorCode
    indicator_group: Literal["customer", "bank", "market"]
    direction: Annotated[Whole, Field(ge=-1, le=1)]
    lower_value: Amount
    middle_value: Amount
    upper_value: Amount
    expert_weight: Annotated[Share, Field(decimal_places=4)]
    pca_weight: Annotated[Share, Field(decimal_places=4)] | None
    indicator_en: Words
    indicator_zh: Words
    is_protected: Flag


class RiskIndex(KindPolicy):
    weights: Literal["expert", "pca"]
    neutral_value: Annotated[Share, Field(decimal_places=4)]
    min_explained_share: Annotated[Share, Field(gt=0, decimal_places=4)]
    explained_share: Annotated[Share, Field(gt=0, decimal_places=4)] | None


class RiskGrade(KindPolicy):
    risk_grade: Literal["A", "B", "C", "D", "E"]
    risk_grade_en: Words
    risk_grade_zh: Words
    lower_bound: Annotated[Amount, Field(gt=0, lt=100)] | None
    upper_bound: Annotated[Amount, Field(gt=0, lt=100)] | None


class EducationLevel(BankPolicy):
    education: Words
    education_level: Annotated[Whole, Field(ge=1, le=20)]
    rule_version: Version


class Kpi(Row):
    kpi_code: Code
    kpi_en: Words
    kpi_zh: Words
    unit: Literal["count", "amount", "share"]


class KpiTarget(BankPolicy):
    kpi_code: Code
    target_value: Annotated[Number, Field(ge=0)]
    is_higher_better: Flag


class Satisfaction(BankPolicy):
    satisfied_from_score: Annotated[Whole, Field(ge=1, le=5)]
    survey_days: Days


class Margin(KindPolicy):
    product_family: ProductFamily
    # Beyond a fifth a year it is a slip of the decimal point.
    ftp_spread_annual: Annotated[Number, Field(ge=-0.2, le=0.2)]


class ServiceCost(KindPolicy):
    channel: Code
    cost_amount: Annotated[Number, Field(ge=0, le=1000, decimal_places=4)]
    currency_code: Currency


class CreditLoss(KindPolicy):
    from_days: NotNegative
    pd_annual: Share
    lgd: Annotated[Share, Field(decimal_places=4)]


class TierPlan(BankPolicy):
    scheme: Scheme | Literal["all"]
    customer_kind: CustomerKind | Literal["all"]
    tier: Code
    count_customers: NotNegative
    churn_rate_annual: Share | None
    satisfaction_share: Share | None
    rule_version: Version
