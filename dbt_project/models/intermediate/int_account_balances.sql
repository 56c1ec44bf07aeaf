{# Balances on the observed day and their daily means over the windows before it, without a row per day: the balance
    of an earlier day is the closing balance less what flowed since, so the mean of n days that end `lag` days ago is
    (balance then) - sum of flow x (days of the window that came before it) / n. #}
{%- set anchor_days = 62 -%}

with

observations as (
    select * from {{ ref('int_observations') }}
),

{# Deposits, wealth and debts; a debt is a balance below zero. An insurance has none. #}
balance_accounts as (
    select *
    from {{ ref('int_account_states') }}
    where is_deposit or product_family in ('wealth', 'loan', 'card')
),

anchor_days as (
    {{ days_of('observations', add_days('observed_on', -anchor_days), 'observed_on') }}
),

recent_balances as (
    select
        balances.account_id,
        anchor_days.observed_on,
        anchor_days.known_by_on,
        balances.balance_amount,
        balances.balance_on,
        row_number() over (
            partition by balances.account_id, anchor_days.observed_on, anchor_days.known_by_on
            order by balances.balance_on desc
        ) as recency_rank
    from anchor_days
    inner join {{ ref('stg_month_end_balances') }} as balances
        on
            anchor_days.day = balances.balance_on
            and anchor_days.known_by_on >= balances.known_date
),

{# An account opened since the last month-end starts from nothing; an older one without a recent balance is unknown. #}
anchors as (
    select
        balance_accounts.account_id,
        balance_accounts.customer_id,
        balance_accounts.product_family,
        balance_accounts.currency_code,
        balance_accounts.term_months,
        coalesce(
            recent_balances.balance_amount,
            case
                when balance_accounts.opened_on > {{ add_days('balance_accounts.observed_on', -anchor_days) }} then 0
            end
        ) as anchor_amount,
        balance_accounts.is_deposit,
        balance_accounts.is_open,
        balance_accounts.observed_on,
        balance_accounts.known_by_on,
        coalesce(recent_balances.balance_on, {{ add_days('balance_accounts.opened_on', -1) }}) as anchor_on
    from balance_accounts
    left join recent_balances
        on
            balance_accounts.account_id = recent_balances.account_id
            and balance_accounts.observed_on = recent_balances.observed_on
            and balance_accounts.known_by_on = recent_balances.known_by_on
            and recent_balances.recency_rank = 1
),

flow_days as (
    {{
        days_of(
            'observations',
            'least(' ~ add_days('observed_on', -180) ~ ', ' ~ add_days('observed_on', '-lag_days - outcome_days')
            ~ ', ' ~ add_days('observed_on', '-3 * outcome_days') ~ ')',
            'observed_on'
        )
    }}
),

{# In whole cents: sums of integers are several times cheaper than sums of decimals, and as exact. #}
flows as not materialized (
    select
        facts.account_id,
        flow_days.observed_on,
        flow_days.known_by_on,
        cast(facts.sum_net_flow * 100 as bigint) as flow,
        flow_days.outcome_days,
        flow_days.lag_days,
        facts.activity_date,
        flow_days.days_ago
    from flow_days
    inner join {{ ref('fct_account_flows_daily') }} as facts
        on
            flow_days.day = facts.activity_date
            and flow_days.known_by_on >= facts.known_date
    {# The join says as much; this lets PostgreSQL read the range only. #}
    where facts.activity_date >= (select min(earliest.day) from flow_days as earliest)
),

{# `_before` sums weigh each flow with the days of the window that came before it. #}
windows as (
    select
        account_id,
        {{ sum_between('flow * (29 - days_ago)', 0, 30) }} as flow_before_30d,
        {{ sum_between('flow * (89 - days_ago)', 0, 90) }} as flow_before_90d,
        {{ sum_between('flow', 0, 90) }} as flow_90d,
        {{ sum_between('flow * (179 - days_ago)', 90, 180) }} as flow_before_prior_90d,
        {{ sum_between('flow * (outcome_days - 1 - days_ago)', 0, 'outcome_days') }} as flow_before_outcome,
        {{ sum_between('flow', 0, 'lag_days') }} as flow_since_start,
        {{ sum_between('flow * (lag_days + outcome_days - 1 - days_ago)', 'lag_days', 'lag_days + outcome_days') }}
            as flow_before_base,
        {{ sum_between('flow', 0, 'outcome_days') }} as flow_in_outcome,
        {{ sum_between('flow * (2 * outcome_days - 1 - days_ago)', 'outcome_days', '2 * outcome_days') }}
            as flow_before_lead,
        {{ sum_between('flow', 0, '2 * outcome_days') }} as flow_since_lead,
        {{ sum_between('flow * (3 * outcome_days - 1 - days_ago)', '2 * outcome_days', '3 * outcome_days') }}
            as flow_before_prior_lead,
        observed_on,
        known_by_on
    from flows
    group by account_id, observed_on, known_by_on
),

since_anchors as (
    select
        flows.account_id,
        sum(flows.flow) as flow_since_anchor,
        flows.observed_on,
        flows.known_by_on
    from flows
    inner join anchors
        on
            flows.account_id = anchors.account_id
            and flows.observed_on = anchors.observed_on
            and flows.known_by_on = anchors.known_by_on
            and flows.activity_date > anchors.anchor_on
    {# No anchor is older. #}
    where flows.days_ago < {{ anchor_days }}
    group by flows.account_id, flows.observed_on, flows.known_by_on
),

amounts as (
    select
        anchors.account_id,
        anchors.customer_id,
        anchors.product_family,
        anchors.currency_code,
        anchors.term_months,
        {%- for measure in [
            'flow_before_30d', 'flow_before_90d', 'flow_90d', 'flow_before_prior_90d', 'flow_before_outcome',
            'flow_since_start', 'flow_before_base', 'flow_in_outcome', 'flow_before_lead', 'flow_since_lead',
            'flow_before_prior_lead',
        ] %}
            {{ from_cents('coalesce(windows.' ~ measure ~ ', 0)') }} as {{ measure }},
        {%- endfor %}
        observations.outcome_days,
        case
            when anchors.is_open
                then
                    anchors.anchor_amount
                    + {{ from_cents('coalesce(since_anchors.flow_since_anchor, 0)') }}
            else 0
        end as closing_amount,
        anchors.is_deposit,
        anchors.observed_on,
        anchors.known_by_on
    from anchors
    inner join observations
        on
            anchors.observed_on = observations.observed_on
            and anchors.known_by_on = observations.known_by_on
    left join windows
        on
            anchors.account_id = windows.account_id
            and anchors.observed_on = windows.observed_on
            and anchors.known_by_on = windows.known_by_on
    left join since_anchors
        on
            anchors.account_id = since_anchors.account_id
            and anchors.observed_on = since_anchors.observed_on
            and anchors.known_by_on = since_anchors.known_by_on
),

final as (
    select
        account_id,
        customer_id,
        product_family,
        currency_code,
        term_months,
        cast(closing_amount as {{ money() }}) as closing_balance_amount,
        {{ divide_exact('closing_amount * 30 - flow_before_30d', 30) }} as mean_balance_30d_amount,
        {{ divide_exact('closing_amount * 90 - flow_before_90d', 90) }} as mean_balance_90d_amount,
        {{ divide_exact('(closing_amount - flow_90d) * 90 - flow_before_prior_90d', 90) }}
            as mean_balance_prior_90d_amount,
        {{ divide_exact('closing_amount * outcome_days - flow_before_outcome', 'outcome_days') }}
            as mean_balance_outcome_amount,
        {{
            divide_exact('(closing_amount - flow_since_start) * outcome_days - flow_before_base', 'outcome_days')
        }} as mean_balance_base_amount,
        {{ divide_exact('(closing_amount - flow_in_outcome) * outcome_days - flow_before_lead', 'outcome_days') }}
            as mean_balance_lead_amount,
        {{
            divide_exact(
                '(closing_amount - flow_since_lead) * outcome_days - flow_before_prior_lead', 'outcome_days'
            )
        }} as mean_balance_prior_lead_amount,
        is_deposit,
        observed_on,
        known_by_on
    from amounts
)

select * from final
