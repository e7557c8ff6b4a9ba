"""One flow: its path, its totals, the waterfall on a canvas, and the span in hand."""

from typing import Any

from dash import dcc, html

from headwater_analysis import flows, spans
from headwater_analysis import format as fmt
from headwater_analysis.flow_bounds import DOUBT, SENTENCES
from headwater_analysis.layout.tree import axis_for, path, waterfall
from headwater_analysis.source import Source
from headwater_dashboard.parts import aria, facts, link, status

TITLE = "Flow"


def columns(detail: flows.FlowDetail, elastic: bool | None) -> dict[str, Any]:
    """The waterfall's rows as columns of plain values; places are shares of the flow's time, 0 to 1.

    ``knots`` pairs places with where the elastic axis has them; between two it is even. The browser folds and opens
    idle time by them alone.
    """
    folded = axis_for(detail, True)
    shown = waterfall(detail)
    place = axis_for(detail, False).position
    return {
        "flow": detail.flow.flow_id,
        "elastic": bool(axis_for(detail, elastic).gaps),
        "knots": [[place(ns), at] for ns, at in zip(folded.times, folded.places, strict=True)],
        "trace": [row.span.trace_id for row in shown],
        "id": [row.span.span_id for row in shown],
        "name": [row.span.name for row in shown],
        "service": [row.span.service for row in shown],
        "colour": [fmt.service_colour(row.span.service) for row in shown],
        "depth": [row.depth for row in shown],
        "children": [row.children for row in shown],
        "asynchronous": [row.asynchronous for row in shown],
        "attempt": [row.attempt or 1 for row in shown],
        "error": [row.span.status == "error" for row in shown],
        "from": [place(row.span.started_ns) for row in shown],
        "to": [place(max(row.span.ended_ns, row.span.started_ns)) for row in shown],
        "duration": [fmt.duration_ms(row.span.duration_ms) for row in shown],
        "duration_ms": [row.span.duration_ms for row in shown],
        "waits": [
            [
                {
                    "kind": wait.kind,
                    "from": place(wait.from_ns),
                    "to": place(wait.to_ns),
                    "ms": wait.duration_ms,
                    "duration": fmt.duration_ms(wait.duration_ms),
                    "text": f"{fmt.duration_ms(wait.duration_ms)} in {wait.topic}"
                    + (f" · {wait.consumer_group}" if wait.consumer_group else ""),
                }
                for wait in row.waits
            ]
            for row in shown
        ],
        "gaps": [
            {
                "from": place(gap.from_ns),
                "to": place(gap.to_ns),
                "text": fmt.duration_ms((gap.to_ns - gap.from_ns) / 1e6),
            }
            for gap in folded.gaps
        ],
    }


def elastic_of(query: dict[str, str]) -> bool | None:
    """What the address says of the axis; None lets the flow decide."""
    return {"elastic": True, "linear": False}.get(query.get("axis", ""))


def head(detail: flows.FlowDetail) -> Any:
    """Path and totals."""
    flow = detail.flow
    steps: list[Any] = []
    topics = set(flow.topics)
    for i, name in enumerate(path(detail)):
        steps += [" → "] if i else []
        steps.append(
            html.Span(name, className="topic" if name in topics and name not in flow.services else "service")
        )
    numbers = [
        ("total", fmt.duration_ms(flow.total_ms)),
        ("wait", fmt.duration_ms(flow.wait_ms)),
        ("work", fmt.duration_ms(flow.work_ms)),
        ("back-off", fmt.duration_ms(flow.backoff_ms)),
        ("spans", fmt.count(flow.spans)),
        ("messages", fmt.count(flow.messages)),
        ("errors", fmt.count(flow.errors)),
        ("dead letters", fmt.count(flow.dead_letters)),
    ]
    notes = [html.Span("a parent is missing", className="chip warn")] if flow.orphan else []
    said = [SENTENCES[bound] for bound in detail.cut]
    said += [DOUBT.format(fmt.count(flow.doubtful))] if flow.doubtful else []
    notes += [html.Span(sentence, className="chip warn") for sentence in said]
    return html.Div(
        [
            html.H2(steps, id="flow-path"),
            html.Div(
                [
                    html.Span(status(flow.status), className="chip"),
                    *(html.Span(f"{word} {number}", className="chip") for word, number in numbers),
                    *notes,
                ],
                className="chips",
                id="flow-numbers",
            ),
        ]
    )


def content(source: Source, rest: tuple[str, ...], query: dict[str, str]) -> Any:
    """Head, waterfall, side panel, and the same rows as a table for who cannot see the canvas."""
    detail = flows.load_flow(source, "/".join(rest))
    data = columns(detail, elastic_of(query))
    chosen = query.get("span")
    return html.Div(
        [
            html.Div(head(detail), id="flow-head"),
            html.Div(
                "j k move · z fold · e elastic or linear · n N errors · w longest wait · + − zoom · drag pans",
                className="quiet hint",
            ),
            html.Div(
                [
                    html.Div(id="waterfall", className="waterfall", tabIndex="0",
                             role="application", **aria(label="waterfall of the flow")),
                    html.Div(id="span-panel", className="panel", **aria(live="polite")),
                ],
                className="split",
            ),
            dcc.Store(id="flow-data", data=data),
            dcc.Store(id="flow-span", data={"trace": None, "span": chosen}),
            dcc.Store(id="flow-drawn"),
        ]
    )  # fmt: skip


def span_panel(source: Source, trace_id: str, span_id: str) -> Any:
    """Everything known of one span."""
    known = spans.span_facts(source, trace_id, span_id)
    found = source.query(
        "select service, name, kind, duration_ms, status, status_message, error_type, topic, partition, "
        "message_offset, consumer_group, event_id from trace(?) where span_id = ? limit 1",
        [trace_id, span_id],
    ).dicts()
    span = found[0] if found else {}
    message = None
    if span.get("message_offset") is not None:
        message = fmt.place(span["topic"], span["partition"], span["message_offset"])
    return html.Div(
        [
            html.H3([f"{span.get('service')}: {span.get('name')} ", status(span.get("status"))]),
            facts(
                [
                    ("kind", span.get("kind")),
                    ("duration", fmt.duration_ms(span.get("duration_ms"))),
                    ("message", message),
                    ("group", span.get("consumer_group")),
                    ("error", span.get("error_type")),
                    ("says", span.get("status_message")),
                    ("event", span.get("event_id")),
                    ("trace", trace_id),
                    ("span", span_id),
                    *((("queue", link(span["topic"], f"/queue/{span['topic']}")),) if span.get("topic") else ()),
                    *(("mark", mark) for mark in known.marks),
                    *(
                        ("links to", _to_span(one["linked_trace_id"], one["linked_span_id"]))
                        for one in known.links
                    ),
                    *(
                        ("linked from", _to_span(one["trace_id"], one["span_id"]))
                        for one in known.linked_from
                    ),
                    *(
                        ("event", f"{event['occurred_at']} {event['name']} "
                         f"{(event['attributes'] or {}).get('exception.message', '')}")
                        for event in known.events
                    ),
                ]
            ),
            html.H4("Attributes"),
            facts((name, str(value)) for name, value in sorted(known.attributes.items())),
            html.H4("Resource"),
            facts((name, str(value)) for name, value in sorted(known.resource.items())),
        ]
    )  # fmt: skip


def _to_span(trace_id: str, span_id: str) -> Any:
    return link(span_id, f"/trace/{trace_id}?span={span_id}")
