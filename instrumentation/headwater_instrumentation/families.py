"""Where a retry or a dead letter says where it comes from: the headers of every convention in use, in one form.

The console reads the same headers by a table of its own, since neither package imports the other; one set of
byte-exact fixtures binds both. Of errors the class is read here, never the message.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from . import headers as hdr

_DIGITS = re.compile(rb"-?\d{1,19}")
_DEAD_LETTER_END = re.compile(r".+[-._](?:dlt|DLT|dlq|DLQ|dead-?letters?)")
_LARGEST = 2**63 - 1
_PLACE = ("topic", "partition", "offset")


@dataclass(frozen=True)
class Facts:
    """What the headers of a retry, a dead letter or a replay say; unknown is None."""

    family: str
    role: str
    """dead_letter | retry | replay."""
    origin_topic: str | None = None
    origin_partition: int | None = None
    origin_offset: int | None = None
    origin_group: str | None = None
    attempt: int | None = None
    due: int | None = None
    """Not to be handled before, milliseconds since the epoch."""
    error_type: str | None = None
    time_inherited: bool = False
    """The record keeps the time of the one it was made from."""

    @property
    def origin(self) -> str | None:
        """topic:partition:offset, where all three are known."""
        place = (self.origin_topic, self.origin_partition, self.origin_offset)
        return None if None in place else ":".join(str(part) for part in place)


class _Family(NamedTuple):
    name: str
    marks: tuple[str, ...]
    """Any of these headers makes a message one of this family."""
    place: tuple[tuple[str, ...], ...]
    """Headers of the origin's topic, partition and offset, the preferred one first."""
    error: tuple[str, ...] = ()
    attempt: tuple[str, ...] = ()
    group: tuple[str, ...] = ()
    due: tuple[str, ...] = ()
    role: str = "dead_letter"
    first_origin: bool = False
    """Of repeated headers the first is the true origin; else the last."""
    first_error: bool = False
    """Of repeated headers the first is the newest error; else the last."""
    time_inherited: bool = False
    without: str | None = None
    """Not to be there: it would speak of another family."""


def _place(prefix: str, separator: str = "-") -> tuple[tuple[str, ...], ...]:
    return tuple((f"{prefix}{separator}{part}",) for part in _PLACE)


def _either(*places: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(name for place in places for name in place[i]) for i in range(3))


_SPRING_GROUP = ("kafka_dlt-original-consumer-group",)

_FAMILIES = (
    _Family(
        "headwater",
        (hdr.ROLE,),
        _place("headwater-origin"),
        (hdr.ERROR_TYPE,),
        (hdr.ATTEMPT,),
        (hdr.ORIGIN_GROUP,),
        (hdr.DUE_MS,),
    ),
    _Family(
        "share-group",
        ("__dlq.errors.topic", "__dlq.errors.group"),
        _place("__dlq.errors", "."),
        attempt=("__dlq.errors.delivery.count",),
        group=("__dlq.errors.group",),
    ),
    _Family(
        "kafka-connect",
        ("__connect.errors.topic", "__connect.errors.exception.class.name"),
        _place("__connect.errors", "."),
        ("__connect.errors.exception.class.name",),
        time_inherited=True,
    ),
    _Family(
        "kafka-streams",
        ("__streams.errors.topic", "__streams.errors.exception"),
        _place("__streams.errors", "."),
        ("__streams.errors.exception",),
        time_inherited=True,
    ),
    _Family(
        "spring",
        ("kafka_dlt-original-topic", "kafka_dlt-exception-fqcn", "kafka_dlt-key-exception-fqcn"),
        _place("kafka_dlt-original"),
        ("kafka_dlt-exception-fqcn", "kafka_dlt-key-exception-fqcn"),
        ("kafka_deliveryAttempt",),
        _SPRING_GROUP,
        first_origin=True,
    ),
    _Family(
        "spring-retry",
        ("kafka_original-topic", "retry_topic-attempts", "retry_topic-backoff-timestamp"),
        _place("kafka_original"),
        ("kafka_exception-fqcn", "kafka_key-exception-fqcn"),
        ("retry_topic-attempts",),
        _SPRING_GROUP,
        ("retry_topic-backoff-timestamp",),
        role="retry",
        first_origin=True,
    ),
    _Family(
        "spring-cloud-stream",
        ("x-exception-fqcn", "x-exception-stacktrace", "x-original-timestamp-type"),
        _place("x-original"),
        ("x-exception-fqcn",),
    ),
    _Family(
        "smallrye",
        ("dead-letter-topic", "dead-letter-reason", "dead-letter-exception-class-name"),
        _either(_place("delayed-retry"), _place("dead-letter")),
        ("dead-letter-exception-class-name",),
        ("delayed-retry-count",),
        first_error=True,
    ),
    _Family(
        "smallrye-retry",
        ("delayed-retry-topic", "delayed-retry-count"),
        _place("delayed-retry"),
        ("delayed-retry-exception-class-name",),
        ("delayed-retry-count",),
        role="retry",
        first_error=True,
    ),
    _Family("schema-registry", ("__rule.exception",), (("__rule.topic",), (), ())),
    _Family(
        "greyhound",
        ("GH_RetryAttempt", "GH_OriginalTopic"),
        (("GH_OriginalTopic",), (), ()),
        attempt=("GH_RetryAttempt",),
        role="retry",
    ),
    _Family(
        "karafka",
        ("source_topic", "source_consumer_group"),
        _place("source", "_"),
        attempt=("source_attempts",),
        group=("source_consumer_group",),
    ),
    _Family(
        "masstransit",
        ("MT-Fault-ExceptionType", "MT-Fault-Message", "MT-Fault-InputAddress"),
        (("MT-Fault-InputAddress",), (), ()),
        ("MT-Fault-ExceptionType",),
        ("MT-Fault-RetryCount", "MT-Redelivery-Count"),
    ),
    _Family("watermill", ("reason_poisoned", "topic_poisoned"), (("topic_poisoned",), (), ())),
    _Family(
        "home-made",
        (
            *("dlq.original.topic", "x-original-topic", "original_topic", "dlq-original-topic"),
            *("dlq.error.class", "dlq.error.type", "dlq.error.message", "dlq.reason", "dlq.failure.reason"),
            *("x-error-type", "x-error-reason", "x-exception-message", "dlq-error-class"),
            *("dlq.failed.at", "dlq-failed-at"),
        ),
        _either(
            _place("dlq.original", "."), _place("x-original"), _place("original", "_"), _place("dlq-original")
        ),
        ("dlq.error.class", "dlq.error.type", "dlq.error.name", "x-error-type", "dlq-error-class"),
        (
            *("dlq.retry.attempt", "dlq.retry.count", "dlq-attempts"),
            *("x-retry-count", "x-retry", "retry_count"),
        ),
    ),
    _Family(
        "arroyo",
        ("original_partition", "original_offset"),
        ((), ("original_partition",), ("original_offset",)),
        without="original_topic",
    ),
)
_MARKS = frozenset(mark for family in _FAMILIES for mark in family.marks)


