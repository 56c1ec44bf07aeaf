{# The one text of every feature, for training and for scoring. Only rows dated on or before the as-of date and known
    by its cutoff enter; sex and age never do (policy). #}
with

customers as (
    select * from {{ ref('int_customers_at') }}
),

activity as (
    select * from {{ ref('fct_customer_activity') }}
),

observations as (
    select *
    from {{ ref('int_observations') }}
    where observation_kind = 'snapshot'
),

open_spells as (
    select
        customer_id,
        as_of_date
    from {{ ref('int_churn_spells') }}
    where is_open_spell
),

complaint_versions as (
    {{ versions_at(ref('stg_interactions'), ['interaction_id'], 'observations') }}
),

complaints as (
    select
        customer_id,
        observed_on,
        count(*) as count_complaints_180d
    from complaint_versions
    where
        interaction_type = 'complaint'
        and opened_on <= observed_on
        and opened_on > {{ add_days('observed_on', -180) }}
    group by customer_id, observed_on
),

contact_versions as (
    {{ versions_at(ref('stg_campaign_contacts'), ['contact_id'], 'observations') }}
),

contacts as (
    select
        customer_id,
        observed_on,
        count(*) as count_campaign_contacts_180d
    from contact_versions
    where
        contact_group = 'treatment'
        and contacted_on <= observed_on
        and contacted_on > {{ add_days('observed_on', -180) }}
    group by customer_id, observed_on
),

{# Of several surveys on the last day, the worst answer counts. #}
surveys_ranked as (
    select
        surveys.customer_id,
        surveys.score,
        observations.observed_on,
        row_number() over (
            partition by surveys.customer_id, observations.observed_on
            order by surveys.answered_on desc, surveys.score asc
        ) as recency_rank
    from observations
    inner join {{ ref('stg_satisfaction_surveys') }} as surveys
        on
            observations.observed_on >= surveys.answered_on
            and observations.known_by_on >= surveys.known_date
),

market_ranked as (
    select
        observations.observed_on,
        market.competitor_deposit_rate - market.own_deposit_rate as rate_gap,
        row_number() over (partition by observations.observed_on order by market.market_on desc) as recency_rank
    from observations
    inner join {{ ref('stg_market_environment') }} as market
        on
            observations.observed_on >= market.market_on
            and observations.known_by_on >= market.known_date
),

joined as (
    select
        customers.customer_id,
        customers.customer_kind,
        customers.tenure_days,
        customers.count_open_accounts,
        customers.count_product_families,
        customers.is_open,
        customers.min_tenure_days,
        customers.as_of_date,
        {{ days_between('customers.as_of_date', 'customers.next_maturity_on') }} as days_to_next_maturity,
        activity.days_since_last_activity,
        activity.count_transactions_30d,
        activity.count_transactions_90d,
        activity.count_transactions_365d,
        activity.count_active_days_90d,
        activity.count_digital_transactions_90d,
        {%- for amount in [
            'sum_amount_30d', 'sum_amount_90d', 'sum_amount_365d', 'sum_outflow_90d', 'closing_balance',
            'mean_balance_30d', 'mean_balance_90d', 'mean_balance_prior_90d',
        ] %}
            cast(activity.{{ amount }} as {{ double() }}) as {{ amount }},
        {%- endfor %}
        tiers.value_tier,
        rfm.r_score,
        rfm.f_score,
        rfm.m_score,
        coalesce(complaints.count_complaints_180d, 0) as count_complaints_180d,
        surveys_ranked.score as last_satisfaction_score,
        arrears.max_days_past_due_180d,
        coalesce(contacts.count_campaign_contacts_180d, 0) as count_campaign_contacts_180d,
        cast(market_ranked.rate_gap as {{ double() }}) as rate_gap,
        open_spells.customer_id is not null as is_in_spell
    from customers
    inner join activity
        on
            customers.customer_id = activity.customer_id
            and customers.as_of_date = activity.as_of_date
    inner join {{ ref('fct_customer_value_tiers') }} as tiers
        on
            customers.customer_id = tiers.customer_id
            and customers.as_of_date = tiers.as_of_date
    inner join {{ ref('fct_customer_rfm') }} as rfm
        on
            customers.customer_id = rfm.customer_id
            and customers.as_of_date = rfm.as_of_date
    left join open_spells
        on
            customers.customer_id = open_spells.customer_id
            and customers.as_of_date = open_spells.as_of_date
    left join complaints
        on
            customers.customer_id = complaints.customer_id
            and customers.as_of_date = complaints.observed_on
    left join contacts
        on
            customers.customer_id = contacts.customer_id
            and customers.as_of_date = contacts.observed_on
    left join surveys_ranked
        on
            customers.customer_id = surveys_ranked.customer_id
            and customers.as_of_date = surveys_ranked.observed_on
            and surveys_ranked.recency_rank = 1
    left join {{ ref('int_loan_arrears') }} as arrears
        on
            customers.customer_id = arrears.customer_id
            and customers.as_of_date = arrears.observed_on
    left join market_ranked
        on
            customers.as_of_date = market_ranked.observed_on
            and market_ranked.recency_rank = 1
),

final as (
    select
        as_of_date,
        customer_id,
        is_open and tenure_days >= min_tenure_days and not is_in_spell as is_eligible,
        customer_kind,
        value_tier,
        cast(tenure_days as {{ double() }}) as tenure_days,
        cast(days_since_last_activity as {{ double() }}) as days_since_last_activity,
        cast(count_transactions_30d as {{ double() }}) as count_transactions_30d,
        cast(count_transactions_90d as {{ double() }}) as count_transactions_90d,
        cast(count_transactions_365d as {{ double() }}) as count_transactions_365d,
        cast(count_active_days_90d as {{ double() }}) as count_active_days_90d,
        sum_amount_30d,
        sum_amount_90d,
        sum_amount_365d,
        sum_outflow_90d,
        {{ ratio('count_transactions_30d', 'count_transactions_90d') }} as ratio_transactions_30d_to_90d,
        {{ ratio('sum_amount_90d', 'sum_amount_365d') }} as ratio_amount_90d_to_365d,
        {{ ratio('count_digital_transactions_90d', 'count_transactions_90d') }} as share_digital_90d,
        closing_balance,
        mean_balance_30d,
        mean_balance_90d,
        {{ ratio('mean_balance_90d', 'mean_balance_prior_90d') }} as ratio_balance_90d_to_prior_90d,
        {{ ratio('closing_balance', 'mean_balance_90d') }} as ratio_closing_to_mean_balance_90d,
        cast(count_open_accounts as {{ double() }}) as count_open_accounts,
        cast(count_product_families as {{ double() }}) as count_product_families,
        cast(count_complaints_180d as {{ double() }}) as count_complaints_180d,
        cast(last_satisfaction_score as {{ double() }}) as last_satisfaction_score,
        cast(max_days_past_due_180d as {{ double() }}) as max_days_past_due_180d,
        cast(count_campaign_contacts_180d as {{ double() }}) as count_campaign_contacts_180d,
        cast(days_to_next_maturity as {{ double() }}) as days_to_next_maturity,
        rate_gap,
        cast(r_score as {{ double() }}) as rfm_recency_score,
        cast(f_score as {{ double() }}) as rfm_frequency_score,
        cast(m_score as {{ double() }}) as rfm_monetary_score
    from joined
)

select * from final
