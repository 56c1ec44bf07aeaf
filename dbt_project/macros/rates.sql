{#- The last exchange rate of each currency on each date of `dates` (columns observed_on, known_by_on), of those known
    by then: rows with `recency_rank` 1. -#}
{% macro rates_at(dates) -%}
    select
        rates.currency_code,
        rates.rate_to_reporting,
        {{ dates }}.observed_on,
        {{ dates }}.known_by_on,
        row_number() over (
            partition by rates.currency_code, {{ dates }}.observed_on, {{ dates }}.known_by_on
            order by rates.rate_on desc
        ) as recency_rank
    from {{ dates }}
    inner join {{ ref('stg_exchange_rates') }} as rates
        on
            {{ dates }}.observed_on >= rates.rate_on
            and {{ dates }}.known_by_on >= rates.known_date
{%- endmacro %}
