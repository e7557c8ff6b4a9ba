"""Records of every client, read alike, and what is remembered of them."""

import threading
from collections import OrderedDict
from typing import Any, NamedTuple

from .forks import anew_after_fork

REMEMBERED = 20_000
"""Records without room for an attribute of which something is remembered."""
TIMES_WITH_TYPE = (1, 2)
"""confluent-kafka's types of a record's time: the producer's clock, the broker's. 0 says there is none."""


class Place(NamedTuple):
    """A partition of a topic."""

    topic: str
    partition: int


def time_of(message: Any) -> tuple[int | None, int | None]:
    """A confluent-kafka message's time in milliseconds and its type: 0 the producer's clock, 1 the broker's."""
    kind, at = message.timestamp()
    return (at, kind - 1) if kind in TIMES_WITH_TYPE else (None, None)


class MessageView:
    """A confluent-kafka message with the fields of a record; its headers are read once."""

    __slots__ = ("headers", "key", "offset", "partition", "raw", "serialized_value_size", "timestamp",
                 "timestamp_type", "topic", "value")  # fmt: skip

    def __init__(self, message: Any) -> None:
        self.raw = message
        self.topic: str = message.topic()
        self.partition: int = message.partition()
        self.offset: int = message.offset()
        self.headers: list[tuple[str, bytes]] | None = message.headers()
        self.key, self.value = message.key(), message.value()
        self.serialized_value_size = len(self.value) if isinstance(self.value, bytes) else -1
        self.timestamp, self.timestamp_type = time_of(message)


class InSeconds:
    """A record of Faust, whose time is in seconds."""

    def __init__(self, record: Any) -> None:
        self.raw = record
        self.timestamp = round(record.timestamp * 1000)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.raw, name)


def view(record: Any) -> Any:
    """The record itself where it has a record's fields, else a view of it that has them."""
    if is_message(record):
        return MessageView(record)
    return InSeconds(record) if type(getattr(record, "timestamp", None)) is float else record


def is_message(given: Any) -> bool:
    """Whether it is confluent-kafka's, whose fields are methods."""
    return callable(getattr(given, "topic", None)) and callable(getattr(given, "offset", None))


def is_record(given: Any) -> bool:
    """Whether it is a record of any client."""
    return is_message(given) or (
        isinstance(getattr(given, "topic", None), str)
        and isinstance(getattr(given, "partition", None), int)
        and isinstance(getattr(given, "offset", None), int)
    )


class Memory:
    """What hangs on records that can neither hold an attribute nor be referred to weakly; the oldest is dropped.

    A record is known by its identity and coordinates, and is not kept alive.
    """

    def __init__(self) -> None:
        self._found: OrderedDict[tuple[int, str, int, int], Any] = OrderedDict()
        self._lock = threading.Lock()
        anew_after_fork(self)

    def forget(self) -> None:
        """Begins anew."""
        self._lock = threading.Lock()
        self._found.clear()

    def put(self, record: Any, value: Any) -> None:
        """Notes a value for a record."""
        with self._lock:
            self._found[_identity(record)] = value
            while len(self._found) > REMEMBERED:
                self._found.popitem(last=False)

    def __len__(self) -> int:
        return len(self._found)

    def get(self, record: Any) -> Any:
        """The value noted for a record, or None."""
        return self._found.get(_identity(record))


def _identity(record: Any) -> tuple[int, str, int, int]:
    if is_message(record):
        return id(record), record.topic(), record.partition(), record.offset()
    return id(getattr(record, "raw", record)), record.topic, record.partition, record.offset


memory = Memory()
