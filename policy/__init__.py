"""Policy as data: is it sound, whom would it move, and where do frozen RFM cuts lie.

The rows themselves lie in dbt_project/seeds/policy_*.csv; docs/policy.md tells how a bank changes them.
"""
