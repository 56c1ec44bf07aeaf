"""From a chart of a spec to what Superset keeps of it: the form data of its visualisations."""

from __future__ import annotations

from typing import Any

from dashboards.superset import names
from dashboards.superset.datasets import TEMPORAL, Table, table
from dashboards.superset.spec import Chart, Dimension, Filter, Format, Label, Metric, Shared, SpecError

FORMATS: dict[Format, str] = {
    "integer": ",d",
    "percent": ".1%",
    "amount": "SMART_NUMBER",
    "decimal": ",.2f",
    "precise": ",.4f",
    "seconds": ",.1f",
    "precise_percent": ".3%",
    "day": "",
    "number_text": "",
    "text": "",
}
# In which currency is told by the rows themselves.
CURRENCY = {"symbol": "AUTO", "symbolPosition": "prefix"}
NUMERIC = ("integer", "bigint", "numeric", "double")
AGGREGATES = ("sum", "avg", "min", "max")
VIZ_TYPES = {
    "number": "big_number_total",
    "bar": "echarts_timeseries_bar",
    "column": "echarts_timeseries_bar",
    "line": "echarts_timeseries_line",
    "pie": "pie",
    "heatmap": "heatmap_v2",
    "table": "table",
}
DEFAULT_COLOURS = ("#14566a", "#a9cdd3", "#e0b155")


def form_data(chart: Chart, shared: Shared, lang: str) -> dict[str, Any]:
    """Superset's `params` of a chart in a language. Raises SpecError for what its mart or its names lack."""
    drawn = _Drawn(chart, shared, lang)
    return {
        "viz_type": VIZ_TYPES[chart.type],
        "adhoc_filters": [_filter(drawn, asked) for asked in chart.filters],
        "row_limit": chart.limit,
        "extra_form_data": {},
        **_BY_TYPE[chart.type](drawn),
    }


def label_colours(chart: Chart, shared: Shared, lang: str) -> dict[str, str]:
    """Colours of a chart's own figures, by their labels; series have those of their codes."""
    if chart.series is not None or chart.type not in ("bar", "column", "line"):
        return {}
    drawn = _Drawn(chart, shared, lang)
    colours = chart.colours or DEFAULT_COLOURS
    return {drawn.label_of(metric): colour for metric, colour in zip(chart.metrics, colours, strict=False)}


class _Drawn:
    """A chart with its table, in one language."""

    def __init__(self, chart: Chart, shared: Shared, lang: str) -> None:
        self.chart, self.shared, self.lang = chart, shared, lang
        self.table: Table = table(chart.dataset)

    def column(self, name: str) -> str:
        if name not in self.table.columns:
            raise SpecError(f"{self.chart.dataset} has no column {name}")
        return name

    def dimension(self, asked: Dimension | str) -> str | dict[str, Any]:
        """A column, or the names of its codes, under its label."""
        named = names.named(self.shared, asked)
        self.column(f"{named.column}_{self.lang}" if named.names == "mart" else named.column)
        return {
            "expressionType": "SQL",
            "label": named.label.of(self.lang),
            "sqlExpression": named.sql(self.lang),
        }

    def time_axis(self) -> bool:
        return isinstance(self.chart.x, str) and self.table.columns.get(self.chart.x) in TEMPORAL

    def axis(self) -> tuple[str | dict[str, Any], str]:
        """The column of the x axis and its label."""
        if self.chart.x is None:
            raise SpecError("the chart has no x")
        named = names.named(self.shared, self.chart.x)
        if self.time_axis() and self.chart.type == "line":
            return self.column(named.column), named.label.of(self.lang)
        return self.dimension(self.chart.x), named.label.of(self.lang)

    def label_of(self, metric: Metric) -> str:
        return self._label(metric).of(self.lang)

    def _label(self, metric: Metric) -> Label:
        if metric.label is not None:
            return metric.label
        column = next((found for kind in AGGREGATES if (found := getattr(metric, kind))), None)
        known = self.shared.columns.get(column or "")
        if known is None:
            raise SpecError(
                f"the metric of {column or 'an expression'} has no label: give it one here or in shared"
            )
        return known.label

    def format_of(self, metric: Metric) -> Format:
        if metric.format is not None:
            return metric.format
        column = next((found for kind in AGGREGATES if (found := getattr(metric, kind))), None)
        known = self.shared.columns.get(column or "")
        return known.format if known else "integer"

    def metric(self, metric: Metric) -> dict[str, Any]:
        label = self.label_of(metric)
        shown: dict[str, Any] = {"label": label, "hasCustomLabel": True, "optionName": f"metric_{label}"}
        for kind in AGGREGATES:
            if (column := getattr(metric, kind)) is not None:
                return {
                    **shown,
                    "expressionType": "SIMPLE",
                    "aggregate": kind.upper(),
                    "column": {"column_name": self.column(column)},
                }
        return {**shown, "expressionType": "SQL", "sqlExpression": metric.sql or "count(*)"}

    def metrics(self) -> list[dict[str, Any]]:
        return [self.metric(metric) for metric in self.chart.metrics]

    def number_format(self, metric: Metric) -> dict[str, Any]:
        """`y_axis_format` and its currency."""
        chosen = self.format_of(metric)
        found: dict[str, Any] = {"y_axis_format": FORMATS[chosen]}
        if chosen == "amount" and self.table.currency_column:
            found["currency_format"] = CURRENCY
        return found


