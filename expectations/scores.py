"""What must be true of a run's churn scores before they may be published."""

from __future__ import annotations

from itertools import pairwise

import great_expectations.expectations as gxe

from expectations.asset import WARN, Asset, Rule, between, every_row, named, not_null
from warehouse import Warehouse
from warehouse.runs import Run

# A calibrated model's mean score is near the rate it was trained on; three times or a third of it means that
# the bank, or the features, are not what the model saw.
MEAN_SCORE_BAND = (1 / 3, 3.0)
# In log-odds and in probability; of the log-odds where they exceed 1.
EXPLAINED_WITHIN = 1e-6
REASON_RANKS = range(1, 6)


def assets(wh: Warehouse, run: Run) -> list[Asset]:
    """The scores suite: a run noted as too young must have no scores, any other must have them."""
    return [
        scores(run),
        reasons(run),
        coverage(run, is_too_young="too young" in (run.note or "")),
        level(run),
    ]


def scores(run: Run) -> Asset:
    """Every score of the run."""
    relation = f"{run.run_id}.fct_churn_scores"
    columns = ("churn_probability", "risk_decile", "risk_band", "model_version")
    return every_row(
        relation=relation,
        columns=", ".join(columns),
        source=relation,
        rules=[
            between("churn_probability", "probabilities_are_0_to_1", low=0, high=1),
            between("risk_decile", "risk_deciles_are_1_to_10", low=1, high=10),
            *(not_null(column, f"every_score_has_a_{column}") for column in columns),
        ],
        reads=(relation,),
    )


def reasons(run: Run) -> Asset:
    """Every score as the model told it: its log-odds are base, reasons and rest, its probability their
    sigmoid.
    """
    relation = f"{run.run_id}.raw_churn_scores"
    told = [(f"reason_{rank}", f"contribution_{rank}") for rank in REASON_RANKS]
    added_up = " + ".join(
        ["base_log_odds", "contribution_rest", *(f"coalesce({amount}, 0)" for _, amount in told)]
    )
    # exp() of less than -708 or so is an error on PostgreSQL.
    sigmoid = "1 / (1 + exp(-greatest(-700, least(700, log_odds))))"
    falls = " or ".join(
        f"coalesce({later}, 0) > coalesce({earlier}, 0)" for (_, earlier), (_, later) in pairwise(told)
    )
    paired = " or ".join(f"({reason} is null) != ({amount} is null)" for reason, amount in told)
    parts = ("churn_probability", "log_odds", "base_log_odds", "contribution_rest")
    return every_row(
        relation=relation,
        columns="*",
        source=relation,
        rules=[
            Rule("every_score_has_its_parts", " or ".join(f"{part} is null" for part in parts)),
            Rule(
                "log_odds_are_base_reasons_and_rest",
                f"abs({added_up} - log_odds) > {EXPLAINED_WITHIN:.6f} * greatest(1, abs(log_odds))",
            ),
            Rule(
                "probabilities_are_the_sigmoid_of_their_log_odds",
                f"abs({sigmoid} - churn_probability) > {EXPLAINED_WITHIN:.6f}",
            ),
            Rule("reasons_raise_the_score", " or ".join(f"{amount} <= 0" for _, amount in told)),
            Rule("reasons_are_told_largest_first", falls),
            Rule("every_reason_has_its_contribution", paired),
        ],
        reads=(relation,),
    )


def coverage(run: Run, *, is_too_young: bool) -> Asset:
    """Who was scored against who should have been, one row: the dates scored and the run's own date."""
    schema = run.run_id
    if is_too_young:
        extent = gxe.ExpectColumnValuesToBeInSet(
            column="count_scores", value_set=[0], meta=named("a_bank_too_young_has_no_scores")
        )
    else:
        extent = gxe.ExpectColumnPairValuesToBeEqual(
            column_A="count_eligible_scored",
            column_B="count_eligible",
            meta=named("every_eligible_customer_is_scored"),
        )
    expectations = [
        extent,
        gxe.ExpectColumnPairValuesToBeEqual(
            column_A="count_scores",
            column_B="count_customers_scored",
            meta=named("no_customer_is_scored_twice"),
        ),
        gxe.ExpectColumnPairValuesToBeEqual(
            column_A="count_scores",
            column_B="count_eligible_scored",
            meta=named("nobody_is_scored_who_is_not_eligible"),
        ),
    ]
    if not is_too_young:
        expectations += [
            gxe.ExpectColumnValuesToBeBetween(
                column="count_scores", min_value=1, meta=named("there_are_scores_unless_too_young")
            ),
            gxe.ExpectColumnValuesToBeInSet(
                column="count_models", value_set=[1], meta=named("one_model_gave_all_scores")
            ),
        ]
    return Asset(
        relation=f"{schema}.fct_churn_scores",
        query=f"""
        with scored as (
            select
                as_of_date,
                customer_id,
                count(*) as count_scores,
                min(model_version) as first_model,
                max(model_version) as last_model
            from {schema}.fct_churn_scores
            group by as_of_date, customer_id
        ),

        eligible as (
            select as_of_date, customer_id
            from {schema}.fct_customer_features
            where
                is_eligible
                and (as_of_date = date '{run.as_of_date}' or as_of_date in (select as_of_date from scored))
        )

        select
            coalesce(sum(scored.count_scores), 0) as count_scores,
            count(scored.customer_id) as count_customers_scored,
            count(eligible.customer_id) as count_eligible,
            count(case when scored.customer_id = eligible.customer_id then 1 end) as count_eligible_scored,
            case
                when count(scored.customer_id) = 0 then 0
                when min(scored.first_model) = max(scored.last_model) then 1
                else 2
            end as count_models
        from scored
        full outer join eligible
            on scored.customer_id = eligible.customer_id and scored.as_of_date = eligible.as_of_date
        """,
        expectations=tuple(expectations),
        reads=(f"{schema}.fct_churn_scores", f"{schema}.fct_customer_features"),
    )


def level(run: Run) -> Asset:
    """The mean score against the churn rate the model was trained on, one row a model version."""
    schema = run.run_id
    return Asset(
        relation=f"{schema}.fct_churn_scores",
        query=f"""
        with trained as (
            select
                model_version,
                max(churners_trained * 1.0e0 / nullif(rows_trained, 0)) as base_rate
            from ops.training_runs
            where model_version is not null
            group by model_version
        )

        select
            scored.model_version,
            avg(cast(scored.churn_probability as double precision)) / nullif(max(trained.base_rate), 0)
                as level_ratio,
            count(trained.model_version) as count_rows_with_training
        from {schema}.fct_churn_scores as scored
        left join trained on scored.model_version = trained.model_version
        group by scored.model_version
        """,
        expectations=(
            gxe.ExpectColumnValuesToBeBetween(
                column="count_rows_with_training",
                min_value=1,
                meta=named("the_model_of_the_scores_has_a_training_run"),
            ),
            gxe.ExpectColumnValuesToBeBetween(
                column="level_ratio",
                min_value=MEAN_SCORE_BAND[0],
                max_value=MEAN_SCORE_BAND[1],
                severity=WARN,
                meta=named("mean_score_is_near_the_rate_trained_on"),
            ),
        ),
        reads=(f"{schema}.fct_churn_scores", "ops.training_runs"),
    )
