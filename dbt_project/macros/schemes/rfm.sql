{#- The scores that have a cut of their own; an active customer who reaches none has score 1. -#}
{% macro rfm_cut_scores() -%}
    {{ return([2, 3, 4, 5]) }}
{%- endmacro %}

{#- The score of an active customer by the cuts of the policy: 1, and one more for each cut that the value reaches. Recency
    reaches a cut from above (fewer days), frequency and money from below. -#}
{% macro rfm_cut_score(measure, values, cuts) -%}
    {%- set value = {'r': 'recency_days', 'f': 'frequency_days', 'm': 'monetary_amount'}[measure] -%}
    {%- set reaches = '<=' if measure == 'r' else '>=' -%}
    1
    {%- for score in rfm_cut_scores() %}
        + case when {{ values }}.{{ value }} {{ reaches }} {{ cuts }}.{{ measure }}_cut_{{ score }} then 1 else 0 end
    {%- endfor %}
{%- endmacro %}
