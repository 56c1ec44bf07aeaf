"""The model card: one HTML page that opens offline, written from a version's metadata and nothing else."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

CARD = "card.html"
TEMPLATES = Path(__file__).with_name("templates")

Row = dict[str, Any]

# How far |AUC - .5| of one feature must lie from nothing before its direction is read.
SEEN = 0.02

# Of the table of figures: name in the metadata, words, how it is written.
FIGURES = (
    ("auc", "AUC", "decimal"),
    ("average_precision", "average precision", "decimal"),
    ("ks", "KS", "decimal"),
    ("lift_top_decile", "lift, riskiest tenth", "decimal"),
    ("brier", "Brier score (less is better)", "decimal"),
    ("calibration_slope", "calibration slope (1 is right)", "decimal"),
    ("calibration_intercept", "calibration intercept (0 is right)", "decimal"),
    ("calibration_error", "calibration error (less is better)", "decimal"),
    ("empc", "EMPC, money a customer", "decimal"),
    ("empc_fraction", "share that gets the offer (EMPC)", "percent"),
    ("mpc", "MPC, money a customer", "decimal"),
    ("mpc_fraction", "share that gets the offer (MPC)", "percent"),
)
PARTS = {"test": "model", "tier_rate_baseline": "tier rates", "risk_index_baseline": "risk index"}


def write(metadata: Row) -> str:
    """The page of one version. The same metadata gives the same bytes: nothing in it reads a clock.

    What a training has no figures for (a baseline, segments, a table without dates) is left out.
    """
    # Vega takes a second to import, and only who writes a card needs it.
    from ml.churn import plots

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(decimal=decimal, percent=percent, count=count, settings=settings, span=span)
    # As the registry writes it, whose keys are in order: the page is the same before and after.
    metadata = json.loads(json.dumps(metadata, sort_keys=True))
    metrics = metadata["metrics"]
    return environment.get_template("card.html").render(
        model=metadata,
        metrics=metrics,
        style=Markup((TEMPLATES / "card.css").read_text(encoding="utf-8")),  # noqa: S704 - our own file
        plots={name: Markup(svg) for name, svg in plots.draw(metrics).items()},  # noqa: S704 - drawn here
        figures=FIGURES,
        parts={part: label for part, label in PARTS.items() if metrics.get(part)},
        leads={part: leads for part in PARTS if (leads := metrics.get("leads", {}).get(part))},
        features=feature_rows(metadata),
        limits=limits(metadata),
    )


def place(metadata: Row, file: Path) -> None:
    """Write the page to a file, in a folder that need not exist yet."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(write(metadata), encoding="utf-8")


