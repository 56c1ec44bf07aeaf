-- Who has churned and is not back is neither scored nor trained on, nor counted as a churner again.
select
    features.as_of_date,
    features.customer_id
from {{ ref('fct_customer_features') }} as features
inner join {{ ref('fct_churn_spells') }} as spells
    on
        features.as_of_date = spells.as_of_date
        and features.customer_id = spells.customer_id
where
    features.is_eligible
    and spells.is_open_spell
