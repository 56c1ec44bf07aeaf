{{ config(tags=['after_scores']) }}

select features.customer_id
from {{ ref('fct_customer_features') }} as features
left join {{ ref('fct_churn_scores') }} as scores
    on
        features.customer_id = scores.customer_id
        and features.as_of_date = scores.as_of_date
where
    features.is_eligible
    and scores.customer_id is null
    and exists (select 1 from {{ ref('stg_churn_scores') }})
