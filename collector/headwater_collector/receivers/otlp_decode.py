"""Request bytes to columns. Pure: the same requests give the same batch, and nothing here does I/O.

A request that cannot be read, or a span in it that is wrong, costs only itself: it goes to the quarantine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from headwater_collector.errors import Malformed
from headwater_collector.records import RequestSeen, SpanBatch

from .attributes import plain_attributes
from .columns import BatchBuilder, RecentIds
from .otlp_json import read_json
from .otlp_wire import salvage


class Kind(IntEnum):
    """How a request came in; written to the log, so a number is never given a second meaning."""

    HTTP_PROTOBUF = 1
    HTTP_JSON = 2
    GRPC_PROTOBUF = 3

    @property
    def door(self) -> str:
        """Name of the door, as in the quarantine."""
        return "otlp-grpc" if self is Kind.GRPC_PROTOBUF else "otlp-http"


@dataclass(frozen=True)
class RawRequest:
    """One request as it lies in the log."""

    received_at_ns: int
    kind: int
    body: bytes


class Decoder:
    """Decodes batches; remembers recent span ids and resources between them."""

    def __init__(self) -> None:
        self._recent = RecentIds()

    def decode(
        self, requests: Sequence[RawRequest], seen: Sequence[RequestSeen] = ()
    ) -> tuple[SpanBatch, Counter[str]]:
        """Columns of all requests, and what had to be repaired in them, counted by a word."""
        builder = BatchBuilder(self._recent)
        for request in requests:
            try:
                kind = Kind(request.kind)
            except ValueError:
                builder.begin_request(request.received_at_ns, "otlp-http")
                builder.refuse("unknown_kind", f"The log holds a record of kind {request.kind}.")
                continue
            builder.begin_request(request.received_at_ns, kind.door)
            try:
                if kind is Kind.HTTP_JSON:
                    read_json(builder, request.body)
                else:
                    _read_protobuf(builder, request.body)
            except (Malformed, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
                builder.refuse("malformed", f"A request could not be read: {error}", request.body)
        return builder.finish(seen), builder.repairs


def _read_protobuf(builder: BatchBuilder, body: bytes) -> None:
    try:
        request = ExportTraceServiceRequest.FromString(body)
    except DecodeError:
        salvaged = salvage(body)
        for reason, raw in salvaged.bad:
            builder.refuse(reason, f"A part of a request is no OTLP: {reason.replace('_', ' ')}.", raw)
        builder.repairs["bad_text"] += salvaged.repaired
        request = salvaged.request
    for of_resource in request.resource_spans:
        found = builder.resource(plain_attributes(of_resource.resource.attributes), of_resource.schema_url)
        resource_id, service = found
        for of_scope in of_resource.scope_spans:
            scope = of_scope.scope
            scope_id = builder.scope(scope.name, scope.version, plain_attributes(scope.attributes))
            _read_spans(builder, resource_id, service, scope_id, of_scope.spans)


def _read_spans(builder: BatchBuilder, resource_id: int, service: str, scope_id: int, spans: Any) -> None:
    add_span = builder.add_span
    for span in spans:
        given = span.attributes
        attributes = plain_attributes(given)
        if len(attributes) != len(given):
            builder.repairs["duplicate_key"] += len(given) - len(attributes)
        status = span.status
        events = span.events
        links = span.links
        refused = add_span(
            resource_id,
            service,
            scope_id,
            span.trace_id.hex(),
            span.span_id.hex(),
            span.parent_span_id.hex(),
            span.trace_state,
            span.flags,
            span.name,
            span.kind,
            span.start_time_unix_nano,
            span.end_time_unix_nano,
            status.code,
            status.message,
            attributes,
            (span.dropped_attributes_count, span.dropped_events_count, span.dropped_links_count),
            [(event.time_unix_nano, event.name, plain_attributes(event.attributes)) for event in events]
            if events
            else (),
            [
                (
                    link.trace_id.hex(),
                    link.span_id.hex(),
                    link.trace_state,
                    link.flags,
                    plain_attributes(link.attributes),
                )
                for link in links
            ]
            if links
            else (),
        )
        if refused is not None:
            builder.refuse(
                refused,
                f"A span of {service} named {span.name[:80]!r} has a {refused.replace('_', ' ')} "
                "that is zero or of the wrong length.",
                span.SerializeToString(),
            )
