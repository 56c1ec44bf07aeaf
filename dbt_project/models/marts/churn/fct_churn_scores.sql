{{ config(tags=['after_scores']) }}

with

run_dates as (
    select * from {{ ref('int_run_dates') }}
),

band_policy as (
    {{ policy_in_force(ref('policy_risk_bands'), 'run_dates') }}
),

value_policy as (
    {{ policy_in_force(ref('policy_churn_value'), 'run_dates') }}
),

years_lost as (
    select
        as_of_date,
        {{ present_value_of_a_year('horizon_months', 'discount_rate_annual') }} as count_years
    from value_policy
),

{# As published, in a type so wide that DuckDB's product with an amount has room. #}
scores as (
    select
        customer_id,
        model_version,
        cast(cast(churn_probability as numeric(9, 8)) as numeric(20, 8)) as churn_probability,
        as_of_date
    from {{ ref('stg_churn_scores') }}
),

first_reasons as (
    select *
    from {{ ref('fct_churn_reason_codes') }}
    where reason_rank = 1
),

money as (
    select
        activity.customer_id,
        activity.currency_code,
        activity.closing_balance,
        {{ divide_exact('profit.net_profit_90d * 365', '90') }} as annual_profit_amount,
        activity.as_of_date
    from {{ ref('fct_customer_activity') }} as activity
    left join {{ ref('fct_customer_profit') }} as profit
        on
            activity.customer_id = profit.customer_id
            and activity.as_of_date = profit.as_of_date
),

customers as (
    select
        customer_id,
        branch_id,
        as_of_date
    from {{ ref('dim_customers') }}
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
        customers.branch_id,
        band_policy.risk_band,
        band_policy.risk_band_en,
        band_policy.risk_band_zh,
        first_reasons.reason_code as reason_1,
        first_reasons.reason_en as reason_1_en,
        first_reasons.reason_zh as reason_1_zh,
        money.currency_code,
        cast({{ divide_whole('10 * (ranked.risk_rank - 1)', 'ranked.count_scored') }} + 1 as integer) as risk_decile,
        cast(ranked.churn_probability as numeric(9, 8)) as churn_probability,
        money.annual_profit_amount,
        {# Who costs the bank money is no loss; of whom the profit is unknown, so is the loss. #}
        cast(
            case
                when money.annual_profit_amount <= 0 then 0
                else round(ranked.churn_probability * money.annual_profit_amount * years_lost.count_years, 2)
            end as {{ money() }}
        ) as expected_loss_amount,
        {# Who owes the bank on a current account has no deposits to take away. #}
        cast(
            round(ranked.churn_probability * ({{ not_below_zero('money.closing_balance') }}), 2) as {{ money() }}
        ) as balance_at_risk_amount,
        ranked.as_of_date
    from ranked
    inner join band_policy
        on
            ranked.as_of_date = band_policy.as_of_date
            and {{ in_band('ranked.churn_probability', 'band_policy') }}
    inner join years_lost on ranked.as_of_date = years_lost.as_of_date
    left join customers
        on
            ranked.customer_id = customers.customer_id
            and ranked.as_of_date = customers.as_of_date
    left join money
        on
            ranked.customer_id = money.customer_id
            and ranked.as_of_date = money.as_of_date
    left join first_reasons
        on
            ranked.customer_id = first_reasons.customer_id
            and ranked.as_of_date = first_reasons.as_of_date
)

select * from final
