"""A service with OpenTelemetry's own SDK and exporters: `sdk_client.py DOOR ENDPOINT SPANS`; see client_spans."""

import base64
import json
import logging
import math
import sys
from collections.abc import Mapping
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
)

KINDS = list(SpanKind)
ATTRIBUTES: dict[str, Any] = {
    "text": '\u00e4\u20ac\U0001f600 "quoted" \\ \n',
    "empty": "",
    "long": "x" * 5_000,
    "yes": True,
    "no": False,
    "zero": 0,
    "least": -(2**63),
    "most": 2**63 - 1,
    "double": 0.1,
    "tiny": 5e-324,
    "huge": 1.7976931348623157e308,
    "whole double": 3.0,
    "infinite": -math.inf,
    "bytes": b"\x00\xff",
    "texts": ["a", "", "\u00e4"],
    "yeses": [True, False],
    "integers": [1, -1, 2**40],
    "doubles": [0.5, -2.25],
    "nothing in it": [],
}


class Notes(SpanProcessor):
    """Every span that ended, before any exporter sees it."""

    def __init__(self) -> None:
        self.spans: list[dict[str, Any]] = []

    def on_end(self, span: ReadableSpan) -> None:
        context, scope, status = span.context, span.instrumentation_scope, span.status
        assert context is not None
        assert scope is not None
        self.spans.append(
            {
                **_ids(context),
                "parent_span_id": f"{span.parent.span_id:016x}" if span.parent else None,
                "name": span.name,
                "kind": span.kind.name.lower(),
                "started_ns": span.start_time,
                "ended_ns": span.end_time,
                "status": status.status_code.name.lower(),
                "status_message": status.description,
                "trace_state": context.trace_state.to_header(),
                "scope": scope.name,
                "scope_version": scope.version,
                "attributes": _plain(span.attributes),
                "resource": _plain(span.resource.attributes),
                "events": [
                    {"name": each.name, "at_ns": each.timestamp, "attributes": _plain(each.attributes)}
                    for each in span.events
                ],
                "links": [
                    {**_ids(each.context), "attributes": _plain(each.attributes)} for each in span.links
                ],
            }
        )


def _ids(context: SpanContext) -> dict[str, str]:
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}


def _plain(value: Any) -> Any:
    """As the store writes an attribute: bytes in base64, what JSON has no number for as a word."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, float) and math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def exporter(door: str, endpoint: str) -> SpanExporter:
    """The SDK's exporter for a door: http or grpc, with gzip or without."""
    if door.startswith("http"):
        from opentelemetry.exporter.otlp.proto.http import Compression
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        packed = Compression.Gzip if "gzip" in door else Compression.NoCompression
        return OTLPSpanExporter(endpoint=f"http://{endpoint}/v1/traces", compression=packed)
    import grpc
    from opentelemetry.exporter.otlp.proto.grpc import trace_exporter

    squeezed = grpc.Compression.Gzip if "gzip" in door else grpc.Compression.NoCompression
    return trace_exporter.OTLPSpanExporter(endpoint=endpoint, insecure=True, compression=squeezed)


def main(door: str, endpoint: str, spans: int) -> None:
    """Sends so many spans, traces of eight, and prints them."""
    logging.basicConfig(level=logging.WARNING)
    notes = Notes()
    provider = TracerProvider(
        resource=Resource.create({"service.name": f"python {door}", "replicas": [1, 2]})
    )
    provider.add_span_processor(notes)
    # Room for all, since a queue that is full drops spans by design.
    provider.add_span_processor(
        BatchSpanProcessor(
            exporter(door, endpoint), max_queue_size=spans, max_export_batch_size=min(512, spans)
        )
    )
    tracer = provider.get_tracer("tests.sdk_client", "1.2.3")
    sampled, state = TraceFlags(TraceFlags.SAMPLED), TraceState([("vendor", "v1"), ("other", "o")])
    elsewhere = NonRecordingSpan(SpanContext(0xABC, 0xDEF, True, sampled, state))
    root = None
    for number in range(spans):
        first = number % 8 == 0
        # Every other trace begins in a service that sends nothing here.
        parent = (elsewhere if number % 16 else None) if first else root
        span = tracer.start_span(
            f"step {number % 8}",
            trace.set_span_in_context(parent) if parent is not None else None,
            KINDS[number % len(KINDS)],
            {**ATTRIBUTES, "number": number},
            [Link(elsewhere.get_span_context(), {"why": "linked"}), Link(root.get_span_context())]
            if root is not None and number % 4 == 0
            else None,
        )
        if number % 3 == 0:
            span.add_event("noted", {"attempt": number, "ratio": 0.25, "tags": ["a", "b"], "done": True})
            span.add_event("bare")
        if number % 5 == 0:
            span.record_exception(ValueError("no such order"))
            span.set_status(Status(StatusCode.ERROR, "refused"))
        elif number % 5 == 1:
            span.set_status(StatusCode.OK)
        root = span if first else root
        span.end()
    provider.shutdown()
    json.dump(notes.spans, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
