{#- The rows of a policy seed that hold on each snapshot date: the whole version with the newest `effective_from` on or
    before it, for the bank's policy set. `key` names the columns by which versions follow each other apart, such as
    scheme and kind of customer. Adds `as_of_date`. A what-if (`policy_on`, set by `python -m policy diff`) gives every
    date the versions that hold on that one day. -#}
{% macro policy_in_force(policy, dates, key=[]) -%}
    select candidates.*
    from (
        select
            {{ dates }}.as_of_date,
            policy.*,
            rank() over (
                partition by {{ ([dates ~ '.as_of_date'] + key) | join(', ') }}
                order by policy.effective_from desc
            ) as age_rank
        from {{ dates }}
        inner join {{ policy }} as policy
            on
                {{ dates }}.policy_set = policy.policy_set
                and {{ policy_day(dates) }} >= policy.effective_from
    ) as candidates
    where candidates.age_rank = 1
{%- endmacro %}

{#- The day whose policy a row of `dates` takes: its own, but in a what-if. -#}
{% macro policy_day(dates) -%}
    {%- if var('policy_on', none) -%}
        cast('{{ var("policy_on") }}' as date)
    {%- else -%}
        {{ dates }}.as_of_date
    {%- endif -%}
{%- endmacro %}

{#- The version of each entity that is valid on, and known by, each date of `dates` (columns observed_on, known_by_on).
    The newest `valid_from` stands, then what was known last, then the later batch. -#}
{% macro versions_at(relation, key, dates) -%}
    select candidates.*
    from (
        select
            {{ dates }}.observed_on,
            {{ dates }}.known_by_on,
            versions.*,
            row_number() over (
                partition by {{ dates }}.observed_on, {{ dates }}.known_by_on, versions.{{ key | join(', versions.') }}
                order by versions.valid_from desc, versions.known_at desc, versions.batch_no desc
            ) as recency_rank
        from {{ dates }}
        inner join {{ relation }} as versions
            on
                {{ dates }}.observed_on >= versions.valid_from
                and {{ dates }}.known_by_on >= versions.known_date
    ) as candidates
    where candidates.recency_rank = 1
{%- endmacro %}

{#- Sum of a column over the days of (observed_on - last_day, observed_on - first_day], by the column `days_ago`. -#}
{% macro sum_between(column, first_day, last_day) -%}
    coalesce(sum({{ column }}) filter (where days_ago >= {{ first_day }} and days_ago < {{ last_day }}), 0)
{%- endmacro %}
