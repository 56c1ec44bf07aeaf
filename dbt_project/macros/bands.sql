{#- The value lies in the band of a policy: at or above its lower bound, below its upper bound, an empty bound is open. The
    tests that a policy covers every value ask this same question. -#}
{% macro in_band(value, band) -%}
    ({{ band }}.lower_bound is null or {{ value }} >= {{ band }}.lower_bound)
    and ({{ band }}.upper_bound is null or {{ value }} < {{ band }}.upper_bound)
{%- endmacro %}

{#- The cell of scores lies in the segment's rectangle. Frequency and money tell much the same of a bank's customer: the map
    reads their mean, rounded up. -#}
{% macro in_segment(cell, segment) -%}
    {%- set fm_score = divide_whole(cell ~ '.f_score + ' ~ cell ~ '.m_score + 1', '2') -%}
    {{ cell }}.r_score between {{ segment }}.r_from and {{ segment }}.r_to
    and {{ fm_score }} between {{ segment }}.fm_from and {{ segment }}.fm_to
{%- endmacro %}
