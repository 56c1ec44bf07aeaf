"""A bundle: all dashboards of one language as the ZIP of YAML files that Superset imports."""

from __future__ import annotations

import io
import uuid
import zipfile
from pathlib import Path
from typing import Any

import yaml

from dashboards.superset import charts, names
from dashboards.superset.datasets import TEMPORAL, Table, table
from dashboards.superset.spec import (
    GRID_COLUMNS,
    Chart,
    Dashboard,
    NativeFilter,
    Shared,
    SpecError,
    read_dashboards,
    read_shared,
)

VERSION = "1.0.0"
# Everything a bundle holds is named from here: the same spec is the same object in every Superset.
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "keepwell/dashboards/superset")
DATABASE = "Keepwell"
DATABASE_FILE = f"databases/{DATABASE}.yaml"
# ZIP keeps a time for each file; a fixed one makes the same bundle of the same specs.
ZIP_TIME = (1980, 1, 1, 0, 0, 0)
# A title above a row, in units of the grid.
HEADING = {"headerSize": "MEDIUM_HEADER", "background": "BACKGROUND_TRANSPARENT"}


def identity(kind: str, *parts: str) -> str:
    """The UUID of an object of the bundle, by its kind and name."""
    return str(uuid.uuid5(NAMESPACE, "/".join([kind, *parts])))


def write(lang: str, out: Path, *, database_url: str) -> int:
    """Write the bundle of a language; returns the number of its charts. Raises SpecError, OSError."""
    files = assets(lang, database_url=database_url)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(zipped(files))
    return sum(name.startswith("charts/") for name in files)


