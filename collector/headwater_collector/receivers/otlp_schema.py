"""OTLP's own descriptors, changed in two ways that make reading them faster and more forgiving.

Text is read as bytes: one span with bad UTF-8 would otherwise make protobuf refuse the whole request.
Attributes of spans, events and links stay raw bytes: most of them are the same from span to span, so looking
their bytes up costs a fifth of building an object for each.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import unpack_from
from typing import Any

from google.protobuf import (  # type: ignore[import-untyped]
    descriptor_pb2,
    descriptor_pool,
    message_factory,
)
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from .attributes import Attributes, plain_value

_RAW = {("Span", "attributes"), ("Event", "attributes"), ("Link", "attributes"), ("Span", "status")}
_FIELD = descriptor_pb2.FieldDescriptorProto


def _relaxed_pool() -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    for module in (common_pb2, resource_pb2, trace_pb2, trace_service_pb2):
        file = descriptor_pb2.FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(file)
        messages = list(file.message_type)
        while messages:
            message = messages.pop()
            messages.extend(message.nested_type)
            for field in message.field:
                if field.type == _FIELD.TYPE_STRING:
                    field.type = _FIELD.TYPE_BYTES
                elif (message.name, field.name) in _RAW:
                    field.type = _FIELD.TYPE_BYTES
                    field.ClearField("type_name")
        pool.Add(file)
    return pool


_POOL = _relaxed_pool()


def _message(name: str) -> Any:
    descriptor = _POOL.FindMessageTypeByName(f"opentelemetry.proto.{name}")
    return message_factory.GetMessageClass(descriptor)


Request = _message("collector.trace.v1.ExportTraceServiceRequest")
Resource = _message("resource.v1.Resource")
Scope = _message("common.v1.InstrumentationScope")
Span = _message("trace.v1.Span")
Status = _message("trace.v1.Status")
KeyValue = _message("common.v1.KeyValue")


class AttributeReader:
    """Raw KeyValues to dicts, with a memory of those seen before. Not for several threads at once."""

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[str, Any]] = {}
        self._keys: dict[bytes, _Key] = {}
        self.bad_text = 0
        """Texts that were not UTF-8 and have been replaced where they were not."""
        self.duplicates = 0
        """Keys given more than once in one list; the last counts."""

    def read(self, raws: Iterable[bytes]) -> Attributes:
        """A dict of raw KeyValues; raises DecodeError for one that is none."""
        raws = list(raws)
        pairs: list[Any] = list(map(self._known.get, raws))
        if None in pairs:
            for at, pair in enumerate(pairs):
                if pair is None:
                    pairs[at] = self._learn(raws[at])
        found = dict(pairs)
        if len(found) != len(raws):
            self.duplicates += len(raws) - len(found)
        return found

    def read_messages(self, items: Iterable[Any]) -> Attributes:
        """A dict of KeyValue messages, as resources and scopes hold them."""
        return self.read(item.SerializeToString() for item in items)

    def text(self, data: bytes) -> str:
        """Text of bytes that should be UTF-8."""
        try:
            return data.decode()
        except UnicodeDecodeError:
            self.bad_text += 1
            return data.decode("utf-8", "replace")

    def _learn(self, raw: bytes) -> tuple[str, Any]:
        """Decode one, and remember it unless its key has had so many values that each is new."""
        try:
            end = 2 + raw[1]
            head = raw[:end]
            key = self._keys.get(head)
            if key is not None:
                value = _simple(raw, end)
                if value is not None:
                    pair = (key.text, value)
                    if key.values < _VALUES:
                        key.values += 1
                        self._known[raw] = pair
                    return pair
        except (IndexError, UnicodeDecodeError):
            return self._decode(raw)
        pair = self._decode(raw)
        if key is None and end < 0x82 and len(self._keys) < _KEYS and head == _head(pair[0]):
            self._keys[head] = _Key(pair[0])
        return pair

    def _decode(self, raw: bytes) -> tuple[str, Any]:
        message = KeyValue.FromString(raw)
        return self.text(message.key), plain_value(message.value, self.text)


_KEYS = 5_000
"""Keys that are remembered: far more than conventions name, too few to fill memory by sending ever new ones."""
_VALUES = 256
"""Values remembered of one key: a route or a host has fewer, an offset or a user id never ends."""


class _Key:
    """An attribute key, and how many of its values are remembered."""

    __slots__ = ("text", "values")

    def __init__(self, text: str) -> None:
        self.text = text
        self.values = 0


def _head(key: str) -> bytes:
    encoded = key.encode()
    return bytes((0x0A, len(encoded))) + encoded if len(encoded) < 0x80 else b""


def _simple(raw: bytes, end: int) -> str | int | float | None:
    """The value behind a key that ends at `end`, if it is short text, integer, double or truth.

    None for any other shape, good or bad. Raises IndexError or UnicodeDecodeError for some that are bad.
    """
    length = raw[end + 1]
    start = end + 2
    if raw[end] != 0x12 or start + length != len(raw) or length >= 0x80:
        return None
    kind = raw[start]
    if kind == 0x0A:
        return raw[start + 2 :].decode() if raw[start + 1] == length - 2 else None
    if kind == 0x18:
        value = raw[-1]
        if not 2 <= length <= 9 or value >= 0x80:
            return None
        for at in range(len(raw) - 2, start, -1):
            byte = raw[at]
            if byte < 0x80:
                return None
            value = value << 7 | byte & 0x7F
        return value
    if kind == 0x21 and length == 9:
        number: float = unpack_from("<d", raw, start + 1)[0]
        return number if number - number == 0 else None
    if kind == 0x10 and length == 2 and raw[-1] < 0x80:
        return raw[-1] != 0
    return None
