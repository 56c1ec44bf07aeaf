{%- set schemes = tier_schemes() -%}

with

final as (
    select
        customers.customer_id,
        customers.customer_kind,
        customers.relationship_status,
        customers.branch_id,
        {%- for scheme, (mart, tier) in schemes.items() %}
            {{ mart }}.{{ tier }} as {{ scheme }},
        {%- endfor %}
        {%- for scheme in banded_schemes() %}
            {{ schemes[scheme][0] }}.raw_tier as raw_{{ scheme }},
        {%- endfor %}
        customers.is_open,
        {%- for scheme, (mart, _) in schemes.items() %}
            {{ mart }}.held_since_on as {{ scheme }}_since_on,
        {%- endfor %}
        customers.as_of_date
    from {{ ref('int_customers_at') }} as customers
    {{ join_schemes('customers') }}
)

select * from final
