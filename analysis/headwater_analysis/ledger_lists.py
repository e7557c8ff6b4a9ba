"""What the ledger has learned, and what it lists beside it: limits, successors, order by key, compensations."""

from dataclasses import dataclass

from .rows import select
from .source import Source
from .window import Window


@dataclass(frozen=True)
class Limit:
    """How long a hop of a pathway takes, and from when on that is too long. Milliseconds; None: no verdict."""

    pathway_id: str
    entry_service: str
    entry_name: str
    topic: str
    consumer_group: str
    wait_observations: int
    wait_p999_ms: float | None
    wait_limit_ms: float | None
    work_observations: int
    work_p999_ms: float | None
    work_limit_ms: float | None


@dataclass(frozen=True)
class Successor:
    """How often handling a message on a topic leads to one on another. Milliseconds; None: no verdict."""

    topic: str
    consumer_group: str
    service: str
    successor_topic: str
    messages: int
    led_on: int
    share: float
    """0 to 1."""
    p999_ms: float
    limit_ms: float | None


@dataclass(frozen=True)
class Overtaken:
    """A delivery that began after one of a later message with the same key."""

    topic: str
    partition: int
    message_offset: int
    consumer_group: str | None
    service: str
    attempt: int
    key_hash: str
    started_ns: int
    trace_id: str
    span_id: str
    origin_topic: str
    """Where the message lay, or the one that it carries on."""
    origin_partition: int
    origin_offset: int
    overtaken_by_offset: int
    """Offset there of the message that began before it."""


@dataclass(frozen=True)
class Compensations:
    """How often flows of a pathway took something back. None where the pathway is not known."""

    pathway_id: str | None
    entry_service: str | None
    entry_name: str | None
    topic: str
    """Where the messages that take back are sent to."""
    messages: int
    events: int
    """Distinct events taken back."""


def limits(source: Source, topic: str | None = None, group: str | None = None) -> tuple[Limit, ...]:
    """What is usual for each hop of each pathway, learned over the last days."""
    return select(
        source,
        Limit,
        "from learned_limits where (? is null or topic = ?) and (? is null or consumer_group = ?) "
        "order by entry_service, entry_name, topic, consumer_group",
        [topic, topic, group, group],
    )


def successors(source: Source, topic: str | None = None, group: str | None = None) -> tuple[Successor, ...]:
    """What handling leads to, the surest first within a topic and group."""
    return select(
        source,
        Successor,
        "from learned_successors where (? is null or topic = ?) and (? is null or consumer_group = ?) "
        "order by topic, consumer_group, service, share desc, successor_topic",
        [topic, topic, group, group],
    )


def overtaken(
    source: Source, window: Window, topic: str | None = None, group: str | None = None, limit: int = 20
) -> tuple[Overtaken, ...]:
    """Deliveries out of order by key, the newest first; empty too where no key hashes are recorded."""
    return select(
        source,
        Overtaken,
        "from out_of_order_since(?, ?, make_timestamp_ns(?)) order by started_at desc, span_id limit ?",
        [topic, group, window.from_ns or 0, limit],
    )


def compensations(source: Source, window: Window) -> tuple[Compensations, ...]:
    """Messages that take back others, counted by pathway and topic."""
    return select(
        source,
        Compensations,
        "from compensations_since(make_timestamp_ns(?)) group by pathway_id, entry_service, entry_name, topic "
        "order by messages desc, entry_service, entry_name, topic",
        [window.from_ns or 0],
        messages="count(*)",
        events="count(distinct event_id)",
    )
