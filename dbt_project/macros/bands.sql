{#- The value lies in the band of a policy: at or above its lower bound, below its upper bound, an empty bound is open. The
    tests that a policy covers every value ask this same question. -#}
{% macro in_band(value, band, lower='lower_bound', upper='upper_bound') -%}
    ({{ band }}.{{ lower }} is null or {{ value }} >= {{ band }}.{{ lower }})
    and ({{ band }}.{{ upper }} is null or {{ value }} < {{ band }}.{{ upper }})
{%- endmacro %}

{#- The metric reaches the tier from below, and no better one. -#}
{% macro reaches(metric, tier) -%}
    {{ in_band(metric, tier, 'entry_bound', 'entry_below') }}
{%- endmacro %}

{#- The tier is the best that the metric is still good enough to keep. -#}
{% macro keeps(metric, tier) -%}
    {{ in_band(metric, tier, 'exit_bound', 'exit_below') }}
{%- endmacro %}

{#- Joins to each row the tier that its metric reaches (`entered`) and the best one that it keeps (`kept`), of `bands`: the
    tiers of one scheme in int_tier_policy. -#}
{% macro join_bands(rows, metric, bands='bands') -%}
    {%- for tier, has in [('entered', reaches(metric, 'entered')), ('kept', keeps(metric, 'kept'))] %}
    inner join {{ bands }} as {{ tier }}
        on
            {{ rows }}.as_of_date = {{ tier }}.as_of_date
            and {{ rows }}.customer_kind = {{ tier }}.customer_kind
            and {{ has }}
    {%- endfor %}
{%- endmacro %}

{#- The bound that a tier is reached at, or that of the next better tier which is not, in words: ' >= 100,000.00'. -#}
{% macro against_bound(tier) -%}
    case
        when {{ tier }}.entry_bound is not null then ' >= ' || {{ format_amount(tier ~ '.entry_bound') }}
        else ' < ' || {{ format_amount(tier ~ '.entry_below') }}
    end
{%- endmacro %}

{#- Why a metric gives the tier that it reaches, in words: 'annual transactions 103,200.00 >= 100,000.00'. -#}
{% macro band_reason(name, metric, tier) -%}
    '{{ name }} ' || {{ format_amount(metric) }} || {{ against_bound(tier) }}
{%- endmacro %}

{#- The cell of scores lies in the segment's rectangle. Frequency and money tell much the same of a bank's customer: the map
    reads their mean, rounded up. -#}
{% macro in_segment(cell, segment) -%}
    {%- set fm_score = divide_whole(cell ~ '.f_score + ' ~ cell ~ '.m_score + 1', '2') -%}
    {{ cell }}.r_score between {{ segment }}.r_from and {{ segment }}.r_to
    and {{ fm_score }} between {{ segment }}.fm_from and {{ segment }}.fm_to
{%- endmacro %}
