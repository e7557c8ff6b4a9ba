"""What a client says that it sent, beside what the store holds: span for span, field for field.

A client is a program of its own: arguments are door, endpoint and number of spans; it prints what it sent as
a JSON array on standard output, and on standard error whatever its exporter complains about.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

Span = dict[str, Any]
Ask = Callable[[str], list[list[Any]]]
"""Asks a store a SELECT; gives its rows."""
FIELDS = (
    "trace_id", "span_id", "parent_span_id", "name", "kind", "started_ns", "ended_ns", "status",
    "status_message", "trace_state", "scope", "scope_version", "attributes", "resource", "events", "links",
)  # fmt: skip


def as_sent(printed: str) -> list[Span]:
    """The spans that a client printed; JavaScript gives nanoseconds as text, since its numbers end at 2**53."""
    spans: list[Span] = json.loads(printed)
    for span in spans:
        for name in ("started_ns", "ended_ns"):
            span[name] = int(span[name])
        for event in span["events"]:
            event["at_ns"] = int(event["at_ns"])
    return spans


def stored_spans(ask: Ask, service: str) -> list[Span]:
    """All spans of a service with their events and links, as the public relations give them."""
    mine = f"from spans where service = '{service}'"
    spans = [
        dict(zip(FIELDS[:-2], row, strict=True))
        for row in ask(
            "select trace_id, span_id, parent_span_id, name, kind, epoch_ns(started_at), epoch_ns(ended_at), "
            f"status, status_message, trace_state, scope, scope_version, attributes, resource {mine}"
        )
    ]
    of_mine = f"where trace_id in (select trace_id {mine}) order by position"
    events, links = (
        defaultdict[tuple[str, str], list[Span]](list),
        defaultdict[tuple[str, str], list[Span]](list),
    )
    for trace, span_id, name, at, attributes in ask(
        f"select trace_id, span_id, name, epoch_ns(occurred_at), attributes from span_events {of_mine}"
    ):
        event = {"name": name, "at_ns": at, "attributes": _parsed(attributes)}
        events[trace, span_id].append(event)
    for trace, span_id, linked_trace, linked_span, attributes in ask(
        f"select trace_id, span_id, linked_trace_id, linked_span_id, attributes from span_links {of_mine}"
    ):
        link = {"trace_id": linked_trace, "span_id": linked_span, "attributes": _parsed(attributes)}
        links[trace, span_id].append(link)
    for span in spans:
        key = (span["trace_id"], span["span_id"])
        span["attributes"], span["resource"] = _parsed(span["attributes"]), _parsed(span["resource"])
        span["events"], span["links"] = events[key], links[key]
    return spans


def differences(sent: Iterable[Span], stored: Iterable[Span]) -> dict[str, str]:
    """For each span that is not stored exactly as sent, exactly once, what is wrong with it."""
    found: dict[str, str] = {}
    held: dict[tuple[str, str], Span] = {}
    for span in stored:
        key = (span["trace_id"], span["span_id"])
        if key in held:
            found[span["span_id"]] = "stored twice"
        held[key] = span
    for span in sent:
        other = held.pop((span["trace_id"], span["span_id"]), None)
        if other is None:
            found[span["span_id"]] = "not stored"
            continue
        wrong = [
            f"{name}: {_short(span[name])} sent, {_short(other[name])} stored"
            for name in FIELDS
            if not _same(span[name], other[name])
        ]
        if wrong:
            found[span["span_id"]] = "; ".join(wrong)
    return found | {span_id: "stored, but never sent" for _, span_id in held}


def _parsed(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def _same(one: Any, other: Any) -> bool:
    """Equal as JSON is: empty texts are unknown, and 1 is not true."""
    if one in ("", None) and other in ("", None):
        return True
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _short(value: Any) -> str:
    text = json.dumps(value, sort_keys=True)
    return text if len(text) <= 300 else text[:300] + "…"
