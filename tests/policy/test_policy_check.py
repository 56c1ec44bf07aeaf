"""Each way in which a policy can be unsound, planted in the real seeds, is refused and names its row."""

import re
import resource
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from policy.check import check
from policy.codes import OTHER_ENTITIES, REQUIRED_ENTITIES
from policy.rows import Tier
from policy.rules import bands
from policy.seeds import SEEDS

ROOT = Path(__file__).resolve().parents[2]
Plant = Callable[[Any], None]

HIGH = {"policy_set": "cny", "scheme": "value_tier", "customer_kind": "personal", "tier": "high"}
MID, LOW = {**HIGH, "tier": "mid"}, {**HIGH, "tier": "low"}
STABLE = {"policy_set": "cny", "scheme": "value_tier", "customer_kind": "personal"}
CNY_PERSON = {"policy_set": "cny", "customer_kind": "personal"}
CNY = {"policy_set": "cny"}


def change(name: str, where: dict[str, str], **to: str) -> Plant:
    return lambda seeds: seeds.change(name, where, to)


def drop(name: str, where: dict[str, str]) -> Plant:
    return lambda seeds: seeds.drop(name, where)


def add_like(name: str, where: dict[str, str], **to: str) -> Plant:
    return lambda seeds: seeds.add_like(name, where, to)


def text(name: str, old: str, new: str) -> Plant:
    def edit(seeds: Any) -> None:
        path = seeds.folder / f"{name}.csv"
        content = path.read_text(encoding="utf-8")
        assert old in content
        path.write_text(content.replace(old, new, 1), encoding="utf-8")

    return edit


def column(name: str, heading: str) -> Plant:
    """Take a column away."""

    def edit(seeds: Any) -> None:
        seeds.write(
            name, [{key: cell for key, cell in row.items() if key != heading} for row in seeds.read(name)]
        )

    return edit


WEIGHT = {**CNY_PERSON, "scheme": "loyalty_class"}
LAST_GRADE = {**CNY_PERSON, "savings_grade": "ordinary"}
CHAMPION = {**CNY_PERSON, "segment": "champions", "r_from": "5"}
FROZEN = {"rfm_mode": "frozen"}

