"""What a side panel shows of one span beside its row."""

from dataclasses import dataclass
from typing import Any

from .flows import NotFound
from .source import Source

LINKS_SHOWN = 200
"""Spans that link to one, of which a side panel tells."""


@dataclass(frozen=True)
class SpanFacts:
    """What is told of a span, and of the links both ways."""

    attributes: dict[str, Any]
    resource: dict[str, Any]
    scope: str | None
    marks: tuple[str, ...]
    links: tuple[dict[str, Any], ...]
    """Links of this span: linked_trace_id, linked_span_id, topic, partition, message_offset."""
    linked_from: tuple[dict[str, Any], ...]
    """Spans that link to this one: trace_id, span_id."""
    linked_from_more: bool
    """There are more of those."""
    events: tuple[dict[str, Any], ...]
    """occurred_at (ISO 8601), name, attributes."""


def span_facts(source: Source, trace_id: str, span_id: str) -> SpanFacts:
    """Attributes, links both ways and events of one span; raises NotFound."""
    found = source.query(
        "select attributes, resource, scope, marks from trace(?) where span_id = ? limit 1",
        [trace_id, span_id],
    ).dicts()
    if not found:
        raise NotFound(f"The span {span_id} of trace {trace_id} is not stored.")
    span = found[0]
    links = source.query(
        "select linked_trace_id, linked_span_id, topic, partition, message_offset from span_links "
        "where trace_id = ? and span_id = ? limit 200",
        [trace_id, span_id],
    ).dicts()
    linked_from = source.query(
        "select trace_id, span_id from span_links where linked_trace_id = ? and linked_span_id = ? limit ?",
        [trace_id, span_id, LINKS_SHOWN + 1],
    ).dicts()
    events = source.query(
        "select occurred_at, name, attributes from span_events where trace_id = ? and span_id = ? "
        "order by occurred_at limit 200",
        [trace_id, span_id],
    ).dicts()
    return SpanFacts(
        span["attributes"] or {}, span["resource"] or {}, span["scope"], tuple(span["marks"] or ()),
        tuple(links), tuple(linked_from[:LINKS_SHOWN]), len(linked_from) > LINKS_SHOWN, tuple(events),
    )  # fmt: skip
