"""What lies in the dead-letter topics, grouped by cause, and each message with its origin."""

from dataclasses import dataclass
from typing import Any

from . import format as fmt
from .coordinates import Coordinates
from .flows import NotFound
from .rows import select
from .source import Source
from .window import Window


@dataclass(frozen=True)
class FailureGroupRow:
    """Dead letters with one cause."""

    failure_group_id: str
    cluster: str | None
    origin_topic: str | None
    consumer_group: str | None
    error_type: str | None
    normalised_error: str | None
    messages: int
    first_seen_ns: int
    last_seen_ns: int
    attempts_max: int | None
    partitions: tuple[int, ...]
    """Origin partitions."""
    topics: tuple[str, ...]
    """The dead-letter topics they lie in."""
    example_topic: str
    example_partition: int
    example_offset: int


@dataclass(frozen=True)
class LetterRow:
    """One message in a dead-letter topic. Key, value and headers are None unless their capture is on."""

    cluster: str | None
    topic: str
    partition: int
    message_offset: int
    record_time_ns: int | None
    origin_topic: str | None
    origin_partition: int | None
    origin_offset: int | None
    origin_group: str | None
    family: str | None
    """Which convention of headers it follows; None when only the topic's name speaks."""
    error_type: str | None
    error_message: str | None
    attempts: int | None
    failure_group_id: str
    event_id: str | None
    trace_id: str | None
    flow_id: str | None
    key: str | None
    value: str | None
    headers: Any
    """A list of [name, text] pairs in their order, repeats included."""
    state: str
    size: int | None


def origin(row: LetterRow) -> str:
    """Where a dead letter comes from as topic@partition:offset, the topic alone, or the mark for unknown."""
    if row.origin_topic is None:
        return fmt.UNKNOWN
    if row.origin_partition is None or row.origin_offset is None:
        return row.origin_topic
    return fmt.place(row.origin_topic, row.origin_partition, row.origin_offset)


_TIMES = {"first_seen_ns": "epoch_ns(first_seen)", "last_seen_ns": "epoch_ns(last_seen)"}
_RECORD_TIME = {"record_time_ns": "epoch_ns(record_time)"}


def failure_groups(source: Source, window: Window, limit: int = 200) -> tuple[FailureGroupRow, ...]:
    """Failure groups with a dead letter in the window, the newest first."""
    in_window, params = window.where("last_seen::timestamp_ns")
    return select(
        source,
        FailureGroupRow,
        f"from failure_groups where {in_window} order by last_seen desc, failure_group_id limit ?",
        [*params, limit],
        **_TIMES,
    )


def letters(source: Source, failure_group_id: str, limit: int = 200) -> tuple[LetterRow, ...]:
    """The dead letters of a failure group, the newest first."""
    return select(
        source,
        LetterRow,
        "from dead_letters where failure_group_id = ? "
        "order by record_time desc nulls last, partition, message_offset desc limit ?",
        [failure_group_id, limit],
        **_RECORD_TIME,
    )


def letter(source: Source, coordinates: Coordinates) -> LetterRow:
    """One dead letter by its own coordinates; raises NotFound."""
    found = select(
        source,
        LetterRow,
        "from dead_letters where topic = ? and partition = ? and message_offset = ? "
        "and (? is null or cluster = ?) limit 1",
        [
            coordinates.topic,
            coordinates.partition,
            coordinates.offset,
            coordinates.cluster,
            coordinates.cluster,
        ],
        **_RECORD_TIME,
    )
    if not found:
        raise NotFound(f"No dead letter is known at {coordinates}.")
    return found[0]