# Where the fault is planted, the words that name its row, and the words that say what is wrong.
FAULTS: dict[str, tuple[Plant, str, str]] = {
    # shapes and types
    "a column is missing": (
        column("policy_tiers", "tier_zh"),
        "policy_tiers.csv:1: header",
        "tier_zh is missing",
    ),
    "a column is unknown": (
        text("policy_churn", "gap_days", "gap_dayz"),
        "policy_churn.csv:1: header",
        "'gap_dayz' is unknown",
    ),
    "a column stands twice": (
        text("policy_churn", "gap_days", "outcome_days"),
        "policy_churn.csv:1: header",
        "outcome_days stands twice",
    ),
    "a cell too many": (
        text("policy_satisfaction", "cny,", "cny,,"),
        "policy_satisfaction.csv:2: cny, ",
        "5 cells and the header 4",
    ),
    "a separator in a number": (
        change("policy_tiers", HIGH, entry_bound="100,000"),
        "cny, value_tier, personal, high",
        "entry_bound is '100,000': write a number",
    ),
    "a third decimal place": (
        change("policy_tiers", HIGH, entry_bound="100000.005"),
        "cny, value_tier, personal, high",
        "entry_bound is 100000.005: write at most 2 decimal places",
    ),
    "an exponent": (
        change("policy_tiers", HIGH, entry_bound="1e5"),
        "cny, value_tier, personal, high",
        "is '1e5'",
    ),
    "a date of another form": (
        change("policy_tiers", HIGH, effective_from="1.1.2027"),
        "cny, value_tier, personal, high",
        "effective_from is '1.1.2027': write a date",
    ),
    "a day that is none": (
        change("policy_churn", CNY, effective_from="2026-02-30"),
        "cny, 2026-02-30",
        "'2026-02-30': write a date",
    ),
    "a half snapshot": (
        change("policy_tier_stability", STABLE, promote_after_snapshots="1.5"),
        "cny, value_tier, personal",
        "promote_after_snapshots is '1.5': write a whole number",
    ),
    "blanks around a label": (
        change("policy_tiers", HIGH, tier_en=" High"),
        "cny, value_tier, personal, high",
        "remove the blanks",
    ),
    "no label in English": (
        change("policy_tiers", HIGH, tier_en=""),
        "cny, value_tier, personal, high",
        "tier_en is empty",
    ),
    "no label in Chinese": (
        change("policy_tiers", HIGH, tier_zh=""),
        "cny, value_tier, personal, high",
        "tier_zh is empty",
    ),
    "a flag in other words": (
        change("policy_churn", CNY, counts_silence="yes"),
        "cny, 1900-01-01",
        "counts_silence is 'yes': write true or false",
    ),
    # codes
    "an unknown policy set": (
        add_like("policy_churn", CNY, policy_set="eur"),
        "eur, 1900-01-01",
        "uses policy_set 'eur': known are",
    ),
    "an unknown kind": (
        change("policy_tiers", HIGH, customer_kind="corporate"),
        "cny, value_tier, corporate",
        "customer_kind is 'corporate': write 'personal' or 'small_business'",
    ),
    "an unknown scheme": (
        change("policy_tiers", HIGH, scheme="value"),
        "cny, value, personal, high",
        "scheme is 'value'",
    ),
    "an unknown tier": (
        change("policy_tiers", HIGH, tier="top"),
        "cny, value_tier, personal, top",
        "no tier 'top': its tiers are",
    ),
    "a currency of another bank": (
        change("policy_tiers", HIGH, unit="CZK"),
        "cny, value_tier, personal, high",
        "policy set cny are in CNY",
    ),
    # versions
    "a scheme without a version": (
        drop("policy_tier_stability", STABLE),
        "cny, value_tier, personal",
        "has no row",
    ),
    "a kind without a version": (
        drop("policy_lifecycle", {"policy_set": "czk", "customer_kind": "small_business"}),
        "czk, small_business",
        "has no row",
    ),
    "a bank without a version": (drop("policy_churn", CNY), "policy_churn.csv: cny", "has no row"),
    "a row twice": (
        add_like("policy_tiers", HIGH),
        "cny, value_tier, personal, high, 1900-01-01",
        "stands in line 2 already",
    ),
    "two versions on one day": (
        add_like("policy_tier_stability", STABLE, rule_version="again"),
        "cny, value_tier, personal",
        "line 2 already",
    ),
    "half a version of another name": (
        change("policy_tiers", MID, rule_version="other"),
        "cny, value_tier, personal, mid",
        "rule_version other begins on the day of value_tier_",
    ),
    "a version's name used again": (
        add_like("policy_tier_stability", STABLE, effective_from="2027-01-01"),
        "cny, value_tier, personal, 2027-01-01",
        "is taken by the version in line 2",
    ),
    "a seed that nobody checks": (
        lambda seeds: (seeds.folder / "policy_discounts.csv").write_text("a\n1\n"),
        "policy_discounts.csv",
        "declare it in policy/seeds.py",
    ),
    "a seed that is missing": (
        lambda seeds: (seeds.folder / "policy_churn.csv").unlink(),
        "policy_churn.csv",
        "is missing from",
    ),
    # bands
    "entry bounds that rise": (
        change("policy_tiers", MID, entry_bound="200000.00"),
        "cny, value_tier, personal, mid",
        "entry_bound 200000.00 is above 100000.00 of the better tier high",
    ),
    "two tiers from one bound": (
        change("policy_tiers", MID, entry_bound="100000.00"),
        "cny, value_tier, personal, mid",
        "the two tiers overlap",
    ),
    "a bound of the worst tier": (
        change("policy_tiers", LOW, entry_bound="10.00", exit_bound="9.00"),
        "cny, value_tier, personal, low",
        "leave both bounds empty",
    ),
    "a better tier without a bound": (
        change("policy_tiers", MID, entry_bound=""),
        "cny, value_tier, personal, mid",
        "entry_bound is empty",
    ),
    "an exit above the entry": (
        change("policy_tiers", HIGH, exit_bound="100000.01"),
        "cny, value_tier, personal, high",
        "exit_bound 100000.01 is above entry_bound 100000.00",
    ),
    "an exit not above the next": (
        change("policy_tiers", HIGH, exit_bound="45000.00"),
        "cny, value_tier, personal, mid",
        "exit_bound 45000.00 is that of high too",
    ),
    "a bound of zero": (
        change("policy_tiers", MID, entry_bound="0", exit_bound="0"),
        "cny, value_tier, personal, mid",
        "entry_bound is 0: write more than 0",
    ),
    "a score beyond 100": (
        change("policy_tiers", {**HIGH, "scheme": "pyramid_tier", "tier": "vip"}, entry_bound="101"),
        "cny, pyramid_tier, personal, vip",
        "above the highest score",
    ),
    "a score in money": (
        change("policy_tiers", {**HIGH, "scheme": "pyramid_tier", "tier": "vip"}, unit="CNY"),
        "cny, pyramid_tier, personal, vip",
        "write score",
    ),
    "a bound of a tier by rule": (
        change("policy_tiers", {**HIGH, "scheme": "pyramid_tier", "tier": "potential"}, entry_bound="5"),
        "cny, pyramid_tier, personal, potential",
        "given by a rule",
    ),
    "a bound of a scheme without metric": (
        change("policy_tiers", {**HIGH, "scheme": "savings_grade", "tier": "good"}, entry_bound="5"),
        "cny, savings_grade, personal, good",
        "not cut by a metric",
    ),
    "tiers in another order": (
        change("policy_tiers", LOW, tier_order="1"),
        "cny, value_tier, personal, low",
        "tier_order is 1",
    ),
    "a loyalty class without a place of its own": (
        change("policy_tiers", {**HIGH, "scheme": "loyalty_class", "tier": "gold"}, tier_order="3"),
        "cny, loyalty_class, personal, silver",
        "tier_order is 3: number the version's tiers 1 to 4",
    ),
    "a gap between loyalty classes": (
        change("policy_tiers", {**HIGH, "scheme": "loyalty_class", "tier": "basic"}, tier_order="5"),
        "cny, loyalty_class, personal, basic",
        "tier_order is 5: number the version's tiers 1 to 4",
    ),
    "a label of two loyalty classes": (
        change("policy_tiers", {**HIGH, "scheme": "loyalty_class", "tier": "gold"}, tier_en="Silver"),
        "cny, loyalty_class, personal, silver",
        "label of two tiers",
    ),
    "a tier that is missing": (
        drop("policy_tiers", LOW),
        "cny, value_tier, personal, high",
        "no row of tier 'low'",
    ),
    "a label of two tiers": (
        change("policy_tiers", MID, tier_zh="高价值"),
        "cny, value_tier, personal, mid",
        "label of two tiers",
    ),
    # stability, weights
    "no way down": (
        change("policy_tier_stability", STABLE, grace_days="", demote_after_snapshots=""),
        "cny, value_tier, personal",
        "nobody could ever move down",
    ),
    "promotion before it is earned": (
        change("policy_tier_stability", STABLE, promote_after_snapshots="0"),
        "cny, value_tier, personal",
        "promote_after_snapshots is 0: write at least 1",
    ),
    "weights that do not add up": (
        change("policy_tier_weights", {**WEIGHT, "component": "tenure"}, weight="0.2501"),
        "cny, loyalty_class, personal",
        "add up to 1.0001 and not to 1",
    ),
    "a negative weight": (
        change("policy_tier_weights", {**WEIGHT, "component": "tenure"}, weight="-0.25"),
        "cny, loyalty_class, personal, tenure",
        "weight is -0.25: write at least 0",
    ),
    "an unknown component": (
        change("policy_tier_weights", {**WEIGHT, "component": "tenure"}, component="age"),
        "cny, loyalty_class, personal, age",
        "no component 'age'",
    ),
    "a component that is missing": (
        drop("policy_tier_weights", {**WEIGHT, "component": "tenure"}),
        "cny, loyalty_class, personal, products",
        "no weight of tenure",
    ),
    "a rank that counts in full": (
        change(
            "policy_tier_weights", {**WEIGHT, "scheme": "pyramid_tier", "component": "assets"}, full_at="5"
        ),
        "cny, pyramid_tier, personal, assets",
        "leave full_at empty",
    ),
    "a weight of nothing": (
        change("policy_tier_weights", {**WEIGHT, "component": "tenure"}, full_at=""),
        "cny, loyalty_class, personal, tenure",
        "full_at is empty",
    ),
    # savings grades, risk
    "a last rule with a condition": (
        change("policy_savings_grades", LAST_GRADE, loan_record="sound"),
        "cny, personal",
        "the last rule has a condition",
    ),
    "a rule after one that takes all": (
        change("policy_savings_grades", {**CNY_PERSON, "precedence": "1"}, loan_record=""),
        "cny, personal, 2",
        "can never decide: rule 1",
    ),
    "a poor loan record that is graded well": (
        change("policy_savings_grades", {**CNY_PERSON, "precedence": "1"}, savings_grade="good"),
        "cny, personal, 1",
        "a poor loan record decides first",
    ),
    "a poor loan record that needs more to decide": (
        change("policy_savings_grades", {**CNY_PERSON, "precedence": "1"}, min_deposit_amount="5.00"),
        "cny, personal, 1",
        "a poor loan record decides first",
    ),
    "another loan record that decides first": (
        change("policy_savings_grades", {**CNY_PERSON, "precedence": "1"}, loan_record="none"),
        "cny, personal, 1",
        "a poor loan record decides first",
    ),
    "a gap in the precedence": (
        change("policy_savings_grades", LAST_GRADE, precedence="9"),
        "cny, personal, 9",
        "leaves a gap",
    ),
    "an unknown grade": (
        change("policy_savings_grades", LAST_GRADE, savings_grade="fair"),
        "cny, personal",
        "savings_grade is 'fair'",
    ),
    "caps that begin late": (
        change("policy_risk_caps", {**CNY_PERSON, "min_experience_years": "0"}, min_experience_years="1"),
        "cny, personal, 1",
        "begin at 0",
    ),
    "caps of one experience": (
        change("policy_risk_caps", {**CNY_PERSON, "min_experience_years": "0"}, min_experience_years="2"),
        "cny, personal, 2",
        "already",
    ),
    "a cap that falls": (
        change("policy_risk_caps", {**CNY_PERSON, "min_experience_years": "5"}, highest_appetite="steady"),
        "cny, personal, 5",
        "a cap never falls",
    ),
    "an appetite without a cap": (
        change("policy_risk_caps", {**CNY_PERSON, "min_experience_years": "5"}, highest_appetite="unknown"),
        "cny, personal, 5",
        "highest_appetite is 'unknown'",
    ),
    "a growth that shrinks": (
        change("policy_lifecycle", CNY_PERSON, growth_from_ratio="0.9"),
        "cny, personal",
        "write at least 1",
    ),
    # RFM
    "a cell in two segments": (
        change("policy_rfm_segments", CHAMPION, fm_from="3"),
        "cny, personal, potential_loyal",
        "recency score 5 and frequency-money score 3 lies in champions (line 2) and potential_loyal",
    ),
    "a cell in no segment": (
        change("policy_rfm_segments", CHAMPION, fm_from="5"),
        "cny, personal, champions",
        "recency score 5 and frequency-money score 4 lies in no segment",
    ),
    "a segment the wrong way round": (
        change("policy_rfm_segments", CHAMPION, fm_from="5", fm_to="4"),
        "cny, personal, champions",
        "swap them",
    ),
    "an unknown segment": (
        change("policy_rfm_segments", CHAMPION, segment="stars"),
        "cny, personal, stars",
        "no segment 'stars'",
    ),
    "more bins than there are scores": (
        change("policy_rfm", CNY_PERSON, count_bins="6"),
        "policy_rfm.csv:2: cny, personal",
        "count_bins is 6: write at most 5",
    ),
    "fewer bins than there are scores": (
        change("policy_rfm", CNY_PERSON, count_bins="4"),
        "policy_rfm.csv:2: cny, personal",
        "count_bins is 4: write at least 5",
    ),
    "frozen without cuts": (
        lambda seeds: [
            seeds.change("policy_rfm", CNY_PERSON, FROZEN),
            seeds.drop("policy_rfm_cuts", {**CNY_PERSON, "measure": "f", "score": "3"}),
        ],
        "policy_rfm.csv:2: cny, personal",
        "needs cuts of f for score 3",
    ),
    "frozen cuts that fall": (
        lambda seeds: [
            seeds.change("policy_rfm", CNY_PERSON, FROZEN),
            seeds.change(
                "policy_rfm_cuts", {**CNY_PERSON, "measure": "m", "score": "3"}, {"at_least": "1.00"}
            ),
        ],
        "cny, personal, m, 3",
        "has to lie above that of score 2",
    ),
    "recency cuts that rise": (
        lambda seeds: [
            seeds.change("policy_rfm", CNY_PERSON, FROZEN),
            seeds.change("policy_rfm_cuts", {**CNY_PERSON, "measure": "r", "score": "3"}, {"at_most": "364"}),
        ],
        "cny, personal, r, 3",
        "has to lie below that of score 2",
    ),
    "fixed cuts that are equal": (
        lambda seeds: [
            seeds.change("policy_rfm", CNY_PERSON, {"rfm_mode": "fixed"}),
            seeds.change(
                "policy_rfm_cuts",
                {**CNY_PERSON, "measure": "f", "score": "3"},
                {"at_least": seeds.read("policy_rfm_cuts")[4]["at_least"]},
            ),
        ],
        "cny, personal, f, 3",
        "has to lie above that of score 2",
    ),
    "a cut on the wrong side": (
        change("policy_rfm_cuts", {**CNY_PERSON, "measure": "r", "score": "3"}, at_most="", at_least="7"),
        "cny, personal, r, 3",
        "is written in at_most",
    ),
    "a cut in another unit": (
        change("policy_rfm_cuts", {**CNY_PERSON, "measure": "m", "score": "3"}, unit="days"),
        "cny, personal, m, 3",
        "r and f are days, m is an amount",
    ),
    "risk bands the wrong way round": (
        lambda seeds: [
            seeds.change("policy_risk_bands", {**CNY, "risk_band": "high"}, {"lower_bound": "0.01"}),
            seeds.change("policy_risk_bands", {**CNY, "risk_band": "medium"}, {"upper_bound": "0.01"}),
        ],
        "cny, medium",
        "lower_bound 0.05 is not below upper_bound 0.01",
    ),
    # churn, bands of risk, indicators, satisfaction
    "no form of churn": (
        change(
            "policy_churn",
            CNY,
            counts_account_closure="false",
            counts_balance_drain="false",
            counts_silence="false",
        ),
        "cny, 1900-01-01",
        "no form counts",
    ),
    "silence within the period": (
        change("policy_churn", CNY, silence_days="120"),
        "cny, 1900-01-01",
        "not above gap and outcome",
    ),
    "silence longer than acts are looked back to": (
        change("policy_churn", CNY, silence_days="366"),
        "cny, 1900-01-01",
        "silence_days 366 is above 365",
    ),
    "a gap between risk bands": (
        change("policy_risk_bands", {**CNY, "risk_band": "medium"}, upper_bound="0.19"),
        "cny, medium",
        "bands meet",
    ),
    "a closed risk band": (
        change("policy_risk_bands", {**CNY, "risk_band": "high"}, upper_bound="0.9"),
        "cny, high",
        "leave it empty",
    ),
    "a risk band that is missing": (
        drop("policy_risk_bands", {**CNY, "risk_band": "medium"}),
        "cny, high",
        "no band medium",
    ),
    "a probability above 1": (
        change("policy_risk_bands", {**CNY, "risk_band": "high"}, lower_bound="20"),
        "cny, high",
        "lower_bound is 20: write",
    ),
    "a reason that is missing": (
        drop("policy_churn_reasons", {**CNY, "reason_code": "rate_gap"}),
        "cny, low_activity",
        "no row of rate_gap: to tell a reason no more",
    ),
    "a reason that no score has": (
        change("policy_churn_reasons", {**CNY, "reason_code": "rate_gap"}, reason_code="weather"),
        "cny, weather",
        "reason_code is none of the scores",
    ),
    "an action of two wordings": (
        change("policy_churn_reasons", {**CNY, "reason_code": "falling_balance"}, action_en="Sell a deposit"),
        "cny, falling_balance",
        "action savings_offer has other words",
    ),
    "a horizon of no months": (
        change("policy_churn_value", CNY, horizon_months="0"),
        "cny, 1900-01-01",
        "horizon_months is 0: write",
    ),
    # risk index
    "an indicator that is missing": (
        drop("policy_risk_indicators", {**CNY_PERSON, "indicator": "income"}),
        "cny, personal, age",
        "no row of income",
    ),
    "an indicator that a business has not": (
        add_like(
            "policy_risk_indicators", {**CNY_PERSON, "indicator": "sex"}, customer_kind="small_business"
        ),
        "cny, small_business, sex",
        "a small_business customer has no sex",
    ),
    "an unknown indicator": (
        change("policy_risk_indicators", {**CNY_PERSON, "indicator": "income"}, indicator="shoe_size"),
        "cny, personal, shoe_size",
        "indicator is 'shoe_size': write",
    ),
    "a direction against the definitions": (
        change("policy_risk_indicators", {**CNY_PERSON, "indicator": "assets"}, direction="1"),
        "cny, personal, assets",
        "by the definitions it is -1",
    ),
    "no direction": (
        change("policy_risk_indicators", {**CNY_PERSON, "indicator": "credit_use"}, direction="0"),
        "cny, personal, credit_use",
        "direction is 0",
    ),
    "a protected indicator that may be told": (
        change("policy_risk_indicators", {**CNY_PERSON, "indicator": "age"}, is_protected="false"),
        "cny, personal, age",
        "age is a protected attribute",
    ),
    "a scale without a middle": (
        change("policy_risk_indicators", {**CNY_PERSON, "indicator": "products"}, middle_value="3.00"),
        "cny, personal, products",
        "do not rise",
    ),
    "ages told apart beyond the law": (
        change("policy_risk_indicators", {**CNY_PERSON, "indicator": "age"}, upper_value="80.00"),
        "cny, personal, age",
        "ages from 18 to 65 only",
    ),
    "sex that counts": (
        lambda seeds: [
            seeds.change(
                "policy_risk_indicators", {**CNY_PERSON, "indicator": "sex"}, {"expert_weight": "0.0500"}
            ),
            seeds.change(
                "policy_risk_indicators", {**CNY_PERSON, "indicator": "age"}, {"expert_weight": "0.0000"}
            ),
        ],
        "cny, personal, sex",
        "sex is reported and never counts",
    ),
    "expert weights above 1": (
        change("policy_risk_indicators", {**CNY_PERSON, "indicator": "assets"}, expert_weight="0.2001"),
        "cny, personal, policy_rate",
        "expert_weight of the version adds up to 1.0001",
    ),
    "component weights below 1": (
        change("policy_risk_indicators", {**CNY_PERSON, "indicator": "assets"}, pca_weight="0.1000"),
        "cny, personal, policy_rate",
        "pca_weight of the version adds up to 0.",
    ),
    "a component weight too few": (
        change("policy_risk_indicators", {**CNY_PERSON, "indicator": "assets"}, pca_weight=""),
        "cny, personal, assets",
        "pca_weight is empty and others of the version have one",
    ),
    "a component that explains too little": (
        change("policy_risk_index", CNY_PERSON, min_explained_share="0.9000"),
        "cny, personal",
        "is below min_explained_share 0.9000",
    ),
    "a component in force that was never fitted": (
        change("policy_risk_index", {"policy_set": "czk", "customer_kind": "personal"}, weights="pca"),
        "czk, personal",
        "explained_share is empty",
    ),
    "a component without its weights": (
        change(
            "policy_risk_index", {"policy_set": "czk", "customer_kind": "personal"}, explained_share="0.5000"
        ),
        "policy_risk_index.csv:4: czk, personal",
        "no pca_weight",
    ),
    "weights of a component that nobody explains": (
        change("policy_risk_index", CNY_PERSON, explained_share=""),
        "policy_risk_index.csv:2: cny, personal",
        "has no explained_share",
    ),
    "a grade that is missing": (
        drop("policy_risk_grades", {**CNY_PERSON, "risk_grade": "C"}),
        "cny, personal, A",
        "no grade C",
    ),
    "grades that do not meet": (
        change("policy_risk_grades", {**CNY_PERSON, "risk_grade": "B"}, upper_bound="50.00"),
        "cny, personal, C",
        "grades meet",
    ),
    "grades the wrong way round": (
        lambda seeds: [
            seeds.change("policy_risk_grades", {**CNY_PERSON, "risk_grade": "B"}, {"upper_bound": "20.00"}),
            seeds.change("policy_risk_grades", {**CNY_PERSON, "risk_grade": "C"}, {"lower_bound": "20.00"}),
        ],
        "cny, personal, B",
        "is not below upper_bound 20.00",
    ),
    "a closed first grade": (
        change("policy_risk_grades", {**CNY_PERSON, "risk_grade": "A"}, lower_bound="1.00"),
        "cny, personal, A",
        "A is open below",
    ),
    "a closed last grade": (
        change("policy_risk_grades", {**CNY_PERSON, "risk_grade": "E"}, upper_bound="99.00"),
        "cny, personal, E",
        "E is open above",
    ),
    "a level of education below 1": (
        change("policy_education_levels", {**CNY, "education": "primary"}, education_level="0"),
        "cny, primary",
        "education_level is 0: write at least 1",
    ),
    "a target of an unknown indicator": (
        change("policy_kpi_targets", {**CNY, "kpi_code": "satisfaction_share"}, kpi_code="happiness"),
        "cny, happiness",
        "no indicator 'happiness'",
    ),
    "a target in per cent": (
        change("policy_kpi_targets", {**CNY, "kpi_code": "satisfaction_share"}, target_value="90"),
        "cny, satisfaction_share",
        "90 % is 0.90",
    ),
    # value
    "a spread of a slipped point": (
        change("policy_margins", {**CNY_PERSON, "product_family": "loan"}, ftp_spread_annual="1.8"),
        "cny, personal, loan",
        "ftp_spread_annual is 1.8: write at most 0.2",
    ),
    "a family without a margin": (
        drop("policy_margins", {**CNY_PERSON, "product_family": "loan"}),
        "cny, personal, current",
        "no margin of loan",
    ),
    "a channel without a cost": (
        drop("policy_service_costs", {**CNY_PERSON, "channel": "system"}),
        "cny, personal, branch",
        "no cost of system",
    ),
    "an unknown channel": (
        change("policy_service_costs", {**CNY_PERSON, "channel": "system"}, channel="fax"),
        "cny, personal, fax",
        "no channel 'fax'",
    ),
    "a negative cost": (
        change("policy_service_costs", {**CNY_PERSON, "channel": "system"}, cost_amount="-1"),
        "cny, personal, system",
        "cost_amount is -1: write at least 0",
    ),
    "losses that begin late": (
        change("policy_credit_losses", {**CNY_PERSON, "from_days": "0"}, from_days="5"),
        "cny, personal",
        "begin at 0",
    ),
    "a default that becomes less probable": (
        change("policy_credit_losses", {**CNY_PERSON, "from_days": "30"}, pd_annual="0.01"),
        "cny, personal, 30",
        "it never falls",
    ),
    "a plan of an unknown loyalty class": (
        add_like(
            "policy_tier_plan", {"scheme": "value_tier", "tier": "mid"}, scheme="loyalty_class", tier="jade"
        ),
        "cny, loyalty_class, personal, jade",
        "no tier 'jade': write platinum, gold, silver, basic",
    ),
    "a plan of an unknown tier": (
        change("policy_tier_plan", {"scheme": "value_tier", "tier": "mid"}, tier="middle"),
        "cny, value_tier, personal, middle",
        "no tier 'middle'",
    ),
    "a check without a threshold": (
        drop("policy_model_alerts", {**CNY, "check_name": "auc"}),
        "cny, feature_psi, 1900-01-01",
        "no row of auc",
    ),
    "an age of a champion in years": (
        change("policy_model_alerts", {**CNY, "check_name": "champion_age"}, threshold="0.25"),
        "cny, champion_age, 1900-01-01",
        "write 1 or more",
    ),
    "a threshold in per cent": (
        change("policy_model_alerts", {**CNY, "check_name": "null_share"}, threshold="5"),
        "cny, null_share, 1900-01-01",
        "above 1",
    ),
    "an unknown check": (
        change("policy_model_alerts", {**CNY, "check_name": "auc"}, check_name="gini"),
        "cny, gini, 1900-01-01",
        "check_name",
    ),
    "an entity that nobody watches": (
        drop("policy_health", {**CNY, "check_name": "delivery_age", "subject": "transactions"}),
        "cny",
        "no row of delivery_age of transactions",
    ),
    "an age of all deliveries": (
        change("policy_health", {**CNY, "check_name": "delivery_age", "subject": "products"}, subject="all"),
        "cny, delivery_age, all, 1900-01-01",
        "delivery_age is of an entity",
    ),
    "a volume without its lower bound": (
        change("policy_health", {**CNY, "check_name": "delivery_volume"}, lower_bound=""),
        "cny, delivery_volume, all, 1900-01-01",
        "lower_bound is needed by delivery_volume",
    ),
    "a lower bound above the median": (
        change("policy_health", {**CNY, "check_name": "delivery_volume"}, lower_bound="1.2"),
        "cny, delivery_volume, all, 1900-01-01",
        "on both sides of 1",
    ),
    "an hour of grace for the audit": (
        change("policy_health", {**CNY, "check_name": "audit_gap"}, grace_hours="1"),
        "cny, audit_gap, all, 1900-01-01",
        "grace_hours is of no use to audit_gap",
    ),
    "a delivery late before its time": (
        change(
            "policy_health", {**CNY, "check_name": "delivery_age", "subject": "accounts"}, upper_bound="0.5"
        ),
        "cny, delivery_age, accounts, 1900-01-01",
        "write 1 or more",
    ),
    "all rows rejected": (
        change("policy_health", {**CNY, "check_name": "rejected_share"}, upper_bound="1"),
        "cny, rejected_share, all, 1900-01-01",
        "is a share",
    ),
    "more gaps than deliveries that are looked at": (
        change("policy_health", {**CNY, "check_name": "delivery_age", "subject": "accounts"}, min_count="20"),
        "cny, delivery_age, accounts, 1900-01-01",
        "lookback 20",
    ),
    "a median of four": (
        change("policy_health", {**CNY, "check_name": "delivery_volume"}, lookback="4"),
        "cny, delivery_volume, all, 1900-01-01",
        "lookback 4",
    ),
    "the age of no entity": (
        add_like(
            "policy_health", {**CNY, "check_name": "delivery_age", "subject": "accounts"}, subject="acounts"
        ),
        "cny, delivery_age, acounts, 1900-01-01",
        "acounts is no entity",
    ),
    "an elderly child": (
        change("policy_fairness", CNY, elderly_from_age="6"),
        "cny, 1900-01-01",
        "elderly_from_age is 6",
    ),
    "a selection ratio of none": (
        change("policy_fairness", CNY, min_selection_ratio="0"),
        "cny, 1900-01-01",
        "min_selection_ratio is 0",
    ),
    "a score of six": (
        change("policy_satisfaction", CNY, satisfied_from_score="6"),
        "cny, 1900-01-01",
        "write at most 5",
    ),
}


