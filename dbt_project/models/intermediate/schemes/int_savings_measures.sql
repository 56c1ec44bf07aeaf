{{ config(materialized='view') }}

{# The figures that the savings grade looks at, and the first rule of the policy that holds for them. #}
with

run_dates as (
    select * from {{ ref('int_run_dates') }}
),

rules as (
    {{ policy_in_force(ref('policy_savings_grades'), 'run_dates', ['policy.customer_kind']) }}
),

record_policy as (
    {{ policy_in_force(ref('policy_loan_records'), 'run_dates', ['policy.customer_kind']) }}
),

figures as (
    select
        customers.customer_id,
        customers.customer_kind,
        customers.relationship_status,
        {{ loan_record('arrears') }} as loan_record,
        customers.currency_code,
        activity.mean_balance_90d as deposit_amount,
        activity.mean_term_months,
        activity.sum_spending_365d as spending_amount,
        arrears.max_days_past_due_in_lookback as max_days_past_due,
        {# Without a deposit account there is nothing, which is known. #}
        balances.customer_id is not null and activity.mean_balance_90d is null as is_deposit_unknown,
        customers.as_of_date
    from {{ ref('int_customers_at') }} as customers
    inner join {{ ref('fct_customer_activity') }} as activity
        on
            customers.customer_id = activity.customer_id
            and customers.as_of_date = activity.as_of_date
    left join {{ ref('int_customer_balances') }} as balances
        on
            customers.customer_id = balances.customer_id
            and customers.observed_on = balances.observed_on
            and customers.known_by_on = balances.known_by_on
    left join {{ ref('int_loan_arrears') }} as arrears
        on
            customers.customer_id = arrears.customer_id
            and customers.observed_on = arrears.observed_on
            and customers.known_by_on = arrears.known_by_on
),

first_rules as (
    select
        figures.customer_id,
        figures.as_of_date,
        min(rules.precedence) as precedence
    from figures
    inner join rules
        on
            figures.as_of_date = rules.as_of_date
            and figures.customer_kind = rules.customer_kind
            and {{ savings_rule_holds('figures', 'rules') }}
    group by figures.customer_id, figures.as_of_date
),

final as (
    select
        figures.*,
        rules.savings_grade as raw_tier,
        rules.savings_grade as hold_tier,
        rules.precedence,
        rules.rule_version || ', ' || record_policy.rule_version as rules_version,
        'rule ' || cast(rules.precedence as {{ dbt.type_string() }}) || ': '
        || case
            when
                rules.loan_record is null
                and rules.min_deposit_amount is null
                and rules.min_term_months is null
                and rules.min_spending_amount is null
                then
                    'no other rule holds with loan record ' || figures.loan_record
                    || ', deposits ' || {{ format_amount('coalesce(figures.deposit_amount, 0)') }}
                    || ', mean term ' || {{ format_amount('coalesce(figures.mean_term_months, 0)') }}
                    || ' months, annual spending ' || {{ format_amount('figures.spending_amount') }}
            else
                concat_ws(
                    ' and ',
                    case
                        when rules.loan_record = 'poor'
                            then
                                'loan record poor (' || cast(figures.max_days_past_due as {{ dbt.type_string() }})
                                || ' days past due)'
                        when rules.loan_record is not null then 'loan record ' || rules.loan_record
                    end,
                    case
                        when rules.min_deposit_amount is not null
                            then
                                'deposits ' || {{ format_amount('coalesce(figures.deposit_amount, 0)') }}
                                || ' >= ' || {{ format_amount('rules.min_deposit_amount') }}
                    end,
                    case
                        when rules.min_term_months is not null
                            then
                                'mean term ' || {{ format_amount('coalesce(figures.mean_term_months, 0)') }}
                                || ' months >= ' || {{ format_amount('rules.min_term_months') }}
                    end,
                    case
                        when rules.min_spending_amount is not null
                            then
                                'annual spending ' || {{ format_amount('figures.spending_amount') }}
                                || ' >= ' || {{ format_amount('rules.min_spending_amount') }}
                    end
                )
        end
        || case when figures.is_deposit_unknown then '; deposits unknown, taken as 0' else '' end as raw_reason
    from figures
    inner join first_rules
        on
            figures.customer_id = first_rules.customer_id
            and figures.as_of_date = first_rules.as_of_date
    inner join rules
        on
            figures.as_of_date = rules.as_of_date
            and figures.customer_kind = rules.customer_kind
            and first_rules.precedence = rules.precedence
    inner join record_policy
        on
            figures.as_of_date = record_policy.as_of_date
            and figures.customer_kind = record_policy.customer_kind
)

select * from final
