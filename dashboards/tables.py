"""The rows of the report's tables: what is published, put in order and given its labels."""

from __future__ import annotations

from dashboards.language import Language
from dashboards.published import Published
from dashboards.reading import Row
from dashboards.tiering import ENTERING, LEAVING, SCHEMES


def ordered_mobility(published: Published) -> list[Row]:
    """Rows of mobility scheme by scheme, the rule alone before what was published."""
    rows = [row for row in published.tiering.mobility if row["scheme"] in SCHEMES]
    return sorted(rows, key=lambda row: (SCHEMES.index(row["scheme"]), row["basis"] != "raw"))


def tier_rows(published: Published, scheme: str, kind: str) -> list[Row]:
    """The tiers of a scheme with their shares, of the bank's customers and of the plan's."""
    rows = published.tiering.summary_of(scheme, kind)
    total = sum(row["count_customers"] for row in rows) or 1
    planned = sum(row["plan_count_customers"] or 0 for row in rows)
    return [
        {
            **row,
            "share": row["count_customers"] / total,
            "plan_share": (row["plan_count_customers"] or 0) / planned if planned else None,
        }
        for row in rows
    ]


def kind_total(published: Published, kind: str) -> Row:
    """All customers of a kind: what the tiers add up to, rates by the KPIs, the plan's churn of the kind."""
    rows = published.tiering.summary_of("value_tier", kind)
    assets = [row["sum_assets"] for row in rows]
    rates = {
        measure: (published.kpi(code, "customer_kind", kind) or {}).get("kpi_value")
        for measure, code in (
            ("churn_rate", "churn_rate_annualised"),
            ("satisfaction_share", "satisfaction_share"),
            ("multi_product_share", "multi_product_share"),
        )
    }
    return {
        "count_customers": sum(row["count_customers"] for row in rows),
        "sum_assets": None if None in assets else sum(assets),
        "plan_churn_rate": rows[0]["plan_kind_churn_rate"] if rows else None,
        **rates,
    }


def migration_table(published: Published, say: Language) -> Row | None:
    """Columns, and one row a tier with its customers by the tier they moved to; None without a period."""
    tiering = published.tiering
    if not tiering.migration or not tiering.policy:
        return None
    counts = {(row["from_tier"], row["to_tier"]): row["count_customers"] for row in tiering.migration}
    codes = tiering.migrating_tiers()
    columns = [*codes, LEAVING]
    rows: list[Row] = []
    for source in (*codes, *ENTERING):
        cells = [counts.get((source, target), 0) for target in columns]
        if not sum(cells):
            continue
        rows.append(
            {
                "label": tiering.tier_label("value_tier", source, say),
                "cells": cells,
                "total": sum(cells),
                "stayed": counts.get((source, source), 0) / sum(cells) if source in codes else None,
            }
        )
    first = tiering.migration[0]
    return {
        "period": first["period"],
        "from_date": first["from_date"],
        "columns": [tiering.tier_label("value_tier", code, say) for code in columns],
        "rows": rows,
    }


def stability_table(published: Published) -> list[Row]:
    """One row a scheme with what was published; `raw` is None where the rule alone is not measured."""
    rows: dict[str, Row] = {}
    for row in ordered_mobility(published):
        measures = {name: row[name] for name in ("moved_share", "flip_back_rate", "mobility")}
        rows.setdefault(row["scheme"], {"scheme": row["scheme"], "raw": None})[row["basis"]] = measures
    return list(rows.values())


def member_label(published: Published, dimension: str, member: str, say: Language) -> str:
    """What a member of a dimension is called: tiers and segments as the warehouse has it."""
    if dimension in SCHEMES:
        return published.tiering.tier_label(dimension, member, say)
    return say.named("member", member)


def group_label(published: Published, dimension: str, member: str, say: Language) -> str:
    """A member with its dimension in front."""
    return say(
        "page.group",
        dimension=say.named("dimension", dimension),
        member=member_label(published, dimension, member, say),
    )


def value_tiers(published: Published, say: Language) -> dict[str, str]:
    """Labels of the value tiers by code, the best first."""
    return {row["tier"]: say.label(row, "tier") for row in published.tiering.tiers("value_tier")}


def churn_by_tier(published: Published, say: Language) -> list[Row]:
    """Churn of the longest period by value tier, the best first, beside the plan's rate for persons."""
    found = published.churn.by_member("value_tier")
    plan = {
        row["tier"]: row["plan_churn_rate"] for row in published.tiering.summary_of("value_tier", "personal")
    }
    return [
        {**found[tier], "label": label, "plan_churn_rate": plan.get(tier)}
        for tier, label in value_tiers(published, say).items()
        if tier in found
    ]


def churn_traits(published: Published, say: Language) -> tuple[list[Row], list[Row]]:
    """Groups that churn most and least against the bank, with their labels."""
    highest, lowest = (
        [
            {
                **row,
                "dimension_label": say.named("dimension", row["dimension"]),
                "label": member_label(published, row["dimension"], row["member"], say),
            }
            for row in rows
        ]
        for rows in published.churn.traits()
    )
    return highest, lowest


def model_groups(published: Published, say: Language) -> list[Row]:
    """Groups that the model was tested on, protected ones last, with their labels."""
    rows = _with_group(published, published.model.groups(), say)
    tiers = list(value_tiers(published, say))
    return sorted(
        rows,
        key=lambda row: (
            row["is_protected"],
            row["dimension"],
            tiers.index(row["member"]) if row["member"] in tiers else len(tiers),
        ),
    )


def fairness_groups(published: Published, say: Language) -> list[Row]:
    """Groups that are compared for how often they are selected, with their labels."""
    return _with_group(published, published.fairness.groups, say)


def fairness_offers(published: Published, say: Language) -> list[Row]:
    """First actions that a group is offered too seldom, with the group's label."""
    return _with_group(published, published.fairness.offers, say)


def _with_group(published: Published, rows: list[Row], say: Language) -> list[Row]:
    return [{**row, "label": group_label(published, row["dimension"], row["member"], say)} for row in rows]
