"""The closing table of a run, for the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from dashboards.published import Published, Row
from dashboards.report import amount, count, percent, tier_rows, why_no_scores, words


def show(published: Published, console: Console) -> None:
    """Print what was published: tiers, segments, the model's lift, what was rejected, the publication."""
    currency = published.source["reporting_currency_code"]
    publication = published.publication
    console.print()
    tiers = _table("Value tier", "Customers >", "Share >", "Churn a year >", f"Balance, {currency} >")
    for row in tier_rows(published):
        tiers.add_row(
            row["label"],
            count(row["count_customers"]),
            percent(row["share"]),
            percent(row["churn_rate"]),
            amount(row["balance"]),
        )
    everyone = {
        code: (published.kpi(code) or {}).get("kpi_value") for code in ("churn_rate_annualised", "balance")
    }
    tiers.add_section()
    tiers.add_row(
        "All 合计",
        count(sum(row["count_customers"] for row in published.tiers)),
        percent(1),
        percent(everyone["churn_rate_annualised"]),
        amount(everyone["balance"]),
    )
    console.print(tiers)

    segments = _table("RFM segment", "Customers >")
    for row in published.segments:
        segments.add_row(f"{row['segment_en']} {row['segment_zh']}", count(row["count_customers"]))
    console.print(segments)

    console.print(f"[bold]Top decile:[/] {_lift(published)}", highlight=False)
    if published.rejected:
        rejected = _table("Rejected rows of", "Rows >", "Reasons")
        for entity, rows in _by_entity(published.rejected):
            reasons = ", ".join(f"{count(row['count_rows'])} {words(row['reason_code'])}" for row in rows)
            rejected.add_row(entity, count(sum(row["count_rows"] for row in rows)), reasons)
        console.print(rejected)
    else:
        console.print("[bold]Rejected:[/] no row of any delivery")
    console.print(
        f"[bold]Published:[/] no. {publication['publication_no']}, run {publication['run_id']}, "
        f"as of {publication['as_of_date']}, scores {words(publication['scores_status'] or 'none')}",
        highlight=False,
    )


def _by_entity(rejected: list[Row]) -> list[tuple[str, list[Row]]]:
    """The reasons of each entity, the entity with the most rows first."""
    by_entity: dict[str, list[Row]] = {}
    for row in rejected:
        by_entity.setdefault(row["entity"], []).append(row)
    return sorted(by_entity.items(), key=lambda item: (-sum(row["count_rows"] for row in item[1]), item[0]))


def _lift(published: Published) -> str:
    missing = why_no_scores(published)
    if missing:
        return f"no churn scores. {missing}"
    training = published.training
    if training is None or training["lift_top_decile"] is None:
        return "no quality was recorded for the model of these scores"
    return f"lift {training['lift_top_decile']:.2f} out of time (AUC {training['auc']:.3f})"


def _table(*columns: str) -> Table:
    """A table with these columns; a name that ends in > is a column of numbers."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        is_number = column.endswith(" >")
        table.add_column(column.removesuffix(" >"), justify="right" if is_number else "left")
    return table
