"""The words that policy rows may use, fixed by the definitions and by the models that read them."""

from typing import Literal, get_args

Scheme = Literal[
    "value_tier",
    "asset_tier",
    "pyramid_tier",
    "savings_grade",
    "risk_appetite",
    "lifecycle_stage",
    "loyalty_class",
    "rfm_segment",
]
CustomerKind = Literal["personal", "small_business"]
Appetite = Literal["conservative", "steady", "balanced", "growth", "aggressive"]
SavingsGrade = Literal["excellent", "good", "ordinary", "risk"]
LoanRecord = Literal["poor", "sound", "none"]
ProductFamily = Literal["current", "savings", "term_deposit", "loan", "card", "wealth", "insurance"]
Measure = Literal["r", "f", "m"]
RiskIndicatorCode = Literal[
    "age",
    "sex",
    "education",
    "income",
    "assets",
    "products",
    "transactions",
    "credit_use",
    "rate_gap",
    "policy_rate",
]

# Insurance has no balance to earn on.
EARNING_FAMILIES: tuple[ProductFamily, ...] = ("current", "savings", "term_deposit", "wealth", "loan", "card")
CHANNELS = ("branch", "atm", "pos", "mobile", "web", "phone", "system", "unknown")

CUSTOMER_KINDS: tuple[CustomerKind, ...] = ("personal", "small_business")
APPETITES: tuple[Appetite, ...] = ("conservative", "steady", "balanced", "growth", "aggressive")

# Tiers of each scheme, best first. Those of loyalty_class are the bank's own choice, and not listed here.
TIERS: dict[Scheme, tuple[str, ...]] = {
    "value_tier": ("high", "mid", "low"),
    "asset_tier": ("high_net_worth", "affluent", "mass"),
    "pyramid_tier": ("vip", "important", "ordinary", "potential"),
    "savings_grade": ("excellent", "good", "ordinary", "risk"),
    "risk_appetite": ("aggressive", "growth", "balanced", "steady", "conservative", "unknown"),
    "lifecycle_stage": ("growth", "maturity", "reactivated", "exploration", "decline", "churned"),
    "rfm_segment": (
        "champions",
        "loyal",
        "potential_loyal",
        "new",
        "promising",
        "need_attention",
        "about_to_sleep",
        "cannot_lose",
        "at_risk",
        "hibernating",
        "lost",
        "inactive",
    ),
}
SCHEMES: tuple[Scheme, ...] = get_args(Scheme)

# Schemes whose tiers are bands of one metric: an amount in the bank's currency, or a score of 0 to 100.
AMOUNT_SCHEMES = ("value_tier", "asset_tier")
SCORE_SCHEMES = ("pyramid_tier", "loyalty_class")
# Tiers of banded schemes that a rule gives and not the metric.
TIERS_BY_RULE = {"pyramid_tier": ("potential",)}

# The indicators of the risk index for each kind of customer: a business has no age, sex or education.
RISK_INDICATORS: dict[CustomerKind, tuple[RiskIndicatorCode, ...]] = {
    "personal": get_args(RiskIndicatorCode),
    "small_business": tuple(
        indicator for indicator in get_args(RiskIndicatorCode) if indicator not in ("age", "sex", "education")
    ),
}
# Riskier by definition: younger, poorer, fewer products, smaller assets, fewer transactions, a better rate
# elsewhere. Which way the others go is the bank's to say.
RISK_DIRECTIONS: dict[RiskIndicatorCode, int] = {
    "age": -1,
    "income": -1,
    "assets": -1,
    "products": -1,
    "transactions": -1,
    "rate_gap": 1,
}
PROTECTED_INDICATORS: tuple[RiskIndicatorCode, ...] = ("age", "sex")
# Beyond these ages no difference may be made.
LEGAL_AGES = (18, 65)
RISK_GRADES = ("A", "B", "C", "D", "E")

# Scores of RFM are 0 to 5, 5 best.
HIGHEST_RFM_SCORE = 5

COMPONENTS: dict[str, tuple[str, ...]] = {
    "pyramid_tier": ("assets", "transactions", "products", "loyalty"),
    "loyalty_class": ("tenure", "products", "activity", "referrals", "points"),
}
# Schemes whose components are ranks, so that no value counts in full by policy.
RANKED_SCHEMES = ("pyramid_tier",)

# The detailed mart of each scheme and its column of the effective tier, as macros/tiers.sql has them.
MARTS: dict[Scheme, tuple[str, str]] = {
    "value_tier": ("fct_customer_value_tiers", "value_tier"),
    "asset_tier": ("fct_customer_asset_tiers", "asset_tier"),
    "pyramid_tier": ("fct_customer_pyramid_tiers", "pyramid_tier"),
    "savings_grade": ("fct_customer_savings_grades", "savings_grade"),
    "risk_appetite": ("fct_customer_risk_appetites", "risk_appetite"),
    "lifecycle_stage": ("fct_customer_lifecycle_stages", "lifecycle_stage"),
    "loyalty_class": ("fct_customer_loyalty_classes", "loyalty_class"),
    "rfm_segment": ("fct_customer_rfm", "segment"),
}

# Codes under which the features of the churn model are told (ml/churn/features.yaml).
CHURN_REASONS = (
    "low_activity",
    "falling_activity",
    "channel_shift",
    "low_assets",
    "falling_balance",
    "money_leaving",
    "few_products",
    "card_idle",
    "new_relationship",
    "complaint",
    "dissatisfied",
    "late_payment",
    "credit_use",
    "contact_history",
    "key_date",
    "rate_gap",
    "tier_and_rfm",
    "customer_profile",
)

# What monitoring asks of the churn model (ml/churn/monitor).
ModelCheck = Literal[
    "feature_psi", "features_drifted", "feature_range", "score_psi", "null_share", "mean_score", "auc",
    "calibration_intercept", "calibration_slope", "lift_top_decile", "volume", "coverage", "reason_psi",
    "champion_age", "fairness_tpr", "fairness_fpr",
]  # fmt: skip

# What the watch over the platform asks (warehouse/health.py), and the entities of ingest/contracts: those
# that a bank cannot do without, each of which has a row of its own for its age, and those that may have one.
HealthCheck = Literal[
    "publication_age", "delivery_age", "delivery_volume", "rejected_share", "failed_runs", "audit_gap",
]  # fmt: skip
REQUIRED_ENTITIES = ("customers", "accounts", "account_holders", "products", "transactions")
OTHER_ENTITIES = (
    "branches", "campaign_contacts", "campaigns", "cards", "exchange_rates", "exit_interviews",
    "interactions", "loan_payments", "loans", "loyalty_events", "market_environment", "month_end_balances",
    "risk_questionnaires", "satisfaction_surveys", "tier_overrides",
)  # fmt: skip
