{#- A step of the caps applies to so many years of experience: unknown experience is none. The newest step that applies
    decides. -#}
{% macro risk_cap_applies(answers, cap) -%}
    coalesce({{ answers }}.experience_years, 0) >= {{ cap }}.min_experience_years
    and (
        {{ cap }}.next_experience_years is null
        or coalesce({{ answers }}.experience_years, 0) < {{ cap }}.next_experience_years
    )
{%- endmacro %}

{#- The caps of a version, each with the years at which the next one takes over. -#}
{% macro risk_cap_steps(caps, version) -%}
    select
        caps.*,
        lead(caps.min_experience_years) over (
            partition by {{ version | join(', ') }}
            order by caps.min_experience_years
        ) as next_experience_years
    from {{ caps }} as caps
{%- endmacro %}

{#- The appetite in force: what the questionnaire says while it holds, and no bolder than the cap (tier order 1 is the
    boldest). -#}
{% macro risk_appetite(answers, cap) -%}
    case
        when not coalesce({{ answers }}.is_valid, false) then 'unknown'
        when {{ cap }}.tier_order > {{ answers }}.tier_order then {{ cap }}.highest_appetite
        else {{ answers }}.questionnaire_appetite
    end
{%- endmacro %}
