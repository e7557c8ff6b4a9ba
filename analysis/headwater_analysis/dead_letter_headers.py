"""What the headers and the topic of a dead letter or retry say, in one normal form for every framework.

A service's instrumentation reads the same headers by a table of its own; one set of fixtures binds both.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from .dead_letter_families import FAMILIES, FIRST, Family

Headers = Sequence[tuple[str, bytes | None]]

_DIGITS = re.compile(rb"-?\d{1,19}")
_DEAD_LETTER_END = re.compile(r"^(?P<o>.+?)(?:__(?P<g>.+?)__|-|\.|_)(?:dlt|DLT|dlq|DLQ|dead-?letters?)$")
_DEAD_LETTER_START = re.compile(r"^(?:dlq[.-]|error\.|dead-letter-topic-)(?P<o>.+)$")
_RETRY = re.compile(
    r"^(?P<o>.+?)(?:__(?P<g>.+?)(?:__(?P<tier>\d+))?__retry|-retry(?:-(?P<n>\d+)(?:-\d+)?)?"
    r"|_retry_(?P<ms>\d+)|\.retry\.(?P<n2>\d+))$"
)
_LEAST_DELAY_MS = 100  # `-retry-<n>`: the number of the attempt below, a delay from here on
_WRAPPERS = ("ListenerExecutionFailedException", "ConnectException", "StreamsException")
_NUMBERS = ("origin_partition", "origin_offset", "origin_time", "attempt", "due")


@dataclass(frozen=True)
class Hop:
    """One earlier place of a message that went through several topics."""

    topic: str
    partition: int | None = None
    offset: int | None = None


@dataclass(frozen=True)
class NormalForm:
    """What is known of a dead letter or retry. Unknown is None, never 0."""

    family: str | None
    """None: only the topic's name speaks."""
    role: str
    """dead_letter | retry | replay"""
    source: str
    """header | name"""
    origin_topic: str | None = None
    origin_partition: int | None = None
    origin_offset: int | None = None
    origin_time: int | None = None
    """Milliseconds since the epoch."""
    origin_group: str | None = None
    error_type: str | None = None
    error_cause: str | None = None
    error_message: str | None = None
    stack: str | None = None
    attempt: int | None = None
    due: int | None = None
    """Milliseconds since the epoch."""
    time_inherited: bool = False
    chain: tuple[Hop, ...] = field(default=())
    """All places named by repeated origin headers, oldest first; empty for one place."""

    @property
    def error_class(self) -> str | None:
        """The class that says what went wrong: the cause where the framework only wrapped it."""
        wrapped = self.error_type is None or self.error_type.endswith(_WRAPPERS)
        return self.error_cause if wrapped and self.error_cause else self.error_type


@dataclass(frozen=True)
class TopicName:
    """What a topic's name says by the naming habits."""

    role: str
    origin_topic: str
    origin_group: str | None = None
    attempt: int | None = None
    """A number in the name; a header with the attempt says it better."""


def normalise(
    headers: Headers, topic: str, topics: Collection[str] = (), groups: Collection[str] = ()
) -> NormalForm | None:
    """The normal form, or None for a message that is neither by its headers nor by its topic's name.

    `topics` and `groups` are those of the cluster: a name counts only if the topic it points to exists.
    """
    by_name = read_topic_name(topic, topics, groups)
    values: dict[str, list[bytes]] = {}
    for name, value in headers:
        if value is not None:
            values.setdefault(name, []).append(value)
    for family in FAMILIES:
        if any(name in values for name in family.marks) and not any(
            name in values for name in family.without
        ):
            return _by_headers(family, values, topic, by_name)
    if by_name is None:
        return None
    return NormalForm(
        None,
        by_name.role,
        "name",
        origin_topic=by_name.origin_topic,
        origin_group=by_name.origin_group,
        attempt=by_name.attempt,
    )


