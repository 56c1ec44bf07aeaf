"""Bad rows of the marts of tiers, value and movement, each with the expectations that they break.

In the shape of `PLANTED` in `test_expectations_gates.py`: groups of statement -> (errors, warnings).
"""

from __future__ import annotations

from expectations.tiers import SCHEMES, Scheme

Group = dict[str, tuple[str, str]]


def _of_scheme(scheme: Scheme) -> Group:
    """A customer for each way in which a scheme's mart may be wrong."""
    code, column, mart = scheme.code, scheme.column, f"R.{scheme.mart}"
    return {
        f"update {mart} set {column} = 'titanium', is_overridden = true, override_author = 'S1'"
        " where customer_id = 'C001'": (f"every_{code}_is_of_the_policy_of_its_day", ""),
        f"update R.fct_customer_tiers set {code} = 'titanium' where customer_id = 'C001'": (
            "the_summary_counts_the_customers_of_each_tier",
            "",
        ),
        f"update {mart} set action_zh = null where customer_id = 'C002'": (
            f"nothing_of_a_{code}_is_missing",
            "",
        ),
        f"update {mart} set reason = '' where customer_id = 'C003'": (f"every_{code}_has_a_reason", ""),
        f"update {mart} set rule_version = 'another_version' where customer_id = 'C004'": (
            f"every_{code}_cites_the_policy_of_its_day",
            "",
        ),
        f"update {mart} set earned_tier = listed.tier, candidate_tier = listed.tier"
        f" from (select min({column}) as tier from {mart} where customer_id = 'C006') as listed"
        " where customer_id = 'C005'": (f"a_{code}_is_the_earned_one_unless_overridden", ""),
        f"update {mart} set override_author = 'S1' where customer_id = 'C007'": (
            f"whoever_sets_a_{code}_is_named",
            "",
        ),
        f"update {mart} set count_pending_snapshots = 1 where customer_id = 'C008'": (
            f"a_pending_{code}_has_a_candidate_and_a_day",
            "",
        ),
        f"update {mart} set earned_since_on = date '2026-11-01' where customer_id = 'C009'": (
            f"no_{code}_is_held_from_a_later_day",
            "",
        ),
        f"update R.fct_customer_tiers set {code}_since_on = date '2026-09-30' where customer_id = 'C010'": (
            f"the_mart_of_all_tiers_shows_each_{code}",
            "",
        ),
        f"delete from {mart} where customer_id = 'C011'": (f"every_customer_is_in_{scheme.mart}", ""),
        f"insert into {mart} select * from {mart} where customer_id = 'C012'": (
            f"no_more_rows_in_{scheme.mart}_than_customers",
            "",
        ),
        f"update {mart} set is_overridden = true, override_author = 'S1' where customer_id = 'C013'": (
            "",
            f"few_overrides_of_{code}",
        ),
    }


def _everybody_in_one_tier() -> Group:
    """Every scheme's shares jump, and a third more customers are listed than in the snapshot before."""
    jumps = " ".join(f"{scheme.code}_shares_are_near_those_of_the_snapshot_before" for scheme in SCHEMES)
    full = " ".join(f"no_{scheme.code}_holds_everybody" for scheme in SCHEMES if scheme.has_cuts)
    unlike = " ".join(f"the_mart_of_all_tiers_shows_each_{scheme.code}" for scheme in SCHEMES)
    absent = " ".join(f"every_customer_is_in_{scheme.mart}" for scheme in SCHEMES)
    same = ", ".join(
        f"{scheme.code} = (select min({scheme.code}) from R.fct_customer_tiers)" for scheme in SCHEMES
    )
    return {
        f"update R.fct_customer_tiers set {same}": (
            f"{unlike} the_summary_counts_the_customers_of_each_tier",
            f"{jumps} {full} no_value_tier_is_empty",
        ),
        "create table R.more as select * from R.fct_customer_tiers where customer_id < 'C010'": ("", ""),
        "update R.more set customer_id = 'new ' || customer_id": ("", ""),
        "insert into R.fct_customer_tiers select * from R.more": (
            f"{absent} every_customer_is_listed_once every_customer_is_once_in_fct_customer_tiers",
            "as_many_customers_as_in_the_snapshot_before",
        ),
    }


TIERS: list[Group] = [
    {statement: broken for scheme in SCHEMES for statement, broken in _of_scheme(scheme).items()},
    _everybody_in_one_tier(),
]

