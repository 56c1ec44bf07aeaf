"""A model is registered with the bins that it is monitored against."""

from pathlib import Path
from typing import Any

import pytest

from ml.churn.errors import InputError
from ml.churn.monitor.reference import count
from ml.churn.params import Params
from ml.churn.pipeline import probabilities
from ml.churn.registry import REFERENCE, Registry
from ml.churn.runs import get_run
from ml.churn.train import read_panel, run_training
from warehouse import open_warehouse

RUN = "run_20261031_01"


def test_a_training_stores_the_reference_of_the_model_that_scores(
    bank: Any, make_panel: Any, progress: Any, params: Params
) -> None:
    run_id = bank.add_run(RUN, "training", churn_panel=make_panel())
    outcome = run_training(bank.settings, params, run_id, progress)
    registry = Registry(bank.settings.models_dir)
    reference = registry.reference(outcome.model_version)
    assert reference is not None
    with open_warehouse(bank.settings) as wh:
        panel, _ = read_panel(wh, get_run(wh, RUN), params)
    assert reference["rows"] == len(panel)
    assert list(reference["features"]) == params.feature_names
    assert reference["churn_rate"] == panel["is_churned"].mean()
    scores = probabilities(registry.load(outcome.model_version), panel[params.feature_names])
    assert reference["mean_probability"] == pytest.approx(scores.mean(), abs=1e-12)
    # The model's own rows fall into its bins as they were counted.
    for name, profile in reference["features"].items():
        assert count(profile, panel[name]).tolist() == profile["counts"], name


def test_a_reference_that_was_touched_is_refused(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    registry.save("churn_20261031_aaaaaaaa", {}, {}, {REFERENCE: "{}"})
    assert registry.reference("churn_20261031_aaaaaaaa") == {}
    (tmp_path / "churn_20261031_aaaaaaaa" / REFERENCE).write_text('{"rows": 1}')
    with pytest.raises(InputError, match=r"reference\.json is not the file that was registered"):
        registry.reference("churn_20261031_aaaaaaaa")


def test_a_model_of_before_has_no_reference(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    registry.save("churn_20261031_aaaaaaaa", {}, {})
    assert registry.reference("churn_20261031_aaaaaaaa") is None
