{#- A fact keyed by arrival: a table that takes the batches it has not seen, and of which no row is ever rewritten. The
    model names where its arrivals come in by `new_arrivals()`, and its columns by a contract. Everything is inserted in
    one transaction, so a build that was interrupted leaves nothing behind, and in the order of `order_by`, so that a
    window over dates is a range of the table. -#}
{% materialization arrivals, default %}
    {%- set facts = this.incorporate(type='table') -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set columns = model.columns.values() | map(attribute='name') | list -%}
    {%- set column_list = columns | join(', ') -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {% if existing is not none and should_full_refresh() %}
        {% do adapter.drop_relation(existing) %}
        {% set existing = none %}
    {% endif %}
    {% if existing is none %}
        {% call statement('create') %} create table {{ facts }} {{ get_table_columns_and_constraints() }} {% endcall %}
        {% set newest_batch = 0 %}
    {% else %}
        {% set found = adapter.get_columns_in_relation(existing) | map(attribute='name') | list %}
        {% if found | sort != columns | sort %}
            {{
                exceptions.raise_compiler_error(
                    this ~ ' lacks ' ~ (columns | reject('in', found) | join(', ') or 'nothing') ~ ' of its contract and has '
                    ~ (found | reject('in', columns) | join(', ') or 'nothing') ~ ' beyond it. Rebuild the facts once, from'
                    ~ ' raw: dbt build --full-refresh --select path:models/core'
                )
            }}
        {% endif %}
        {% set newest_batch = run_query(newest_batch_sql(facts)).rows[0][0] %}
    {% endif %}

    {# Asks the model's SQL for its columns, which reads the table that it adds to. #}
    {{ get_assert_columns_equivalent(sql) }}
    {% for part in parts_of_arrivals(newest_batch) %}
        {% call statement('main') %}
            insert into {{ facts }} ({{ column_list }})
            select {{ column_list }} from ({{ sql | replace(new_arrivals(), part) }}) as new_rows
            order by {{ config.require('order_by') }}
        {% endcall %}
    {% endfor %}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do adapter.commit() %}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [facts]}) }}
{% endmaterialization %}

{#- The condition on transactions that the materialization fills in: the batches to take. As it stands, every one. -#}
{% macro new_arrivals() -%}
    /* new arrivals */ true
{%- endmacro %}

{#- The newest batch that a fact holds. Asked batch by batch, for PostgreSQL has an index on that column alone. -#}
{% macro newest_batch_sql(facts) -%}
    select coalesce(max(batches.batch_no), 0)
    from ops.batches as batches
    where exists (select 1 from {{ facts }} as facts where facts.batch_no = batches.batch_no)
{%- endmacro %}
