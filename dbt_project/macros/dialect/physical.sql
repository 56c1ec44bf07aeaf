{#- Statistics after a build: PostgreSQL plans the next model by them, and has none for a table just made. -#}
{% macro analyze(relation) -%}
    {{ return(adapter.dispatch('analyze', 'keepwell')(relation)) }}
{%- endmacro %}

{% macro default__analyze(relation) -%}{%- endmacro %}

{% macro postgres__analyze(relation) -%}
    {% if relation.type != 'view' %} analyze {{ relation }} {% endif %}
{%- endmacro %}

{#- A small index on a column that rows arrive in the order of, so that a window is a range of the table. DuckDB keeps
    such ranges by itself. -#}
{% macro index_on(relation, column) -%}
    {{ return(adapter.dispatch('index_on', 'keepwell')(relation, column)) }}
{%- endmacro %}

{% macro default__index_on(relation, column) -%}{%- endmacro %}

{% macro postgres__index_on(relation, column) -%}
    create index if not exists {{ relation.identifier }}_{{ column }} on {{ relation }} using brin ({{ column }})
{%- endmacro %}
