{#
    What lies on current and savings accounts today and at the month-ends of a year: deposits for a term do not move and
    would hide a fall. All are converted at the rate of the observed day, so that no rate looks like money moving. In whole
    cents: sums of them are exact on every engine.
#}
with

observations as (
    select *
    from {{ ref('int_observations') }}
    where observation_kind = 'snapshot'
),

observed_days as (
    {{ days_of('observations', add_days('observed_on', -365), 'observed_on') }}
),

{# The few days that have balances: met with all days of the year, every account would be there 365 times. #}
balance_days as (
    select distinct balance_on
    from {{ ref('stg_month_end_balances') }}
    where balance_on >= (select min(earliest.day) from observed_days as earliest)
),

observed_month_ends as (
    select observed_days.*
    from observed_days
    inner join balance_days on observed_days.day = balance_days.balance_on
),

rates_ranked as (
    {{ rates_at('observations') }}
),

liquid_accounts as (
    select
        accounts.account_id,
        accounts.customer_id,
        case
            when accounts.currency_code = observations.reporting_currency_code then 1
            else rates_ranked.rate_to_reporting
        end as rate,
        accounts.observed_on,
        accounts.known_by_on
    from {{ ref('int_account_states') }} as accounts
    inner join observations
        on
            accounts.observed_on = observations.observed_on
            and accounts.known_by_on = observations.known_by_on
    left join rates_ranked
        on
            accounts.currency_code = rates_ranked.currency_code
            and accounts.observed_on = rates_ranked.observed_on
            and accounts.known_by_on = rates_ranked.known_by_on
            and rates_ranked.recency_rank = 1
    where accounts.product_family in ('current', 'savings')
),

closing as (
    select
        liquid_accounts.customer_id,
        case
            when count(*) = count(balances.closing_balance_amount * liquid_accounts.rate)
                then cast(sum(round(balances.closing_balance_amount * liquid_accounts.rate * 100, 0)) as bigint)
        end as closing_cents,
        liquid_accounts.observed_on,
        liquid_accounts.known_by_on
    from liquid_accounts
    inner join {{ ref('int_account_balances') }} as balances
        on
            liquid_accounts.account_id = balances.account_id
            and liquid_accounts.observed_on = balances.observed_on
            and liquid_accounts.known_by_on = balances.known_by_on
    group by liquid_accounts.customer_id, liquid_accounts.observed_on, liquid_accounts.known_by_on
),

month_ends as (
    select
        liquid_accounts.customer_id,
        {# 0 for the month of the observed day; the month-ends of half a year are those below 6. #}
        cast(
            12 * (extract(year from observed_month_ends.observed_on) - extract(year from observed_month_ends.day))
            + extract(month from observed_month_ends.observed_on) - extract(month from observed_month_ends.day)
            as integer
        ) as months_ago,
        case
            when count(*) = count(liquid_accounts.rate)
                then cast(sum(round(balances.balance_amount * liquid_accounts.rate * 100, 0)) as bigint)
        end as cents,
        liquid_accounts.observed_on,
        liquid_accounts.known_by_on
    from observed_month_ends
    inner join {{ ref('stg_month_end_balances') }} as balances
        on
            observed_month_ends.day = balances.balance_on
            and observed_month_ends.known_by_on >= balances.known_date
    inner join liquid_accounts
        on
            balances.account_id = liquid_accounts.account_id
            and observed_month_ends.observed_on = liquid_accounts.observed_on
            and observed_month_ends.known_by_on = liquid_accounts.known_by_on
    group by
        liquid_accounts.customer_id,
        liquid_accounts.observed_on,
        liquid_accounts.known_by_on,
        observed_month_ends.observed_on,
        observed_month_ends.day
),

year as (
    select
        customer_id,
        count(cents) as count_month_ends,
        sum(cents) as sum_cents,
        max(cents) as max_cents,
        min(cents) as min_cents,
        count(cents) filter (where months_ago < 6) as count_recent,
        sum(cents) filter (where months_ago < 6) as sum_recent,
        sum(months_ago) filter (where months_ago < 6 and cents is not null) as sum_months,
        sum(months_ago * months_ago) filter (where months_ago < 6 and cents is not null) as sum_squared_months,
        sum(months_ago * cents) filter (where months_ago < 6) as sum_months_by_cents,
        observed_on,
        known_by_on
    from month_ends
    group by customer_id, observed_on, known_by_on
),

final as (
    select
        closing.customer_id,
        {{ ratio('year.sum_cents', 'year.count_month_ends * 100') }} as mean_liquid_365d,
        {{ ratio('closing.closing_cents * year.count_month_ends', 'year.sum_cents') }} as ratio_to_year_mean,
        {{ ratio('closing.closing_cents', 'year.max_cents') }} as ratio_to_year_peak,
        {{ ratio('(year.max_cents - year.min_cents) * year.count_month_ends', 'year.sum_cents') }} as volatility_365d,
        {# Least squares over the month-ends of half a year; time runs against `months_ago`. #}
        {{
            ratio(
                'year.sum_months * year.sum_recent - year.count_recent * year.sum_months_by_cents',
                'year.count_recent * year.sum_squared_months - year.sum_months * year.sum_months',
            )
        }}
        / case when year.sum_recent > 0 then cast(year.sum_recent as {{ double() }}) / year.count_recent end
            as slope_180d,
        closing.observed_on,
        closing.known_by_on
    from closing
    left join year
        on
            closing.customer_id = year.customer_id
            and closing.observed_on = year.observed_on
            and closing.known_by_on = year.known_by_on
)

select * from final
