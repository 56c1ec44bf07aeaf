"""The churn model of a bank that nothing was tuned on, against the hazard that was planted in it.

The only reader of the truth folder outside the simulator and its tests.
"""

from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from benchmarks.banks import described_days, new_bank, simulate_customers, truth_of
from benchmarks.build import close
from benchmarks.drivers import REASONS_OF_DRIVER, DriverShare, driver_table, told_drivers
from benchmarks.steps import Bank, StepError, run_dag
from ml.churn.evaluate import RISK_INDEX, calibration_line, risk_index_baseline, tier_rate_baseline
from ml.churn.explain import Explainer
from ml.churn.frame import feature_frame
from ml.churn.money import empc
from ml.churn.params import load_params
from ml.churn.registry import EVALUATION, Registry
from ml.churn.score import largest
from simulator.truth import bayes_optimal_auc
from warehouse import open_warehouse

Floats = npt.NDArray[np.float64]
BOOTSTRAP_DRAWS = 500


@dataclass(frozen=True)
class AgainstTruth:
    """Out-of-time figures on the rows that the training held out: `test_date`, eligible, label mature.

    Left out are customers who had churned by plan and whom the warehouse has not seen leave, or has seen come
    back: who stays with little after a drain that no snapshot showed.

    `auc_truth` ranks the same rows by the planted probability against the same labels; `auc_expected` is
    what that ranking gives on average over the dice of the plan. `rank_correlation` is Spearman's, of the
    predicted and the planted probability. `difference_error` is the standard error of `auc_truth -
    auc_model`, from bootstrap samples of the rows. `empc` is money a customer, by the economics of
    params.yaml, of the model, the baselines and the planted probability, on the same rows. `drivers` are of
    all customers, `drivers_of_riskiest` of the tenth with the highest scores.
    """

    customers: int
    seed: int
    test_date: date
    model: str
    rows: int
    churners: int
    rows_lost_before: int
    churners_lost_before: int
    auc_model_all_rows: float
    auc_model: float
    auc_truth: float
    auc_expected: float
    difference_error: float
    rank_correlation: float
    calibration_slope: float | None
    mean_predicted: float
    mean_planted: float
    empc: dict[str, float]
    drivers: list[DriverShare]
    drivers_of_riskiest: list[DriverShare]

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "test_date": self.test_date.isoformat()}

    def as_table(self) -> str:
        """One figure a line, in Markdown."""
        gap = self.auc_truth - self.auc_model
        lines = {
            "bank": f"{self.customers:,} customers, seed {self.seed}",
            "model": f"{self.model}, tested on {self.test_date}",
            "rows, churners": f"{self.rows:,}, {self.churners:,}",
            "left out: customers who had churned by plan, churners among them": f"{self.rows_lost_before:,}, "
            f"{self.churners_lost_before:,} (AUC of the model with them {self.auc_model_all_rows:.4f})",
            "AUC of the model": f"{self.auc_model:.4f}",
            "AUC of the planted probability, same rows and labels": f"{self.auc_truth:.4f}",
            "difference": f"{gap:.4f} (standard error {self.difference_error:.4f})",
            "Bayes-optimal AUC, expected under the plan": f"{self.auc_expected:.4f}",
            "rank correlation of predicted and planted probability": f"{self.rank_correlation:.3f}",
            "calibration slope": f"{self.calibration_slope:.2f}" if self.calibration_slope else "none",
            "mean predicted, planted, seen": f"{self.mean_predicted:.4f}, {self.mean_planted:.4f}, "
            f"{self.churners / self.rows:.4f}",
        }
        lines |= {f"EMPC a customer, {name}": f"{amount:.4f}" for name, amount in self.empc.items()}
        figures = "\n".join(
            ["| figure | value |", "|---|---|", *(f"| {name} | {value} |" for name, value in lines.items())]
        )
        return "\n\n".join(
            [
                figures,
                f"Reasons against what was planted, all customers:\n\n{driver_table(self.drivers)}",
                f"The riskiest tenth:\n\n{driver_table(self.drivers_of_riskiest)}",
            ]
        )


def measure(folder: Path, *, customers: int, seed: int, keep: bool) -> AgainstTruth:
    """Simulate, build the month-ends, train, and hold the evaluation model against the truth.

    Raises StepError.
    """
    landing = simulate_customers(folder, customers=customers, seed=seed)
    bank = new_bank(folder / f"truth-{customers}-{seed}", "duckdb", landing)
    try:
        day = described_days(landing)[-1]
        run_dag("customer_bootstrap", bank, day)
        run_dag("churn_training", bank, day)
        return _compare(bank, customers, seed, truth_of(landing))
    finally:
        close(bank, keep=keep)


