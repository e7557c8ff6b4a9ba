"""Which schema a message's value is written with, as its first bytes or a header say it; nothing is decoded for it."""

import functools
import re
import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from . import attributes as names
from . import headers as hdr
from .guard import guard
from .records import Memory

WIRE, HEADER = "wire", "header"
ON_RECORD = "_headwater_schema"
"""Where it hangs on a record whose value was decoded before anybody but the client saw it."""
LONGEST = 512
"""Characters of an id, which may be an address."""
CONFLUENT, GUID, GLUE = 0, 1, 3
"""First bytes: a number of four bytes follows; 16 bytes; how it is compressed and 16 bytes."""
GLUE_COMPRESSIONS = (0, 5)
_CONTENT_TYPE = re.compile(r"(?:avro|application/[a-z0-9.+-]*)/?binary\+([A-Za-z0-9._-]{1,128})")


def possible(raw: Any) -> bool:
    """Whether a value may begin with an id; of most the first byte says no."""
    return type(raw) is bytes and raw[:1] <= b"\x03"


def in_value(raw: Any) -> str | None:
    """The id in the first bytes of a value."""
    if type(raw) is not bytes or len(raw) < 6 or raw[0] > GLUE:
        return None
    # Eight bytes that begin with zero are a number more often than a schema and three bytes.
    if raw[0] == CONFLUENT and len(raw) != 8:
        number = int.from_bytes(raw[1:5], "big", signed=True)
        return str(number) if number > 0 else None
    if raw[0] == GUID and len(raw) > 17:
        return str(uuid.UUID(bytes=raw[1:17]))
    if raw[0] == GLUE and len(raw) > 18 and raw[1] in GLUE_COMPRESSIONS:
        return str(uuid.UUID(bytes=raw[2:18]))
    return None


def _prefixed(raw: bytes) -> str | None:
    # A schema id in a header has nothing behind it.
    return in_value(raw + b"\x00" * 2)


def _number(raw: bytes) -> str | None:
    return str(int.from_bytes(raw, "big", signed=True)) if len(raw) == 8 else None


def _text(raw: bytes) -> str | None:
    return raw[:LONGEST].decode("utf-8", "replace") or None


def _content_type(raw: bytes) -> str | None:
    found = _CONTENT_TYPE.fullmatch(raw[:LONGEST].decode("latin-1"))
    return found[1] if found else None


_HEADERS: dict[str, Callable[[bytes], str | None]] = {
    "__value_schema_id": _prefixed,
    "apicurio.value.globalId": _number,
    "apicurio.value.contentId": _number,
    "ce_dataschema": _text,
    "content-type": _content_type,
}
_NAMES = frozenset(_HEADERS)


def in_headers(headers: Iterable[tuple[str, bytes | None]]) -> str | None:
    """The id in a header; of several headers the first that says one."""
    if _NAMES.isdisjoint([name for name, _ in headers]):
        return None
    for name, value in headers:
        read = _HEADERS.get(name)
        if read is None or value is None or len(value) > hdr.LONGEST:
            continue
        found = read(value.encode("utf-8", "replace") if isinstance(value, str) else bytes(value))
        if found is not None:
            return found
    return None


def said(value: Any, headers: Any) -> dict[str, Any]:
    """Attributes of a message that is sent, as far as its value is bytes by now."""
    return _attributes(in_headers(headers) if headers else None, in_value(value))


def of(record: Any, headers: Any) -> dict[str, Any]:
    """Attributes of a record that was received; ``headers`` where they may say one."""
    return _attributes(in_headers(headers) if headers else None, noted(record) or in_value(record.value))


def _attributes(header: str | None, wire: str | None) -> dict[str, Any]:
    if header is None and wire is None:
        return {}
    return {names.SCHEMA_ID: header or wire, names.SCHEMA_SOURCE: WIRE if header is None else HEADER}


_beside = Memory()
"""Of records that have no room of their own."""
some_noted = False
"""Anything was ever noted on a record: only then need one be asked."""


def note(record: Any, found: str | None) -> None:
    """Notes on a record what its raw value said."""
    global some_noted
    if found is None:
        return
    some_noted = True
    try:
        object.__setattr__(record, ON_RECORD, found)
    except (AttributeError, TypeError):
        _beside.put(record, found)


def noted(record: Any) -> str | None:
    """What was noted."""
    found = getattr(record, ON_RECORD, None)
    if found is None and _beside:
        found = _beside.get(record)
    return found if isinstance(found, str) else None


def aiokafka_partition(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    """PartitionRecords.__init__: raw values are seen there only, and hidden only where there is a deserializer."""
    answer = wrapped(*args, **kwargs)
    guard.run("schema", _watch, instance)
    return answer


def _watch(partition: Any) -> None:
    if partition._value_deserializer is not None:
        partition._consumer_record = functools.partial(made, partition._consumer_record)


def made(original: Callable[..., Any], place: Any, raw: Any) -> Any:
    """PartitionRecords._consumer_record(partition, raw record)."""
    record = original(place, raw)
    guard.run("schema", _note_raw, record, raw)
    return record


def _note_raw(record: Any, raw: Any) -> None:
    note(record, in_value(raw.value))


def kafka_python_partition(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    """PartitionRecords._unpack_records(partition, records, key_deserializer, value_deserializer), a generator."""
    records = wrapped(*args, **kwargs)
    if len(args) == 4 and args[3] is not None:
        seen = guard.run("schema", Seen, instance)
        return records if seen is None else unpacked(records, seen)
    return records


class Seen:
    """The raw value that was decoded last; the client decodes a record's key first."""

    def __init__(self, partition: Any) -> None:
        self.raw: Any = None
        self._original = partition._deserialize
        partition._deserialize = self.deserialize

    def deserialize(self, *args: Any) -> Any:
        """PartitionRecords._deserialize(deserializer, topic, headers, raw); older ones take no headers."""
        self.raw = args[-1]
        return self._original(*args)


def unpacked(records: Iterator[Any], seen: Seen) -> Iterator[Any]:
    """The same records, with what their raw values said noted."""
    for record in records:
        guard.run("schema", _note_seen, record, seen)
        yield record


def _note_seen(record: Any, seen: Seen) -> None:
    note(record, in_value(seen.raw))