def read(headers: Iterable[tuple[str, bytes | None]], topic: str) -> Facts | None:
    """The facts; None for a message that is no retry, dead letter or replay by its headers.

    The names of topics say nothing here: whether the topic that a name points to exists, only the console knows.
    """
    if _MARKS.isdisjoint([name for name, _ in headers]):
        return None
    values: dict[str, list[bytes]] = {}
    for name, value in headers:
        if value is not None and len(value) <= hdr.LONGEST:
            values.setdefault(name, []).append(value)
    for family in _FAMILIES:
        if not any(mark in values for mark in family.marks) or family.without in values:
            continue
        origin_topic, partition, offset = (
            _pick(names, values, family.first_origin) for names in family.place
        )
        facts: dict[str, Any] = {
            "origin_topic": _text(origin_topic),
            "origin_partition": _number(partition),
            "origin_offset": _number(offset),
            "origin_group": _text(_pick(family.group, values, family.first_origin)),
            "attempt": _number(_pick(family.attempt, values, family.first_error)),
            "due": _number(_pick(family.due, values, family.first_error)),
            "error_type": _text(_pick(family.error, values, family.first_error)),
        }
        _own_ways(family.name, facts, values)
        role = _role(family, values, topic)
        return Facts(family.name, role, time_inherited=family.time_inherited, **facts)
    return None


def _own_ways(family: str, facts: dict[str, Any], values: dict[str, list[bytes]]) -> None:
    if family == "kafka-streams" and facts["error_type"]:
        # Java's Throwable.toString(): class and message.
        facts["error_type"] = facts["error_type"].partition(": ")[0]
    elif family == "masstransit" and facts["origin_topic"]:
        facts["origin_topic"] = facts["origin_topic"].rstrip("/").rsplit("/", 1)[-1]
    elif family == "greyhound":
        submitted, delay = (_number(_pick((name,), values)) for name in ("submitTimestamp", "backOffTimeMs"))
        if submitted is not None and delay is not None:
            facts["due"] = submitted + delay


def _role(family: _Family, values: dict[str, list[bytes]], topic: str) -> str:
    if family.name == "headwater":
        said = (_text(values[hdr.ROLE][-1]) or "").replace("-", "_")
        return said if said in ("dead_letter", "retry", "replay") else family.role
    # Headers of these stay on when the message is given up.
    stays = family.name in ("spring-retry", "greyhound")
    return "dead_letter" if stays and _DEAD_LETTER_END.fullmatch(topic) else family.role


def _pick(names: Iterable[str], values: dict[str, list[bytes]], first: bool = False) -> bytes | None:
    found = next((values[name] for name in names if name in values), None)
    return None if found is None else found[0 if first else -1]


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "replace") or None


def _number(value: bytes | None) -> int | None:
    """Text digits, or a big-endian signed integer of 1 to 8 bytes; None for anything else and below zero."""
    if value is None:
        return None
    if _DIGITS.fullmatch(value):
        number = int(value)
    elif 1 <= len(value) <= 8:
        number = int.from_bytes(value, "big", signed=True)
    else:
        return None
    return number if 0 <= number <= _LARGEST else None
