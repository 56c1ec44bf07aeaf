"""The specs of the dashboards and the bundle made of them, without a Superset."""

from __future__ import annotations

import copy
import io
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from dashboards.language import LANGUAGES
from dashboards.superset import bundle, spec
from dashboards.superset.datasets import OPS_FOR_READERS, branch_tables, table
from dashboards.superset.spec import Dashboard, SpecError, read_dashboards, read_shared
from warehouse.publish import PUBLIC_MARTS
from warehouse.roles import GRANTED
from warehouse.settings import PROJECT_ROOT

URL = "postgresql+psycopg2://keepwell_bi_reader@warehouse/keepwell"
EXPOSURES = PROJECT_ROOT / "dbt_project" / "models" / "exposures.yml"
ALL = read_dashboards()
BY_SLUG = {dashboard.slug: dashboard for dashboard in ALL}
SOUND: dict[str, Any] = {
    "slug": "try",
    "title": {"en": "Try", "zh": "试"},
    "description": {"en": "A trial.", "zh": "试。"},
    "owner": "Nobody",
    "rows": [
        {
            "charts": [
                {
                    "key": "first",
                    "title": {"en": "First", "zh": "一"},
                    "type": "bar",
                    "dataset": "marts.fct_churn_scores",
                    "width": 6,
                    "x": "risk_band",
                    "metrics": [{"sum": "expected_loss_amount"}],
                }
            ]
        }
    ],
}


def written(folder: Path, dashboard: dict[str, Any]) -> list[Dashboard]:
    (folder / "try.yaml").write_text(yaml.safe_dump(dashboard, allow_unicode=True), encoding="utf-8")
    return read_dashboards(folder)


def changed(**chart: Any) -> dict[str, Any]:
    """The sound dashboard with other values in its chart; None takes a key out."""
    dashboard = copy.deepcopy(SOUND)
    found = dashboard["rows"][0]["charts"][0]
    found.update(chart)
    for key in [key for key, value in found.items() if value is None]:
        del found[key]
    return dashboard


def test_the_six_dashboards_and_that_of_branches_are_there() -> None:
    assert sorted(BY_SLUG) == ["branch", "churn", "freshness", "kpis", "quality", "rfm", "tiers"]


