"""Zipkin's v2 JSON: https://zipkin.io/zipkin-api/#/default/post_spans."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .spans import (
    ERROR,
    INCOMPLETE,
    KINDS,
    Json,
    Read,
    attributes,
    grouped,
    messaging,
    other_id,
    span_id,
    times,
    trace_id,
)

DESTINATIONS = {
    "kafka.topic": "kafka",
    "rabbit.queue": "rabbitmq",
    "rabbit.exchange": "rabbitmq",
    "jms.queue": "jms",
    "jms.topic": "jms",
}
"""Tags of Brave, the library that most of these spans come from, and the system that each is of."""


def read(spans: Iterable[Any]) -> Read:
    """Spans of one or several traces."""
    found = Read()
    known = [span for span in spans if _looked_at(span, found)]
    served = {(span["traceId"], span["id"]): _service(span) for span in known if span.get("shared")}
    found.resource_spans = grouped(
        ((("service.name", _service(span)),), _span(span, served)) for span in known
    )
    return found


def _looked_at(span: Any, found: Read) -> bool:
    try:
        trace_id(span["traceId"]), span_id(span["id"])
        if span.get("parentId"):
            span_id(span["parentId"])
        times(span["timestamp"], span.get("duration"))
    except (KeyError, TypeError, ValueError, AttributeError):
        found.skip(INCOMPLETE)
        return False
    return True


def _service(span: Json) -> str:
    return str((span.get("localEndpoint") or {}).get("serviceName") or "unknown_service")


def _span(span: Json, served: dict[tuple[str, str], str]) -> Json:
    kind = KINDS.get(str(span.get("kind")), KINDS["INTERNAL"])
    tags = {str(key): value for key, value in (span.get("tags") or {}).items()}
    place = span["traceId"], span["id"]
    parent = span.get("parentId")
    own = other_id(span["id"]) if span.get("shared") else span_id(span["id"])
    if span.get("shared"):
        # One id for both ends of a call: the server's span is the client's child.
        parent = span["id"]
    elif parent and served.get((place[0], parent)) == _service(span):
        parent = other_id(parent)
    remote = span.get("remoteEndpoint") or {}
    said: Json = {**tags, "peer.service": remote.get("serviceName")}
    said["network.peer.address"] = remote.get("ipv4") or remote.get("ipv6")
    said["network.peer.port"] = remote.get("port")
    told = next((name for name in DESTINATIONS if name in tags), None)
    if told is not None:
        said |= messaging(DESTINATIONS[told], str(tags[told]), kind, str(span.get("name") or ""))
    status: Json = {}
    if "error" in tags:
        status = {"code": ERROR, "message": str(tags["error"])}
    events = [
        {"timeUnixNano": str(int(one["timestamp"]) * 1000), "name": str(one.get("value") or "")}
        for one in span.get("annotations") or ()
        if isinstance(one, dict) and str(one.get("timestamp", "")).isdigit()
    ]
    return {
        "traceId": trace_id(span["traceId"]),
        "spanId": own,
        "parentSpanId": span_id(parent) if parent else "",
        "name": str(span.get("name") or "unknown"),
        "kind": kind,
        **times(span["timestamp"], span.get("duration")),
        "attributes": attributes(said),
        "events": events,
        "status": status,
    }
