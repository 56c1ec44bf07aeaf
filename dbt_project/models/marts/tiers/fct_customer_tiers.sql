with

final as (
    select
        customers.customer_id,
        customers.customer_kind,
        customers.relationship_status,
        value_tiers.value_tier,
        asset_tiers.asset_tier,
        pyramid_tiers.pyramid_tier,
        savings_grades.savings_grade,
        risk_appetites.risk_appetite,
        lifecycle_stages.lifecycle_stage,
        loyalty_classes.loyalty_class,
        rfm.segment as rfm_segment,
        value_tiers.raw_tier as raw_value_tier,
        asset_tiers.raw_tier as raw_asset_tier,
        pyramid_tiers.raw_tier as raw_pyramid_tier,
        loyalty_classes.raw_tier as raw_loyalty_class,
        customers.is_open,
        customers.as_of_date,
        value_tiers.held_since_on as value_tier_since_on,
        asset_tiers.held_since_on as asset_tier_since_on,
        pyramid_tiers.held_since_on as pyramid_tier_since_on,
        savings_grades.held_since_on as savings_grade_since_on,
        risk_appetites.held_since_on as risk_appetite_since_on,
        lifecycle_stages.held_since_on as lifecycle_stage_since_on,
        loyalty_classes.held_since_on as loyalty_class_since_on,
        rfm.held_since_on as rfm_segment_since_on
    from {{ ref('int_customers_at') }} as customers
    inner join {{ ref('fct_customer_value_tiers') }} as value_tiers
        on
            customers.customer_id = value_tiers.customer_id
            and customers.as_of_date = value_tiers.as_of_date
    inner join {{ ref('fct_customer_asset_tiers') }} as asset_tiers
        on
            customers.customer_id = asset_tiers.customer_id
            and customers.as_of_date = asset_tiers.as_of_date
    inner join {{ ref('fct_customer_pyramid_tiers') }} as pyramid_tiers
        on
            customers.customer_id = pyramid_tiers.customer_id
            and customers.as_of_date = pyramid_tiers.as_of_date
    inner join {{ ref('fct_customer_savings_grades') }} as savings_grades
        on
            customers.customer_id = savings_grades.customer_id
            and customers.as_of_date = savings_grades.as_of_date
    inner join {{ ref('fct_customer_risk_appetites') }} as risk_appetites
        on
            customers.customer_id = risk_appetites.customer_id
            and customers.as_of_date = risk_appetites.as_of_date
    inner join {{ ref('fct_customer_lifecycle_stages') }} as lifecycle_stages
        on
            customers.customer_id = lifecycle_stages.customer_id
            and customers.as_of_date = lifecycle_stages.as_of_date
    inner join {{ ref('fct_customer_loyalty_classes') }} as loyalty_classes
        on
            customers.customer_id = loyalty_classes.customer_id
            and customers.as_of_date = loyalty_classes.as_of_date
    inner join {{ ref('fct_customer_rfm') }} as rfm
        on
            customers.customer_id = rfm.customer_id
            and customers.as_of_date = rfm.as_of_date
)

select * from final
