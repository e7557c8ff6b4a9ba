"""Spans to Arrow columns: one place where rows are judged and built, whichever encoding they came in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

import pyarrow as pa

from headwater_collector import records

from .attributes import ERROR_TYPE, EXCEPTION_TYPE, MESSAGING, NOTHING, Attributes, as_text, promoted
from .interned import Resource, Scope

KINDS = ("internal", "internal", "server", "client", "producer", "consumer")
STATUSES = ("unset", "ok", "error")
SECOND = 1_000_000_000
FAR_FUTURE_NS = 24 * 3600 * SECOND
"""A clock is hours off with a wrong time zone; beyond a day it is no clock."""
FAR_PAST_NS = 30 * 24 * 3600 * SECOND
"""Older than any retry or queue keeps things: an import, or a clock never set."""
MAX_NS = 2**63 - 2
"""The last nanosecond that the store's timestamps can hold; the next one means infinity."""
MAX_PARTS = 65_535
"""Links or events of one span; more do not fit their position, and no screen could show them."""
RAW_BYTES = 64 * 1024
"""What the quarantine keeps of one thing: enough to see what it was."""

_FLUSH_ROWS = 2048
"""Rows of Python objects before they become columns: few enough to stay in the processor's cache."""

Event = tuple[int, str, Attributes]
Link = tuple[str, str, str, int, Attributes]

_NO_TRACE = "0" * 32
_NO_SPAN = "0" * 16


