{# Every form of churn as it shows for a customer on the observed day: since when, and why as far as the bank's books say.
    Whether it counts, and in which window it began, is asked of this one text for snapshots and labels alike. #}
with

observations as (
    select * from {{ ref('int_observations') }}
),

accounts as (
    select
        accounts.*,
        observations.started_on
    from {{ ref('int_account_states') }} as accounts
    inner join observations
        on
            accounts.observed_on = observations.observed_on
            and accounts.known_by_on = observations.known_by_on
),

relationships as (
    select * from {{ ref('int_customer_relationships') }}
),

closing_days as (
    select distinct
        customer_id,
        closed_on,
        started_on,
        observed_on,
        known_by_on
    from accounts
    where closed_on is not null
),

{# Days on which the last open account of a customer was closed and none was opened; the next account opened after it ended
    that. #}
days_without_account as (
    select
        closed.customer_id,
        closed.closed_on,
        closed.started_on,
        min(others.opened_on) filter (where others.opened_on > closed.closed_on) as reopened_on,
        closed.observed_on,
        closed.known_by_on
    from closing_days as closed
    inner join accounts as others
        on
            closed.customer_id = others.customer_id
            and closed.observed_on = others.observed_on
            and closed.known_by_on = others.known_by_on
    group by closed.customer_id, closed.closed_on, closed.started_on, closed.observed_on, closed.known_by_on
    having
        count(*) filter (
            where
            others.opened_on <= closed.closed_on
            and coalesce(others.closed_on > closed.closed_on, true)
        ) = 0
),

{# The last of them: one that holds, or one in the period that a new account has ended since. #}
last_closures as (
    select
        *,
        row_number() over (partition by customer_id, observed_on, known_by_on order by closed_on desc) as recency_rank
    from days_without_account
    where reopened_on is null or closed_on > started_on
),

{# Of several accounts closed that day, one closed by the customer makes it the customer's choice. #}
closures as (
    select
        accounts.customer_id,
        {{ reason_of('accounts.closure_reason') }} as closure_reason,
        accounts.observed_on,
        accounts.known_by_on,
        accounts.closed_on,
        last_closures.reopened_on,
        max(accounts.known_date) as closure_known_on
    from last_closures
    inner join accounts
        on
            last_closures.customer_id = accounts.customer_id
            and last_closures.observed_on = accounts.observed_on
            and last_closures.known_by_on = accounts.known_by_on
            and last_closures.closed_on = accounts.closed_on
    where last_closures.recency_rank = 1
    group by
        accounts.customer_id,
        accounts.observed_on,
        accounts.known_by_on,
        accounts.closed_on,
        last_closures.reopened_on
),

{# An account that the bank, a fraud or a death closed in the period: money that leaves or acts that stop then are no choice
    of the customer's. A deposit that matured is: the customer took the money elsewhere. #}
blocks as (
    select
        customer_id,
        {{ reason_of('closure_reason') }} as block_reason,
        observed_on,
        known_by_on
    from accounts
    where
        closed_on > started_on
        and closure_reason in ('death', 'fraud_block', 'bank_policy')
    group by customer_id, observed_on, known_by_on
),

{# Where the first account stands that a closed customer came back with. #}
openings as (
    select
        customer_id,
        min(opened_on) as open_from_on,
        observed_on,
        known_by_on
    from accounts
    where is_open
    group by customer_id, observed_on, known_by_on
),

loan_versions as (
    {{ versions_at(ref('stg_loans'), ['loan_id'], 'observations') }}
),

card_versions as (
    {{ versions_at(ref('stg_cards'), ['card_id'], 'observations') }}
),

{# A loan runs until it is repaid, its account is closed or its term is over. #}
loan_ends as (
    select
        accounts.customer_id,
        accounts.closure_reason,
        accounts.closed_on as account_closed_on,
        loan_versions.known_date,
        loan_versions.granted_on as begun_on,
        cast(
            loan_versions.granted_on + loan_versions.term_months * interval '1 month' as date
        ) as term_ends_on,
        least(
            loan_versions.closed_on,
            accounts.closed_on,
            cast(loan_versions.granted_on + loan_versions.term_months * interval '1 month' as date)
        ) as ended_on,
        loan_versions.observed_on,
        loan_versions.known_by_on
    from loan_versions
    inner join accounts
        on
            loan_versions.account_id = accounts.account_id
            and loan_versions.observed_on = accounts.observed_on
            and loan_versions.known_by_on = accounts.known_by_on
    where loan_versions.granted_on <= loan_versions.observed_on
),

card_ends as (
    select
        accounts.customer_id,
        {# The account's reason is the card's where the account ended the card, and not where it was closed later. #}
        coalesce(
            case
                when accounts.closed_on = least(card_versions.closed_on, accounts.closed_on)
                    then accounts.closure_reason
            end,
            'customer_request'
        ) as reason,
        card_versions.known_date,
        card_versions.issued_on as begun_on,
        least(card_versions.closed_on, accounts.closed_on) as ended_on,
        card_versions.observed_on,
        card_versions.known_by_on
    from card_versions
    inner join accounts
        on
            card_versions.account_id = accounts.account_id
            and card_versions.observed_on = accounts.observed_on
            and card_versions.known_by_on = accounts.known_by_on
    where card_versions.issued_on <= card_versions.observed_on
),

products as (
    select
        customer_id,
        'loan_runoff' as churn_form,
        {# Repaid before its term, or without one: the customer's choice. #}
        case
            when account_closed_on = ended_on and closure_reason in ('death', 'fraud_block', 'bank_policy')
                then closure_reason
            when term_ends_on is null or ended_on < term_ends_on then 'customer_request'
            else 'matured'
        end as reason,
        known_date,
        begun_on,
        ended_on,
        observed_on,
        known_by_on
    from loan_ends

    union all

    select
        customer_id,
        'card_stop' as churn_form,
        reason,
        known_date,
        begun_on,
        ended_on,
        observed_on,
        known_by_on
    from card_ends
),

{# The form holds from the end of the last one, and while there is none open. #}
products_held as (
    select
        customer_id,
        churn_form,
        count(*) filter (where ended_on is null or ended_on > observed_on) as count_open,
        max(ended_on) filter (where ended_on <= observed_on) as last_ended_on,
        observed_on,
        known_by_on
    from products
    group by customer_id, churn_form, observed_on, known_by_on
),

products_given_up as (
    select
        products.customer_id,
        products.churn_form,
        products.ended_on,
        {{ reason_of('products.reason') }} as reason,
        max(products.known_date) as known_on,
        products.observed_on,
        products.known_by_on
    from products_held
    inner join products
        on
            products_held.customer_id = products.customer_id
            and products_held.churn_form = products.churn_form
            and products_held.observed_on = products.observed_on
            and products_held.known_by_on = products.known_by_on
            and products_held.last_ended_on = products.ended_on
    where products_held.count_open = 0
    group by
        products.customer_id,
        products.churn_form,
        products.ended_on,
        products.observed_on,
        products.known_by_on
),

{#
    No act for `silence_days`. A silence that begins in the period, which is shorter than that, follows the last act of
    `silence_days` or more before the observed day, unless the customer acted within `silence_days` of it. Who was never
    seen to act counts from the opening, or from where our sight begins: the data, the window.
#}
sightings as (
    select
        relationships.customer_id,
        observations.started_on,
        observations.silence_days,
        greatest(
            relationships.first_opened_on,
            {{ add_days('observations.data_started_on', -1) }},
            observations.looked_back_to
        ) as in_sight_from_on,
        windows.last_activity_on,
        windows.last_act_by_start_on,
        windows.last_act_before_silence_on,
        windows.first_act_after_silence_on,
        observations.observed_on,
        observations.known_by_on
    from relationships
    inner join observations
        on
            relationships.observed_on = observations.observed_on
            and relationships.known_by_on = observations.known_by_on
    left join {{ ref('int_customer_windows') }} as windows
        on
            relationships.customer_id = windows.customer_id
            and relationships.observed_on = windows.observed_on
            and relationships.known_by_on = windows.known_by_on
),

silences as (
    select
        customer_id,
        first_act_after_silence_on,
        started_on >= {{
            add_days('coalesce(last_act_by_start_on, in_sight_from_on)', 'silence_days')
        }} as is_silent_at_start,
        observed_on >= {{
            add_days('coalesce(last_activity_on, in_sight_from_on)', 'silence_days')
        }} as is_silent_at_end,
        {{ add_days('coalesce(last_act_before_silence_on, in_sight_from_on)', 'silence_days') }} as silent_from_on,
        observed_on,
        known_by_on
    from sightings
),

final as (
    select
        relationships.customer_id,
        observations.observation_kind,
        closures.closure_reason,
        blocks.block_reason,
        loans.reason as loan_runoff_reason,
        cards.reason as card_stop_reason,
        relationships.count_open_accounts,
        relationships.count_open_accounts_at_start,
        balances.mean_balance_prior_lead_amount,
        balances.mean_balance_base_amount,
        balances.mean_balance_outcome_amount,
        silences.is_silent_at_start,
        silences.is_silent_at_end,
        {{
            is_drained(
                'balances.mean_balance_outcome_amount',
                'balances.mean_balance_base_amount',
                add_days('observations.started_on', '1 - observations.outcome_days')
            )
        }} as is_balance_drain,
        {# The same form, held against the day before the outcome window opens: who had drained by then did not drain in it. #}
        {{
            is_drained(
                'balances.mean_balance_lead_amount',
                'balances.mean_balance_prior_lead_amount',
                add_days('observations.outcome_from_on', '1 - 2 * observations.outcome_days')
            )
        }} as has_drained_before,
        observations.as_of_date,
        observations.started_on,
        observations.outcome_from_on,
        observations.observed_on,
        observations.known_by_on,
        openings.open_from_on,
        closures.closed_on,
        closures.reopened_on,
        greatest(closures.closed_on, closures.closure_known_on) as closure_known_on,
        case
            when
                silences.silent_from_on <= observations.observed_on
                and coalesce(silences.first_act_after_silence_on > silences.silent_from_on, true)
                then silences.silent_from_on
        end as silent_on,
        silences.first_act_after_silence_on,
        loans.ended_on as loan_runoff_on,
        greatest(loans.ended_on, loans.known_on) as loan_runoff_known_on,
        cards.ended_on as card_stop_on,
        greatest(cards.ended_on, cards.known_on) as card_stop_known_on
    from relationships
    inner join observations
        on
            relationships.observed_on = observations.observed_on
            and relationships.known_by_on = observations.known_by_on
    left join {{ ref('int_customer_balances') }} as balances
        on
            relationships.customer_id = balances.customer_id
            and relationships.observed_on = balances.observed_on
            and relationships.known_by_on = balances.known_by_on
    {%- for joined in ['closures', 'blocks', 'openings', 'silences'] %}
        left join {{ joined }}
            on
                relationships.customer_id = {{ joined }}.customer_id
                and relationships.observed_on = {{ joined }}.observed_on
                and relationships.known_by_on = {{ joined }}.known_by_on
    {%- endfor %}
    {%- for alias, form in [('loans', 'loan_runoff'), ('cards', 'card_stop')] %}
        left join products_given_up as {{ alias }}
            on
                relationships.customer_id = {{ alias }}.customer_id
                and relationships.observed_on = {{ alias }}.observed_on
                and relationships.known_by_on = {{ alias }}.known_by_on
                and {{ alias }}.churn_form = '{{ form }}'
    {%- endfor %}
)

select * from final
