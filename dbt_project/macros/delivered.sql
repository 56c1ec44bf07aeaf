{#- Rows of a raw entity with the day from which on a snapshot may use them: when the bank knew them, and never before
    the delivery that brought them. History is taken as known on its own days. -#}
{% macro delivered(entity) -%}
    select
        rows_of_entity.*,
        greatest(cast(rows_of_entity.known_at as date), batches.arrived_on) as known_date
    from {{ source('raw', entity) }} as rows_of_entity
    left join {{ ref('stg_batches') }} as batches on rows_of_entity.batch_no = batches.batch_no
{%- endmacro %}
