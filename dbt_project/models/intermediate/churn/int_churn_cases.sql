{# Of each period that ends on a date: who was in a spell when it began, whose first spell since began in it, and on whom a
    form showed that does not count. Read from the spells known on the date, for every mart that counts churn. #}
with

observations as (
    select *
    from {{ ref('int_observations') }}
    where observation_kind = 'snapshot'
),

run_dates as (
    select * from {{ ref('int_run_dates') }}
),

{# What the snapshot that a period begins at could know. #}
cutoffs as (
    select
        as_of_date,
        knowledge_cutoff_on
    from run_dates

    union all

    select
        standing.as_of_date,
        of_runs.knowledge_cutoff_on
    from {{ source('ops', 'standing_snapshots') }} as standing
    inner join {{ source('ops', 'run_dates') }} as of_runs
        on
            standing.run_id = of_runs.run_id
            and standing.as_of_date = of_runs.as_of_date
    where standing.as_of_date not in (select run_dates.as_of_date from run_dates)
),

periods as (
    select
        base_dates.period,
        base_dates.as_of_date,
        base_dates.from_date as from_on,
        cutoffs.knowledge_cutoff_on
    from {{ ref('int_tier_base_dates') }} as base_dates
    inner join cutoffs on base_dates.from_date = cutoffs.as_of_date
    where base_dates.period != 'churn'

    union all

    {# The churn period is counted in days; it needs no snapshot at its start. #}
    select
        'churn' as period,
        as_of_date,
        started_on as from_on,
        known_by_on as knowledge_cutoff_on
    from observations
),

{# A closure that the bank recorded only after the snapshot at the start begins in the period in which it became known:
    that snapshot counts the customer as active, and by the next one the spell has begun. #}
judged as (
    select
        periods.period,
        spells.customer_id,
        spells.churn_form,
        spells.reason_code,
        spells.destination,
        spells.spell_no,
        spells.is_voluntary,
        spells.started_on > periods.from_on or spells.known_on > periods.knowledge_cutoff_on as is_begun_in_period,
        periods.as_of_date
    from periods
    inner join {{ ref('fct_churn_spells') }} as spells on periods.as_of_date = spells.as_of_date
    where spells.started_on > periods.from_on or coalesce(spells.ended_on > periods.from_on, true)
),

spells as (
    select
        *,
        not is_begun_in_period as is_in_spell_at_start,
        row_number() over (
            partition by as_of_date, period, customer_id, is_begun_in_period
            order by spell_no
        ) as spell_rank
    from judged
),

of_spells as (
    select
        period,
        customer_id,
        max(case when is_begun_in_period and spell_rank = 1 then churn_form end) as churn_form,
        max(case when is_begun_in_period and spell_rank = 1 then reason_code end) as reason_code,
        max(case when is_begun_in_period and spell_rank = 1 then destination end) as destination,
        bool_or(is_begun_in_period and spell_rank = 1 and is_voluntary) as is_voluntary,
        bool_or(is_in_spell_at_start) as is_in_spell_at_start,
        as_of_date
    from spells
    group by period, customer_id, as_of_date
),

uncounted as (
    select
        periods.period,
        forms.customer_id,
        {%- for form in ['loan_runoff', 'card_stop'] %}
            case
                when
                    not coalesce(observations.counts_{{ form }}, false)
                    and forms.{{ form }}_on > periods.from_on
                    then
                        case
                            when {{ is_voluntary_by('forms.' ~ form ~ '_reason') }} then 'voluntary'
                            else 'passive'
                        end
            end as {{ form }}_choice,
        {%- endfor %}
        periods.as_of_date
    from periods
    inner join observations on periods.as_of_date = observations.as_of_date
    inner join {{ ref('int_churn_forms') }} as forms
        on
            periods.as_of_date = forms.as_of_date
            and (periods.from_on < forms.loan_runoff_on or periods.from_on < forms.card_stop_on)
    where forms.observation_kind = 'snapshot'
),

final as (
    select
        coalesce(of_spells.period, uncounted.period) as period,
        coalesce(of_spells.customer_id, uncounted.customer_id) as customer_id,
        of_spells.churn_form,
        of_spells.reason_code,
        of_spells.destination,
        uncounted.loan_runoff_choice,
        uncounted.card_stop_choice,
        coalesce(of_spells.is_in_spell_at_start, false) as is_in_spell_at_start,
        coalesce(of_spells.is_voluntary, false) as is_voluntary,
        coalesce(of_spells.as_of_date, uncounted.as_of_date) as as_of_date
    from of_spells
    full outer join uncounted
        on
            of_spells.as_of_date = uncounted.as_of_date
            and of_spells.period = uncounted.period
            and of_spells.customer_id = uncounted.customer_id
)

select * from final
