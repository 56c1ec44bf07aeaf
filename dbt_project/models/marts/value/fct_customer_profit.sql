{#
    Net profit of the trailing 90 days (definitions, section 4). A balance that nobody knows makes what rests on it
    unknown, never 0, and a posting without an exchange rate the fees; without an account there is nothing to earn or to
    lose, and that is known.
#}
{%- set days = 90 -%}
{%- set families = ['current', 'savings', 'term_deposit', 'wealth', 'loan', 'card'] -%}
{%- set channels = ['branch', 'atm', 'pos', 'mobile', 'web', 'phone'] -%}

with

run_dates as (
    select * from {{ ref('int_run_dates') }}
),

margin_rows as (
    {{ policy_in_force(ref('policy_margins'), 'run_dates', ['policy.customer_kind']) }}
),

cost_rows as (
    {{ policy_in_force(ref('policy_service_costs'), 'run_dates', ['policy.customer_kind']) }}
),

loss_rows as (
    {{ policy_in_force(ref('policy_credit_losses'), 'run_dates', ['policy.customer_kind']) }}
),

margins as (
    select
        as_of_date,
        customer_kind,
        {%- for family in families %}
            max(case when product_family = '{{ family }}' then ftp_spread_annual end) as {{ family }}_spread,
        {%- endfor %}
        max(rule_version) as rule_version
    from margin_rows
    group by as_of_date, customer_kind
),

costs as (
    select
        as_of_date,
        customer_kind,
        {%- for channel in channels + ['system', 'unknown'] %}
            max(case when channel = '{{ channel }}' then cost_amount end) as {{ channel }}_cost,
        {%- endfor %}
        max(rule_version) as rule_version
    from cost_rows
    group by as_of_date, customer_kind
),

losses as (
    select
        as_of_date,
        customer_kind,
        from_days,
        lead(from_days) over (partition by as_of_date, customer_kind order by from_days) as before_days,
        pd_annual * lgd as loss_rate_annual,
        rule_version
    from loss_rows
),

measured as (
    select
        customers.customer_id,
        customers.customer_kind,
        customers.relationship_status,
        customers.currency_code,
        coalesce(usage.count_transactions_90d, 0) as count_transactions,
        coalesce(usage.count_postings_90d, 0) as count_postings,
        {%- for channel in channels %}
            coalesce(usage.count_{{ channel }}_transactions_90d, 0) as count_{{ channel }},
        {%- endfor %}
        coalesce(
            usage.count_transactions_90d
            {%- for channel in channels %}
                - usage.count_{{ channel }}_transactions_90d
            {%- endfor %}, 0
        ) as count_no_channel,
        {# The sum leaves out postings without an exchange rate; any of them may be a fee. #}
        case when coalesce(usage.count_postings_without_rate_90d, 0) = 0 then coalesce(usage.sum_fees_90d, 0) end
            as fees,
        {%- for family in families %}
            case
                when balances.customer_id is null then 0
                else balances.mean_balance_90d_of_{{ family }}_amount
            end as {{ family }}_balance,
        {%- endfor %}
        case when balances.customer_id is null then 0 else balances.mean_assets_90d_amount end as mean_assets_90d,
        case when balances.customer_id is null then 0 else balances.mean_loan_90d_amount end as mean_debts_90d,
        coalesce(arrears.days_past_due, 0) as days_past_due,
        customers.as_of_date
    from {{ ref('int_customers_at') }} as customers
    left join {{ ref('int_customer_usage') }} as usage
        on
            customers.customer_id = usage.customer_id
            and customers.observed_on = usage.observed_on
            and customers.known_by_on = usage.known_by_on
    left join {{ ref('int_customer_balances') }} as balances
        on
            customers.customer_id = balances.customer_id
            and customers.observed_on = balances.observed_on
            and customers.known_by_on = balances.known_by_on
    left join {{ ref('int_loan_arrears') }} as arrears
        on
            customers.customer_id = arrears.customer_id
            and customers.observed_on = arrears.observed_on
            and customers.known_by_on = arrears.known_by_on
),

priced as (
    select
        measured.*,
        margins.rule_version || ', ' || costs.rule_version || ', ' || losses.rule_version as rule_version,
        0
        {%- for family in families %}
            + measured.{{ family }}_balance * margins.{{ family }}_spread
        {%- endfor %} as margin_annual,
        (measured.count_postings - measured.count_transactions) * costs.system_cost
        + measured.count_no_channel * costs.unknown_cost
        {%- for channel in channels %}
            + measured.count_{{ channel }} * costs.{{ channel }}_cost
        {%- endfor %} as cost,
        measured.mean_debts_90d * losses.loss_rate_annual as loss_annual
    from measured
    inner join margins
        on
            measured.as_of_date = margins.as_of_date
            and measured.customer_kind = margins.customer_kind
    inner join costs
        on
            measured.as_of_date = costs.as_of_date
            and measured.customer_kind = costs.customer_kind
    inner join losses
        on
            measured.as_of_date = losses.as_of_date
            and measured.customer_kind = losses.customer_kind
            and measured.days_past_due >= losses.from_days
            and (losses.before_days is null or measured.days_past_due < losses.before_days)
),

components as (
    select
        *,
        {{ accrued('margin_annual', days) }} as interest_margin,
        cast(round(cost, 2) as {{ money() }}) as service_cost,
        {{ accrued('loss_annual', days) }} as expected_credit_loss
    from priced
),

final as (
    select
        customer_id,
        customer_kind,
        relationship_status,
        currency_code,
        rule_version,
        case
            when mean_assets_90d is null and mean_debts_90d is null then 'both'
            when mean_assets_90d is null then 'assets'
            when mean_debts_90d is null then 'debts'
            else 'none'
        end as unknown_balances,
        cast(days_past_due as integer) as days_past_due,
        cast(mean_assets_90d as {{ money() }}) as mean_assets_90d,
        cast(mean_debts_90d as {{ money() }}) as mean_debts_90d,
        interest_margin as interest_margin_90d,
        cast(fees as {{ money() }}) as fees_90d,
        service_cost as service_cost_90d,
        expected_credit_loss as expected_credit_loss_90d,
        cast(interest_margin + fees - service_cost - expected_credit_loss as {{ money() }}) as net_profit_90d,
        as_of_date
    from components
)

select * from final
