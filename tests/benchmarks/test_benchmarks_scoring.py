"""The benchmark of scoring scores what it says, in a process of its own."""

from pathlib import Path

import pyarrow as pa
import pytest

from benchmarks.results import scoring_table
from benchmarks.scoring import CHUNK_ROWS, feature_chunks, measure
from benchmarks.steps import StepError
from ml.churn.frame import feature_frame
from ml.churn.params import load_params


def test_the_table_has_the_features_of_the_catalogue_and_does_not_depend_on_how_many_follow():
    params = load_params()
    first, second = feature_chunks(params, CHUNK_ROWS + 10, seed=7)
    assert (len(first), len(second)) == (CHUNK_ROWS, 10)
    assert len(set(pa.concat_tables([first, second])["customer_id"].to_pylist())) == CHUNK_ROWS + 10
    frame = feature_frame(first, params.features, "benchmark")
    assert list(frame.columns) == params.feature_names
    nulls = frame.isna().mean()
    assert nulls.between(0.04, 0.06).all()
    alone = next(feature_chunks(params, CHUNK_ROWS, seed=7))
    assert alone.equals(first)


def test_a_table_and_a_tenth_of_it_are_scored_and_told(tmp_path: Path) -> None:
    found = measure(tmp_path, target="duckdb", candidate="logistic", customers=2000, seed=7, keep=False)
    assert [one.customers for one in found] == [200, 2000]
    for one in found:
        assert 0 < one.read_seconds < one.seconds
        assert one.peak_bytes > 100 << 20
        assert one.as_json()["scoring_to_reading"] == one.seconds / one.read_seconds
    assert not list(tmp_path.glob("scoring-*"))
    assert f"| duckdb | logistic | 2,000 | {len(load_params().features)} |" in scoring_table(found)


def test_a_candidate_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StepError, match=r"there is no candidate oracle in params\.yaml: logistic"):
        measure(tmp_path, target="duckdb", candidate="oracle", customers=100, seed=7, keep=False)
