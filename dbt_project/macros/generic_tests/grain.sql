{#- The columns together name one row. -#}
{% test grain(model, columns) %}
    select {{ columns | join(', ') }}, count(*) as count_rows
    from {{ model }}
    group by {{ columns | join(', ') }}
    having count(*) > 1
{% endtest %}

{#- The column lies between two inclusive bounds wherever it is known. -#}
{% test between(model, column_name, at_least=none, at_most=none) %}
    select {{ column_name }}
    from {{ model }}
    where
        false
        {% if at_least is not none %} or {{ column_name }} < {{ at_least }} {% endif %}
        {% if at_most is not none %} or {{ column_name }} > {{ at_most }} {% endif %}
{% endtest %}
