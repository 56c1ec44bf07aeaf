{#- The forms of churn (definitions, section 2). Of several that begin on one day the one named first is the headline. -#}
{% macro churn_forms() -%}
    {{ return(['account_closure', 'balance_drain', 'silence', 'loan_runoff', 'card_stop']) }}
{%- endmacro %}

{#- Closure reasons that are no choice of the customer's; of several on one day the one named first is told. -#}
{% macro passive_reasons() -%}
    {{ return(['death', 'fraud_block', 'bank_policy', 'matured']) }}
{%- endmacro %}

{#- Churn is the customer's choice unless what the bank has booked says otherwise. -#}
{% macro is_voluntary_by(reason) -%}
    coalesce({{ reason }} not in ('{{ passive_reasons() | join("', '") }}'), true)
{%- endmacro %}

{#- The reason of a group of rows of one each (null: none booked): the customer's own where a row has it, since then the
    customer chose, else the first of the passive ones. -#}
{% macro reason_of(reason) -%}
    case
        when count(*) filter (where {{ is_voluntary_by(reason) }}) > 0
            then max({{ reason }}) filter (where {{ is_voluntary_by(reason) }})
        {%- for passive in passive_reasons() %}
            when count(*) filter (where {{ reason }} = '{{ passive }}') > 0 then '{{ passive }}'
        {%- endfor %}
    end
{%- endmacro %}

{#- The form that begins first, of a dict of forms and columns that say when each did, null where it does not count; of
    several on one day the one named first in `churn_forms`. -#}
{% macro first_form(begun_on) -%}
    case
        {%- for form in churn_forms() %}
            when {{ begun_on[form] }} = least({{ begun_on.values() | join(', ') }}) then '{{ form }}'
        {%- endfor %}
    end
{%- endmacro %}

{#- What churn rates are told by: columns of int_churn_traits. -#}
{% macro churn_traits() -%}
    {{ return([
        'customer_kind', 'value_tier', 'asset_tier', 'pyramid_tier', 'rfm_segment', 'lifecycle_stage', 'tenure_band',
        'product_families', 'preferred_channel', 'age_band', 'sex', 'education',
    ]) }}
{%- endmacro %}

{#- One grouping set for all rows and one a trait, for a `group by` over columns of its name. The linter's dialect of DuckDB
    has no grouping sets: `noqa: PRS` where they are called. -#}
{% macro trait_sets(keys, traits=churn_traits()) -%}
    grouping sets (
        ({{ keys | join(', ') }}),
        {%- for trait in traits %}
            ({{ keys | join(', ') }}, {{ trait }}){{ ',' if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}

{#- The columns `dimension` and `member` of a row that `trait_sets` grouped. -#}
{% macro trait_of_set(traits=churn_traits()) -%}
    case
        {%- for trait in traits %}
            when grouping({{ trait }}) = 0 then '{{ trait }}'
        {%- endfor %}
        else 'all'
    end as dimension,
    case
        {%- for trait in traits %}
            when grouping({{ trait }}) = 0 then {{ trait }}
        {%- endfor %}
        else 'all'
    end as member
{%- endmacro %}
