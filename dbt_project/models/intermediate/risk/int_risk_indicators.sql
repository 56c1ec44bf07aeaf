{#
    What the risk index is made of: the value of each indicator, and its place on the frozen scale of the policy, 0 to 100
    (100 riskiest), the neutral value where it is unknown. All values have two decimals: rates are in basis points,
    shares in per cent. A table, for PostgreSQL computes a column of a view anew wherever it is named.
#}
with

run_dates as (
    select * from {{ ref('int_run_dates') }}
),

indicator_rows as (
    {{ policy_in_force(ref('policy_risk_indicators'), 'run_dates', ['policy.customer_kind']) }}
),

reference as (
    {{ risk_policy('indicator_rows', ['lower_value', 'middle_value', 'upper_value', 'direction']) }}
),

index_policy as (
    {{ policy_in_force(ref('policy_risk_index'), 'run_dates', ['policy.customer_kind']) }}
),

education_levels as (
    {{ policy_in_force(ref('policy_education_levels'), 'run_dates') }}
),

observations as (
    select *
    from {{ ref('int_observations') }}
    where observation_kind = 'snapshot'
),

market_ranked as (
    select
        observations.as_of_date,
        market.policy_rate,
        market.competitor_deposit_rate - market.own_deposit_rate as rate_gap,
        row_number() over (partition by observations.as_of_date order by market.market_on desc) as recency_rank
    from observations
    inner join {{ ref('stg_market_environment') }} as market
        on
            observations.observed_on >= market.market_on
            and observations.known_by_on >= market.known_date
),

measured as (
    select
        customers.customer_id,
        customers.customer_kind,
        cast(customers.age_years as {{ money() }}) as value_age,
        cast(case customers.sex when 'male' then 0 when 'female' then 1 end as {{ money() }}) as value_sex,
        cast(education_levels.education_level as {{ money() }}) as value_education,
        pyramid.annual_income_amount as value_income,
        activity.closing_assets as value_assets,
        cast(customers.count_product_families as {{ money() }}) as value_products,
        cast(activity.count_transactions_90d as {{ money() }}) as value_transactions,
        {# Of all that lies between bank and customer, what is lent, an overdraft too. Who has neither borrows nothing. #}
        case
            when activity.closing_debts = 0 and activity.closing_assets = 0 then cast(0 as {{ money() }})
            else {{ divide_exact(
                '100 * (activity.closing_debts + ' ~ not_below_zero('-activity.closing_assets') ~ ')',
                '(activity.closing_debts + abs(activity.closing_assets))', 2
            ) }}
        end as value_credit_use,
        {# A better offer draws away what earns interest; who holds nothing of it is not in its reach. #}
        cast(case when holdings.holds_what_earns_a_rate then market.rate_gap * 10000 else 0 end as {{ money() }})
            as value_rate_gap,
        cast(market.policy_rate * 10000 as {{ money() }}) as value_policy_rate,
        customers.as_of_date
    from {{ ref('int_customers_at') }} as customers
    inner join {{ ref('fct_customer_activity') }} as activity
        on
            customers.customer_id = activity.customer_id
            and customers.as_of_date = activity.as_of_date
    inner join {{ ref('fct_customer_pyramid_tiers') }} as pyramid
        on
            customers.customer_id = pyramid.customer_id
            and customers.as_of_date = pyramid.as_of_date
    left join {{ ref('int_holdings') }} as holdings
        on
            customers.customer_id = holdings.customer_id
            and customers.observed_on = holdings.observed_on
            and customers.known_by_on = holdings.known_by_on
    left join education_levels
        on
            customers.as_of_date = education_levels.as_of_date
            and customers.education = education_levels.education
    left join market_ranked as market
        on
            customers.as_of_date = market.as_of_date
            and market.recency_rank = 1
    where customers.is_open
),

final as (
    select
        measured.customer_id,
        measured.customer_kind,
        {%- for indicator in risk_indicators() %}
            measured.value_{{ indicator }},
        {%- endfor %}
        {%- for indicator in risk_indicators() %}
            cast(
                coalesce(
                    {{ risk_scaled('measured.value_' ~ indicator, 'reference', '_' ~ indicator) }},
                    100 * index_policy.neutral_value
                ) as numeric(9, 4)
            ) as scaled_{{ indicator }},
        {%- endfor %}
        measured.as_of_date
    from measured
    inner join reference
        on
            measured.as_of_date = reference.as_of_date
            and measured.customer_kind = reference.customer_kind
    inner join index_policy
        on
            measured.as_of_date = index_policy.as_of_date
            and measured.customer_kind = index_policy.customer_kind
)

select * from final