def test_the_real_seeds_are_sound() -> None:
    assert len(SEEDS) > 15
    assert check() == []


def test_the_entities_that_may_be_watched_are_those_of_the_contracts() -> None:
    required = {}
    for path in (ROOT / "ingest/contracts").glob("*.yaml"):
        contract = yaml.safe_load(path.read_text(encoding="utf-8"))
        custom = {one["property"]: one["value"] for one in contract["customProperties"]}
        required[contract["name"]] = custom.get("requiredInHistory", False)
    assert {name for name, is_required in required.items() if is_required} == set(REQUIRED_ENTITIES)
    assert {name for name, is_required in required.items() if not is_required} == set(OTHER_ENTITIES)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_refused_and_names_its_row(seeds: Any, fault: str) -> None:
    plant, row, message = FAULTS[fault]
    assert check(seeds.folder) == []
    plant(seeds)
    found = [str(each) for each in check(seeds.folder)]
    assert any(row in each and message in each for each in found), "\n".join(found)


def test_no_seed_goes_unread(seeds: Any) -> None:
    for name in SEEDS:
        first = (seeds.folder / f"{name}.csv").read_text(encoding="utf-8").splitlines()[1]
        text(name, first, first.rpartition(",")[0] + ",\x00nonsense")(seeds)
        assert any(each.file == f"{name}.csv" for each in check(seeds.folder)), name


