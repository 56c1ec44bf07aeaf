"""What must be true of risk indices over all customers: the frozen reference still fits, and the inputs came.

That points add up and grades hold their indices is for dbt's tests; here are the shares that show drift.
"""

from __future__ import annotations

from expectations.asset import Asset, Rule, every_row

# Where the reference was fitted a fifth of the customers had these grades.
RISKY_GRADES, RISKY_SHARE = "('D', 'E')", 0.5
# Two unknown are a customer who told neither income nor education; a market file that did not come adds two.
MOST_UNKNOWN, UNKNOWN_SHARE = 2, 0.05


def assets(schema: str) -> list[Asset]:
    """The indices of a run, all its dates together."""
    relation = f"{schema}.fct_customer_risk_index"
    return [
        every_row(
            relation=relation,
            columns="risk_grade, count_unknown_indicators",
            source=relation,
            rules=[
                Rule(
                    "at_most_half_of_the_customers_are_graded_risky",
                    f"risk_grade in {RISKY_GRADES}",
                    allowed_share=RISKY_SHARE,
                ),
                Rule(
                    "most_risk_indices_rest_on_known_indicators",
                    f"count_unknown_indicators > {MOST_UNKNOWN}",
                    allowed_share=UNKNOWN_SHARE,
                ),
            ],
            reads=(relation,),
            remedy="see which indicator moved in value_*; a reference that no longer fits is made anew by "
            "`python -m policy risk-reference`",
        )
    ]
