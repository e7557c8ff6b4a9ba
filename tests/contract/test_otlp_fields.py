"""Every field that OTLP gives a span has a column, or stands here among those that are dropped, with the reason."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from headwater_collector import records

COLUMNS = {
    "Resource.attributes": ("resources", "attributes"),
    "ResourceSpans.resource": ("spans", "resource_id"),
    "ResourceSpans.schema_url": ("resources", "schema_url"),
    "ScopeSpans.scope": ("spans", "scope_id"),
    "InstrumentationScope.name": ("scopes", "name"),
    "InstrumentationScope.version": ("scopes", "version"),
    "InstrumentationScope.attributes": ("scopes", "attributes"),
    "Span.trace_id": ("spans", "trace_id"),
    "Span.span_id": ("spans", "span_id"),
    "Span.trace_state": ("spans", "trace_state"),
    "Span.parent_span_id": ("spans", "parent_span_id"),
    "Span.flags": ("spans", "flags"),
    "Span.name": ("spans", "name"),
    "Span.kind": ("spans", "kind"),
    "Span.start_time_unix_nano": ("spans", "started_at"),
    "Span.end_time_unix_nano": ("spans", "ended_at"),
    "Span.attributes": ("spans", "attributes"),
    "Span.dropped_attributes_count": ("spans", "dropped_attributes"),
    "Span.dropped_events_count": ("spans", "dropped_events"),
    "Span.dropped_links_count": ("spans", "dropped_links"),
    "Span.status": ("spans", "status"),
    "Status.code": ("spans", "status"),
    "Status.message": ("spans", "status_message"),
    "Event.time_unix_nano": ("events", "occurred_at"),
    "Event.name": ("events", "name"),
    "Event.attributes": ("events", "attributes"),
    "Link.trace_id": ("links", "linked_trace_id"),
    "Link.span_id": ("links", "linked_span_id"),
    "Link.trace_state": ("links", "trace_state"),
    "Link.attributes": ("links", "attributes"),
    "Link.flags": ("links", "flags"),
}
"""Field -> (table, column)"""

INSIDE = {
    "ExportTraceServiceRequest.resource_spans",
    "ResourceSpans.scope_spans",
    "ScopeSpans.spans",
    "Span.events",
    "Span.links",
    "KeyValue.key",
    "KeyValue.value",
    "AnyValue.string_value",
    "AnyValue.bool_value",
    "AnyValue.int_value",
    "AnyValue.double_value",
    "AnyValue.bytes_value",
    "AnyValue.array_value",
    "AnyValue.kvlist_value",
    "ArrayValue.values",
    "KeyValueList.values",
}
"""What holds other fields, or is part of the JSON text of attributes."""

DROPPED = {
    "ScopeSpans.schema_url": "the resource's is kept, and senders give the same for both",
    "Resource.dropped_attributes_count": "resources are not cut by any SDK",
    "InstrumentationScope.dropped_attributes_count": "scopes are not cut by any SDK",
    "Event.dropped_attributes_count": "no question is asked of it; the span's own count is kept",
    "Link.dropped_attributes_count": "no question is asked of it; the span's own count is kept",
    "Resource.entity_refs": "in development: it names keys of the attributes, which are kept",
    "EntityRef.schema_url": "part of entity_refs",
    "EntityRef.type": "part of entity_refs",
    "EntityRef.id_keys": "part of entity_refs",
    "EntityRef.description_keys": "part of entity_refs",
    "AnyValue.string_value_strindex": "for profiles, whose strings stand in a table",
    "KeyValue.key_strindex": "for profiles, whose strings stand in a table",
}

SCHEMAS = {
    "spans": records.SPAN_SCHEMA,
    "links": records.LINK_SCHEMA,
    "events": records.EVENT_SCHEMA,
    "resources": records.RESOURCE_SCHEMA,
    "scopes": records.SCOPE_SCHEMA,
}


def fields(message: Any, seen: set[str]) -> Iterator[str]:
    """Every field of a message and of all it may hold, as Message.field."""
    if message.full_name in seen:
        return
    seen.add(message.full_name)
    for field in message.fields:
        yield f"{message.name}.{field.name}"
        if field.message_type is not None:
            yield from fields(field.message_type, seen)


def test_every_field_is_kept_or_dropped_for_a_reason() -> None:
    request = trace_service_pb2.DESCRIPTOR.message_types_by_name["ExportTraceServiceRequest"]
    known = set(fields(request, set()))
    assert known - COLUMNS.keys() - INSIDE - DROPPED.keys() == set(), (
        "new in OTLP: give it a column or a reason"
    )
    # An older opentelemetry-proto lacks some that are dropped; what is kept must be there.
    assert (COLUMNS.keys() | INSIDE) - known == set()
    assert [
        f"{table}.{column}" for table, column in COLUMNS.values() if column not in SCHEMAS[table].names
    ] == []