def test_a_byte_order_mark_of_a_spreadsheet_is_no_fault(seeds: Any) -> None:
    path = seeds.folder / "policy_tiers.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert check(seeds.folder) == []
    path.write_bytes(path.read_text(encoding="utf-8-sig").encode("gbk"))
    assert [str(fault) for fault in check(seeds.folder)] == [
        "policy_tiers.csv: is not UTF-8: save it as CSV UTF-8"
    ]


def test_a_later_version_may_stand_beside_the_first(seeds: Any) -> None:
    version = {"policy_set": "cny", "scheme": "value_tier", "customer_kind": "personal"}
    seeds.add_like(
        "policy_tiers", version, {"effective_from": "2027-01-01", "rule_version": "value_tier_2027_01"}
    )
    assert check(seeds.folder) == []


def test_each_version_of_a_map_covers_every_cell(seeds: Any) -> None:
    """The cells of the older map do not fill the gap of a newer one."""
    later = {"effective_from": "2027-01-01"}
    seeds.add_like("policy_rfm_segments", CNY_PERSON, {**later, "rule_version": "map_of_2027"})
    assert check(seeds.folder) == []
    seeds.drop("policy_rfm_segments", {**CNY_PERSON, **later, "r_from": "5", "segment": "champions"})
    faults = check(seeds.folder)
    assert len(faults) == 2
    assert all("2027-01-01" in fault.row and "in no segment" in fault.message for fault in faults)