VALUE: list[Group] = [
    {
        "update R.fct_customer_profit set fees_90d = fees_90d + 0.01 where customer_id = 'C001'": (
            "net_profit_is_the_sum_of_its_parts",
            "",
        ),
        "update R.fct_customer_profit set interest_margin_90d = null where customer_id = 'C002'": (
            "profit_is_unknown_where_a_part_is_and_nowhere_else",
            "",
        ),
        "update R.fct_customer_profit set net_profit_90d = null, fees_90d = null"
        " where customer_id in ('C003', 'C004')": (
            "concentration_counts_the_customers_of_its_kind concentration_sums_the_values_of_its_customers",
            "most_profits_are_known",
        ),
        "update R.fct_customer_behaviour set preferred_channel = 'none' where customer_id = 'C006'": (
            "who_acts_has_habits_and_who_does_not_has_none",
            "",
        ),
    },
    {
        "delete from R.fct_value_concentration where basis = 'profit' and customer_kind = 'all'": (
            "every_basis_and_kind_has_a_concentration a_curve_is_known_where_its_gini_is",
            "",
        ),
        "update R.fct_value_concentration set count_customers = 29"
        " where basis = 'assets' and customer_kind = 'all'": (
            "concentration_counts_the_customers_of_its_kind",
            "",
        ),
        "update R.fct_value_concentration set sum_value = 1, sum_negative_value = 1 - sum_positive_value,"
        " top_20_share = 0.19 where basis = 'assets' and customer_kind = 'personal'": (
            "concentration_sums_the_values_of_its_customers the_top_fifth_holds_a_fifth_or_more",
            "",
        ),
        "update R.fct_value_concentration set sum_negative_value = -1, gini = 0.5, count_customers_80 = 25"
        " where basis = 'profit' and customer_kind = 'personal'": (
            "gains_and_losses_add_up_to_the_sum the_gini_is_the_area_of_the_curve "
            "no_more_than_four_fifths_hold_four_fifths",
            "",
        ),
        "update R.fct_value_concentration set top_20_share = 0.5"
        " where basis = 'profit' and customer_kind = 'small_business'": (
            "there_are_shares_where_there_is_value",
            "",
        ),
        "delete from R.fct_value_lorenz"
        " where basis = 'assets' and customer_kind = 'small_business' and point_no = 50": (
            "every_concentration_has_a_curve_of_101_points",
            "",
        ),
    },
]

MOVEMENT: list[Group] = [
    {
        "delete from R.fct_tier_summary where scheme = 'value_tier' and customer_kind = 'small_business'"
        " and tier = 'low'": ("every_tier_of_the_policy_is_summarised", ""),
        "update R.fct_tier_summary set tier = 'titanium' where scheme = 'value_tier'"
        " and customer_kind = 'small_business' and tier = 'mid'": (
            "no_tier_beside_the_policy_is_summarised",
            "",
        ),
        "update R.fct_tier_summary set count_customers = 1 where scheme = 'asset_tier'"
        " and customer_kind = 'small_business' and tier = 'mass'": (
            "the_summary_counts_the_customers_of_each_tier migration_adds_up_to_the_customers_of_each_tier",
            "",
        ),
        "update R.fct_tier_summary set count_at_start = count_at_start - 1"
        " where scheme = 'value_tier' and customer_kind = 'personal' and tier = 'low'": (
            "churn_by_value_tier_is_of_the_customers_of_the_indicator",
            "",
        ),
        "delete from R.int_kpi_shares where member = 'all'": (
            "churn_by_value_tier_is_of_the_customers_of_the_indicator",
            "",
        ),
        "update R.fct_tier_mobility set count_moved = 1"
        " where scheme = 'value_tier' and customer_kind = 'all'": (
            "mobility_is_of_the_customers_who_migrate",
            "",
        ),
        "update R.fct_tier_mobility set mobility = 1.6"
        " where scheme = 'value_tier' and customer_kind = 'personal'": (
            "mobility_lies_within_its_bounds",
            "",
        ),
        "delete from R.fct_tier_crosswalk"
        " where scheme = 'value_tier' and tier = 'high' and other_scheme = 'asset_tier'": (
            "each_pair_of_schemes_spreads_all_customers",
            "",
        ),
    },
]

CHURN: list[Group] = [
    {
        "update R.fct_churn_spells set is_open_spell = true where customer_id = 'C000'": (
            "",
            "most_customers_with_an_account_are_in_no_spell",
        ),
    },
]

RISK_INDEX: list[Group] = [
    {
        "update R.fct_customer_risk_index set risk_grade = 'D' where customer_id = 'C000'": (
            "",
            "at_most_half_of_the_customers_are_graded_risky",
        ),
        "update R.fct_customer_risk_index set count_unknown_indicators = 4 where customer_id = 'C001'": (
            "",
            "most_risk_indices_rest_on_known_indicators",
        ),
    },
]
