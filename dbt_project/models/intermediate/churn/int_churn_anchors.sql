{# The spells of the standing snapshots that this run goes on from. #}
{%- set dates = ref('int_churn_dates') -%}
{%- set columns = {
    'customer_id': dbt.type_string(),
    'churn_form': dbt.type_string(),
    'booked_reason_code': dbt.type_string(),
    'value_tier': dbt.type_string(),
    'asset_tier': dbt.type_string(),
    'rfm_segment': dbt.type_string(),
    'lifecycle_stage': dbt.type_string(),
    'rule_version': dbt.type_string(),
    'spell_no': 'integer',
    'count_product_families': 'integer',
    'tenure_days': 'integer',
    'annual_amount': money(),
    'base_balance_amount': money(),
    'drain_base_amount': money(),
    'is_account_closure': 'boolean',
    'is_balance_drain': 'boolean',
    'is_silence': 'boolean',
    'is_loan_runoff': 'boolean',
    'is_card_stop': 'boolean',
    'as_of_date': 'date',
    'started_on': 'date',
    'known_on': 'date',
    'ended_on': 'date',
} -%}
{%- set history = published('fct_churn_spells') -%}
{%- set days = [] -%}
{%- if history and load_relation(dates) -%}
    {%- set anchor_days -%}
        select distinct previous_on
        from {{ dates }}
        where previous_on not in (select built.as_of_date from {{ dates }} as built)
        order by previous_on
    {%- endset -%}
    {%- set days = days_in_text(anchor_days) -%}
{%- endif -%}

{%- if days %}
    select {{ columns | join(', ') }}
    from {{ history }}
    where as_of_date in ({{ days | join(', ') }})

    union all
{% endif %}
select
    {%- for column, type in columns.items() if column != 'ended_on' %}
        cast(null as {{ type }}) as {{ column }},
    {%- endfor %}
    cast(null as date) as ended_on
where false