def read_topic_name(
    topic: str, topics: Collection[str] = (), groups: Collection[str] = ()
) -> TopicName | None:
    """What the name says, if the topic it points to is one of `topics`; a group at its end is stripped."""
    for role, pattern in (
        ("retry", _RETRY),
        ("dead_letter", _DEAD_LETTER_END),
        ("dead_letter", _DEAD_LETTER_START),
    ):
        found = pattern.match(topic)
        if found is None:
            continue
        parts = found.groupdict()
        origin, group = found["o"], parts.get("g")
        numbers = [int(parts[name]) for name in ("n", "n2", "tier") if parts.get(name)]
        attempt = numbers[0] if numbers and numbers[0] < _LEAST_DELAY_MS else None
        if origin in topics:
            return TopicName(role, origin, group, attempt)
        for known in sorted(groups, key=len, reverse=True):
            for separator in ".-_":
                stripped = origin.removesuffix(f"{separator}{known}")
                if stripped != origin and stripped in topics:
                    return TopicName(role, stripped, known, attempt)
    return None


def integer(value: bytes) -> int | None:
    """Text digits, or a big-endian signed integer of 1 to 8 bytes; None for anything else."""
    if _DIGITS.fullmatch(value):
        return int(value)
    return int.from_bytes(value, "big", signed=True) if 1 <= len(value) <= 8 else None


def text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def _by_headers(
    family: Family, values: dict[str, list[bytes]], topic: str, by_name: TopicName | None
) -> NormalForm:
    known: dict[str, str | int] = {}
    for name, sources in family.fields.items():
        raw = _pick(family, name, sources, values)
        if raw is None:
            continue
        value = integer(raw) if name in _NUMBERS else text(raw)
        if value is not None and value != "" and not (isinstance(value, int) and value < 0):
            known[name] = value
    _special(family, known, values)
    if by_name is not None:
        known.setdefault("origin_topic", by_name.origin_topic)
        if by_name.origin_group is not None:
            known.setdefault("origin_group", by_name.origin_group)
        if by_name.attempt is not None:
            known.setdefault("attempt", by_name.attempt)
    return NormalForm(
        family.name,
        _role(family, values, topic, by_name),
        "header",
        time_inherited=family.time_inherited,
        chain=_chain(family, values),
        **known,  # type: ignore[arg-type]
    )


def _pick(family: Family, name: str, sources: Iterable[str], values: dict[str, list[bytes]]) -> bytes | None:
    for source in sources:
        if source in values:
            found = values[source]
            which = family.origin if name.startswith("origin_") else family.newest
            return found[0] if which == FIRST else found[-1]
    return None


def _special(family: Family, known: dict[str, str | int], values: dict[str, list[bytes]]) -> None:
    """What a family writes in a way of its own."""
    if family.name == "kafka-streams" and isinstance(known.get("error_type"), str):
        name, _, message = str(known["error_type"]).partition(": ")  # Java's Throwable.toString()
        known["error_type"] = name
        if message:
            known.setdefault("error_message", message)
    if family.name == "masstransit" and "origin_topic" in known:
        known["origin_topic"] = str(known["origin_topic"]).rstrip("/").rsplit("/", 1)[-1]
    if family.name == "greyhound":
        submitted, delay = (
            integer(values[name][-1]) if name in values else None
            for name in ("submitTimestamp", "backOffTimeMs")
        )
        if submitted is not None and delay is not None:
            known["due"] = submitted + delay


def _role(family: Family, values: dict[str, list[bytes]], topic: str, by_name: TopicName | None) -> str:
    if family.name == "headwater":
        said = text(values["headwater-role"][-1]).replace("-", "_")
        return said if said in ("dead_letter", "retry", "replay") else family.role
    if family.name in ("spring-retry", "greyhound"):  # their headers stay on when the message is given up
        if by_name is not None:
            return by_name.role
        return "dead_letter" if _DEAD_LETTER_END.match(topic) else family.role
    return family.role


def _chain(family: Family, values: dict[str, list[bytes]]) -> tuple[Hop, ...]:
    """Places from repeated headers, oldest first."""
    columns = []
    for name in ("origin_topic", "origin_partition", "origin_offset"):
        source = next((each for each in family.fields.get(name, ()) if each in values), None)
        columns.append(values[source] if source is not None else [])
    topics, partitions, offsets = columns
    if len(topics) < 2:
        return ()
    aligned = len(partitions) == len(offsets) == len(topics)
    hops = [
        Hop(
            text(topic),
            integer(partitions[i]) if aligned else None,
            integer(offsets[i]) if aligned else None,
        )
        for i, topic in enumerate(topics)
    ]
    return tuple(reversed(hops)) if family.newest == FIRST else tuple(hops)
