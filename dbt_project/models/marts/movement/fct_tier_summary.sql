{%- set measures = {
    'int_tier_stock': [
        'count_customers', 'sum_amount_365d', 'count_known_balances', 'sum_balance', 'sum_product_families',
        'count_multi_product',
    ],
    'int_tier_satisfaction': ['count_answers', 'count_satisfied'],
    'int_tier_churn': ['count_at_start', 'count_churned'],
} -%}
with

run_dates as (
    select * from {{ ref('int_run_dates') }}
),

churn_policy as (
    {{ policy_in_force(ref('policy_churn'), 'run_dates') }}
),

plan as (
    {{ policy_in_force(ref('policy_tier_plan'), 'run_dates') }}
),

policy as (
    select * from {{ ref('int_tier_policy') }}
),

{# Every tier that policy knows, for each kind and for all; where the kinds' labels differ, all has those of persons. #}
tiers as (
    select
        scheme,
        customer_kind,
        tier,
        tier_en,
        tier_zh,
        tier_order,
        as_of_date
    from policy

    union all

    select
        scheme,
        'all' as customer_kind,
        tier,
        coalesce(max(case when customer_kind = 'personal' then tier_en end), max(tier_en)) as tier_en,
        coalesce(max(case when customer_kind = 'personal' then tier_zh end), max(tier_zh)) as tier_zh,
        coalesce(max(case when customer_kind = 'personal' then tier_order end), max(tier_order)) as tier_order,
        as_of_date
    from policy
    group by as_of_date, scheme, tier
),

{%- for model, columns in measures.items() %}
    every_{{ model }} as (
        {{ with_all_kinds(ref(model), ['as_of_date', 'scheme', 'tier'] + columns) }}
    ),

    of_{{ model }} as (
        select
            scheme,
            customer_kind,
            tier,
            {%- for column in columns %}
                sum({{ column }}) as {{ column }},
            {%- endfor %}
            as_of_date
        from every_{{ model }}
        group by as_of_date, scheme, customer_kind, tier
    ),
{%- endfor %}

joined as (
    select
        tiers.*,
        base_dates.from_date as churn_from_date,
        {%- for model, columns in measures.items() %}
            {%- for column in columns if column != 'count_at_start' and column != 'sum_balance' %}
                coalesce(of_{{ model }}.{{ column }}, 0) as {{ column }},
            {%- endfor %}
        {%- endfor %}
        {# A tier that nobody was in has 0 only where the scheme knows of anybody. #}
        case
            when
                max(of_int_tier_churn.count_at_start) over (partition by tiers.as_of_date, tiers.scheme)
                is not null
                then coalesce(of_int_tier_churn.count_at_start, 0)
        end as count_at_start,
        of_int_tier_stock.sum_balance,
        sum(of_int_tier_stock.count_customers) over (
            partition by tiers.as_of_date, tiers.scheme, tiers.customer_kind
        ) as count_all_tiers
    from tiers
    left join {{ ref('int_tier_base_dates') }} as base_dates
        on
            tiers.as_of_date = base_dates.as_of_date
            and base_dates.period = 'churn'
    {%- for model in measures %}
        left join of_{{ model }}
            on
                tiers.as_of_date = of_{{ model }}.as_of_date
                and tiers.scheme = of_{{ model }}.scheme
                and tiers.customer_kind = of_{{ model }}.customer_kind
                and tiers.tier = of_{{ model }}.tier
    {%- endfor %}
),

rated as (
    select
        joined.*,
        {{ divide_exact('joined.count_churned', 'joined.count_at_start', 6) }} as churn_rate_period
    from joined
),

final as (
    select
        rated.scheme,
        rated.customer_kind,
        rated.tier,
        rated.tier_en,
        rated.tier_zh,
        run_dates.reporting_currency_code as currency_code,
        rated.tier_order,
        cast(rated.count_customers as integer) as count_customers,
        {{ divide_exact('rated.count_customers', 'rated.count_all_tiers', 6) }} as share_of_customers,
        cast(rated.sum_amount_365d as {{ money() }}) as sum_amount_365d,
        {{ divide_exact('rated.sum_amount_365d', 'rated.count_customers', 2) }} as mean_amount_365d,
        cast(rated.count_known_balances as integer) as count_known_balances,
        cast(rated.sum_balance as {{ money() }}) as sum_balance,
        {{ divide_exact('rated.sum_balance', 'rated.count_known_balances', 2) }} as mean_balance,
        {{ divide_exact('rated.sum_product_families', 'rated.count_customers', 4) }} as mean_product_families,
        {{ divide_exact('rated.count_multi_product', 'rated.count_customers', 6) }} as multi_product_share,
        cast(rated.count_answers as integer) as count_answers,
        {{ divide_exact('rated.count_satisfied', 'rated.count_answers', 6) }} as satisfaction_share,
        cast(rated.count_at_start as integer) as count_at_start,
        case when rated.count_at_start is not null then cast(rated.count_churned as integer) end as count_churned,
        rated.churn_rate_period,
        {{ annualised('rated.churn_rate_period', 'churn_policy.outcome_days') }} as churn_rate_annualised,
        plan_of_tier.count_customers as plan_count_customers,
        plan_of_tier.churn_rate_annual as plan_churn_rate_annualised,
        plan_of_kind.count_customers as plan_kind_count_customers,
        plan_of_kind.churn_rate_annual as plan_kind_churn_rate_annualised,
        plan_of_kind.satisfaction_share as plan_satisfaction_share,
        rated.as_of_date,
        rated.churn_from_date
    from rated
    inner join run_dates on rated.as_of_date = run_dates.as_of_date
    inner join churn_policy on rated.as_of_date = churn_policy.as_of_date
    left join plan as plan_of_tier
        on
            rated.as_of_date = plan_of_tier.as_of_date
            and rated.scheme = plan_of_tier.scheme
            and rated.customer_kind = plan_of_tier.customer_kind
            and rated.tier = plan_of_tier.tier
    left join plan as plan_of_kind
        on
            rated.as_of_date = plan_of_kind.as_of_date
            and rated.customer_kind = plan_of_kind.customer_kind
            and plan_of_kind.scheme = 'all'
)

select * from final
