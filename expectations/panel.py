"""What must be true of a training panel before a model may learn from it: features and label share no day.

The panel is built to be so; this looks at the rows that came out.
"""

from __future__ import annotations

from expectations.asset import Asset, Rule, every_row, not_null
from warehouse import Warehouse
from warehouse.runs import Run


def assets(wh: Warehouse, run: Run) -> list[Asset]:
    """The panel suite: the days of every row's label, and what its features could have known."""
    return [windows(run), knowledge(run)]


def windows(run: Run) -> Asset:
    """A label begins after the day of its features and is known only when its window is over."""
    relation = f"{run.run_id}.churn_panel"
    return every_row(
        relation=relation,
        columns="as_of_date, label_status, is_churned, label_from_on, label_to_on",
        source=relation,
        rules=[
            not_null("label_from_on", "every_label_has_a_first_day"),
            not_null("label_to_on", "every_label_has_a_last_day"),
            Rule("labels_begin_after_the_day_of_the_features", "label_from_on <= as_of_date"),
            Rule("labels_end_after_they_begin", "label_to_on < label_from_on"),
            Rule(
                "labels_are_known_only_when_their_window_is_over",
                f"is_churned is not null and label_to_on > date '{run.as_of_date}'",
            ),
            Rule("only_mature_rows_have_a_label", "(label_status = 'mature') <> (is_churned is not null)"),
        ],
        reads=(relation,),
        remedy="no model may learn from this panel: mend dbt_project/models/marts/churn/churn_panel.sql or "
        "what it reads",
    )


def knowledge(run: Run) -> Asset:
    """The archived features were built with what was known by the close of their own day."""
    relation = f"{run.run_id}.churn_panel"
    return every_row(
        relation=relation,
        columns="built.knowledge_cutoff_on, panel.as_of_date + sources.landing_lag_days as closed_on",
        source=f"""
            {relation} as panel
            left join ops.run_dates as built
                on panel.run_id = built.run_id and panel.as_of_date = built.as_of_date
            cross join ops.sources as sources
        """,
        rules=[
            not_null("knowledge_cutoff_on", "the_run_of_the_features_is_known"),
            Rule("features_know_no_more_than_the_close_of_their_day", "knowledge_cutoff_on > closed_on"),
        ],
        reads=(relation, "ops.run_dates", "ops.sources"),
        remedy="build those days again and publish them: airflow backfill create --dag-id customer_daily",
    )