def _compare(bank: Bank, customers: int, seed: int, truth: Path) -> AgainstTruth:
    registry = Registry(bank.settings.models_dir)
    champion = registry.standing(date.max)
    if champion is None:
        raise StepError("the training promoted no model; see ops.training_runs of the warehouse (--keep)")
    metadata = registry.metadata(champion.model_version)
    features = registry.features(champion.model_version)
    with open_warehouse(bank.settings, read_only=True) as warehouse:
        found = warehouse.query("select max(run_id) as run_id from ops.training_runs")
        run_id = found["run_id"][0].as_py()
        test_date = date.fromisoformat(metadata["evaluated_on"]["test"]["as_of_dates"][-1])
        rows = warehouse.query(
            f"""
            select * from {run_id}.churn_panel
            where label_status = 'mature' and observation_complete and as_of_date = $1
            order by customer_id
            """,
            [test_date],
        )
        train_dates = ", ".join(f"date '{day}'" for day in metadata["evaluated_on"]["train"]["as_of_dates"])
        before = warehouse.query(
            f"""
            select is_churned, value_tier, {RISK_INDEX} from {run_id}.churn_panel
            where label_status = 'mature' and observation_complete and as_of_date in ({train_dates})
            """
        ).to_pandas()
    model = registry.load(champion.model_version, EVALUATION)
    explainer = Explainer(model, features, load_params().excluded, champion.model_version)
    explanation = explainer.explain(feature_frame(rows, features, "churn_panel"))
    predicted = explanation.probability
    codes, _, _ = largest(explanation.contributions, explainer.reasons)
    told = np.array(list(zip(*(code.to_pylist() for code in codes), strict=True)), dtype=object)
    churned = rows["is_churned"].to_numpy()
    test = rows.select(["is_churned", "value_tier", RISK_INDEX]).to_pandas()
    baselines = {"tier rates": tier_rate_baseline(before, test)}
    if (index := risk_index_baseline(before, test)) is not None:
        baselines["risk index"] = index
    planted = _planted(truth, test_date, rows["customer_id"])
    at_risk = ~np.isnan(planted)
    lost = churned[~at_risk]
    auc_all_rows = float(roc_auc_score(churned, predicted))
    churned, predicted, planted = churned[at_risk], predicted[at_risk], planted[at_risk]
    scores = {"the model": predicted, "the planted probability": planted}
    scores |= {name: score[at_risk] for name, score in baselines.items()}
    contributions = {
        name: values[at_risk]
        for name, values in _months(
            truth, test_date, rows["customer_id"], [f"contribution_{driver}" for driver in REASONS_OF_DRIVER]
        ).items()
    }
    planted_by = {driver: contributions[f"contribution_{driver}"] for driver in REASONS_OF_DRIVER}
    is_riskiest = predicted >= np.quantile(predicted, 0.9)
    return AgainstTruth(
        customers=customers,
        seed=seed,
        test_date=test_date,
        model=metadata["chosen_model"],
        rows=len(churned),
        churners=int(churned.sum()),
        rows_lost_before=len(lost),
        churners_lost_before=int(lost.sum()),
        auc_model_all_rows=auc_all_rows,
        auc_model=float(roc_auc_score(churned, predicted)),
        auc_truth=float(roc_auc_score(churned, planted)),
        auc_expected=bayes_optimal_auc(planted),
        difference_error=_difference_error(churned, predicted, planted),
        rank_correlation=float(spearmanr(predicted, planted).statistic),
        calibration_slope=calibration_line(churned, predicted)[0],
        mean_predicted=float(predicted.mean()),
        mean_planted=float(planted.mean()),
        empc={name: empc(churned, score, load_params().economics).amount for name, score in scores.items()},
        drivers=told_drivers(planted_by, told[at_risk].tolist(), np.ones(len(churned), dtype=bool)),
        drivers_of_riskiest=told_drivers(planted_by, told[at_risk].tolist(), is_riskiest),
    )


def _planted(truth: Path, as_of: date, customer_ids: pa.ChunkedArray) -> Floats:
    """The planted probability of churn in the outcome window for those who get past the gap.

    NaN for customers who had churned by plan at the end of `as_of`. Shape of `customer_ids`.
    """
    found = _months(truth, as_of, customer_ids, ["churn_probability", "gap_churn_probability"])
    window, gap = found.values()
    lost = pq.read_table(
        truth / "customers.parquet",
        columns=["customer_id"],
        filters=pc.field("churned_on") <= pa.scalar(as_of),
    )
    has_churned = pc.is_in(customer_ids, lost["customer_id"].combine_chunks()).to_numpy()
    # Who is certain to churn in the gap gets past it with probability 0: nothing is left to rank.
    return np.where(has_churned, np.nan, window / np.maximum(1 - gap, 1e-6))


def _months(truth: Path, as_of: date, customer_ids: pa.ChunkedArray, columns: list[str]) -> dict[str, Floats]:
    """Columns of the truth's customer_months at `as_of`, each in the order and shape of `customer_ids`."""
    months = pq.read_table(
        truth / "customer_months.parquet",
        columns=["customer_id", *columns],
        filters=pc.field("as_of_date") == pa.scalar(as_of),
    )
    place = pc.index_in(customer_ids.combine_chunks(), months["customer_id"].combine_chunks())
    if place.null_count:
        raise StepError(f"the truth knows {place.null_count} of the panel's customers not at {as_of}")
    return {name: months[name].take(place).to_numpy().astype(np.float64) for name in columns}


def _difference_error(churned: npt.NDArray[Any], predicted: Floats, planted: Floats) -> float:
    rng = np.random.default_rng(20261031)
    differences = []
    for _ in range(BOOTSTRAP_DRAWS):
        drawn = rng.integers(0, len(churned), len(churned))
        differences.append(
            roc_auc_score(churned[drawn], planted[drawn]) - roc_auc_score(churned[drawn], predicted[drawn])
        )
    return float(np.std(differences))