def decimal(value: float | None, digits: int = 4) -> str:
    """A number, or a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"


def percent(value: float | None, digits: int = 1) -> str:
    """A share as per cents."""
    return "–" if value is None else f"{value * 100:.{digits}f} %"


def count(value: float | None) -> str:
    """A whole number with thousands apart."""
    return "–" if value is None else f"{value:,.0f}"


def span(days: list[str]) -> str:
    """Days in order as their number and their ends; up to three by name."""
    return f"{len(days)} days, {days[0]} to {days[-1]}" if len(days) > 3 else ", ".join(days)


def settings(values: Row) -> str:
    """Settings of a candidate in one line."""
    return ", ".join(f"{name} {value}" for name, value in values.items()) or "–"


def feature_rows(metadata: Row) -> list[Row]:
    """The catalogue of the model's features, each with the direction expected and seen: `verdict` is as
    expected, against, open (none was expected), faint (nothing to be read) or none (a category, no spread).
    """
    seen = metadata.get("directions_seen", {})
    return [
        feature | {"seen": seen.get(feature["name"]), "verdict": _verdict(feature, seen.get(feature["name"]))}
        for feature in metadata["features"]
    ]


def _verdict(feature: Row, seen: float | None) -> str:
    if seen is None:
        return "none"
    if abs(seen) < SEEN:
        return "faint"
    if not feature.get("sign"):
        return "open"
    return "as expected" if feature["sign"] * seen > 0 else "against"


def limits(metadata: Row) -> list[str]:
    """What a validator would ask, answered from the figures: sentences, gravest first."""
    return [
        *_limits_of_calibration(metadata["metrics"]),
        *_limits_of_leads(metadata["metrics"]),
        *_limits_of_data(metadata),
        *_limits_of_groups(metadata["metrics"]),
        *_limits_of_features(metadata),
        *_limits_of_money(metadata["metrics"]),
    ]


def _limits_of_calibration(metrics: Row) -> Iterable[str]:
    ranges = metrics.get("intervals", {}).get("parts", {}).get("test", {})
    for name, right, words in (
        ("calibration_slope", 1, "slope"),
        ("calibration_intercept", 0, "intercept"),
    ):
        between = ranges.get(name)
        if between and not between[0] <= right <= between[1]:
            yield (
                f"Out of time the calibration {words} is {decimal(metrics['test'][name], 3)} "
                f"({decimal(between[0], 3)} to {decimal(between[1], 3)}) and should be {right}: "
                "probabilities must not be read as money without a correction."
            )


def _limits_of_leads(metrics: Row) -> Iterable[str]:
    for baseline, leads in metrics.get("leads", {}).items():
        lead = leads["empc"]
        if lead["low"] is not None and lead["low"] <= 0:
            yield (
                f"In money (EMPC) the lead over {PARTS[baseline]} is {decimal(lead['value'], 4)} "
                f"({decimal(lead['low'], 4)} to {decimal(lead['high'], 4)}): it is not certain that there is "
                "one."
            )


def _limits_of_data(metadata: Row) -> Iterable[str]:
    part = metadata.get("evaluated_on", {}).get("test", {})
    dates = part.get("as_of_dates", [])
    churners = metadata["metrics"]["test"]["churners"]
    if len(dates) == 1:
        yield (
            f"The figures are of one day, {dates[0]}, with {count(churners)} churners: they say "
            "nothing of other seasons or of a changed market. Monitoring judges each scored month "
            "when its outcomes are known."
        )
    elif churners < 200:
        yield f"The test has {count(churners)} churners: every figure is as wide as its interval."
    choice = metadata["metrics"].get("choice", {})
    over_time, folds = choice.get("count_time_folds"), choice.get("count_folds")
    if not dates:
        yield "Rows have no dates: the figures are of rows like those fitted, not of a later time."
    elif over_time is not None and folds and over_time < folds:
        yield (
            f"Candidates were compared on {over_time} folds over time and {folds - over_time} by customer: "
            "the data are too short for more."
        )
    elif folds == 0:
        yield "There were no folds to compare candidates on: the simplest one stands."
    sample = metadata["metrics"].get("sample", {})
    if sample.get("share_of_customers", 1.0) < 1:
        yield (
            f"Fitted on a sample of {percent(sample['share_of_customers'])} of the customers "
            f"(of {count(sample['rows_mature'])} rows)."
        )


def _limits_of_groups(metrics: Row) -> Iterable[str]:
    ranges = metrics.get("intervals", {}).get("segments", {})
    silent = [
        f"{dimension} {member}"
        for dimension, groups in ranges.items()
        for member, between in groups.items()
        if not between
    ]
    if silent:
        yield (
            f"Groups with fewer than {metrics['intervals']['least_of_either_outcome']} churners or stayers "
            f"have no intervals, and their figures should not be compared: {', '.join(silent)}."
        )
    overall = metrics["test"]["auc"]
    for dimension in metrics.get("protected", []):
        for member, between in ranges.get(dimension, {}).items():
            highest = (between.get("auc") or [0, 1])[1]
            if overall is not None and highest < overall:
                yield (
                    f"Customers of {dimension} {member} are ranked worse than all together: AUC at most "
                    f"{decimal(highest, 3)} against {decimal(overall, 3)}."
                )


def _limits_of_features(metadata: Row) -> Iterable[str]:
    rows = feature_rows(metadata)
    against = [row["name"] for row in rows if row["verdict"] == "against"]
    if against:
        yield (
            f"{len(against)} of {len(rows)} features alone point against the direction expected, which may "
            f"be what they share with others: {', '.join(against)}."
        )
    silent = [row["name"] for row in rows if row["verdict"] == "none" and row["kind"] != "category"]
    if silent:
        yield f"Features without any spread in the training part: {', '.join(silent)}."


def _limits_of_money(metrics: Row) -> Iterable[str]:
    economics, capacity = metrics.get("economics"), metrics.get("capacity")
    if economics:
        yield (
            f"Money is reckoned with a lifetime value of {economics['lifetime_value']:g}, an incentive of "
            f"{economics['incentive_cost']:g} and a contact cost of {economics['contact_cost']:g} for every "
            "customer alike (params.yaml, economics). They are the bank's to set; nobody measured them here."
        )
    if capacity and not capacity["customers"]:
        yield "At these costs an offer pays for nobody: a list by value would be empty."
