-- On every scale of every version, from below the lower value to above the upper one, no place falls as the value moves
-- towards risk; the ends are 0 and 100, the middle is 50, and no place lies beyond the ends.
with

places as (
    select 0 as place
    {%- for place in range(1, 13) %}
        union all
        select {{ place }} as place
    {%- endfor %}
),

tried as (
    select
        reference.policy_set,
        reference.customer_kind,
        reference.indicator,
        reference.direction,
        reference.lower_value,
        reference.middle_value,
        reference.upper_value,
        {# Quarters of each half, the ends and the middle among them, and two beyond each end. #}
        cast(
            case
                when places.place < 2 then reference.lower_value - 2 + places.place
                when places.place <= 6
                    then
                        reference.lower_value
                        + (reference.middle_value - reference.lower_value) * (places.place - 2) * 0.25
                when places.place <= 10
                    then
                        reference.middle_value
                        + (reference.upper_value - reference.middle_value) * (places.place - 6) * 0.25
                else reference.upper_value + places.place - 10
            end as numeric(18, 2)
        ) as tried_value,
        places.place,
        reference.effective_from
    from {{ ref('policy_risk_indicators') }} as reference
    cross join places
),

scaled as (
    select
        tried.*,
        {{ risk_scaled('tried.tried_value', 'tried') }} as scaled_value
    from tried
),

ordered as (
    select
        *,
        lag(scaled_value) over (
            partition by policy_set, customer_kind, indicator, effective_from
            order by place
        ) as scaled_before
    from scaled
)

select *
from ordered
where
    scaled_value is null
    or scaled_value < 0
    or scaled_value > 100
    or (scaled_value - scaled_before) * direction < 0
    or (place = 2 and scaled_value != 50 - 50 * direction)
    or (place = 6 and scaled_value != 50)
    or (place = 10 and scaled_value != 50 + 50 * direction)
