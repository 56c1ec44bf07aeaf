{# The days whose tiers this run can go on from or be compared with. #}
with

final as (
    {{ snapshot_days('fct_customer_tiers') }}
)

select * from final
