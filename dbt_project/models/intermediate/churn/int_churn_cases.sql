{# Of each period that ends on a date: who was in a spell when it began, whose first spell since began in it, and on whom a
    form showed that does not count. Read from the spells known on the date, for every mart that counts churn. #}
with

observations as (
    select *
    from {{ ref('int_observations') }}
    where observation_kind = 'snapshot'
),

periods as (
    select
        period,
        as_of_date,
        from_date as from_on
    from {{ ref('int_tier_base_dates') }}
    where period != 'churn'

    union all

    {# The churn period is counted in days; it needs no snapshot at its start. #}
    select
        'churn' as period,
        as_of_date,
        started_on as from_on
    from observations
),

spells as (
    select
        periods.period,
        spells.customer_id,
        spells.churn_form,
        spells.reason_code,
        spells.destination,
        spells.is_voluntary,
        spells.started_on <= periods.from_on and coalesce(spells.ended_on > periods.from_on, true)
            as is_in_spell_at_start,
        spells.started_on > periods.from_on as is_begun_in_period,
        periods.as_of_date,
        row_number() over (
            partition by periods.as_of_date, periods.period, spells.customer_id, spells.started_on > periods.from_on
            order by spells.spell_no
        ) as spell_rank
    from periods
    inner join {{ ref('fct_churn_spells') }} as spells on periods.as_of_date = spells.as_of_date
    where spells.started_on > periods.from_on or coalesce(spells.ended_on > periods.from_on, true)
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
