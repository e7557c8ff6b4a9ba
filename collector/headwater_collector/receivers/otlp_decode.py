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

from headwater_collector.errors import Malformed
from headwater_collector.records import RequestSeen, SpanBatch

from . import otlp_schema
from .columns import BatchBuilder, RecentIds, SpanIds
from .interned import Resource, Scope, resource_of, scope_of
from .otlp_json import read_json
from .otlp_schema import AttributeReader
from .otlp_wire import salvage

_UNREADABLE = (Malformed, DecodeError, ValueError, TypeError, KeyError, AttributeError, RecursionError)


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
    """Decodes batches; remembers recent span ids and attributes between them. For one thread.

    The protobuf path: it reads everything, and says what is wrong with what cannot be read.
    """

    name = "protobuf"

    def __init__(self, recent: SpanIds | None = None) -> None:
        self.recent = recent or RecentIds()
        self._attributes = AttributeReader()

    def decode(
        self, requests: Sequence[RawRequest], seen: Sequence[RequestSeen] = ()
    ) -> tuple[SpanBatch, Counter[str]]:
        """Columns of all requests, and what had to be repaired in them, counted by a word."""
        builder = self.begin()
        for request in requests:
            self.read(builder, request)
        return self.finish(builder, seen)

    def forget(self) -> None:
        """Forget the span ids: those of a batch that was not stored come again."""
        self.recent = RecentIds()

    def begin(self) -> BatchBuilder:
        """An empty batch."""
        self._attributes.bad_text = self._attributes.duplicates = 0
        return BatchBuilder(self.recent)

    def finish(
        self, builder: BatchBuilder, seen: Sequence[RequestSeen] = ()
    ) -> tuple[SpanBatch, Counter[str]]:
        """What `decode` gives, of a batch that was begun here."""
        builder.repairs["bad_text"] += self._attributes.bad_text
        builder.repairs["duplicate_key"] += self._attributes.duplicates
        return builder.finish(seen), +builder.repairs

    def read(self, builder: BatchBuilder, request: RawRequest) -> None:
        """Add a request."""
        try:
            kind = Kind(request.kind)
        except ValueError:
            builder.begin_request(request.received_at_ns, "otlp-http")
            builder.refuse("unknown_kind", f"The log holds a record of kind {request.kind}.")
            return
        builder.begin_request(request.received_at_ns, kind.door)
        try:
            if kind is Kind.HTTP_JSON:
                read_json(builder, request.body)
            else:
                self._read_protobuf(builder, request.body)
        except _UNREADABLE as error:
            builder.refuse("malformed", f"A request could not be read: {error}", request.body)

    def resource(self, raw: bytes, schema_url: bytes) -> Resource:
        """Of its bytes; raises DecodeError."""
        return self._resource(otlp_schema.Resource.FromString(raw), schema_url)

    def scope(self, raw: bytes) -> Scope:
        """Of its bytes; raises DecodeError."""
        return self._scope(otlp_schema.Scope.FromString(raw))

    @property
    def repaired(self) -> tuple[int, int]:
        """Texts and keys repaired in this batch; set it back where the same bytes will be read again."""
        return self._attributes.bad_text, self._attributes.duplicates

    @repaired.setter
    def repaired(self, counts: tuple[int, int]) -> None:
        self._attributes.bad_text, self._attributes.duplicates = counts

    def read_span(self, builder: BatchBuilder, resource: Resource, scope: Scope, raw: bytes) -> None:
        """Add one span of a request that is framed, by its bytes."""
        try:
            span = otlp_schema.Span.FromString(raw)
        except DecodeError:
            _refuse_part(builder, "malformed_span", raw)
        else:
            self._read_span(builder, resource, scope, span)

    def _read_protobuf(self, builder: BatchBuilder, body: bytes) -> None:
        try:
            request = otlp_schema.Request.FromString(body)
        except DecodeError:
            request, lost = salvage(body)
            for reason, raw in lost:
                _refuse_part(builder, reason, raw)
        for of_resource in request.resource_spans:
            resource = self._resource(of_resource.resource, of_resource.schema_url)
            builder.resource(resource)
            for of_scope in of_resource.scope_spans:
                scope = self._scope(of_scope.scope)
                builder.scope(scope)
                for span in of_scope.spans:
                    self._read_span(builder, resource, scope, span)

    def _resource(self, message: Any, schema_url: bytes) -> Resource:
        return resource_of(
            self._attributes.read_messages(message.attributes), self._attributes.text(schema_url)
        )

    def _scope(self, message: Any) -> Scope:
        text = self._attributes.text
        attributes = self._attributes.read_messages(message.attributes)
        return scope_of(text(message.name), text(message.version), attributes)

    def _read_span(self, builder: BatchBuilder, resource: Resource, scope: Scope, span: Any) -> None:
        text, read = self._attributes.text, self._attributes.read
        code, message = 0, ""
        try:
            if raw_status := span.status:
                status = otlp_schema.Status.FromString(raw_status)
                code, message = status.code, text(status.message)
            refused = builder.add_span(
                resource,
                scope,
                span.trace_id.hex(),
                span.span_id.hex(),
                span.parent_span_id.hex(),
                text(state) if (state := span.trace_state) else "",
                span.flags,
                text(span.name),
                span.kind,
                span.start_time_unix_nano,
                span.end_time_unix_nano,
                code,
                message,
                read(span.attributes),
                (span.dropped_attributes_count, span.dropped_events_count, span.dropped_links_count),
                [(each.time_unix_nano, text(each.name), read(each.attributes)) for each in events]
                if (events := span.events)
                else (),
                [
                    (
                        each.trace_id.hex(),
                        each.span_id.hex(),
                        text(each.trace_state),
                        each.flags,
                        read(each.attributes),
                    )
                    for each in links
                ]
                if (links := span.links)
                else (),
            )
        except DecodeError:
            builder.refuse(
                "malformed_span", f"A span of {resource.service} is no OTLP.", span.SerializeToString()
            )
            return
        if refused is not None:
            builder.refuse(
                refused,
                f"A span of {resource.service} named {text(span.name)[:80]!r} has a {refused.replace('_', ' ')} "
                "that is zero or of the wrong length.",
                span.SerializeToString(),
            )


def _refuse_part(builder: BatchBuilder, reason: str, raw: bytes) -> None:
    builder.refuse(reason, f"A part of a request is no OTLP: {reason.replace('_', ' ')}.", raw)