def test_a_bank_may_have_five_loyalty_classes(seeds: Any) -> None:
    """Definitions leave the classes to the policy: a row, and the order of those after it."""
    version = {"policy_set": "cny", "scheme": "loyalty_class", "customer_kind": "personal"}
    later = {"effective_from": "2027-01-01", "rule_version": "loyalty_class_2027_01"}
    seeds.add_like("policy_tiers", version, later)
    for tier, order in (("platinum", "2"), ("gold", "3"), ("silver", "4"), ("basic", "5")):
        seeds.change("policy_tiers", {**version, **later, "tier": tier}, {"tier_order": order})
    diamond = {"tier": "diamond", "tier_order": "1", "tier_en": "Diamond", "tier_zh": "钻石"}
    diamond |= {"entry_bound": "90.00", "exit_bound": "85.00"}
    seeds.add_like("policy_tiers", {**version, **later, "tier": "platinum"}, diamond)
    assert check(seeds.folder) == []


def seed_columns() -> Iterator[tuple[str, str, int, int]]:
    """Seed, column, digits and decimal places of every number with a fixed point in the warehouse."""
    declared = yaml.safe_load((ROOT / "dbt_project/seeds/_seeds.yml").read_text(encoding="utf-8"))
    for seed in declared["seeds"]:
        for name, kind in seed.get("config", {}).get("column_types", {}).items():
            if found := re.fullmatch(r"numeric\((\d+),(\d+)\)", kind):
                yield seed["name"], name, int(found[1]), int(found[2])


