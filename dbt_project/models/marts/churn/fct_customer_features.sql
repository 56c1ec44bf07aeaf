{#
    The one text of every feature, for training and for scoring; ml/churn/features.yaml is the catalogue. Only rows dated on
    or before the as-of date and known by its cutoff enter. Sex, age and disability are carried for figures about groups and
    are never learned from.
#}
{%- set doubles = [
    'count_transactions_30d', 'count_transactions_90d', 'count_transactions_365d', 'count_active_days_90d',
    'sum_amount_30d', 'sum_amount_90d', 'sum_amount_365d', 'sum_outflow_90d', 'closing_balance', 'mean_balance_30d',
    'mean_balance_90d',
] -%}
{%- set channels = ['branch', 'atm', 'pos', 'mobile', 'web', 'phone'] -%}
{%- set spans = range(1, 7) -%}

with

customers as (
    select * from {{ ref('int_customers_at') }}
),

activity as (
    select * from {{ ref('fct_customer_activity') }}
),

usage as (
    select * from {{ ref('int_customer_usage') }}
),

observations as (
    select *
    from {{ ref('int_observations') }}
    where observation_kind = 'snapshot'
),

open_spells as (
    select
        customer_id,
        as_of_date
    from {{ ref('int_churn_spells') }}
    where is_open_spell
),

market_ranked as (
    select
        observations.observed_on,
        market.competitor_deposit_rate - market.own_deposit_rate as rate_gap,
        row_number() over (partition by observations.observed_on order by market.market_on desc) as recency_rank
    from observations
    inner join {{ ref('stg_market_environment') }} as market
        on
            observations.observed_on >= market.market_on
            and observations.known_by_on >= market.known_date
),

joined as (
    select
        customers.customer_id,
        customers.customer_kind,
        coalesce(customers.sex, 'unknown') as sex,
        customers.age_band,
        case customers.is_disabled when true then 'yes' when false then 'no' else 'unknown' end as is_disabled,
        pyramid.annual_income_amount as annual_income,
        customers.tenure_days,
        customers.count_open_accounts,
        customers.count_product_families,
        customers.is_open,
        customers.min_tenure_days,
        customers.as_of_date,
        {{ days_between('customers.as_of_date', 'customers.next_maturity_on') }} as days_to_next_maturity,
        {# The days of the last 365 on which we could have seen the customer act. #}
        greatest(
            least(
                365,
                customers.tenure_days + 1,
                {{ days_between('observations.data_started_on', 'customers.as_of_date') }} + 1
            ), 1
        ) as days_seen,
        activity.days_since_last_activity,
        activity.count_digital_transactions_90d,
        {%- for measure in doubles %}
            activity.{{ measure }},
        {%- endfor %}
        activity.sum_inflow_90d,
        activity.mean_balance_prior_90d,
        activity.mean_assets_90d,
        activity.closing_debts,
        coalesce(usage.count_branch_transactions_90d, 0) as count_branch_transactions_90d,
        {%- for channel in channels %}
            least(coalesce(usage.count_{{ channel }}_transactions_90d, 0), 1) as uses_{{ channel }},
        {%- endfor %}
        usage.count_mobile_transactions_365d + usage.count_web_transactions_365d as count_digital_transactions_365d,
        usage.count_transactions_on_day_6_365d + usage.count_transactions_on_day_7_365d as count_weekend_365d,
        usage.count_night_transactions_365d + usage.count_evening_transactions_365d as count_late_365d,
        usage.count_night_transactions_365d
        + usage.count_morning_transactions_365d
        + usage.count_afternoon_transactions_365d
        + usage.count_evening_transactions_365d as count_with_hour_365d,
        {%- for span in spans %}
            cast(coalesce(usage.count_transactions_in_month_{{ span }}, 0) as bigint) as count_in_month_{{ span }},
        {%- endfor %}
        coalesce(usage.count_card_payments_90d, 0) as count_card_payments_90d,
        {{ days_between('usage.last_card_payment_on', 'customers.as_of_date') }} as days_since_card_use,
        coalesce(usage.max_amount_30d, 0) as max_amount_30d,
        usage.max_pay_31d,
        usage.max_pay_365d,
        liquid.mean_liquid_365d,
        liquid.ratio_to_year_mean,
        liquid.ratio_to_year_peak,
        liquid.volatility_365d,
        liquid.slope_180d,
        balances.mean_balance_90d_of_term_deposit_amount + balances.mean_balance_90d_of_wealth_amount as tied_assets,
        balances.mean_balance_90d_of_savings_amount
        + balances.mean_balance_90d_of_term_deposit_amount
        + balances.mean_balance_90d_of_wealth_amount as rate_earning_assets,
        coalesce(holdings.count_accounts_closed_365d, 0) as count_accounts_closed_365d,
        coalesce(holdings.count_cards, 0) as count_cards,
        coalesce(holdings.holds_what_earns_a_rate, false) as holds_what_earns_a_rate,
        {{ days_between('customers.as_of_date', 'holdings.next_loan_end_on') }} as days_to_loan_end,
        tiers.value_tier,
        rfm.r_score,
        rfm.f_score,
        rfm.m_score,
        changes.change_in_value_tier_1m,
        changes.change_in_value_tier_3m,
        changes.change_in_rfm_points_1m,
        changes.change_in_rfm_points_3m,
        coalesce(complaints.count_complaints_180d, 0) as count_complaints_180d,
        coalesce(complaints.count_open_complaints, 0) as count_open_complaints,
        coalesce(complaints.count_complaints_without_result_365d, 0) as count_complaints_without_result_365d,
        complaints.mean_days_to_resolve_365d,
        satisfaction.last_score,
        satisfaction.change_of_score,
        arrears.max_days_past_due_180d,
        coalesce(arrears.days_past_due, 0) as days_past_due,
        coalesce(marketing.count_contacts_90d, 0) as count_contacts_90d,
        coalesce(marketing.count_contacts_180d, 0) as count_contacts_180d,
        coalesce(marketing.count_accepted_365d, 0) as count_accepted_365d,
        coalesce(marketing.net_points_365d, 0) as net_points_365d,
        profit.net_profit_90d,
        market_ranked.rate_gap,
        risk.index_score as risk_index_score,
        open_spells.customer_id is not null as is_in_spell
    from customers
    inner join observations on customers.as_of_date = observations.as_of_date
    inner join activity
        on
            customers.customer_id = activity.customer_id
            and customers.as_of_date = activity.as_of_date
    inner join {{ ref('fct_customer_profit') }} as profit
        on
            customers.customer_id = profit.customer_id
            and customers.as_of_date = profit.as_of_date
    inner join {{ ref('fct_customer_value_tiers') }} as tiers
        on
            customers.customer_id = tiers.customer_id
            and customers.as_of_date = tiers.as_of_date
    inner join {{ ref('fct_customer_rfm') }} as rfm
        on
            customers.customer_id = rfm.customer_id
            and customers.as_of_date = rfm.as_of_date
    inner join {{ ref('fct_customer_pyramid_tiers') }} as pyramid
        on
            customers.customer_id = pyramid.customer_id
            and customers.as_of_date = pyramid.as_of_date
    left join {{ ref('fct_customer_risk_index') }} as risk
        on
            customers.customer_id = risk.customer_id
            and customers.as_of_date = risk.as_of_date
    left join open_spells
        on
            customers.customer_id = open_spells.customer_id
            and customers.as_of_date = open_spells.as_of_date
    left join {{ ref('int_tier_and_rfm_changes') }} as changes
        on
            customers.customer_id = changes.customer_id
            and customers.as_of_date = changes.as_of_date
    {%- for alias, model in {
        'usage': 'usage', 'balances': ref('int_customer_balances'), 'liquid': ref('int_liquid_balances'),
        'holdings': ref('int_holdings'), 'complaints': ref('int_complaints'), 'satisfaction': ref('int_satisfaction'),
        'arrears': ref('int_loan_arrears'), 'marketing': ref('int_campaigns_and_loyalty'),
    }.items() %}
        left join {{ model }}{{ ' as ' ~ alias if model != alias }}
            on
                customers.customer_id = {{ alias }}.customer_id
                and customers.observed_on = {{ alias }}.observed_on
                and customers.known_by_on = {{ alias }}.known_by_on
    {%- endfor %}
    left join market_ranked
        on
            customers.as_of_date = market_ranked.observed_on
            and market_ranked.recency_rank = 1
),

{# What is usual for the kind: acts a day seen of all open customers of the same snapshot. #}
measured as (
    select
        *,
        sum(case when is_open then count_transactions_365d else 0 end) over of_kind as count_transactions_of_kind,
        sum(case when is_open then days_seen else 0 end) over of_kind as days_seen_of_kind,
        {%- for span in spans %}
            count_in_month_{{ span }}{{ ' +' if not loop.last else ' as count_transactions_180d,' }}
        {%- endfor %}
        {# For a slope by least squares and a standard deviation: whole numbers until the last division, of 64 bits, for
            squares of a payroll's acts outgrow 32. #}
        {%- for span in spans %}
            {{ 7 - 2 * span }} * count_in_month_{{ span }}{{ ' +' if not loop.last else ' as slope_of_spans,' }}
        {%- endfor %}
        {%- for span in spans %}
            count_in_month_{{ span }} * count_in_month_{{ span }}{{ ' +' if not loop.last else ' as squares_of_spans' }}
        {%- endfor %}
    from joined
    window of_kind as (partition by as_of_date, customer_kind)
),

final as (
    select
        as_of_date,
        customer_id,
        is_open and tenure_days >= min_tenure_days and not is_in_spell as is_eligible,
        customer_kind,
        value_tier,
        sex,
        age_band,
        is_disabled,
        cast(risk_index_score as {{ double() }}) as risk_index_score,
        {%- for measure in ['tenure_days', 'days_since_last_activity'] + doubles %}
            cast({{ measure }} as {{ double() }}) as {{ measure }},
        {%- endfor %}
        {{ ratio('count_transactions_30d', 'count_transactions_90d') }} as ratio_transactions_30d_to_90d,
        {{ ratio('sum_amount_90d', 'sum_amount_365d') }} as ratio_amount_90d_to_365d,
        {{ ratio('count_digital_transactions_90d', 'count_transactions_90d') }} as share_digital_90d,
        {{ ratio('mean_balance_90d', 'mean_balance_prior_90d') }} as ratio_balance_90d_to_prior_90d,
        {{ ratio('closing_balance', 'mean_balance_90d') }} as ratio_closing_to_mean_balance_90d,
        cast(count_open_accounts as {{ double() }}) as count_open_accounts,
        cast(count_product_families as {{ double() }}) as count_product_families,
        cast(count_complaints_180d as {{ double() }}) as count_complaints_180d,
        cast(last_score as {{ double() }}) as last_satisfaction_score,
        cast(max_days_past_due_180d as {{ double() }}) as max_days_past_due_180d,
        cast(count_contacts_180d as {{ double() }}) as count_campaign_contacts_180d,
        cast(days_to_next_maturity as {{ double() }}) as days_to_next_maturity,
        case when holds_what_earns_a_rate then cast(rate_gap * 100 as {{ double() }}) else 0 end as rate_gap,
        cast(r_score as {{ double() }}) as rfm_recency_score,
        cast(f_score as {{ double() }}) as rfm_frequency_score,
        cast(m_score as {{ double() }}) as rfm_monetary_score,
        {# A new customer may yet leave as lightly as he came: falls by a factor e every three years. #}
        exp(-cast(tenure_days as {{ double() }}) / 1095.75e0) as tenure_decay,
        cast(annual_income as {{ double() }}) as annual_income,
        {# The same days are silence for one customer and usual for another. #}
        {{ ratio('days_since_last_activity * count_transactions_365d', 'days_seen') }} as acts_missed_since_last,
        {%- for length in [30, 90] %}
            {{
                ratio(
                    'count_transactions_' ~ length ~ 'd * days_seen',
                    'count_transactions_365d * least(' ~ length ~ ', days_seen)',
                )
            }} as activity_{{ length }}d_to_own_year,
        {%- endfor %}
        {# Without half a year to look at, the days before the first would look like growth. #}
        case when days_seen >= 180 then {{ ratio('6 * slope_of_spans', '35 * count_transactions_180d') }} end
            as slope_transactions_180d,
        case
            when days_seen >= 180 and count_transactions_180d > 0
                then
                    sqrt(
                        cast(6 * squares_of_spans - count_transactions_180d * count_transactions_180d as {{ double() }})
                    ) / count_transactions_180d
        end as volatility_transactions_180d,
        {{ ratio('count_transactions_365d * days_seen_of_kind', 'days_seen * count_transactions_of_kind') }}
            as ratio_transactions_to_kind_365d,
        {{ ratio('count_digital_transactions_90d', 'count_transactions_90d') }}
        - {{ ratio('count_digital_transactions_365d', 'count_transactions_365d') }} as change_in_digital_share_90d,
        {{ ratio('count_branch_transactions_90d', 'count_transactions_90d') }} as share_branch_90d,
        cast(
            {%- for channel in channels %}
                uses_{{ channel }}{{ ' +' if not loop.last }}
            {%- endfor %} as {{ double() }}
        ) as count_channels_90d,
        {{ ratio('count_weekend_365d', 'count_transactions_365d') }} as share_weekend_365d,
        {{ ratio('count_late_365d', 'count_with_hour_365d') }} as share_evening_and_night_365d,
        {{ ratio('max_pay_31d', 'max_pay_365d') }} as ratio_pay_31d_to_365d,
        {{ ratio('sum_outflow_90d', 'sum_inflow_90d') }} as ratio_outflow_to_inflow_90d,
        {{ ratio('max_amount_30d', 'mean_balance_90d') }} as ratio_largest_amount_30d_to_balance,
        case
            when mean_liquid_365d > 0 and sum_amount_365d > 0
                then
                    ln(mean_liquid_365d * days_seen / (cast(sum_amount_365d as {{ double() }}) * 365))
        end as log_balance_to_turnover,
        case
            when mean_liquid_365d > 0 and annual_income > 0
                then ln(mean_liquid_365d / cast(annual_income as {{ double() }}))
        end as log_balance_to_income,
        ratio_to_year_mean as ratio_liquid_to_year_mean,
        ratio_to_year_peak as ratio_liquid_to_year_peak,
        slope_180d as slope_liquid_180d,
        volatility_365d as volatility_liquid_365d,
        cast(mean_assets_90d as {{ double() }}) as mean_assets_90d,
        {{ ratio('tied_assets', 'mean_assets_90d') }} as share_tied_assets_90d,
        cast(case when count_product_families = 1 then 1 else 0 end as {{ double() }}) as holds_one_family,
        cast(count_accounts_closed_365d as {{ double() }}) as count_accounts_closed_365d,
        cast(closing_debts as {{ double() }}) as outstanding_debts,
        cast(days_to_loan_end as {{ double() }}) as days_to_loan_end,
        cast(days_past_due as {{ double() }}) as days_past_due,
        cast(count_cards as {{ double() }}) as count_cards,
        cast(count_card_payments_90d as {{ double() }}) as count_card_payments_90d,
        cast(days_since_card_use as {{ double() }}) as days_since_card_use,
        cast(count_open_complaints as {{ double() }}) as count_open_complaints,
        cast(count_complaints_without_result_365d as {{ double() }}) as count_complaints_without_result_365d,
        mean_days_to_resolve_365d,
        change_of_score as change_in_satisfaction,
        {%- for change in ['value_tier', 'rfm_points'] %}
            {%- for span in ['1m', '3m'] %}
                cast(change_in_{{ change }}_{{ span }} as {{ double() }}) as change_in_{{ change }}_{{ span }},
            {%- endfor %}
        {%- endfor %}
        case
            when holds_what_earns_a_rate
                then cast(rate_gap as {{ double() }}) * cast(rate_earning_assets as {{ double() }})
            else 0
        end as forgone_interest,
        cast(count_contacts_90d as {{ double() }}) as count_campaign_contacts_90d,
        cast(count_accepted_365d as {{ double() }}) as count_accepted_offers_365d,
        cast(net_points_365d as {{ double() }}) as net_loyalty_points_365d,
        cast(net_profit_90d as {{ double() }}) as net_profit_90d
    from measured
)

select * from final