def test_a_sound_spec_becomes_a_bundle(tmp_path: Path) -> None:
    files = bundle.assets("en", database_url=URL, dashboards=written(tmp_path, SOUND))
    assert {name.partition("/")[0] for name in files} == {
        "metadata.yaml", "databases", "datasets", "charts", "dashboards",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"widht": 4}, r"chart first widht: Extra inputs"),
        ({"width": 13}, r"chart first width: .*12"),
        ({"title": {"en": "First"}}, r"chart first title\.zh: Field required"),
        ({"metrics": None}, r"chart first: .*a chart of type bar needs metrics"),
        ({"type": "treemap"}, r"chart first type: "),
        ({"dataset": "raw.transactions"}, r"chart first dataset: "),
        ({"metrics": [{"sum": "a", "max": "b"}]}, r"chart first metrics\.0: .*a metric is one of"),
        (
            {"filters": [{"column": "risk_band"}]},
            r"chart first filters\.0: .*a filter is a column with one of",
        ),
        ({"ignores": ["day"]}, r"chart first ignores filters that are not there: day"),
        (
            {"metrics": [{"count": True, "label": {"en": "x" * 64, "zh": "一"}}]},
            r"chart first metrics\.0\.label: .*more than 63 bytes",
        ),
        (
            {"metrics": [{"count": True, "label": {"en": "x", "zh": "一" * 22}}]},
            r"chart first metrics\.0\.label: .*more than 63 bytes",
        ),
    ],
)
def test_a_wrong_spec_is_told_with_file_and_chart(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(SpecError, match=message) as caught:
        written(tmp_path, changed(**change))
    assert "try.yaml" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": "no_such_column"}, "column no_such_column has no label"),
        ({"x": "segment"}, "marts.fct_churn_scores has no column segment"),
        ({"metrics": [{"sum": "r_score"}]}, "marts.fct_churn_scores has no column r_score"),
        ({"metrics": [{"sum": "risk_index"}]}, "the metric of risk_index has no label"),
        ({"metrics": [{"count": True}]}, "the metric of an expression has no label"),
        ({"filters": [{"column": "tier", "equals": "x"}]}, "marts.fct_churn_scores has no column tier"),
        ({"dataset": "marts.fct_customer_features"}, "dashboards read public marts (PUBLIC_MARTS"),
        ({"dataset": "ops.rejected_rows"}, "dashboards read public marts (PUBLIC_MARTS"),
        ({"dataset": "ops.audit_log"}, "dashboards read public marts (PUBLIC_MARTS"),
        (
            {"x": {"column": "risk_band", "names": "texts.nothing"}},
            "the catalogues in dashboards/texts have no such",
        ),
    ],
)
def test_what_a_mart_lacks_is_told_with_dashboard_and_chart(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(SpecError, match=f"dashboard try, chart first: .*{re.escape(message)}"):
        bundle.assets("en", database_url=URL, dashboards=written(tmp_path, changed(**change)))


def test_two_rows_too_wide_and_keys_twice_are_refused(tmp_path: Path) -> None:
    chart = SOUND["rows"][0]["charts"][0]
    twice = {**SOUND, "rows": [{"charts": [chart]}, {"charts": [chart]}]}
    with pytest.raises(SpecError, match="charts have the same key: first"):
        written(tmp_path, twice)
    wide = {**SOUND, "rows": [{"charts": [chart, {**chart, "key": "second", "width": 7}]}]}
    with pytest.raises(SpecError, match="the row of first, second is 13 columns wide"):
        written(tmp_path, wide)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_same_specs_are_the_same_bytes(tmp_path: Path, lang: str) -> None:
    outputs = []
    for name in ("one.zip", "two.zip"):
        subprocess.run(
            [sys.executable, "-m", "dashboards", "superset", "bundle", "--lang", lang, "--out",
             tmp_path / name],
            cwd=PROJECT_ROOT, check=True, capture_output=True,
        )  # fmt: skip
        outputs.append((tmp_path / name).read_bytes())
    assert outputs[0] == outputs[1]
    with zipfile.ZipFile(io.BytesIO(outputs[0])) as archive:
        assert sum("/charts/" in name for name in archive.namelist()) == sum(
            len(found.charts) for found in ALL
        )


def test_both_languages_share_datasets_and_nothing_else() -> None:
    en, zh = (bundle.assets(lang, database_url=URL) for lang in LANGUAGES)
    shared = {name for name in en if name in zh}
    assert shared == {name for name in en if name.startswith(("datasets/", "databases/", "metadata"))}
    assert all(en[name] == zh[name] for name in shared)
    own = [files[name]["uuid"] for files in (en, zh) for name in files if name not in shared]
    assert len(own) == len(set(own))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_chinese_is_in_the_chinese_dashboards_only(lang: str) -> None:
    for name, content in bundle.assets(lang, database_url=URL).items():
        if name.startswith("charts/"):
            has_chinese = bool(re.search(r"[\u4e00-\u9fff]", content["slice_name"]))
            known_in_both = content["slice_name"] in ("AUC",)
            assert has_chinese is (lang == "zh") or known_in_both, content["slice_name"]


def test_the_bundle_holds_no_password_and_lets_nobody_write() -> None:
    database = bundle.assets("en", database_url=URL)[bundle.DATABASE_FILE]
    assert "password" not in database
    assert (database["allow_dml"], database["allow_ctas"], database["allow_cvas"]) == (False, False, False)


def test_a_password_in_a_url_on_the_command_line_is_refused(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable, "-m", "dashboards", "superset", "bundle", "--lang", "en", "--out",
            tmp_path / "x.zip",
            "--database-url", "postgresql://reader:secret@warehouse/keepwell",
        ],
        cwd=PROJECT_ROOT, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert "--database-url-file" in done.stderr
    assert "secret" not in done.stderr
    assert not (tmp_path / "x.zip").exists()


def test_dashboards_read_only_what_their_role_may() -> None:
    readable = {
        relation
        for privilege, relations in GRANTED["bi_reader"]
        if privilege == "select"
        for relation in relations
    }
    assert {f"ops.{name}" for name in OPS_FOR_READERS} <= readable
    for dashboard in ALL:
        for chart in dashboard.charts:
            schema, _, name = chart.dataset.partition(".")
            assert name in (OPS_FOR_READERS if schema == "ops" else PUBLIC_MARTS)


def test_every_table_of_ops_has_its_columns() -> None:
    for name in OPS_FOR_READERS:
        assert len(table(f"ops.{name}").columns) > 5, name


def test_customer_lists_that_a_branch_may_see_have_the_branch() -> None:
    assert {"marts.dim_customers", "marts.fct_customer_tiers", "marts.fct_churn_scores"} <= set(
        branch_tables()
    )
    assert {chart.dataset for chart in BY_SLUG["branch"].charts} <= set(branch_tables())


def test_colours_and_names_are_of_codes_that_exist() -> None:
    shared = read_shared()
    assert {"value_tier", "pyramid_tier", "rfm_segment", "risk_band"} <= set(shared.colours)
    files = bundle.assets("en", database_url=URL)
    colours = [files[f"dashboards/{slug}_en.yaml"]["metadata"]["label_colors"] for slug in BY_SLUG]
    assert len({found["1 High value"] for found in colours}) == 1


def test_specs_lie_where_the_package_looks_for_them() -> None:
    assert {path.stem for path in spec.FOLDER.glob("*.yaml")} == set(BY_SLUG)


@pytest.mark.parametrize("slug", sorted(BY_SLUG))
def test_an_exposure_depends_on_exactly_the_marts_of_its_charts(slug: str) -> None:
    exposures = {found["name"]: found for found in yaml.safe_load(EXPOSURES.read_text("utf-8"))["exposures"]}
    exposure = exposures[f"superset_{slug}"]
    marts, ops = set(), set()
    for chart in BY_SLUG[slug].charts:
        schema, _, name = chart.dataset.partition(".")
        (ops if schema == "ops" else marts).add(name)
    assert set(exposure.get("depends_on", [])) == {f"ref('{name}')" for name in marts}
    assert exposure["label"] == BY_SLUG[slug].title.en
    assert exposure["owner"]["name"] == BY_SLUG[slug].owner
    # dbt knows no node of what rooms write besides it: the description names it.
    assert all(f"`ops.{name}`" in exposure["description"] for name in ops)


def test_the_exposure_of_the_report_depends_on_what_its_modules_read() -> None:
    exposures = {found["name"]: found for found in yaml.safe_load(EXPOSURES.read_text("utf-8"))["exposures"]}
    modules = (PROJECT_ROOT / "dashboards").glob("*.py")
    named = {
        word for path in modules for word in re.findall(r"\b(?:fct|dim)_[a-z_]+\b", path.read_text("utf-8"))
    }
    assert set(exposures["report"]["depends_on"]) == {f"ref('{mart}')" for mart in named & set(PUBLIC_MARTS)}
