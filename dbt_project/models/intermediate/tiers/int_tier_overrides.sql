{# Overrides that hold on each date. Of several on one customer the one that started last stands, then the one known last;
    two that came together give the better tier. #}
with

dates as (
    select
        as_of_date as observed_on,
        knowledge_cutoff_on as known_by_on
    from {{ ref('int_run_dates') }}
    where run_kind != 'training'
),

override_versions as (
    {{ versions_at(ref('stg_tier_overrides'), ['override_id'], 'dates') }}
),

ranked as (
    select
        override_versions.customer_id,
        override_versions.scheme,
        override_versions.tier,
        override_versions.author,
        override_versions.reason,
        policy.tier_order,
        override_versions.observed_on as as_of_date,
        override_versions.expires_on,
        row_number() over (
            partition by override_versions.observed_on, override_versions.scheme, override_versions.customer_id
            order by
                override_versions.starts_on desc,
                override_versions.known_at desc,
                override_versions.batch_no desc,
                policy.tier_order asc,
                override_versions.author asc,
                override_versions.reason asc,
                override_versions.expires_on desc
        ) as recency_rank
    from override_versions
    inner join {{ ref('int_customers_at') }} as customers
        on
            override_versions.customer_id = customers.customer_id
            and override_versions.observed_on = customers.as_of_date
    {# A tier that the scheme does not have cannot be given; `assert_overrides_name_a_tier_of_the_policy` tells of it. #}
    inner join {{ ref('int_tier_policy') }} as policy
        on
            override_versions.observed_on = policy.as_of_date
            and override_versions.scheme = policy.scheme
            and customers.customer_kind = policy.customer_kind
            and override_versions.tier = policy.tier
    where
        override_versions.starts_on <= override_versions.observed_on
        and override_versions.expires_on > override_versions.observed_on
),

final as (
    select
        customer_id,
        scheme,
        tier,
        author,
        reason,
        as_of_date,
        expires_on
    from ranked
    where recency_rank = 1
)

select * from final