def test_every_number_fits_its_column_in_the_warehouse(seeds: Any) -> None:
    """What is accepted is loaded as it stands: nothing is rounded, nothing too large for the engine."""
    tried: set[tuple[str, str]] = set()
    for seed, name, digits, places in seed_columns():
        row = next((row for row in seeds.read(seed) if row[name]), None) or seeds.read(seed)[0]
        # Near what is written, so that only the form of the number can be wrong with it.
        near = row[name] or "1"
        for cell, is_refused in (
            (f"{Decimal(near):.{places}f}", False),
            (f"{Decimal(near):.{places}f}1", True),
            ("1" + "0" * (digits - places), True),
        ):
            cells = {column: value or None for column, value in row.items()}
            try:
                SEEDS[seed].row.model_validate({**cells, name: cell, "line": 2})
                faults = []
            except ValidationError as error:
                faults = [fault["loc"][0] for fault in error.errors()]
            assert (name in faults) == is_refused, f"{seed}.{name}: {cell} {faults}"
        tried.add((seed, name))
    assert tried == {
        (seed, name)
        for seed, declared in SEEDS.items()
        for name, kind in get_type_hints(declared.row).items()
        if kind is Decimal or Decimal in get_args(kind)
    }


def test_the_command_says_all_faults_and_exits_with_2(seeds: Any) -> None:
    seeds.change("policy_tiers", HIGH, {"exit_bound": "100000.01"})
    seeds.drop("policy_churn", CNY)
    command = [sys.executable, "-m", "policy", "check"]
    done = subprocess.run(
        [*command, "--seeds", seeds.folder], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert "error: policy_churn.csv: cny: has no row" in done.stderr
    assert "error: policy_tiers.csv:2: cny, value_tier, personal, high, 1900-01-01: exit_bound" in done.stderr


def test_sound_seeds_cost_no_build_half_a_second() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "policy", "check"], cwd=ROOT, capture_output=True, check=False
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5


