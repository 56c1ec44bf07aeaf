"""The closing table of a run, for the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from dashboards.language import Language
from dashboards.published import Published
from dashboards.reading import Row
from dashboards.report import why_no_churn, why_no_scores
from dashboards.tables import tier_rows


def show(published: Published, console: Console, say: Language) -> None:
    """Print what was published: tiers, segments, churn, the model's lift, what it puts at stake, alerts of
    its monitoring, what was rejected, the publication.
    """
    publication = published.publication
    console.print()
    _show_tiers(published, console, say)

    segments = _table(say("rfm.segment"), numbers=[say("column.customers")])
    for row in published.segments:
        segments.add_row(say.label(row, "segment"), say.count(row["count_customers"]))
    console.print(segments)

    for name, words in (
        (say("summary.churn"), _churn(published, say)),
        (say("summary.top_decile"), _lift(published, say)),
        (say("summary.at_stake"), _at_stake(published, say)),
        (say("summary.monitoring"), _alerts(published, say)),
    ):
        console.print(f"[bold]{name}[/] {words}", highlight=False)
    if published.rejected:
        rejected = _table(say("summary.rejected_of"), numbers=[say("summary.rows")])
        rejected.add_column(say("summary.reasons"))
        for entity, rows in _by_entity(published.rejected):
            reasons = say("summary.join").join(
                say(
                    "summary.reason",
                    count=say.count(row["count_rows"]),
                    reason=say.named("reason", row["reason_code"]),
                )
                for row in rows
            )
            count = say.count(sum(row["count_rows"] for row in rows))
            rejected.add_row(say.named("entity", entity), count, reasons)
        console.print(rejected)
    else:
        console.print(f"[bold]{say('summary.rejected')}[/] {say('summary.nothing_rejected')}")
    words = say(
        "summary.publication",
        number=publication["publication_no"],
        run=publication["run_id"],
        day=publication["as_of_date"].isoformat(),
        status=say.named("scores_status", publication["scores_status"] or "none"),
    )
    console.print(f"[bold]{say('summary.published')}[/] {words}", highlight=False)


def _show_tiers(published: Published, console: Console, say: Language) -> None:
    """Value tiers and pyramid of personal customers, whom the plan is about; all customers in a line."""
    currency = published.source["reporting_currency_code"]
    for scheme in ("value_tier", "pyramid_tier"):
        rows = tier_rows(published, scheme, "personal")
        if not rows:
            continue
        table = _table(
            say("summary.of_personal", scheme=say.named("scheme", scheme)),
            numbers=[
                say("column.customers"),
                say("column.share"),
                say("column.churn"),
                say("summary.assets", currency=currency),
            ],
        )
        for row in rows:
            table.add_row(
                say.label(row, "tier"),
                say.count(row["count_customers"]),
                say.percent(row["share"]),
                say.percent(row["churn_rate"]),
                say.amount(row["sum_assets"]),
            )
        console.print(table)
    everyone = {
        code: (published.kpi(code) or {}).get("kpi_value") for code in ("customers", "churn_rate_annualised")
    }
    words = say(
        "summary.everyone",
        count=say.count(everyone["customers"]),
        churn=say.percent(everyone["churn_rate_annualised"]),
    )
    console.print(f"[bold]{say('summary.all')}[/] {words}", highlight=False)


def _by_entity(rejected: list[Row]) -> list[tuple[str, list[Row]]]:
    """The reasons of each entity, the entity with the most rows first."""
    by_entity: dict[str, list[Row]] = {}
    for row in rejected:
        by_entity.setdefault(row["entity"], []).append(row)
    return sorted(by_entity.items(), key=lambda item: (-sum(row["count_rows"] for row in item[1]), item[0]))


def _lift(published: Published, say: Language) -> str:
    missing = why_no_scores(published, say)
    if missing:
        return say("summary.no_scores", why=missing)
    training = published.training
    if training is None or training["lift_top_decile"] is None:
        return say("summary.no_quality")
    return say(
        "summary.lift", lift=say.decimal(training["lift_top_decile"]), auc=say.decimal(training["auc"], 3)
    )


def _churn(published: Published, say: Language) -> str:
    rate = published.churn.rate()
    if rate is None:
        return why_no_churn(published, say)
    return say(
        "summary.churned",
        count=say.count(rate["count_churned"]),
        active=say.count(rate["count_active_at_start"]),
        start=rate["from_date"].isoformat(),
        rate=say.percent(rate["churn_rate_annualised"]),
        balances=say.percent(rate["balance_churn_rate_annualised"]),
    )


def _at_stake(published: Published, say: Language) -> str:
    if not published.scoring.losses:
        return why_no_scores(published, say) or say("summary.no_money")
    high = published.scoring.loss_of(risk_band="high")
    return say(
        "summary.loss",
        count=say.count(high["count_customers"]),
        loss=say.amount(high["sum_expected_loss"]),
        currency=published.source["reporting_currency_code"],
    )


def _alerts(published: Published, say: Language) -> str:
    found = published.monitoring
    if found.as_of_date is None:
        return say("monitoring.none_why")
    day, alerts = found.as_of_date.isoformat(), found.alerts()
    if not alerts:
        return say("summary.no_alerts", count=say.count(len(found.checks)), day=day)
    names = dict.fromkeys(say.named("check", row["check_name"]) for row in alerts)
    return say(
        "summary.alerts",
        count=say.count(len(alerts)),
        all=say.count(len(found.checks)),
        day=day,
        checks=say("summary.join").join(names),
    )


def _table(first: str, *, numbers: list[str]) -> Table:
    """A table of a column of names and of columns of numbers."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(first)
    for name in numbers:
        table.add_column(name, justify="right")
    return table
