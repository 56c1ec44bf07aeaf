"""Every expectation of every gate holds on a sound bank and breaks on the bad rows planted for it."""

from __future__ import annotations

import pytest

from expectations import runner
from expectations.__main__ import main
from tests.expectations import planted_breaks
from warehouse import Settings, open_warehouse
from warehouse.runs import read_run

RUN = "run_20261031_01"
GATES = ("arrival", "marts", "scores")


def gate(*suites: str) -> int:
    return main(["run", "--run", RUN, *(word for suite in suites for word in ("--suite", suite))])


def statuses(settings: Settings) -> dict[str, str]:
    with open_warehouse(settings) as wh:
        rows = wh.query(
            "select test_name, status from ops.test_results where run_id = $1 and tool = 'expectation'", [RUN]
        ).to_pylist()
    return {row["test_name"]: row["status"] for row in rows}


def plant(settings: Settings, *statements: str) -> None:
    with open_warehouse(settings) as wh:
        for statement in statements:
            wh.execute(statement.replace("R.", f"{RUN}."))


def test_a_sound_bank_passes_every_gate(bank: Settings) -> None:
    assert gate(*GATES) == 0
    found = statuses(bank)
    assert set(found.values()) == {"pass"}
    assert len(found) > 60


# Bad rows, each with the expectations they break: those of severity error, then the warnings. Rows of one
# group are planted together, so they have to leave each other's expectations alone.
PLANTED: dict[str, list[dict[str, tuple[str, str]]]] = {
    "arrival": [
        {
            "insert into raw.transactions values (null, null, null, null, 'B9', 9)": (
                "transactions_have_transaction_id transactions_have_booked_on transactions_have_amount "
                "transactions_have_currency_code",
                "",
            ),
            "insert into raw.transactions values ('old', date '1899-12-31', 1, 'CNY', 'B1', 1)": (
                "transactions_have_a_plausible_booked_on",
                "",
            ),
            "insert into raw.transactions values ('next week', date '2026-11-03', 1, 'CNY', 'B9', 9)": (
                "transactions_happened_before_they_were_delivered",
                "",
            ),
            "insert into raw.transactions values ('debt', date '2026-10-30', -0.01, 'CNY', 'B9', 9)": (
                "transactions_have_amount_within_bounds",
                "",
            ),
            "insert into raw.transactions values ('gold', date '2026-10-30', 1, 'XAU', 'B9', 9)": (
                "transactions_are_in_known_currencies",
                "",
            ),
            "insert into raw.transactions values ('T5-1', date '2026-10-30', 1, 'CNY', 'B9', 9)": (
                "transactions_have_unique_keys",
                "",
            ),
            "insert into raw.month_end_balances values (null, null, null, null, 'B9', 9)": (
                "month_end_balances_have_account_id month_end_balances_have_balance_on "
                "month_end_balances_have_balance_amount month_end_balances_have_currency_code",
                "",
            ),
            "insert into raw.month_end_balances values ('A2', date '2126-11-30', -2e10, 'XAU', 'B9', 9)": (
                "month_end_balances_have_a_plausible_balance_on month_end_balances_are_in_known_currencies "
                "month_end_balances_have_balance_amount_within_bounds "
                "month_end_balances_happened_before_they_were_delivered",
                "",
            ),
            "insert into raw.month_end_balances select * from raw.month_end_balances where batch_no = 1": (
                "month_end_balances_have_unique_keys",
                "",
            ),
            "insert into raw.risk_questionnaires values (null, null, 'B9', 9),"
            " ('Q1', date '1800-01-01', 'B1', 1), ('Q3', date '2027-01-01', 'B9', 9)": (
                "risk_questionnaires_have_questionnaire_id risk_questionnaires_have_answered_on "
                "risk_questionnaires_have_a_plausible_answered_on risk_questionnaires_have_unique_keys "
                "risk_questionnaires_happened_before_they_were_delivered",
                "",
            ),
            "insert into raw.satisfaction_surveys values (null, null, null, 'B9', 9),"
            " ('S1', date '1800-01-01', 6, 'B1', 1), ('S3', date '2027-01-01', 1, 'B9', 9)": (
                "satisfaction_surveys_have_survey_id satisfaction_surveys_have_answered_on "
                "satisfaction_surveys_have_score satisfaction_surveys_have_a_plausible_answered_on "
                "satisfaction_surveys_have_score_within_bounds satisfaction_surveys_have_unique_keys "
                "satisfaction_surveys_happened_before_they_were_delivered",
                "",
            ),
            "insert into raw.exchange_rates values (null, null, null, 'B9', 9),"
            " ('EUR', date '1800-01-01', 0, 'B1', 1), ('EUR', date '2027-01-01', 1, 'B9', 9),"
            " ('EUR', date '2027-01-01', 1, 'B9', 9)": (
                "exchange_rates_have_currency_code exchange_rates_have_rate_on "
                "exchange_rates_have_rate_to_reporting exchange_rates_have_a_plausible_rate_on "
                "exchange_rates_have_rate_to_reporting_within_bounds exchange_rates_have_unique_keys "
                "exchange_rates_happened_before_they_were_delivered",
                "",
            ),
            "insert into raw.market_environment values (null, 'B9', 9), (date '1800-01-01', 'B1', 1),"
            " (date '2027-01-01', 'B9', 9), (date '2027-01-01', 'B9', 9)": (
                "market_environment_have_market_on market_environment_have_a_plausible_market_on "
                "market_environment_have_unique_keys market_environment_happened_before_they_were_delivered",
                "",
            ),
            "delete from raw.products": ("every_required_entity_has_rows", ""),
            "update ops.batches set rows_rejected = 30, rows_loaded = 970 where batch_no = 7": (
                "rejected_rows_are_within_policy",
                "rejected_rows_are_below_half_of_policy",
            ),
            "update ops.batches set rows_loaded = rows_loaded - 1 where batch_no = 6": (
                "every_row_read_is_loaded_rejected_duplicate_or_erased",
                "",
            ),
            "update ops.batches set status = 'refused', rows_loaded = 0, rows_rejected = rows_read / 2"
            " where batch_no = 2": ("", "no_delivery_was_refused"),
            "update ops.batch_files set rows_loaded = 1 where batch_id = 'B9'": (
                "",
                "newest_delivery_of_transactions_is_as_large_as_usual",
            ),
        },
        {
            "update ops.batches set delivered_on = date '2026-10-01'": ("", "newest_delivery_is_recent"),
            "update raw.transactions set booked_on = date '2026-09-30' where booked_on < date '2026-11-01'": (
                "",
                "newest_booking_is_recent",
            ),
        },
    ],
    "marts": [
        {
            "update R.fct_customer_rfm set r_score = 6, f_score = 6, m_score = 6"
            " where customer_id = 'C003'": (
                "r_score_is_between_0_and_5 f_score_is_between_0_and_5 m_score_is_between_0_and_5",
                "",
            ),
            "update R.fct_customer_rfm set r_score = null, f_score = null, m_score = null"
            " where customer_id = 'C004'": (
                "every_customer_has_a_r_score every_customer_has_a_f_score every_customer_has_a_m_score",
                "",
            ),
            "update R.fct_customer_rfm set r_score = 0 where customer_id = 'C005'": (
                "no_activity_scores_zero_throughout",
                "",
            ),
            "update R.fct_customer_activity set count_transactions_30d = -1, currency_code = null,"
            " days_since_last_activity = -1 where customer_id = 'C006'": (
                "transaction_counts_are_not_negative every_customer_has_a_currency_code "
                "no_activity_lies_after_the_as_of_date",
                "",
            ),
            "update R.fct_customer_activity set count_transactions_90d = 99 where customer_id = 'C007'": (
                "the_365_day_window_holds_the_90_day_window",
                "",
            ),
            "update R.fct_customer_activity set count_transactions_30d = 9 where customer_id = 'C008'": (
                "the_90_day_window_holds_the_30_day_window",
                "",
            ),
            "update R.fct_customer_activity set count_transactions_30d = null where customer_id = 'C009'": (
                "every_customer_has_a_count_transactions_30d",
                "",
            ),
            "update R.fct_kpis set kpi_value = 9 where member = 'mid'": (
                "customers_by_tier_add_up_to_all_customers",
                "",
            ),
            "insert into R.fct_kpis values (date '2026-10-31', 'active_share', 'all', 'all', 'share', -0.1),"
            " (date '2026-10-31', 'multi_product_share', 'all', 'all', 'share', 1.1)": (
                "no_share_is_below_zero no_share_is_above_one",
                "",
            ),
            "create table R.notes (customer_id varchar, phone varchar)": (
                "no_table_of_the_run_has_a_personal_column",
                "",
            ),
        },
        {
            "insert into R.fct_customer_activity select * from R.fct_customer_activity"
            " where customer_id = 'C001'": (
                "every_customer_is_once_in_fct_customer_activity",
                "",
            ),
            "delete from R.fct_customer_profit where customer_id = 'C001'": (
                "every_customer_is_once_in_fct_customer_profit "
                "concentration_counts_the_customers_of_its_kind "
                "concentration_sums_the_values_of_its_customers",
                "",
            ),
            "delete from R.fct_customer_behaviour where customer_id = 'C001'": (
                "every_customer_is_once_in_fct_customer_behaviour",
                "",
            ),
            "update R.fct_kpis set kpi_value = 0 where kpi_code = 'customers'": ("kpis_count_customers", ""),
            "insert into R.fct_kpis values (date '2026-09-30', 'active_share', 'all', 'all', 'share', 0.5)": (
                "kpis_count_customers_on_every_as_of_date",
                "",
            ),
        },
        {
            "insert into R.dim_customers select * from R.dim_customers where customer_id = 'C001'": (
                "every_customer_is_listed_once",
                "",
            ),
            "delete from R.dim_customers where customer_id = 'C002'": ("", ""),
            "update R.fct_customer_behaviour set as_of_date = date '2026-09-30' where customer_id = 'C002'": (
                "there_are_customers_on_every_as_of_date marts_hold_every_as_of_date_of_the_run "
                "every_customer_is_once_in_fct_customer_behaviour",
                "",
            ),
        },
        *planted_breaks.TIERS,
        *planted_breaks.VALUE,
        *planted_breaks.MOVEMENT,
        *planted_breaks.RISK_INDEX,
        *planted_breaks.CHURN,
    ],
    "scores": [
        {
            "update R.fct_churn_scores set churn_probability = 1.5 where customer_id = 'C001'": (
                "probabilities_are_0_to_1",
                "",
            ),
            "update R.fct_churn_scores set churn_probability = null, risk_decile = null, risk_band = null,"
            " model_version = null where customer_id = 'C002'": (
                "every_score_has_a_churn_probability every_score_has_a_risk_decile "
                "every_score_has_a_risk_band every_score_has_a_model_version "
                "the_model_of_the_scores_has_a_training_run",
                "",
            ),
            "update R.fct_churn_scores set risk_decile = 11 where customer_id = 'C003'": (
                "risk_deciles_are_1_to_10",
                "",
            ),
            "update R.fct_churn_scores set model_version = 'churn-0' where customer_id = 'C004'": (
                "one_model_gave_all_scores",
                "",
            ),
            "insert into R.fct_churn_scores select * from R.fct_churn_scores where customer_id = 'C005'": (
                "no_customer_is_scored_twice nobody_is_scored_who_is_not_eligible",
                "",
            ),
            "delete from R.fct_churn_scores where customer_id = 'C006'": (
                "every_eligible_customer_is_scored",
                "",
            ),
            "update R.raw_churn_scores set contribution_1 = 0.500004 where customer_id = 'C007'": (
                "log_odds_are_base_reasons_and_rest",
                "",
            ),
            "update R.raw_churn_scores set churn_probability = 0.057327 where customer_id = 'C008'": (
                "probabilities_are_the_sigmoid_of_their_log_odds",
                "",
            ),
            "update R.raw_churn_scores set contribution_rest = null where customer_id = 'C009'": (
                "every_score_has_its_parts",
                "",
            ),
            "update R.raw_churn_scores set contribution_2 = 0.75, contribution_rest = -1.05"
            " where customer_id = 'C010'": ("reasons_are_told_largest_first", ""),
            "update R.raw_churn_scores set contribution_2 = -0.25, contribution_rest = -0.05"
            " where customer_id = 'C011'": ("reasons_raise_the_score", ""),
            "update R.raw_churn_scores set reason_2 = null where customer_id = 'C012'": (
                "every_reason_has_its_contribution",
                "",
            ),
            "update R.fct_churn_scores set churn_probability = 0.9 where customer_id > 'C009'": (
                "",
                "mean_score_is_near_the_rate_trained_on",
            ),
        },
        {
            "delete from R.fct_churn_scores": (
                "there_are_scores_unless_too_young one_model_gave_all_scores "
                "every_eligible_customer_is_scored",
                "",
            ),
        },
        {
            f"update ops.runs set note = 'scores: too young: no outcome yet' where run_id = '{RUN}'": (
                "a_bank_too_young_has_no_scores",
                "",
            ),
        },
    ],
}
ROUNDS = [(suite, number) for suite, groups in PLANTED.items() for number in range(len(groups))]


@pytest.mark.parametrize(("suite", "number"), ROUNDS)
def test_planted_rows_break_their_expectations_and_no_other(bank: Settings, suite: str, number: int) -> None:
    group = PLANTED[suite][number]
    plant(bank, *group)
    code = gate(suite)
    errors = {name for names, _ in group.values() for name in names.split()}
    warnings = {name for _, names in group.values() for name in names.split()}
    found = statuses(bank)
    assert {name for name, status in found.items() if status == "fail"} == errors
    assert {name for name, status in found.items() if status == "warn"} == warnings
    assert "error" not in found.values()
    assert code == (1 if errors else 0)


def test_there_are_planted_rows_for_every_expectation(duckdb_bank: Settings) -> None:
    planted = {
        name for groups in PLANTED.values() for group in groups for names in group.values() for name in
        " ".join(names).split()
    }  # fmt: skip
    with open_warehouse(duckdb_bank) as wh:
        run = read_run(wh, RUN)
        named = {
            expectation.meta["name"]
            for suite in GATES
            for asset in runner.SUITES[suite](wh, run)
            for expectation in asset.expectations
        }
    # A schema without tables cannot be reached by rows: the marts' own absence is a test of its own.
    assert named - planted == {"the_run_has_tables"}