def test_the_check_needs_neither_dbt_nor_pandas() -> None:
    """It stands before every build: what it imports is its cost."""
    heavy = ("dbt", "pandas", "pyarrow", "duckdb")
    script = "import sys; from policy.check import check; check()"
    script += f"; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


TIERS = ("high", "mid", "low")
TRIED = [Decimal(units) / 8 for units in range(-1, 34)]
Bounds = list[Decimal | None]


def tiers_at(metric: Decimal, bounds: Bounds) -> list[int]:
    """Places of the tiers that take a metric, as int_tier_policy cuts bands: up to the next better bound."""
    found = []
    for place, bound in enumerate(bounds):
        better = [other for other in bounds[:place] if other is not None]
        if (bound is None or metric >= bound) and (not better or metric < min(better)):
            found.append(place)
    return found


def is_sound(entries: Bounds, exits: Bounds) -> bool:
    """Every metric reaches and keeps one tier, each tier is some metric's, and who reaches one keeps it."""
    for bounds in (entries, exits):
        found = [tiers_at(metric, bounds) for metric in TRIED]
        if any(len(places) != 1 for places in found) or {places[0] for places in found} != {0, 1, 2}:
            return False
    return all(tiers_at(metric, exits)[0] <= tiers_at(metric, entries)[0] for metric in TRIED)