def zipped(files: dict[str, dict[str, Any]]) -> bytes:
    """The files as one ZIP: the same bytes for the same files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(f"keepwell/{name}", date_time=ZIP_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, _written(content))
    return buffer.getvalue()


def assets(
    lang: str,
    *,
    database_url: str,
    dashboards: list[Dashboard] | None = None,
    shared: Shared | None = None,
) -> dict[str, dict[str, Any]]:
    """File name in the bundle to content. Raises SpecError, which names dashboard and chart."""
    known = shared or read_shared()
    files: dict[str, dict[str, Any]] = {
        "metadata.yaml": {"version": VERSION, "type": "assets", "timestamp": "1980-01-01T00:00:00+00:00"},
        DATABASE_FILE: _database(database_url),
    }
    for dashboard in dashboards if dashboards is not None else read_dashboards():
        colours = _colours(known, lang)
        for chart in dashboard.charts:
            try:
                files[f"charts/{dashboard.slug}_{chart.key}_{lang}.yaml"] = _chart(
                    dashboard, chart, known, lang
                )
                colours |= charts.label_colours(chart, known, lang)
                source = table(chart.dataset)
            except SpecError as error:
                raise SpecError(f"dashboard {dashboard.slug}, chart {chart.key}: {error}") from None
            files[_dataset_file(source)] = _dataset(source, known)
        try:
            files[f"dashboards/{dashboard.slug}_{lang}.yaml"] = _dashboard(dashboard, known, lang, colours)
            files |= {_dataset_file(source): _dataset(source, known) for source in _filtered(dashboard)}
        except SpecError as error:
            raise SpecError(f"dashboard {dashboard.slug}: {error}") from None
    return files


def _written(content: dict[str, Any]) -> str:
    # The dumper in C takes a tenth of the time.
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text: str = yaml.dump(content, Dumper=dumper, allow_unicode=True, sort_keys=True, width=110)
    return text


def _database(url: str) -> dict[str, Any]:
    return {
        "database_name": DATABASE,
        "sqlalchemy_uri": url,
        "expose_in_sqllab": True,
        "allow_ctas": False,
        "allow_cvas": False,
        "allow_dml": False,
        "allow_run_async": False,
        "allow_csv_upload": False,
        "cache_timeout": None,
        "extra": {"allows_virtual_table_explore": True},
        "uuid": identity("database"),
        "version": VERSION,
    }


def _dataset_file(source: Table) -> str:
    return f"datasets/{DATABASE}/{source.schema}.{source.name}.yaml"


def _dataset(source: Table, shared: Shared) -> dict[str, Any]:
    """One dataset a table, the same in both languages: Superset has a table once in a database."""
    columns = list(source.columns)
    days = [name for name, type_ in source.columns.items() if type_ in TEMPORAL]
    calculated = names.names_of_columns(shared, columns)
    return {
        "table_name": source.name,
        "schema": source.schema,
        "catalog": None,
        "description": source.description or None,
        "main_dttm_col": days[0] if days else None,
        "currency_code_column": source.currency_column,
        "filter_select_enabled": True,
        "sql": None,
        "columns": [
            {
                "column_name": name,
                "type": type_.upper(),
                "is_dttm": type_ in TEMPORAL,
                "groupby": True,
                "filterable": True,
                "is_active": True,
            }
            for name, type_ in source.columns.items()
        ]
        + [
            {
                "column_name": name,
                "expression": sql,
                "type": "TEXT",
                "is_dttm": False,
                "groupby": True,
                "filterable": True,
                "is_active": True,
            }
            for name, sql in calculated.items()
        ],
        "metrics": [
            {"metric_name": "count", "expression": "count(*)", "verbose_name": "Rows", "metric_type": "count"}
        ],
        "uuid": identity("dataset", source.schema, source.name),
        "database_uuid": identity("database"),
        "version": VERSION,
    }


def _chart(dashboard: Dashboard, chart: Chart, shared: Shared, lang: str) -> dict[str, Any]:
    source = table(chart.dataset)
    params = charts.form_data(chart, shared, lang)
    return {
        "slice_name": chart.title.of(lang),
        "description": chart.note.of(lang) if chart.note else None,
        "viz_type": params["viz_type"],
        "params": params,
        "query_context": None,
        "cache_timeout": None,
        "uuid": identity("chart", dashboard.slug, chart.key, lang),
        "dataset_uuid": identity("dataset", source.schema, source.name),
        "version": VERSION,
    }


def _dashboard(dashboard: Dashboard, shared: Shared, lang: str, colours: dict[str, str]) -> dict[str, Any]:
    numbers = {chart.key: number for number, chart in enumerate(dashboard.charts, start=1)}
    return {
        "dashboard_title": dashboard.title.of(lang),
        "description": dashboard.description.of(lang),
        "slug": f"{dashboard.slug}-{lang}",
        "css": "",
        "published": True,
        "uuid": identity("dashboard", dashboard.slug, lang),
        "position": _position(dashboard, numbers, lang),
        "metadata": {
            "color_scheme": "supersetColors",
            "label_colors": colours,
            "shared_label_colors": [],
            "map_label_colors": {},
            "color_scheme_domain": [],
            "expanded_slices": {},
            "timed_refresh_immune_slices": [],
            "refresh_frequency": 0,
            # A click would filter other marts by a column that they may not have.
            "cross_filters_enabled": False,
            "filter_bar_orientation": "HORIZONTAL",
            "native_filter_configuration": [
                _native_filter(dashboard, native, shared, numbers, lang) for native in dashboard.filters
            ],
            "chart_configuration": {},
            "global_chart_configuration": {
                "scope": {"rootPath": ["ROOT_ID"], "excluded": []},
                "chartsInScope": [],
            },
        },
        "version": VERSION,
    }


def _position(dashboard: Dashboard, numbers: dict[str, int], lang: str) -> dict[str, Any]:
    grid: list[str] = []
    position: dict[str, Any] = {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": {"type": "ROOT", "id": "ROOT_ID", "children": ["GRID_ID"]},
        "GRID_ID": {"type": "GRID", "id": "GRID_ID", "children": grid, "parents": ["ROOT_ID"]},
        "HEADER_ID": {"type": "HEADER", "id": "HEADER_ID", "meta": {"text": dashboard.title.of(lang)}},
    }
    for number, row in enumerate(dashboard.rows, start=1):
        if row.title is not None:
            heading = f"HEADER-{number}"
            grid.append(heading)
            position[heading] = {
                "type": "HEADER",
                "id": heading,
                "children": [],
                "parents": ["ROOT_ID", "GRID_ID"],
                "meta": {"text": row.title.of(lang), **HEADING},
            }
        name = f"ROW-{number}"
        grid.append(name)
        children = [f"CHART-{chart.key}" for chart in row.charts]
        position[name] = {
            "type": "ROW",
            "id": name,
            "children": children,
            "parents": ["ROOT_ID", "GRID_ID"],
            "meta": {"background": "BACKGROUND_TRANSPARENT"},
        }
        for chart, child in zip(row.charts, children, strict=True):
            position[child] = {
                "type": "CHART",
                "id": child,
                "children": [],
                "parents": ["ROOT_ID", "GRID_ID", name],
                "meta": {
                    "chartId": numbers[chart.key],
                    "uuid": identity("chart", dashboard.slug, chart.key, lang),
                    "sliceName": chart.title.of(lang),
                    "width": min(chart.width, GRID_COLUMNS),
                    "height": row.height,
                },
            }
    return position


def _native_filter(
    dashboard: Dashboard, native: NativeFilter, shared: Shared, numbers: dict[str, int], lang: str
) -> dict[str, Any]:
    source = table(native.dataset)
    column, default = _filter_column(source, native, shared, lang)
    mask: dict[str, Any] = {"extraFormData": {}, "filterState": {}}
    if default is not None:
        mask = {
            "extraFormData": {"filters": [{"col": column, "op": "IN", "val": [default]}]},
            "filterState": {"value": [default], "label": default},
        }
    return {
        "id": f"NATIVE_FILTER-{identity('filter', dashboard.slug, native.key)[:8]}",
        "type": "NATIVE_FILTER",
        "name": native.title.of(lang),
        "filterType": "filter_select",
        "targets": [
            {"datasetUuid": identity("dataset", source.schema, source.name), "column": {"name": column}}
        ],
        "defaultDataMask": mask,
        "controlValues": {
            "enableEmptyFilter": native.newest or native.default is not None,
            "defaultToFirstItem": native.newest,
            "multiSelect": native.multiple,
            "searchAllOptions": False,
            "inverseSelection": False,
            "sortAscending": not native.newest,
        },
        "requiredFirst": native.newest,
        "cascadeParentIds": [],
        "scope": {
            "rootPath": ["ROOT_ID"],
            "excluded": [numbers[chart.key] for chart in dashboard.charts if native.key in chart.ignores],
        },
        "description": "",
    }


def _filter_column(source: Table, native: NativeFilter, shared: Shared, lang: str) -> tuple[str, str | None]:
    """The column of the dataset whose values the reader sees, and the value it starts with."""
    if native.column not in source.columns:
        raise SpecError(f"filter {native.key}: {native.dataset} has no column {native.column}")
    calculated = names.names_of_columns(shared, list(source.columns))
    for column in (f"{native.column}_{lang}", f"{native.column}_text"):
        if column in calculated or column in source.columns:
            break
    else:
        return native.column, native.default
    if native.default is None:
        return column, None
    words = names.named(shared, native.column).words(lang)
    if native.default not in words:
        raise SpecError(f"filter {native.key}: {native.column} has no code {native.default}")
    return column, words[native.default]


def _filtered(dashboard: Dashboard) -> list[Table]:
    return [table(native.dataset) for native in dashboard.filters]


def _colours(shared: Shared, lang: str) -> dict[str, str]:
    """Name of a code to its colour: the same tier has the same colour in every chart."""
    found: dict[str, str] = {}
    for column, colours in shared.colours.items():
        words = names.named(shared, column).words(lang)
        for code, colour in colours.items():
            if code not in words:
                raise SpecError(f"shared/columns.yaml: colours of {column}: no code {code}")
            found[words[code]] = colour
    return found
