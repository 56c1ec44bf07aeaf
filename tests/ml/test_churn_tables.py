"""Training on any table: real and made ones, and tables that cannot be trained on."""

import datetime as dt
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.datasets import load_breast_cancer

from ml.churn.__main__ import main
from ml.churn.errors import InputError
from ml.churn.registry import Registry
from ml.churn.tables import Columns, final_part, label_parts, prepare, time_parts


@pytest.fixture
def run_train(capsys, monkeypatch, quick, tmp_path):
    """Run train --frame in an empty folder: exit code, stdout, stderr."""
    monkeypatch.setattr("ml.churn.__main__.load_params", lambda: quick)
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        code = main(["train", "--frame", *arguments])
        return code, *capsys.readouterr()

    return run


@pytest.fixture(scope="module")
def clients():
    """A table with all that a data scientist's has: words, nulls, dates, constants, remarks, months."""
    rng = np.random.default_rng(3)
    rows = 2400
    table = pd.DataFrame(
        {
            "client": np.arange(rows) % 600,
            "month": pd.to_datetime("2025-01-31") + pd.to_timedelta(30 * (np.arange(rows) // 600), "D"),
            "city": rng.choice(["Brno", "Praha", "Plzen", None], rows),
            "spend": np.where(rng.random(rows) < 0.2, np.nan, rng.lognormal(5, 2, rows)),
            "calls": rng.poisson(2, rows),
            "is_vip": rng.random(rows) < 0.2,
            "joined": pd.to_datetime("2020-01-01"),
            "nothing": None,
            "same": 1,
            "remark": [f"remark {row}" for row in range(rows)],
            "plan": pd.Categorical(rng.choice(["a", "b"], rows)),
            "sex": rng.choice(["female", "male"], rows),
        }
    )
    log_odds = -2 + 0.8 * (table["calls"] - 2) + 1.5 * (table["city"] == "Brno")
    table["gone"] = np.where(rng.random(rows) < 1 / (1 + np.exp(-log_odds)), "yes", "no")
    return table


def parquet(table, folder, name="clients.parquet"):
    table.to_parquet(folder / name)
    return name


def test_real_data_without_dates_gives_a_model_figures_and_a_card(run_train, tmp_path):
    cancer = load_breast_cancer(as_frame=True).frame
    cancer["diagnosis"] = np.where(cancer.pop("target") == 0, "malignant", "benign")
    cancer.to_csv(tmp_path / "cancer.csv", index=False)
    code, out, err = run_train("cancer.csv", "--label", "diagnosis", "--out", "found")
    assert code == 0
    assert err == "ml.churn train: diagnosis: malignant is 1 (212 rows), benign is 0\n"
    lines = out.splitlines()
    assert [line.split()[0] for line in lines[1:5]] == [
        "logistic", "decision_tree", "random_forest", "hist_gradient_boosting",
    ]  # fmt: skip
    assert sum("chosen" in line for line in lines) == 1
    assert all(float(line.split()[1]) > 0.85 for line in lines[1:5])
    metrics = json.loads((tmp_path / "found" / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["test"]["rows"] + 0 == 114
    assert set(metrics["candidates"]) == {line.split()[0] for line in lines[1:5]}
    low, high = metrics["intervals"]["parts"]["test"]["auc"]
    assert low < metrics["test"]["auc"] <= high
    card = (tmp_path / "found" / "card.html").read_text(encoding="utf-8")
    assert "The probability of the label in the table it was fitted on" in card
    model = Registry(tmp_path).load("found")
    names = [feature["name"] for feature in Registry(tmp_path).metadata("found")["features"]]
    assert model.predict_proba(cancer[names].astype(float)).shape == (569, 2)


def test_words_nulls_and_dates_with_an_embargo_and_twice_the_same(run_train, tmp_path, clients):
    name = parquet(clients, tmp_path)
    arguments = (name, "--label", "gone", "--time", "month", "--id", "client", "--embargo-days", "30")
    code, out, err = run_train(*arguments, "--out", "one")
    assert code == 0
    for said in (
        "gone: yes is 1",
        "joined is not learned from: a date or time",
        "nothing is not learned from: all null",
        "same is not learned from: constant",
        "remark is not learned from: text of 2400 different values",
        "sex is not learned from: protected",
    ):
        assert said in err
    metadata = Registry(tmp_path).metadata("one")
    assert metadata["evaluated_on"]["test"]["as_of_dates"] == ["2025-05-01"]
    assert metadata["evaluated_on"]["train"]["as_of_dates"][-1] == "2025-04-01"
    assert [feature["name"] for feature in metadata["features"]] == [
        "city",
        "spend",
        "calls",
        "is_vip",
        "plan",
    ]
    assert metadata["metrics"]["choice"]["count_time_folds"] == 2
    assert metadata["metrics"]["test"]["auc"] > 0.7
    assert set(metadata["metrics"]["segments"]["sex"]) == {"female", "male"}
    again = run_train(*arguments, "--out", "other")
    assert again[1] == out.replace("saved in one", "saved in other")
    # All but the files' hashes: an archive holds the time it was written.
    assert Registry(tmp_path).metadata("other") | {"files": {}} == metadata | {"files": {}}
    code, _, err = run_train(*arguments, "--out", "one")
    assert (code, "one exists already" in err) == (2, True)
    seeded = run_train(*arguments, "--out", "seeded", "--seed", "5")
    assert seeded[0] == 0
    assert Registry(tmp_path).metadata("seeded")["seed"] == 5


def test_a_column_that_is_the_label_is_refused_by_name_and_can_be_dropped(run_train, tmp_path, clients):
    name = parquet(clients.assign(closed_account=clients["gone"] == "yes"), tmp_path)
    code, out, err = run_train(name, "--label", "gone", "--out", "leaking")
    assert (code, out) == (1, "")
    assert "knows the outcome: closed_account (AUC 1.0000)" in err
    assert "--drop" in err
    assert not (tmp_path / "leaking").exists()
    code, _, err = run_train(name, "--label", "gone", "--drop", "closed_account", "remark", "--out", "mended")
    assert (code, "closed_account" in err, "remark" in err) == (0, False, False)


@pytest.mark.parametrize(
    ("change", "arguments", "code", "words"),
    [
        (lambda t: t, ["--label", "left"], 2, "has no column left; it has client, month"),
        (lambda t: t.assign(gone="no"), ["--label", "gone"], 2, "holds one value only (no)"),
        (lambda t: t, ["--label", "city"], 2, "has 3 values"),
        (
            lambda t: t[["client", "same", "gone"]],
            ["--label", "gone", "--id", "client"],
            2,
            "nothing to learn from",
        ),
        (
            lambda t: pd.concat([t, t.head(1)]),
            ["--label", "gone", "--time", "month", "--id", "client"],
            2,
            "client repeats within one month",
        ),
        (lambda t: t, ["--label", "gone", "--time", "remark"], 2, "string, no dates such as"),
        (
            lambda t: t,
            ["--label", "gone", "--time", "month", "--embargo-days", "400"],
            2,
            "month leaves nothing to train on",
        ),
        (lambda t: t.assign(spend=np.inf), ["--label", "gone"], 2, "spend holds infinite values"),
        (lambda t: t, [], 2, "--frame needs --label"),
        (lambda t: t, ["--label", "gone", "--embargo-days", "5"], 2, "only with --time"),
        (
            lambda t: t.assign(gone=np.where(np.arange(len(t)) < 20, "yes", "no")),
            ["--label", "gone"],
            99,
            "16 rows of the training part have the rarer label, 30 needed",
        ),
    ],
)
def test_a_table_that_does_not_fit_is_refused_by_name(
    run_train, tmp_path, clients, change, arguments, code, words
):
    name = parquet(change(clients), tmp_path)
    found, out, err = run_train(name, *arguments)
    assert (found, out) == (code, "")
    assert words in err
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_files_that_are_no_tables_are_named(run_train, tmp_path):
    (tmp_path / "broken.parquet").write_text("no table", encoding="utf-8")
    (tmp_path / "table.xlsx").write_text("", encoding="utf-8")
    for name, words in (
        ("broken.parquet", "cannot be read"),
        ("table.xlsx", "no .parquet or .csv file"),
        ("missing.csv", "cannot be read"),
    ):
        code, _, err = run_train(name, "--label", "x")
        assert (code, words in err) == (2, True)


@pytest.mark.parametrize(
    ("values", "ones"),
    [
        ([1, 0, 0], [1, 0, 0]),
        ([0.0, 1.0, None], [0, 1]),
        ([True, False, False], [1, 0, 0]),
        (["stay", "Yes ", "stay"], [0, 1, 0]),
        (["b", "b", "a"], [0, 0, 1]),
    ],
)
def test_labels_of_two_values_become_zero_and_one(params, values, ones):
    table = pa.table({"y": values, "x": [1.0, 2.0, 3.0]})
    prepared = prepare(table, Columns("y"), params, "t")
    assert prepared.panel["is_churned"].tolist() == ones


def test_nothing_of_the_test_or_its_embargo_trains(params, clients):
    columns = Columns("gone", "month", "client", ("remark",))
    panel = prepare(pa.Table.from_pandas(clients), columns, params, "t").panel
    before, test = final_part(panel, "month", params, 45)
    assert before["as_of_date"].max() + dt.timedelta(days=45) <= test["as_of_date"].min()
    assert test["as_of_date"].max() == panel["as_of_date"].max()
    for train, later in time_parts(before, 3, 30):
        assert train["as_of_date"].max() + dt.timedelta(days=30) <= later["as_of_date"].min()
        assert later["as_of_date"].max() < test["as_of_date"].min()


def test_rows_of_one_id_stay_on_one_side(params, clients):
    columns = Columns("gone", None, "client", ("remark", "month"))
    prepared = prepare(pa.Table.from_pandas(clients), columns, params, "t")
    assert any("client repeats" in said for said in prepared.remarks)
    parts = [final_part(prepared.panel, None, params, 0), *label_parts(prepared.panel, 2, params)]
    assert len(parts) == 3
    for train, test in parts:
        assert not set(train["customer_id"]) & set(test["customer_id"])
        assert abs(train["is_churned"].mean() - test["is_churned"].mean()) < 0.05


def test_columns_of_the_same_name_are_refused(params):
    table = pa.table([pa.array([1, 0]), pa.array([1, 2]), pa.array([1, 2])], names=["y", "x", "x"])
    with pytest.raises(InputError, match="same name: x"):
        prepare(table, Columns("y"), params, "t")


def test_an_id_of_few_values_is_named(run_train, clients, tmp_path):
    few = parquet(clients.assign(branch=clients.index % 4), tmp_path)
    arguments = (few, "--label", "gone", "--id", "branch")
    code, _, err = run_train(*arguments, "--drop", "month", "client")
    assert (code, "branch has 4 different values and needs 5" in err) == (2, True)
    # Two in the months that train, six in all.
    days = clients["month"].rank(method="dense")
    split = clients.assign(branch=np.where(days < 4, clients.index % 2, clients.index % 6))
    split = split.drop_duplicates(["branch", "month"]).drop(columns="client")
    code, _, err = run_train(
        parquet(split, tmp_path, "split.parquet"), "--label", "gone", "--id", "branch", "--time", "month"
    )
    assert (code, "split.parquet before the test: branch has 2 different values" in err) == (2, True)
