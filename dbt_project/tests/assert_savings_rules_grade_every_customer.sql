-- Every mix of loan record, deposits, term and spending has one first rule in every version of the policy, and a poor loan
-- record is graded as a risk whatever else there is: tried at, just below and just above each bound, unknown, 0, negative.
with

rules as (
    select
        rules.*,
        rules.policy_set || rules.customer_kind || cast(rules.effective_from as {{ dbt.type_string() }}) as version
    from {{ ref('policy_savings_grades') }} as rules
),

versions as (
    select distinct version
    from rules
),

steps as (
    select -0.01 as step
    union all
    select 0.00 as step
    union all
    select 0.01 as step
),

sides as (
    select cast(null as numeric(18, 2)) as edge
    union all
    select 0.00 as edge
    union all
    select -100.00 as edge
    union all
    select 9999999.99 as edge
),

{% for column in ['deposit_amount', 'term_months', 'spending_amount'] %}
    {{ column }}_edges as (
        select
            rules.version,
            rules.min_{{ column }} + steps.step as edge
        from rules
        cross join steps
        where rules.min_{{ column }} is not null

        union

        select
            versions.version,
            sides.edge
        from versions
        cross join sides
    ),
{% endfor %}

loan_records as (
    select 'poor' as loan_record
    union all
    select 'sound' as loan_record
    union all
    select 'none' as loan_record
),

figures as (
    select
        deposit_amount_edges.version,
        loan_records.loan_record,
        deposit_amount_edges.edge as deposit_amount,
        term_months_edges.edge as mean_term_months,
        spending_amount_edges.edge as spending_amount
    from deposit_amount_edges
    inner join term_months_edges on deposit_amount_edges.version = term_months_edges.version
    inner join spending_amount_edges on deposit_amount_edges.version = spending_amount_edges.version
    cross join loan_records
),

matched as (
    select
        figures.*,
        rules.savings_grade,
        rank() over (
            partition by
                figures.version,
                figures.loan_record,
                figures.deposit_amount,
                figures.mean_term_months,
                figures.spending_amount
            order by rules.precedence
        ) as rule_rank
    from figures
    left join rules
        on
            figures.version = rules.version
            and {{ savings_rule_holds('figures', 'rules') }}
)

select
    version,
    loan_record,
    deposit_amount,
    mean_term_months,
    spending_amount,
    count(savings_grade) as count_first_rules,
    max(savings_grade) as savings_grade
from matched
where rule_rank = 1
group by version, loan_record, deposit_amount, mean_term_months, spending_amount
having count(savings_grade) != 1 or (loan_record = 'poor' and max(savings_grade) != 'risk')
