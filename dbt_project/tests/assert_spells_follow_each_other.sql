-- Spells of a customer are numbered without a gap, do not overlap, and only the last may be open.
with

ordered as (
    select
        *,
        row_number() over (partition by as_of_date, customer_id order by started_on, spell_no) as expected_no,
        lead(started_on) over (partition by as_of_date, customer_id order by spell_no) as next_started_on
    from {{ ref('fct_churn_spells') }}
)

select
    as_of_date,
    customer_id,
    spell_no
from ordered
where
    spell_no != expected_no
    or started_on > as_of_date
    or known_on < started_on
    or ended_on > as_of_date
    or ended_on < started_on
    or is_open_spell != (ended_on is null)
    or (next_started_on is not null and (ended_on is null or next_started_on < ended_on))
    or (not is_open_spell and drain_base_amount is not null)
