"""How good the model of the scores is, out of time: the figures of its training in ops.model_metrics."""

from __future__ import annotations

from dataclasses import dataclass, field

from dashboards.reading import Reader, Row

TEST = "test"
BASELINES = ("tier_rate_baseline", "risk_index_baseline")
PARTS = (TEST, *BASELINES)
# The figures shown for the model beside its baselines, and those shown for each group.
COMPARED = (
    "auc", "average_precision", "ks", "lift_top_decile", "brier", "calibration_slope",
    "calibration_intercept", "calibration_error", "empc", "mpc",
)  # fmt: skip
OF_GROUPS = ("rows", "churners", "churn_rate", "auc", "calibration_slope", "selection_rate", "tpr", "fpr")
# Never learned from: figures are given for these groups so that it can be seen what the model does to them.
PROTECTED = ("sex", "age_band", "is_elderly", "is_disabled")


@dataclass(frozen=True)
class ModelQuality:
    """Figures by part and group; a figure is a row of metric_value, low_value, high_value."""

    # (part, dimension, member) to the figures by metric
    figures: dict[tuple[str, str, str], dict[str, Row]] = field(default_factory=dict)

    def overall(self, part: str = TEST) -> dict[str, Row]:
        """The figures of a part over all customers of the test."""
        return self.figures.get((part, "all", "all"), {})

    def parts(self) -> list[str]:
        """The model and the baselines that there are figures of."""
        return [part for part in PARTS if self.overall(part)]

    def compared(self) -> list[Row]:
        """One row a metric: metric, and its figure by part; `leads`: the model's lead over each baseline."""
        return [
            {
                "metric": metric,
                "parts": {part: self.overall(part).get(metric) for part in self.parts()},
                "leads": {part: self.overall(f"over_{part}").get(metric) for part in BASELINES},
            }
            for metric in COMPARED
            if metric in self.overall()
        ]

    def groups(self) -> list[Row]:
        """One row a group of the test: dimension, member, is_protected, and its figures by metric."""
        return [
            {
                "dimension": dimension,
                "member": member,
                "is_protected": dimension in PROTECTED,
                "figures": figures,
            }
            for (part, dimension, member), figures in self.figures.items()
            if part == TEST and dimension != "all"
        ]


def read_model(reader: Reader, training: Row | None) -> ModelQuality:
    """Read the figures that a training has recorded of its model; none without one."""
    if training is None:
        return ModelQuality()
    figures: dict[tuple[str, str, str], dict[str, Row]] = {}
    metrics = ", ".join(f"'{metric}'" for metric in dict.fromkeys((*COMPARED, *OF_GROUPS)))
    values = [training["model_version"], training["run_id"]]
    for row in reader.rows(METRICS.replace("{metrics}", metrics), {"ops.model_metrics": ()}, values):
        group = (row.pop("part"), row.pop("dimension"), row.pop("member"))
        figures.setdefault(group, {})[row.pop("metric")] = row
    return ModelQuality(figures)


METRICS = """
select part, dimension, member, metric, metric_value, low_value, high_value
from ops.model_metrics
where model_version = $1 and run_id = $2 and metric in ({metrics})
order by dimension, member, part, metric
"""
