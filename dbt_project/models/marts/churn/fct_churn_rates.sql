{# Active at the start less and churned in the period, from few grouped rows: the stock of a day is counted once
    (int_churn_stock), and only who was or came into a spell is joined to the traits again. #}
{%- set traits = churn_traits() -%}
{%- set keys = ['as_of_date', 'period', 'from_date'] -%}
{%- set outcome = ['is_active', 'churn_form', 'is_voluntary', 'loan_runoff_choice', 'card_stop_choice'] -%}
with

run_dates as (
    select * from {{ ref('int_run_dates') }}
),

observations as (
    select *
    from {{ ref('int_observations') }}
    where observation_kind = 'snapshot'
),

base_dates as (
    select * from {{ ref('int_tier_base_dates') }}
),

{# The churn period has its customers told one by one: it begins between snapshots. #}
churn_periods as (
    select
        'churn' as period,
        periods.customer_id,
        periods.customer_kind,
        periods.value_tier,
        {%- for trait in traits if trait not in ['customer_kind', 'value_tier'] %}
            coalesce(traits.{{ trait }}, 'unknown') as {{ trait }},
        {%- endfor %}
        periods.churn_form,
        periods.loan_runoff_choice,
        periods.card_stop_choice,
        periods.mean_balance_base_amount as start_balance_amount,
        true as is_active,
        periods.is_voluntary,
        periods.as_of_date,
        periods.from_date
    from {{ ref('int_churn_periods') }} as periods
    left join {{ ref('int_churn_traits') }} as traits
        on
            periods.customer_id = traits.customer_id
            and periods.from_date = traits.from_date
),

calendar_cases as (
    select
        base_dates.period,
        traits.customer_id,
        {%- for trait in traits %}
            traits.{{ trait }},
        {%- endfor %}
        cases.churn_form,
        cases.loan_runoff_choice,
        cases.card_stop_choice,
        traits.start_balance_amount,
        not cases.is_in_spell_at_start as is_active,
        cases.is_voluntary,
        base_dates.as_of_date,
        base_dates.from_date
    from {{ ref('int_churn_cases') }} as cases
    inner join base_dates
        on
            cases.as_of_date = base_dates.as_of_date
            and cases.period = base_dates.period
            and cases.period != 'churn'
    inner join {{ ref('int_churn_traits') }} as traits
        on
            cases.customer_id = traits.customer_id
            and base_dates.from_date = traits.from_date
    where traits.is_open
),

told as (
    select * from churn_periods
    union all
    select * from calendar_cases
),

told_by_trait as (
    select
        {{ trait_of_set() }},
        {{ (keys + outcome) | join(', ') }},
        count(*) as count_customers,
        count(start_balance_amount) as count_known_balances,
        sum(start_balance_amount) as sum_balance
    from told
    group by {{ trait_sets(keys + outcome) }}  -- noqa: PRS
),

told_by_product as (
    select
        'product_held' as dimension,
        holdings.product_family as member,
        {%- for column in keys + outcome %}
            told.{{ column }},
        {%- endfor %}
        count(*) as count_customers,
        count(told.start_balance_amount) as count_known_balances,
        sum(told.start_balance_amount) as sum_balance
    from told
    inner join {{ ref('int_churn_holdings') }} as holdings
        on
            told.customer_id = holdings.customer_id
            and told.from_date = holdings.from_date
    group by holdings.product_family, told.{{ (keys + outcome) | join(', told.') }}
),

counted as (
    select * from told_by_trait
    {# Without a snapshot at the start nothing more is known of it. #}
    where from_date is not null or dimension in ('all', 'customer_kind', 'value_tier')
    union all
    select * from told_by_product
),

{# Of the churn period all are told, of the others those who are not simply active through it. #}
starts as (
    select
        period,
        dimension,
        member,
        count_customers,
        count_known_balances,
        sum_balance,
        as_of_date,
        from_date
    from counted
    where period = 'churn'

    union all

    select
        base_dates.period,
        stock.dimension,
        stock.member,
        stock.count_customers,
        stock.count_known_balances,
        stock.sum_balance,
        base_dates.as_of_date,
        base_dates.from_date
    from base_dates
    inner join {{ ref('int_churn_stock') }} as stock on base_dates.from_date = stock.from_date
    where base_dates.period != 'churn'

    union all

    select
        period,
        dimension,
        member,
        -count_customers as count_customers,
        -count_known_balances as count_known_balances,
        -sum_balance as sum_balance,
        as_of_date,
        from_date
    from counted
    where
        period != 'churn'
        and not is_active
),

at_start as (
    select
        period,
        dimension,
        member,
        sum(count_customers) as count_active,
        sum(count_known_balances) as count_known_balances,
        sum(sum_balance) as sum_balance,
        as_of_date
    from starts
    group by period, dimension, member, as_of_date
    having sum(count_customers) > 0
),

forms as (
    {%- for form in ['any'] + churn_forms() %}
        {%- set outer_loop = loop %}
        {%- for choice in ['all', 'voluntary', 'passive'] %}
            select
                '{{ form }}' as churn_form,
                '{{ choice }}' as choice
            {{ 'union all' if not (loop.last and outer_loop.last) }}
        {%- endfor %}
    {%- endfor %}
),

churned as (
    select
        counted.period,
        counted.dimension,
        counted.member,
        forms.churn_form,
        forms.choice,
        sum(counted.count_customers) as count_churned,
        sum(counted.sum_balance) as sum_balance,
        counted.as_of_date
    from counted
    inner join forms
        on
            (
                counted.churn_form is not null
                and forms.churn_form in ('any', counted.churn_form)
                and forms.choice in ('all', case when counted.is_voluntary then 'voluntary' else 'passive' end)
            )
            {%- for form in ['loan_runoff', 'card_stop'] %}
                or (
                    counted.{{ form }}_choice is not null
                    and forms.churn_form = '{{ form }}'
                    and forms.choice in ('all', counted.{{ form }}_choice)
                )
            {%- endfor %}
    where counted.is_active
    group by
        counted.period, counted.dimension, counted.member, forms.churn_form, forms.choice, counted.as_of_date
),

rated as (
    select
        at_start.period,
        at_start.dimension,
        at_start.member,
        forms.churn_form,
        forms.choice,
        at_start.count_active,
        coalesce(churned.count_churned, 0) as count_churned,
        at_start.count_known_balances,
        at_start.sum_balance as sum_balance_at_start,
        coalesce(churned.sum_balance, 0) as sum_balance_churned,
        {{ divide_exact('coalesce(churned.count_churned, 0)', 'at_start.count_active', 6) }} as churn_rate,
        {{ divide_exact('coalesce(churned.sum_balance, 0)', 'at_start.sum_balance', 6) }} as balance_churn_rate,
        at_start.as_of_date,
        case when at_start.period = 'churn' then observations.started_on else base_dates.from_date end as from_date
    from at_start
    cross join forms
    inner join observations on at_start.as_of_date = observations.as_of_date
    left join base_dates
        on
            at_start.as_of_date = base_dates.as_of_date
            and at_start.period = base_dates.period
    left join churned
        on
            at_start.as_of_date = churned.as_of_date
            and at_start.period = churned.period
            and at_start.dimension = churned.dimension
            and at_start.member = churned.member
            and forms.churn_form = churned.churn_form
            and forms.choice = churned.choice
),

final as (
    select
        rated.period,
        rated.dimension,
        rated.member,
        rated.churn_form,
        rated.choice,
        run_dates.reporting_currency_code as currency_code,
        cast(rated.count_active as integer) as count_active_at_start,
        cast(rated.count_churned as integer) as count_churned,
        rated.churn_rate,
        {{ annualised('rated.churn_rate', days_between('rated.from_date', 'rated.as_of_date')) }}
            as churn_rate_annualised,
        {{
            divide_exact(
                'rated.count_churned * bank.count_active', 'bank.count_churned * rated.count_active', 4
            )
        }} as index_to_bank,
        cast(rated.count_known_balances as integer) as count_known_balances,
        cast(rated.sum_balance_at_start as {{ money() }}) as sum_balance_at_start,
        cast(rated.sum_balance_churned as {{ money() }}) as sum_balance_churned,
        rated.balance_churn_rate,
        {{ annualised('rated.balance_churn_rate', days_between('rated.from_date', 'rated.as_of_date')) }}
            as balance_churn_rate_annualised,
        rated.as_of_date,
        rated.from_date
    from rated
    inner join run_dates on rated.as_of_date = run_dates.as_of_date
    inner join rated as bank
        on
            rated.as_of_date = bank.as_of_date
            and rated.period = bank.period
            and rated.churn_form = bank.churn_form
            and rated.choice = bank.choice
            and bank.dimension = 'all'
)

select * from final
