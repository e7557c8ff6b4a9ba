"""Consumer groups on topics: lag, lag time, verdict and evidence; with a topic, its partitions and their course."""

from typing import Any

import plotly.graph_objects as go
from dash import dcc, html

from headwater_analysis import format as fmt
from headwater_analysis import lag
from headwater_analysis.source import Source
from headwater_analysis.window import Window
from headwater_dashboard.parts import empty, lag_time, link, sparkline, status, table
from headwater_dashboard.theme import GRAPH_CONFIG, template

TITLE = "Queues"


def content(source: Source, rest: tuple[str, ...], query: dict[str, str]) -> Any:
    """All groups, or those of one topic with their partitions."""
    groups = lag.groups(source)
    window = Window.last(query.get("from", "15m"))
    clusters = lag.clusters(source)
    if rest:
        groups = tuple(row for row in groups if row.topic == rest[0])
    if not groups:
        return html.Div([_clusters(clusters), _why_empty(clusters)])
    trends = lag.trends(source, window, 60)
    parts: list[Any] = [
        _clusters(clusters),
        table(
            (
                "group",
                "topic",
                "status",
                "lag",
                "lag time",
                "trend",
                "in",
                "out",
                "members",
                "partitions",
                "evidence",
            ),
            (
                (
                    row.consumer_group,
                    link(row.topic, f"/queue/{row.topic}"),
                    status(row.status),
                    fmt.count(row.lag),
                    lag_time(row),
                    sparkline(trends.get((row.consumer_group, row.topic), ())),
                    fmt.rate(row.in_rate),
                    fmt.rate(row.out_rate),
                    fmt.count(row.members),
                    fmt.count(row.partitions),
                    row.evidence,
                )
                for row in groups
            ),
            ("lag", "lag time", "in", "out", "members", "partitions"),
            "consumer groups on topics",
        ),
    ]
    if rest:
        for group in groups:
            parts.append(html.H2(f"{group.consumer_group} on {group.topic}"))
            parts.append(_partitions(lag.partitions(source, group.consumer_group, group.topic)))
            history = lag.history(source, group.consumer_group, group.topic, window)
            parts.append(
                dcc.Graph(
                    figure=lag_figure(history, query.get("scheme", "light")),
                    config=GRAPH_CONFIG,
                    style={"height": "260px"},
                    className="chart",
                )
            )
    return html.Div(parts)


def lag_figure(history: tuple[lag.LagPoint, ...], scheme: str) -> go.Figure:
    """Lag over time, a line a partition; SVG lines, since WebGL without a GPU is many times slower."""
    lines: dict[int, tuple[list[float], list[int | None]]] = {}
    for point in history:
        times, values = lines.setdefault(point.partition, ([], []))
        times.append(point.sampled_ns / 1e6)
        values.append(point.lag)
    figure = go.Figure(layout={"template": template(scheme), "hovermode": "x unified"})
    for partition, (times, values) in sorted(lines.items()):
        figure.add_scatter(
            x=times, y=values, mode="lines", name=f"partition {partition}", line={"width": 1.5}
        )
    figure.update_xaxes(type="date")
    figure.update_yaxes(title="lag, messages", rangemode="tozero")
    return figure


def _partitions(rows: tuple[lag.PartitionRow, ...]) -> Any:
    return table(
        ("partition", "status", "lag", "lag time", "committed", "end", "in", "out", "member", "evidence"),
        (
            (
                str(row.partition),
                status(row.status),
                fmt.count(row.lag),
                lag_time(row),
                fmt.count(row.committed),
                fmt.count(row.end_offset),
                fmt.rate(row.in_rate),
                fmt.rate(row.out_rate),
                row.member,
                row.evidence,
            )
            for row in rows
        ),
        ("partition", "lag", "lag time", "committed", "end", "in", "out"),
        "partitions",
    )


def _clusters(clusters: tuple[lag.ClusterRow, ...]) -> Any:
    chips: list[Any] = [
        html.Span(
            [f"{one.name} ", status(one.state), f" {one.reason}" if one.reason else ""], className="chip"
        )
        for one in clusters
    ]
    if shared := lag.share_groups_line(clusters):
        chips.append(html.Span(shared, className="chip"))
    return html.Div(chips, className="chips")


def _why_empty(clusters: tuple[lag.ClusterRow, ...]) -> Any:
    if not clusters:
        return empty(
            "The collector watches no Kafka cluster. Start it with one:", "headwater serve --kafka HOST:PORT"
        )
    down = [one for one in clusters if one.state != "up"]
    if down:
        return empty(
            f"{down[0].name} ({down[0].bootstrap}) is {down[0].state}: {down[0].reason or 'no reason'}."
        )
    return empty("No consumer group has committed anything here yet.")
