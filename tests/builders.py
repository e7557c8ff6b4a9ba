"""OTLP requests as a sender would make them; used by the tests of every room."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterable, Mapping, Sequence

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

KINDS = {"internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}
_count = itertools.count()


def a_value(value: object) -> AnyValue:
    """An OTLP value of a Python one: text, bool, int, float, bytes, list, dict or None."""
    if value is None:
        return AnyValue()
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, bytes):
        return AnyValue(bytes_value=value)
    if isinstance(value, Mapping):
        found = AnyValue()
        found.kvlist_value.values.extend(attributes_of(value))
        return found
    if isinstance(value, Sequence) and not isinstance(value, str):
        found = AnyValue()
        found.array_value.values.extend(a_value(item) for item in value)
        return found
    return AnyValue(string_value=str(value))


def attributes_of(values: Mapping[str, object]) -> list[KeyValue]:
    """OTLP attributes of a mapping."""
    return [KeyValue(key=key, value=a_value(value)) for key, value in values.items()]


def a_trace_id() -> str:
    """A fresh trace id, 32 hex digits."""
    return os.urandom(16).hex()


def a_span_id() -> str:
    """A fresh span id, 16 hex digits."""
    return os.urandom(8).hex()


def a_span(
    name: str = "work",
    *,
    trace_id: str | None = None,
    span_id: str | None = None,
    parent: str | None = None,
    kind: str = "internal",
    start_ns: int | None = None,
    ms: float = 10.0,
    end_ns: int | None = None,
    error: str | None = None,
    links: Iterable[tuple[str, str] | tuple[str, str, Mapping[str, object]]] = (),
    events: Iterable[tuple[str, Mapping[str, object]]] = (),
    attributes: Mapping[str, object] | None = None,
) -> Span:
    """One span with fresh ids, of 10 ms, ending now; `error` is its status message.

    A link is (trace id, span id) or (trace id, span id, attributes); an event is (name, attributes).
    """
    if start_ns is None:
        start_ns = time.time_ns() - round(ms * 1e6) + next(_count)
    span = Span(
        name=name,
        trace_id=bytes.fromhex(a_trace_id() if trace_id is None else trace_id),
        span_id=bytes.fromhex(a_span_id() if span_id is None else span_id),
        parent_span_id=bytes.fromhex(parent or ""),
        kind=KINDS[kind],  # type: ignore[arg-type]
        start_time_unix_nano=start_ns,
        end_time_unix_nano=start_ns + round(ms * 1e6) if end_ns is None else end_ns,
        attributes=attributes_of(attributes or {}),
    )
    if error is not None:
        span.status.code = Status.STATUS_CODE_ERROR
        span.status.message = error
    for link in links:
        made = span.links.add(trace_id=bytes.fromhex(link[0]), span_id=bytes.fromhex(link[1]))
        if len(link) == 3:
            made.attributes.extend(attributes_of(link[2]))
    for event_name, event_attributes in events:
        span.events.add(name=event_name, time_unix_nano=start_ns, attributes=attributes_of(event_attributes))
    return span


def a_send(topic: str, partition: int, offset: int, *, cluster: str = "c1", **more: object) -> Span:
    """A producer span of one message; `more` goes to `a_span`, its attributes added to the messaging ones."""
    return _messaging("send", "producer", topic, partition, offset, cluster, {}, more)


def a_process(
    topic: str, partition: int, offset: int, group: str, *, cluster: str = "c1", **more: object
) -> Span:
    """A consumer span that handles one message; `more` as in `a_send`."""
    extra = {"messaging.consumer.group.name": group}
    return _messaging("process", "consumer", topic, partition, offset, cluster, extra, more)


def _messaging(
    operation: str,
    kind: str,
    topic: str,
    partition: int,
    offset: int,
    cluster: str,
    extra: Mapping[str, object],
    more: Mapping[str, object],
) -> Span:
    keywords: dict[str, object] = dict(more)
    given = keywords.pop("attributes", None)
    attributes = {
        "messaging.system": "kafka",
        "messaging.operation.type": operation,
        "messaging.destination.name": topic,
        "messaging.destination.partition.id": str(partition),
        "messaging.kafka.offset": offset,
        "messaging.kafka.cluster.id": cluster,
        **extra,
        **(given if isinstance(given, Mapping) else {}),
    }
    name = str(keywords.pop("name", f"{operation} {topic}"))
    return a_span(name, kind=kind, attributes=attributes, **keywords)  # type: ignore[arg-type]


def a_request(
    *spans: Span,
    service: str = "shop",
    scope: str = "tests",
    resource: Mapping[str, object] | None = None,
) -> ExportTraceServiceRequest:
    """One request of one service; `.SerializeToString()` is what goes over the wire."""
    request = ExportTraceServiceRequest()
    add_to(request, *spans, service=service, scope=scope, resource=resource)
    return request


def add_to(
    request: ExportTraceServiceRequest,
    *spans: Span,
    service: str = "shop",
    scope: str = "tests",
    resource: Mapping[str, object] | None = None,
) -> None:
    """Add the spans of another service to a request."""
    of_resource = request.resource_spans.add()
    of_resource.resource.attributes.extend(attributes_of({"service.name": service, **(resource or {})}))
    of_scope = of_resource.scope_spans.add()
    of_scope.scope.name = scope
    of_scope.spans.extend(spans)