def _number(drawn: _Drawn) -> dict[str, Any]:
    [metric] = drawn.chart.metrics
    note = drawn.chart.note
    return {
        "metric": drawn.metric(metric),
        "subheader": note.of(drawn.lang) if note else "",
        "header_font_size": 0.4,
        "subheader_font_size": 0.15,
        "time_format": "%Y-%m-%d",
        "force_timestamp_formatting": drawn.format_of(metric) == "day",
        **drawn.number_format(metric),
    }


def _series(drawn: _Drawn) -> dict[str, Any]:
    chart = drawn.chart
    axis, label = drawn.axis()
    by_sort = {}
    if chart.sort is not None:
        sorter = drawn.metric(chart.sort.by)
        by_sort = {
            "timeseries_limit_metric": sorter,
            "order_desc": chart.sort.descending,
            "x_axis_sort": sorter["label"],
            "x_axis_sort_asc": not chart.sort.descending,
        }
    series = [drawn.dimension(chart.series)] if chart.series else []
    one_series = not series and len(chart.metrics) == 1
    value_label = (
        chart.axis.of(drawn.lang) if chart.axis else drawn.label_of(chart.metrics[0]) if one_series else ""
    )
    return {
        "x_axis": axis,
        "x_axis_sort": label,
        "x_axis_sort_asc": True,
        "metrics": drawn.metrics(),
        "groupby": series,
        "order_desc": True,
        "sort_series_type": "name",
        "sort_series_ascending": True,
        "truncate_metric": True,
        "show_empty_columns": False,
        "show_legend": not one_series,
        "legendType": "scroll",
        "legendOrientation": "top",
        "show_value": chart.values,
        "rich_tooltip": True,
        "tooltipSortByMetric": False,
        "truncateYAxis": False,
        "truncateXAxis": False,
        "x_axis_title": label,
        "x_axis_title_margin": 30,
        "y_axis_title": value_label,
        "y_axis_title_margin": 70 if drawn.format_of(chart.metrics[0]) == "amount" else 50,
        "y_axis_title_position": "Left",
        "x_axis_time_format": "%Y-%m",
        "tooltipTimeFormat": "%Y-%m-%d",
        **drawn.number_format(chart.metrics[0]),
        **by_sort,
    }


def _bars(drawn: _Drawn) -> dict[str, Any]:
    """`bar` lies, its axis of names at the left; `column` stands."""
    chart = drawn.chart
    lying = chart.type == "bar"
    found = {
        **_series(drawn),
        "orientation": "horizontal" if lying else "vertical",
        "stack": "Stack" if chart.stacked or chart.stacked_to_one else None,
        "contributionMode": "row" if chart.stacked_to_one else None,
        "only_total": not chart.stacked_to_one,
        "xAxisLabelRotation": 0,
    }
    if lying:
        # Lying bars are drawn from below: the first name on top wants the order turned round.
        found["x_axis_sort_asc"] = not found["x_axis_sort_asc"]
        # Names say what they are; a title would stand across them.
        found["x_axis_title"] = ""
        found["xAxisLabelInterval"] = "0"
    if chart.series is not None and chart.sort is not None:
        found["x_axis_sort_series"] = "sum"
        found["x_axis_sort_series_ascending"] = chart.sort.descending is lying
    return found


def _line(drawn: _Drawn) -> dict[str, Any]:
    return {
        **_series(drawn),
        "time_grain_sqla": None,
        "seriesType": "line",
        "markerEnabled": True,
        "markerSize": 5,
        "show_value": False,
    }


