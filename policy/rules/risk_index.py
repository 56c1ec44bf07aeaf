"""The risk index: indicators, their frozen reference and weights, grades."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from policy.codes import LEGAL_AGES, PROTECTED_INDICATORS, RISK_DIRECTIONS, RISK_GRADES, RISK_INDICATORS
from policy.rows import Finding, RiskGrade, RiskIndex, RiskIndicator
from policy.rules.across import meetings


def indicators_are_those_of_the_kind(rows: Sequence[RiskIndicator]) -> Iterator[Finding]:
    """Each indicator of the kind has its row, grows risky the way the definitions say, and hides no trait."""
    kind = rows[0].customer_kind
    for row in rows:
        if row.indicator not in RISK_INDICATORS[kind]:
            yield row, f"a {kind} customer has no {row.indicator}: remove the row"
        if row.direction == 0:
            yield row, "direction is 0: write 1 where more is riskier, -1 where less is"
        if row.direction == -RISK_DIRECTIONS.get(row.indicator, 0):
            yield row, f"direction is {row.direction}: by the definitions it is {-row.direction}"
        if row.indicator in PROTECTED_INDICATORS and not row.is_protected:
            yield row, f"{row.indicator} is a protected attribute: write true in is_protected"
    for indicator in RISK_INDICATORS[kind]:
        if indicator not in {row.indicator for row in rows}:
            yield rows[0], f"the version has no row of {indicator}: weight 0 means that it does not count"


def references_rise(rows: Sequence[RiskIndicator]) -> Iterator[Finding]:
    """The three values of a reference rise, and ages beyond the legal limits are all the same."""
    for row in rows:
        if not row.lower_value < row.middle_value < row.upper_value:
            yield (
                row,
                f"lower_value {row.lower_value}, middle_value {row.middle_value} and upper_value "
                f"{row.upper_value} do not rise: a scale needs two ends and a middle between them",
            )
        youngest, oldest = LEGAL_AGES
        if row.indicator == "age" and (row.lower_value < youngest or row.upper_value > oldest):
            yield (
                row,
                f"the scale of age runs from {row.lower_value} to {row.upper_value}: it may tell apart ages "
                f"from {youngest} to {oldest} only",
            )


def weights_add_up(rows: Sequence[RiskIndicator]) -> Iterator[Finding]:
    """Expert weights add up to exactly 1, those of a component too or are all empty; sex weighs nothing."""
    for row in rows:
        if row.indicator == "sex" and (row.expert_weight or row.pca_weight):
            yield row, "sex is reported and never counts: write weight 0 and leave pca_weight empty or 0"
    fitted = [row for row in rows if row.pca_weight is not None]
    if fitted and len(fitted) < len(rows):
        without = next(row for row in rows if row.pca_weight is None)
        yield (
            without,
            "pca_weight is empty and others of the version have one: write 0 where it does not count",
        )
        return
    for column in ("expert_weight", *(["pca_weight"] if fitted else [])):
        total = sum(getattr(row, column) for row in rows)
        if total != 1:
            yield rows[-1], f"{column} of the version adds up to {total} and not to 1: change one of its rows"


def component_explains_enough(rows: Sequence[RiskIndex]) -> Iterator[Finding]:
    """A fitted component explains at least what the policy asks for; without a fit it does not decide."""
    for row in rows:
        if row.explained_share is None:
            if row.weights == "pca":
                yield row, "weights are pca and explained_share is empty: fit them, or write expert"
        elif row.explained_share < row.min_explained_share:
            yield (
                row,
                f"explained_share {row.explained_share} is below min_explained_share "
                f"{row.min_explained_share}: one component does not stand for the indicators",
            )


def grades_cover(rows: Sequence[RiskGrade]) -> Iterator[Finding]:
    """A to E are all there, meet at their bounds, rise, and are open at the ends."""
    by_grade = {row.risk_grade: row for row in rows}
    missing = [grade for grade in RISK_GRADES if grade not in by_grade]
    if missing:
        yield rows[0], f"the version has no grade {', '.join(missing)}: every index needs one"
        return
    safest, riskiest = by_grade["A"], by_grade["E"]
    if safest.lower_bound is not None:
        yield safest, "lower_bound is given: A is open below, leave it empty"
    if riskiest.upper_bound is not None:
        yield riskiest, "upper_bound is given: E is open above, leave it empty"
    ordered = sorted(rows, key=lambda row: row.risk_grade)
    for safer, riskier in pairwise(ordered):
        if riskier.lower_bound is None or riskier.lower_bound != safer.upper_bound:
            yield (
                riskier,
                f"lower_bound {riskier.lower_bound} is not {safer.upper_bound}, the upper_bound of "
                f"{safer.risk_grade}: grades meet, without gap or overlap",
            )
    for row in ordered[1:4]:
        if row.lower_bound is not None and row.upper_bound is not None and row.lower_bound >= row.upper_bound:
            yield row, f"lower_bound {row.lower_bound} is not below upper_bound {row.upper_bound}"


def weights_in_force_are_there(
    policies: Sequence[RiskIndex], indicators: Sequence[RiskIndicator]
) -> Iterator[tuple[str, Finding]]:
    """On every day a fitted component has its weights beside its explained share."""
    for policy, rows in meetings(policies, indicators):
        has_weights = any(row.pca_weight is not None for row in rows)
        if rows and has_weights != (policy.explained_share is not None):
            side = "no pca_weight" if not has_weights else "a pca_weight"
            told = "an explained_share" if policy.explained_share is not None else "no explained_share"
            yield (
                "policy_risk_index",
                (
                    policy,
                    f"has {told}, and the version of {rows[0].effective_from} in policy_risk_indicators.csv "
                    f"{side}: begin both on one day, as `python -m policy risk-reference` prints them",
                ),
            )
