"""What must be true of churn over all customers: most of them are still there.

That spells follow each other and rates add up is for dbt's tests; here is the share that shows a policy, or a
delivery that lacks what customers did, under which a bank seems to have lost its customers.
"""

from __future__ import annotations

from expectations.asset import Asset, Rule, every_row

# Of who has an open account; 5 % of the demo of 400 customers are (2026-11).
IN_SPELL_SHARE = 0.3


def assets(schema: str) -> list[Asset]:
    """The customers of a run and who of them is in a spell, all its dates together."""
    customers, spells = f"{schema}.dim_customers", f"{schema}.fct_churn_spells"
    return [
        every_row(
            relation=spells,
            columns="open_spells.customer_id",
            source=f"""
                (select as_of_date, customer_id from {customers} where is_open) as customers
                left join (
                    select as_of_date, customer_id from {spells} where is_open_spell
                ) as open_spells
                    on
                        customers.as_of_date = open_spells.as_of_date
                        and customers.customer_id = open_spells.customer_id
            """,
            rules=[
                Rule(
                    "most_customers_with_an_account_are_in_no_spell",
                    "customer_id is not null",
                    allowed_share=IN_SPELL_SHARE,
                )
            ],
            reads=(customers, spells),
            remedy="see which form is_silence, is_balance_drain ... grew since the day before, and hold "
            "`policy_churn` and the delivered transactions and balances against it",
        )
    ]
