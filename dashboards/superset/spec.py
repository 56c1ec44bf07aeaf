"""The specs of the dashboards: what a YAML file may say, and what is wrong with one that says else."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

FOLDER = Path(__file__).parent
SHARED = FOLDER / "shared" / "columns.yaml"
GRID_COLUMNS = 12
# PostgreSQL cuts longer names of result columns, and Superset then does not find its own column again.
LABEL_BYTES = 63

# `number_text`: figures that the query has written out; `day`: the newest date as a big number.
Format = Literal[
    "integer",
    "percent",
    "precise_percent",
    "amount",
    "decimal",
    "precise",
    "seconds",
    "day",
    "number_text",
    "text",
]
Colour = Annotated[str, Field(pattern=r"^#[0-9a-f]{6}$")]


Kind = TypeVar("Kind", bound=BaseModel)


class SpecError(ValueError):
    """A spec is not what it should be; the message names the file and the chart."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Text(_Part):
    """A text in both languages."""

    en: Annotated[str, Field(min_length=1)]
    zh: Annotated[str, Field(min_length=1)]

    def of(self, lang: str) -> str:
        """The text in `en` or `zh`."""
        return str(getattr(self, lang))


class Label(Text):
    """A text that names a column of a query's result: at most 63 bytes in either language."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for text in (self.en, self.zh):
            if len(text.encode()) > LABEL_BYTES:
                raise ValueError(f"{text!r} has more than {LABEL_BYTES} bytes, which PostgreSQL would cut")
        return self


class Column(_Part):
    """What a column of a mart is called, how its numbers are written and what its codes mean.

    `names`: `mart` (the mart has `<column>_en` and `_zh`), `tiers` (policy_tiers.csv, by the row's scheme or
    by `scheme`), `texts.<section>` of the report's catalogues, or the codes themselves with their names.
    `state`: the column that says whether a tier of migration is one (`in_stock`), or new, churned ...
    `order`: a column whose number stands before the name, so that names sort as the bank ranks them.
    """

    label: Label
    format: Format = "integer"
    names: str | dict[str, Text] | None = None
    scheme: str | None = None
    order: str | None = None
    state: str | None = None
    is_day: bool = False


class Dimension(_Part):
    """A column by which a chart groups; what is not said here is said in shared/columns.yaml."""

    column: str
    label: Label | None = None
    names: str | dict[str, Text] | None = None
    scheme: str | None = None
    order: str | None = None


class Metric(_Part):
    """A figure: one aggregate of a column, or an SQL expression without sub-queries."""

    sum: str | None = None
    avg: str | None = None
    min: str | None = None
    max: str | None = None
    count: bool = False
    sql: str | None = None
    label: Label | None = None
    format: Format | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = [name for name in ("sum", "avg", "min", "max", "sql") if getattr(self, name) is not None]
        if len(given) + self.count != 1:
            raise ValueError("a metric is one of sum, avg, min, max, count: true, sql")
        return self


class Filter(_Part):
    """Which rows of the mart a chart takes: a column with one test, or an SQL condition."""

    column: str | None = None
    equals: str | bool | int | None = None
    one_of: list[str] | None = None
    none_of: list[str] | None = None
    is_null: bool | None = None
    sql: str | None = None

    @model_validator(mode="after")
    def _one_test(self) -> Self:
        tests = [self.equals, self.one_of, self.none_of, self.is_null]
        given = sum(test is not None for test in tests)
        if (self.sql is None and (self.column is None or given != 1)) or (
            self.sql is not None and (self.column is not None or given)
        ):
            raise ValueError(
                "a filter is a column with one of equals, one_of, none_of, is_null; or sql and nothing else"
            )
        return self


class Sort(_Part):
    """The order of a chart's rows: by a figure, which the chart need not show."""

    by: Metric
    descending: bool = True


class Chart(_Part):
    """One chart: a plain mart, what is grouped, what is counted."""

    key: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    title: Text
    note: Text | None = None
    type: Literal["number", "bar", "column", "line", "pie", "heatmap", "table"]
    dataset: Annotated[str, Field(pattern=r"^(marts|history|ops)\.[a-z][a-z0-9_]*$")]
    width: Annotated[int, Field(ge=1, le=GRID_COLUMNS)]
    x: Dimension | str | None = None
    y: Dimension | str | None = None
    series: Dimension | str | None = None
    dimensions: list[Dimension | str] = []
    metrics: list[Metric] = []
    filters: list[Filter] = []
    sort: Sort | None = None
    limit: Annotated[int, Field(ge=1, le=10_000)] = 1000
    stacked: bool = False
    stacked_to_one: bool = False
    values: bool = True
    axis: Label | None = None
    # Pixels at the left of a heat map beside what Superset keeps for the names of its rows.
    names_room: Annotated[int, Field(ge=20, le=400)] = 30
    colours: list[Colour] = []
    ignores: list[str] = []
    may_be_empty: bool = False

    @model_validator(mode="after")
    def _has_what_its_type_needs(self) -> Self:
        needs = {
            "number": ("metrics",), "bar": ("x", "metrics"), "column": ("x", "metrics"),
            "line": ("x", "metrics"), "pie": ("x", "metrics"), "heatmap": ("x", "y", "metrics"),
            "table": ("dimensions",),
        }[self.type]  # fmt: skip
        missing = [name for name in needs if not getattr(self, name)]
        if missing:
            raise ValueError(f"a chart of type {self.type} needs {', '.join(missing)}")
        if self.type in ("number", "pie", "heatmap") and len(self.metrics) != 1:
            raise ValueError(f"a chart of type {self.type} shows one metric, not {len(self.metrics)}")
        return self


