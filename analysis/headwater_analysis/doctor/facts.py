"""What the rules judge: asked once, bounded, over the public relations."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from headwater_analysis import format as fmt
from headwater_analysis import ingest, lag
from headwater_analysis.rows import select
from headwater_analysis.source import Source
from headwater_analysis.window import Window

SPANS_AT_MOST = 300_000
"""Spans that one examination reads: a few seconds. Of more, the newest; the examination says since when."""
Row = TypeVar("Row")
ROWS_AT_MOST = 5_000
"""Rows of each question: services times topics times groups."""


@dataclass(frozen=True)
class ServiceFacts:
    """What a service's resources say; see ``service_coverage``."""

    service: str
    spans: int
    trace_id: str
    without_instance: int | None
    sdk_language: str | None
    far_future: int
    far_future_trace_id: str | None


@dataclass(frozen=True)
class SpanFacts:
    """The Kafka spans of one service, scope, role, topic and group; see ``messaging_coverage``."""

    service: str
    scope: str | None
    role: str | None
    topic: str | None
    consumer_group: str | None
    spans: int
    trace_id: str
    placed_spans: int
    without_topic: int
    without_partition: int
    without_offset: int
    without_group: int
    without_cluster: int
    misplaced_trace_id: str | None
    with_old_names: int
    old_names: tuple[str, ...]
    old_trace_id: str | None
    p95_ms: float | None
    brief_spans: int
    dropped_attributes: int
    dropped_links: int
    dropped_trace_id: str | None
    server_address: str | None
    server_port: int | None


@dataclass(frozen=True)
class ContextFacts:
    """The messages on one topic, from one producer to one consumer; see ``context_coverage``."""

    topic: str
    producer_service: str | None
    consumer_service: str
    consumer_group: str | None
    messages: int
    continued: int
    lost: int
    without_context: int
    sender_not_stored: int
    lost_example: Mapping[str, Any] | None
    without_example: Mapping[str, Any] | None
    not_stored_example: Mapping[str, Any] | None
    skewed: int
    skew_ms: float | None
    skew_example: Mapping[str, Any] | None

    def place(self, example: Mapping[str, Any] | None) -> str | None:
        """Coordinates of an example, as people write them."""
        if example is None:
            return None
        return fmt.place(self.topic, example["partition"], example["message_offset"])


@dataclass(frozen=True)
class ActivityFacts:
    """What Kafka says has moved; see ``kafka_activity``."""

    topic: str
    consumer_group: str | None
    moved: int
    polls: int
    clients: tuple[str, ...] | None
    hosts: tuple[str, ...] | None


@dataclass(frozen=True)
class EventFacts:
    """Event ids on a topic that stand on too many of its messages; see ``repeated_events``."""

    topic: str
    event_ids: int
    messages: int
    producer_service: str
    event_id: str
    example: Mapping[str, Any]


@dataclass(frozen=True)
class Facts:
    """Everything one examination knows."""

    spans_ever: bool
    newest_ns: int | None
    """When the newest span was received."""
    since_ns: int
    """From when on spans were examined: the window's start, or later where it holds too many."""
    narrowed: bool
    """Whether it is later."""
    services: tuple[ServiceFacts, ...]
    spans: tuple[SpanFacts, ...]
    contexts: tuple[ContextFacts, ...]
    activity: tuple[ActivityFacts, ...]
    events: tuple[EventFacts, ...]
    ingest: ingest.IngestRow | None
    clusters: tuple[lag.ClusterRow, ...]


def gather(source: Source, window: Window) -> Facts:
    """Asks for the facts of a window; spans count by their arrival, since clocks may be what is wrong."""
    wanted = window.from_ns or 0
    newest = source.query("select epoch_ns(max(received_at)) from spans").rows[0][0]
    since = _since(source, wanted)
    return Facts(
        spans_ever=newest is not None,
        newest_ns=newest,
        since_ns=since,
        narrowed=since > wanted,
        services=_rows(source, ServiceFacts, "service_coverage", "spans desc, service", since),
        spans=_rows(
            source,
            SpanFacts,
            "messaging_coverage",
            "service, scope, role, topic, consumer_group",
            since,
        ),
        contexts=_rows(
            source,
            ContextFacts,
            "context_coverage",
            "topic, producer_service, consumer_service, consumer_group",
            since,
        ),
        activity=_rows(source, ActivityFacts, "kafka_activity", "topic, consumer_group", since),
        events=_rows(source, EventFacts, "repeated_events", "messages desc, topic", since),
        ingest=ingest.ingest(source),
        clusters=lag.clusters(source),
    )


def _since(source: Source, wanted: int) -> int:
    """The window's start, or the arrival of the span from which on there are as many as can be read."""
    in_window = "from spans where received_at >= make_timestamp_ns(?)"
    if source.query(f"select count(*) {in_window}", [wanted]).rows[0][0] <= SPANS_AT_MOST:
        return wanted
    newest = f"select epoch_ns(received_at) {in_window} order by received_at desc limit 1 offset ?"
    return int(source.query(newest, [wanted, SPANS_AT_MOST]).rows[0][0])


def _rows(source: Source, kind: type[Row], macro: str, order: str, since: int) -> tuple[Row, ...]:
    return select(
        source, kind, f"from {macro}(make_timestamp_ns(?)) order by {order} limit ?", [since, ROWS_AT_MOST]
    )