def _pie(drawn: _Drawn) -> dict[str, Any]:
    [metric] = drawn.chart.metrics
    form = drawn.number_format(metric)
    return {
        "groupby": [drawn.axis()[0]],
        "metric": drawn.metric(metric),
        "sort_by_metric": True,
        "donut": True,
        "innerRadius": 40,
        "outerRadius": 68,
        "label_type": "percent",
        "show_labels": True,
        "labels_outside": True,
        "show_legend": True,
        "legendType": "scroll",
        "legendOrientation": "top",
        "show_total": True,
        "show_labels_threshold": 0,
        "number_format": form.pop("y_axis_format"),
        **form,
    }


def _heatmap(drawn: _Drawn) -> dict[str, Any]:
    chart = drawn.chart
    if chart.y is None:
        raise SpecError("the chart has no y")
    [metric] = chart.metrics
    return {
        "x_axis": drawn.axis()[0],
        "groupby": drawn.dimension(chart.y),
        "metric": drawn.metric(metric),
        "sort_x_axis": "alpha_asc",
        "sort_y_axis": "alpha_desc",
        "normalize_across": "heatmap",
        "normalized": False,
        "show_values": chart.values,
        "show_legend": False,
        "show_percentage": False,
        "legend_type": "continuous",
        "linear_color_scheme": "schemeGnBu",
        "xscale_interval": 1,
        "yscale_interval": 1,
        "left_margin": chart.names_room,
        "bottom_margin": "auto",
        "value_bounds": [None, None],
        "border_color": {"r": 255, "g": 255, "b": 255, "a": 1},
        "border_width": 1,
        **drawn.number_format(metric),
    }


def _table(drawn: _Drawn) -> dict[str, Any]:
    chart = drawn.chart
    columns: dict[str, dict[str, Any]] = {}
    for asked in chart.dimensions:
        named = names.named(drawn.shared, asked)
        known = drawn.shared.columns.get(named.column)
        if (
            known is not None
            and drawn.table.columns.get(named.column, "").startswith(NUMERIC)
            and not named.names
        ):
            columns[named.label.of(drawn.lang)] = _cell(drawn, known.format)
    for metric in chart.metrics:
        columns[drawn.label_of(metric)] = _cell(drawn, drawn.format_of(metric))
    sorter = {}
    if chart.sort is not None:
        sorter = {"timeseries_limit_metric": drawn.metric(chart.sort.by), "order_desc": chart.sort.descending}
    return {
        "query_mode": "aggregate",
        "groupby": [drawn.dimension(asked) for asked in chart.dimensions],
        "metrics": drawn.metrics(),
        "percent_metrics": [],
        "order_by_cols": [],
        "table_timestamp_format": "%Y-%m-%d %H:%M",
        "column_config": columns,
        "show_cell_bars": chart.values,
        "color_pn": False,
        "server_pagination": False,
        "page_length": 0,
        "include_search": False,
        "allow_render_html": False,
        **sorter,
    }


def _cell(drawn: _Drawn, chosen: Format) -> dict[str, Any]:
    if chosen == "text":
        return {"horizontalAlign": "left"}
    if chosen == "number_text":
        return {"horizontalAlign": "right"}
    found: dict[str, Any] = {"d3NumberFormat": FORMATS[chosen], "horizontalAlign": "right"}
    if chosen == "amount" and drawn.table.currency_column:
        found["currencyFormat"] = CURRENCY
    return found


def _filter(drawn: _Drawn, asked: Filter) -> dict[str, Any]:
    if asked.sql is not None:
        return {"clause": "WHERE", "expressionType": "SQL", "sqlExpression": asked.sql}
    simple = {"clause": "WHERE", "expressionType": "SIMPLE", "subject": drawn.column(asked.column or "")}
    if asked.is_null is not None:
        kind = "IS NULL" if asked.is_null else "IS NOT NULL"
        return {**simple, "operator": kind, "operatorId": kind.replace(" ", "_"), "comparator": None}
    if asked.one_of is not None:
        return {**simple, "operator": "IN", "operatorId": "IN", "comparator": asked.one_of}
    if asked.none_of is not None:
        return {**simple, "operator": "NOT IN", "operatorId": "NOT_IN", "comparator": asked.none_of}
    return {**simple, "operator": "==", "operatorId": "EQUALS", "comparator": asked.equals}


_BY_TYPE = {
    "number": _number,
    "bar": _bars,
    "column": _bars,
    "line": _line,
    "pie": _pie,
    "heatmap": _heatmap,
    "table": _table,
}
