{{ config(tags=['after_scores']) }}

with

run_dates as (
    select * from {{ ref('int_run_dates') }}
),

band_policy as (
    {{ policy_in_force(ref('policy_risk_bands'), 'run_dates') }}
),

scores as (
    select
        customer_id,
        model_version,
        cast(churn_probability as numeric(9, 8)) as churn_probability,
        as_of_date
    from {{ ref('stg_churn_scores') }}
),

{# Equal probabilities share a decile: the one of the riskiest of them. #}
ranked as (
    select
        scores.*,
        count(*) over (partition by scores.as_of_date) as count_scored,
        rank() over (partition by scores.as_of_date order by scores.churn_probability desc) as risk_rank
    from scores
),

final as (
    select
        ranked.customer_id,
        ranked.model_version,
        band_policy.risk_band,
        band_policy.risk_band_en,
        band_policy.risk_band_zh,
        cast({{ divide_whole('10 * (ranked.risk_rank - 1)', 'ranked.count_scored') }} + 1 as integer) as risk_decile,
        ranked.churn_probability,
        ranked.as_of_date
    from ranked
    inner join band_policy
        on
            ranked.as_of_date = band_policy.as_of_date
            and {{ in_band('ranked.churn_probability', 'band_policy') }}
)

select * from final
