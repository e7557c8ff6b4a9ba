"""What a person on call wants to see first."""

import time
from typing import Any

from dash import html

from headwater_analysis import format as fmt
from headwater_analysis.dead_letters import FailureGroupRow
from headwater_analysis.overview import overview
from headwater_analysis.source import Source
from headwater_analysis.window import Window
from headwater_dashboard.parts import NO_DATA, empty, lag_time, link, status, table

TITLE = "Overview"


def content(source: Source, _rest: tuple[str, ...], query: dict[str, str]) -> Any:
    """The whole page, anew."""
    seen = overview(source, Window.last(query.get("from", "1h")))
    now = time.time_ns()
    if seen.flows.newest_ns is None and not seen.groups_total:
        return empty("No data yet. Send spans to the collector (OTLP, port 4317 or 4318):", NO_DATA)
    clusters = [
        html.Span(
            [f"{one.name} ", status(one.state), f" {one.reason}" if one.reason else ""], className="chip"
        )
        for one in seen.clusters
    ] or [html.Span("no Kafka cluster is watched", className="chip quiet")]
    ingest = []
    if seen.ingest is not None:
        ingest.append(html.Span(f"{fmt.count(seen.ingest.stored_spans)} spans stored", className="chip"))
        for number, word in ((seen.ingest.refused_requests, "requests refused"),
                             (seen.ingest.quarantined, "quarantined")):  # fmt: skip
            if number:
                ingest.append(html.Span(f"▲ {fmt.count(number)} {word}", className="chip warn"))
        if seen.ingest.last_error:
            ingest.append(html.Span(f"✗ {seen.ingest.last_error}", className="chip bad"))
    return html.Div(
        [
            html.Div([*clusters, *ingest], className="chips", id="overview-state"),
            html.H2(f"Queues: {seen.groups_unhealthy} of {seen.groups_total} need a look"),
            table(
                ("group", "topic", "status", "lag", "lag time", "evidence"),
                (
                    (row.consumer_group, link(row.topic, f"/queue/{row.topic}"), status(row.status),
                     fmt.count(row.lag), lag_time(row), row.evidence)
                    for row in seen.groups
                ),
                ("lag", "lag time"),
                "the worst groups",
            ),
            html.H2("Dead letters: the newest causes"),
            table(
                ("messages", "error", "origin", "last seen", "cause"),
                (
                    (fmt.count(row.messages), _cause(row),
                     row.origin_topic, fmt.age(row.last_seen_ns, now), row.normalised_error)
                    for row in seen.failure_groups
                ),
                ("messages",),
                "the newest failure groups",
            ) if seen.failure_groups else empty("No dead letters in this time."),
            html.H2("Pathways: the most errors first"),
            table(
                ("entry", "flows", "errors", "p95 total", "p95 wait", "path"),
                (
                    (f"{row.entry_service or '?'} {row.entry_name or ''}", fmt.count(row.flows),
                     fmt.ratio(row.error_rate), fmt.duration_ms(row.total_p95_ms), fmt.duration_ms(row.wait_p95_ms),
                     row.path)
                    for row in seen.pathways
                ),
                ("flows", "errors", "p95 total", "p95 wait"),
                "the pathways with the most errors",
            ),
            html.H2(f"Flows: the newest of {fmt.count(seen.flows.unfiltered)}"),
            table(
                ("started", "status", "total", "path"),
                (
                    (link(fmt.age(row.started_ns, now), f"/flow/{row.flow_id}"), status(row.status),
                     fmt.duration_ms(row.total_ms), " → ".join(row.services))
                    for row in seen.flows.rows
                ),
                ("total",),
                "the newest flows",
            ),
        ]
    )  # fmt: skip


def _cause(row: FailureGroupRow) -> Any:
    return link(row.error_type or fmt.UNKNOWN, f"/dead-letters?group={row.failure_group_id}")
