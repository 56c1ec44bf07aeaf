{# Every customer known by the as-of date, with the version that was valid then. #}
with

observations as (
    select *
    from {{ ref('int_observations') }}
    where observation_kind = 'snapshot'
),

customer_versions as (
    {{ versions_at(ref('stg_customers'), ['customer_id'], 'observations') }}
),

joined as (
    select
        customer_versions.*,
        observations.as_of_date,
        observations.reporting_currency_code,
        observations.min_tenure_days,
        coalesce(relationships.count_open_accounts, 0) as count_open_accounts,
        coalesce(relationships.count_product_families, 0) as count_product_families,
        coalesce(relationships.first_opened_on, customer_versions.opened_on) as related_since_on,
        relationships.last_closed_on,
        relationships.next_maturity_on,
        case
            when relationships.count_open_accounts > 0 then 'open'
            when relationships.customer_id is not null then 'closed'
            else 'no_account'
        end as relationship_status
    from customer_versions
    inner join observations
        on
            customer_versions.observed_on = observations.observed_on
            and customer_versions.known_by_on = observations.known_by_on
    left join {{ ref('int_customer_relationships') }} as relationships
        on
            customer_versions.customer_id = relationships.customer_id
            and customer_versions.observed_on = relationships.observed_on
            and customer_versions.known_by_on = relationships.known_by_on
    where customer_versions.opened_on <= customer_versions.observed_on
),

final as (
    select
        customer_id,
        customer_kind,
        branch_id,
        city,
        sex,
        case
            when birth_year is null then 'unknown'
            when extract(year from as_of_date) - birth_year < 18 then 'under_18'
            when extract(year from as_of_date) - birth_year < 25 then '18_24'
            when extract(year from as_of_date) - birth_year < 35 then '25_34'
            when extract(year from as_of_date) - birth_year < 45 then '35_44'
            when extract(year from as_of_date) - birth_year < 55 then '45_54'
            when extract(year from as_of_date) - birth_year < 65 then '55_64'
            else '65_plus'
        end as age_band,
        education,
        occupation,
        reporting_currency_code as currency_code,
        relationship_status,
        income_currency_code,
        annual_income_amount,
        {{ days_between('related_since_on', 'as_of_date') }} as tenure_days,
        count_open_accounts,
        count_product_families,
        cast(extract(year from as_of_date) - birth_year as integer) as age_years,
        min_tenure_days,
        relationship_status = 'open' as is_open,
        is_disabled,
        as_of_date,
        observed_on,
        known_by_on,
        related_since_on as opened_on,
        case when relationship_status = 'closed' then last_closed_on end as closed_on,
        next_maturity_on
    from joined
)

select * from final