class Row(_Part):
    """Charts beside each other, at most twelve columns of the grid; `height` in its units of 8 pixels."""

    title: Text | None = None
    height: Annotated[int, Field(ge=10, le=200)] = 40
    charts: Annotated[list[Chart], Field(min_length=1)]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        width = sum(chart.width for chart in self.charts)
        if width > GRID_COLUMNS:
            keys = ", ".join(chart.key for chart in self.charts)
            raise ValueError(f"the row of {keys} is {width} columns wide, the grid has {GRID_COLUMNS}")
        return self


class NativeFilter(_Part):
    """A filter at the top of a dashboard, on a column that several of its marts have."""

    key: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    title: Text
    dataset: str
    column: str
    default: str | None = None
    newest: bool = False
    multiple: bool = False

    @model_validator(mode="after")
    def _one_default(self) -> Self:
        if self.default is not None and self.newest:
            raise ValueError("a filter starts with its default or with the newest value, not with both")
        return self


class Dashboard(_Part):
    """One dashboard: its charts in rows, and the filters above them."""

    slug: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    title: Text
    description: Text
    owner: str
    filters: list[NativeFilter] = []
    rows: Annotated[list[Row], Field(min_length=1)]

    @property
    def charts(self) -> list[Chart]:
        """All charts, in reading order."""
        return [chart for row in self.rows for chart in row.charts]

    @model_validator(mode="after")
    def _keys_are_unique(self) -> Self:
        keys = [chart.key for chart in self.charts]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        if twice:
            raise ValueError(f"charts have the same key: {', '.join(twice)}")
        filters = {native.key for native in self.filters}
        for chart in self.charts:
            if unknown := set(chart.ignores) - filters:
                raise ValueError(
                    f"chart {chart.key} ignores filters that are not there: {', '.join(sorted(unknown))}"
                )
        return self


class Shared(_Part):
    """What all dashboards share: columns by name, colours of codes by the name of their scale."""

    columns: dict[str, Column]
    colours: dict[str, dict[str, Colour]]


def read_shared(path: Path = SHARED) -> Shared:
    """Names and colours of all dashboards. Raises SpecError."""
    return _checked(Shared, path)


def read_dashboards(folder: Path = FOLDER) -> list[Dashboard]:
    """All specs (*.yaml) of a folder by file name. Raises SpecError, which names file and chart."""
    found = [_checked(Dashboard, path) for path in sorted(folder.glob("*.yaml"))]
    if not found:
        raise SpecError(f"{folder}: no dashboard (*.yaml) in this folder")
    slugs = [dashboard.slug for dashboard in found]
    if twice := sorted({slug for slug in slugs if slugs.count(slug) > 1}):
        raise SpecError(f"{folder}: two dashboards have the same slug: {', '.join(twice)}")
    return found


def _checked(kind: type[Kind], path: Path) -> Kind:
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
        return kind.model_validate(tree)
    except yaml.YAMLError as error:
        raise SpecError(f"{path}: not YAML: {error}") from None
    except ValidationError as error:
        found = [f"  {_place(tree, problem['loc'])}: {problem['msg']}" for problem in error.errors()]
        raise SpecError("\n".join([f"{path}:", *found])) from None


def _place(tree: Any, location: tuple[int | str, ...]) -> str:
    """Where in the file, with the key of the chart instead of its numbers of row and place."""
    chart, rest = "", location
    if location[:1] == ("rows",) and location[2:3] == ("charts",) and len(location) > 3:
        row, place = int(location[1]), int(location[3])
        rest = location[4:]
        named = tree["rows"][row]["charts"][place]
        key = named.get("key") if isinstance(named, dict) else None
        chart = f"chart {key or f'{place + 1} of row {row + 1}'}"
    return " ".join(part for part in (chart, ".".join(map(str, rest))) if part) or "the file"
