{#- What each component of the composite ranks. -#}
{% macro pyramid_values() -%}
    {{ return({
        'assets': 'closing_assets',
        'transactions': 'sum_amount_365d',
        'products': 'count_product_families',
        'loyalty': 'loyalty_metric_score',
    }) }}
{%- endmacro %}

{#- Rank of a value from 0 to 100: the share of open customers of the kind with a value at or below it, from integer counts,
    so that equal values rank equal. What is unknown, nothing or negative has no rank: 0. -#}
{% macro cumulative_rank(value, count_at_or_below, count_open) -%}
    cast(
        case
            when {{ value }} > 0
                then coalesce({{ divide_exact('100 * ' ~ count_at_or_below, count_open, 4) }}, 0)
            else 0
        end as numeric(9, 4)
    )
{%- endmacro %}

{#- Could be more of a customer: a prospect, or one who uses the bank little and earns enough to use it more. -#}
{% macro is_potential(measures, policy) -%}
    {{ measures }}.relationship_status = 'no_account'
    or (
        {{ measures }}.relationship_status = 'open'
        and {{ measures }}.count_active_days_90d <= {{ policy }}.max_active_days_90d
        and {{ measures }}.count_product_families <= {{ policy }}.max_product_families
        and coalesce({{ measures }}.annual_income_amount, 0) >= {{ policy }}.min_annual_income_amount
    )
{%- endmacro %}

{#- The tier of the pyramid: `potential` takes those of the lowest band who could be more. -#}
{% macro pyramid_tier(band, is_potential) -%}
    case when {{ band }}.entry_bound is null and ({{ is_potential }}) then 'potential' else {{ band }}.tier end
{%- endmacro %}