def _table(rows: Sequence[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    if not rows:
        return schema.empty_table()
    columns = zip(*rows, strict=True)
    return pa.Table.from_arrays(
        [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema=schema
    )


class SpanIds(Protocol):
    """What knows which span ids have been seen lately."""

    def seen(self, span: str) -> bool:
        """Whether this id, in hex and not zero, was here before; remembers it."""


class RecentIds:
    """Span ids seen lately; about `size` of them, half of which are forgotten at a time."""

    def __init__(self, size: int = 200_000) -> None:
        self._half = size // 2
        self._new: set[str] = set()
        self._old: set[str] = set()

    def seen(self, span: str) -> bool:
        """Whether this id was here before; remembers it."""
        if span in self._new or span in self._old:
            return True
        self._new.add(span)
        if len(self._new) > self._half:
            self._old, self._new = self._new, set()
        return False

    def __iter__(self) -> Iterator[str]:
        """All of them, the older half first."""
        yield from self._old
        yield from self._new


class BatchBuilder:
    """Collects rows; a span that is refused leaves none behind."""

    def __init__(self, recent: SpanIds) -> None:
        self._recent = recent
        self._spans: list[tuple[Any, ...]] = []
        self._links: list[tuple[Any, ...]] = []
        self._events: list[tuple[Any, ...]] = []
        self._resources: dict[int, tuple[Any, ...]] = {}
        self._scopes: dict[int, tuple[Any, ...]] = {}
        self._done: list[tuple[pa.Table, pa.Table, pa.Table]] = []
        self.quarantined: list[records.Quarantined] = []
        self.repairs: Counter[str] = Counter()
        """What was stored although it was odd: bad_text, duplicate_key, …"""
        self.received_ns = self._past = self._future = 0
        self.door = ""

    def begin_request(self, received_ns: int, door: str) -> None:
        """What follows came in one request."""
        self.received_ns = received_ns
        self._past, self._future = received_ns - FAR_PAST_NS, received_ns + FAR_FUTURE_NS
        self.door = door
        if len(self._spans) >= _FLUSH_ROWS:
            self._flush()

    def resource(self, resource: Resource) -> None:
        """What follows is of this resource, or some of it."""
        if resource.id not in self._resources:
            self._resources[resource.id] = (
                resource.id,
                self.received_ns,
                resource.service,
                resource.text,
                resource.schema_url or None,
            )

    def scope(self, scope: Scope) -> None:
        """What follows is of this instrumentation scope, or some of it."""
        if scope.id not in self._scopes:
            row = (scope.id, self.received_ns, scope.name or None, scope.version or None, scope.text)
            self._scopes[scope.id] = row

    def refuse(self, reason: str, detail: str, raw: bytes | None = None) -> None:
        """Keep something that cannot be stored, with the reason."""
        self.quarantined.append(
            records.Quarantined(self.received_ns, self.door, reason, detail, raw and raw[:RAW_BYTES])
        )

    def add_span(
        self,
        resource: Resource,
        scope: Scope,
        trace_id: str,
        span_id: str,
        parent: str,
        trace_state: str,
        flags: int,
        name: str,
        kind: int,
        start: int,
        end: int,
        status: int,
        message: str,
        attributes: Attributes,
        dropped: tuple[int, int, int],
        events: Sequence[Event],
        links: Sequence[Link],
    ) -> str | None:
        """Add one span; returns why it was refused. Ids are lower-case hex, times nanoseconds, 0 unknown."""
        if len(trace_id) != 32 or trace_id == _NO_TRACE:
            return "trace_id"
        if len(span_id) != 16 or span_id == _NO_SPAN:
            return "span_id"
        received = self.received_ns
        marks: list[str] | None = None
        if not self._past < start <= end < self._future:
            marks = _time_marks(start, end, received)
        if self._recent.seen(span_id):
            marks = [*(marks or ()), "repeated_id"]
        if parent and (len(parent) != 16 or parent == _NO_SPAN):
            if parent.strip("0"):
                marks = [*(marks or ()), "bad_parent"]
            parent = ""
        error_type = attributes.get(ERROR_TYPE)
        text = as_text(attributes)
        if events:
            if error_type is None:
                error_type = _exception_type(events)
            self._add_events(trace_id, span_id, events)
        if links:
            self._add_links(trace_id, span_id, links)
        self._spans.append(
            (
                received,
                trace_id,
                span_id,
                parent or None,
                trace_state or None,
                flags,
                resource.service,
                name,
                KINDS[kind] if 0 <= kind < 6 else "internal",
                start if 0 < start <= MAX_NS else None,
                end if 0 < end <= MAX_NS else None,
                STATUSES[status] if 0 <= status < 3 else "unset",
                message or None,
                error_type if error_type is None else str(error_type),
                text,
                resource.id,
                scope.id,
                *dropped,
                *(NOTHING if MESSAGING.isdisjoint(attributes) else promoted(attributes)),
                marks,
            )
        )
        return None

    def _add_events(self, trace_id: str, span_id: str, events: Sequence[Event]) -> None:
        if len(events) > MAX_PARTS:
            self.repairs["too_many_events"] += len(events) - MAX_PARTS
            events = events[:MAX_PARTS]
        self._events.extend(
            [
                (
                    self.received_ns,
                    trace_id,
                    span_id,
                    position,
                    time if 0 < time <= MAX_NS else None,
                    name,
                    as_text(attributes),
                )
                for position, (time, name, attributes) in enumerate(events)
            ]
        )

    def _add_links(self, trace_id: str, span_id: str, links: Sequence[Link]) -> None:
        if len(links) > MAX_PARTS:
            self.repairs["too_many_links"] += len(links) - MAX_PARTS
            links = links[:MAX_PARTS]
        for position, (linked_trace, linked_span, state, flags, attributes) in enumerate(links):
            cluster, topic, partition, message_offset, *_ = promoted(attributes)
            self._links.append(
                (
                    self.received_ns,
                    trace_id,
                    span_id,
                    position,
                    linked_trace if len(linked_trace) == 32 and linked_trace != _NO_TRACE else None,
                    linked_span if len(linked_span) == 16 and linked_span != _NO_SPAN else None,
                    state or None,
                    flags,
                    cluster,
                    topic,
                    partition,
                    message_offset,
                    as_text(attributes),
                )
            )

    def _flush(self) -> None:
        self._done.append(
            (
                _table(self._spans, records.SPAN_SCHEMA),
                _table(self._links, records.LINK_SCHEMA),
                _table(self._events, records.EVENT_SCHEMA),
            )
        )
        self._spans, self._links, self._events = [], [], []

    def finish(self, requests: Sequence[records.RequestSeen] = ()) -> records.SpanBatch:
        """Everything added, as columns."""
        self._flush()
        spans, links, events = zip(*self._done, strict=True)
        return records.SpanBatch(
            spans=pa.concat_tables(spans),
            links=pa.concat_tables(links),
            events=pa.concat_tables(events),
            resources=_table(list(self._resources.values()), records.RESOURCE_SCHEMA),
            scopes=_table(list(self._scopes.values()), records.SCOPE_SCHEMA),
            quarantined=self.quarantined,
            requests=requests,
        )


def _time_marks(start: int, end: int, received: int) -> list[str] | None:
    marks = []
    if start == 0 or end == 0:
        marks.append("no_time")
    elif end < start:
        marks.append("ends_before_start")
    if max(start, end) >= received + FAR_FUTURE_NS:
        marks.append("far_future")
    elif 0 < max(start, end) and min(start or end, end or start) <= received - FAR_PAST_NS:
        marks.append("far_past")
    return marks or None


def _exception_type(events: Iterable[Event]) -> Any:
    for _, name, attributes in events:
        if name == "exception" and attributes.get(EXCEPTION_TYPE):
            return attributes[EXCEPTION_TYPE]
    return None
