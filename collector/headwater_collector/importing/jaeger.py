"""The JSON of Jaeger's HTTP API and its screen's download: ``{"data": [{"traceID", "spans", "processes"}]}``."""

from __future__ import annotations

from typing import Any

from .spans import ERROR, INCOMPLETE, KINDS, Json, Read, attributes, grouped, span_id, times, trace_id


def read(traces: Any) -> Read:
    """Traces, as ``data`` holds them."""
    found = Read()
    spans = []
    for one in traces:
        processes = one.get("processes") or {} if isinstance(one, dict) else {}
        for span in (one.get("spans") or ()) if isinstance(one, dict) else ():
            try:
                spans.append((_resource(processes.get(span.get("processID")) or {}), _span(span)))
            except (KeyError, TypeError, ValueError, AttributeError):
                found.skip(INCOMPLETE)
    found.resource_spans = grouped(spans)
    return found


def _resource(process: Json) -> tuple[tuple[str, str], ...]:
    tags = {key: str(value) for key, value in _tags(process.get("tags")).items()}
    return tuple({**tags, "service.name": str(process.get("serviceName") or "unknown_service")}.items())


def _tags(tags: Any) -> Json:
    return {str(tag["key"]): tag.get("value") for tag in tags or () if isinstance(tag, dict) and "key" in tag}


def _span(span: Json) -> Json:
    said = _tags(span.get("tags"))
    kind = KINDS.get(str(said.pop("span.kind", "internal")).upper(), KINDS["INTERNAL"])
    failed = said.get("error") in (True, "true") or said.pop("otel.status_code", None) == "ERROR"
    before, links = None, []
    for reference in span.get("references") or ():
        its_trace, its_span = trace_id(reference["traceID"]), span_id(reference["spanID"])
        if before is None and its_trace == trace_id(span["traceID"]):
            before = its_span
        else:
            links.append({"traceId": its_trace, "spanId": its_span})
    events = []
    for log in span.get("logs") or ():
        fields = _tags(log.get("fields"))
        name = str(fields.pop("event", None) or "log")
        when = str(int(log["timestamp"]) * 1000)
        events.append({"timeUnixNano": when, "name": name, "attributes": attributes(fields)})
    return {
        "traceId": trace_id(span["traceID"]),
        "spanId": span_id(span["spanID"]),
        "parentSpanId": before or "",
        "name": str(span.get("operationName") or "unknown"),
        "kind": kind,
        **times(span["startTime"], span.get("duration")),
        "attributes": attributes(said),
        "events": events,
        "links": links,
        "status": {"code": ERROR} if failed else {},
    }
