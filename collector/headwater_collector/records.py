"""The shapes that cross the receiving room: what decoding makes and appending consumes.

Arrow column names are the column names of the physical tables in store/tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa

_TIME = pa.timestamp("ns")

SPAN_SCHEMA = pa.schema(
    [
        ("received_at", _TIME),
        ("trace_id", pa.string()),
        ("span_id", pa.string()),
        ("parent_span_id", pa.string()),
        ("trace_state", pa.string()),
        ("flags", pa.uint32()),
        ("service", pa.string()),
        ("name", pa.string()),
        ("kind", pa.string()),
        ("started_at", _TIME),
        ("ended_at", _TIME),
        ("status", pa.string()),
        ("status_message", pa.string()),
        ("error_type", pa.string()),
        ("attributes", pa.string()),
        ("resource_id", pa.uint64()),
        ("scope_id", pa.uint64()),
        ("dropped_attributes", pa.uint32()),
        ("dropped_events", pa.uint32()),
        ("dropped_links", pa.uint32()),
        ("cluster", pa.string()),
        ("topic", pa.string()),
        ("partition", pa.int32()),
        ("message_offset", pa.int64()),
        ("consumer_group", pa.string()),
        ("operation", pa.string()),
        ("event_id", pa.string()),
        ("marks", pa.list_(pa.string())),
    ]
)
"""One row a span. Ids are lower-case hex; unknown is NULL; attributes is the text of a JSON object."""

LINK_SCHEMA = pa.schema(
    [
        ("received_at", _TIME),
        ("trace_id", pa.string()),
        ("span_id", pa.string()),
        ("position", pa.uint16()),
        ("linked_trace_id", pa.string()),
        ("linked_span_id", pa.string()),
        ("trace_state", pa.string()),
        ("flags", pa.uint32()),
        ("cluster", pa.string()),
        ("topic", pa.string()),
        ("partition", pa.int32()),
        ("message_offset", pa.int64()),
        ("attributes", pa.string()),
    ]
)
"""One row a link; (trace_id, span_id, position) names it."""

EVENT_SCHEMA = pa.schema(
    [
        ("received_at", _TIME),
        ("trace_id", pa.string()),
        ("span_id", pa.string()),
        ("position", pa.uint16()),
        ("occurred_at", _TIME),
        ("name", pa.string()),
        ("attributes", pa.string()),
    ]
)
"""One row a span event; occurred_at is NULL where the sender gave none."""

RESOURCE_SCHEMA = pa.schema(
    [
        ("resource_id", pa.uint64()),
        ("first_seen", _TIME),
        ("service", pa.string()),
        ("attributes", pa.string()),
        ("schema_url", pa.string()),
    ]
)
"""One row a distinct resource of the batch; the store keeps those whose id it has not seen."""

SCOPE_SCHEMA = pa.schema(
    [
        ("scope_id", pa.uint64()),
        ("first_seen", _TIME),
        ("name", pa.string()),
        ("version", pa.string()),
        ("attributes", pa.string()),
    ]
)
"""One row a distinct instrumentation scope of the batch; the store keeps those whose id it has not seen."""


@dataclass(frozen=True, order=True)
class LogPosition:
    """A place between two records of the append log: everything before it is in the store."""

    segment: int
    """Number of the segment file, from 1; 0 before the first record ever."""
    byte_offset: int
    """Bytes from the start of that file."""


@dataclass(frozen=True)
class Quarantined:
    """Something acknowledged that cannot be stored as a row."""

    received_at_ns: int
    """Nanoseconds since the epoch."""
    door: str
    """otlp-http or otlp-grpc"""
    reason: str
    """A short word that can be counted: malformed, trace_id, span_id, time, …"""
    detail: str
    """One sentence for a person."""
    raw: bytes | None = None
    """The bytes concerned, bounded; None where they would say nothing."""


@dataclass(frozen=True)
class RequestSeen:
    """A request that this batch holds, so that its repetition is recognised, also after a restart."""

    received_at_ns: int
    """Nanoseconds since the epoch."""
    hash: str
    """Hex digest of kind and bytes."""


@dataclass(frozen=True)
class SpanBatch:
    """What a number of requests decode to; stored whole or not at all."""

    spans: pa.Table
    """SPAN_SCHEMA"""
    links: pa.Table
    """LINK_SCHEMA"""
    events: pa.Table
    """EVENT_SCHEMA"""
    resources: pa.Table
    """RESOURCE_SCHEMA; distinct within the batch, seen or not."""
    scopes: pa.Table
    """SCOPE_SCHEMA; distinct within the batch, seen or not."""
    quarantined: Sequence[Quarantined] = field(default_factory=list)
    requests: Sequence[RequestSeen] = field(default_factory=list)