def tier_rows(entries: Bounds, exits: Bounds) -> list[Tier]:
    same = {"policy_set": "cny", "scheme": "value_tier", "customer_kind": "personal", "unit": "CNY"}
    same |= {"action_en": "a", "action_zh": "a", "rule_version": "v", "effective_from": "1900-01-01"}
    return [
        Tier.model_validate(
            {
                **same,
                "line": 2 + place,
                "tier": tier,
                "tier_order": str(1 + place),
                "tier_en": tier,
                "tier_zh": tier,
                "entry_bound": entry and str(entry),
                "exit_bound": leave and str(leave),
            }
        )
        for place, (tier, entry, leave) in enumerate(zip(TIERS, entries, exits, strict=True))
    ]


BOUND = st.integers(1, 16).map(lambda units: Decimal(units) / 4)
FALLING = st.lists(BOUND, min_size=2, max_size=2, unique=True).map(
    lambda cuts: [*sorted(cuts, reverse=True), None]
)
ANY = st.lists(st.none() | BOUND, min_size=3, max_size=3)


def test_bands_are_accepted_exactly_when_every_metric_has_one_tier() -> None:
    """Tried beside and at each bound; half of the bounds drawn fall, so that both verdicts occur."""
    verdicts: Counter[bool] = Counter()

    @settings(max_examples=600, deadline=None)
    @given(FALLING | ANY, FALLING | ANY)
    def holds(entries: Bounds, exits: Bounds) -> None:
        accepted = list(bands.bounds(tier_rows(entries, exits))) == []
        verdicts[accepted] += 1
        assert accepted == is_sound(entries, exits)

    holds()
    assert min(verdicts[True], verdicts[False]) > 20
