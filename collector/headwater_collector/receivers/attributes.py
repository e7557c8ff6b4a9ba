"""Attributes: OTLP values to plain ones, those to JSON text, and the ones that become columns of their own."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Any, NamedTuple

import orjson

MAX_DEPTH = 64
"""Nesting beyond this is cut: JSON text is written to a depth of 254, and nobody reads the 65th level."""
TOO_DEEP = "(nested too deep)"

Attributes = dict[str, Any]


def plain_value(value: Any, depth: int = 0) -> Any:
    """A protobuf AnyValue as a JSON value: bytes as base64, NaN and infinities as words, unset as None."""
    which = value.WhichOneof("value")
    if which == "string_value":
        return value.string_value
    if which == "int_value":
        return value.int_value
    if which == "double_value":
        return plain_double(value.double_value)
    if which == "bool_value":
        return value.bool_value
    if which is None:
        return None
    if which == "bytes_value":
        return b64encode(value.bytes_value).decode()
    if depth >= MAX_DEPTH:
        return TOO_DEEP
    if which == "array_value":
        return [plain_value(item, depth + 1) for item in value.array_value.values]
    return {item.key: plain_value(item.value, depth + 1) for item in value.kvlist_value.values}


def plain_double(value: float) -> float | str:
    """JSON has no NaN and no infinities; they are kept as the words that OTLP/JSON uses."""
    if isfinite(value):
        return value
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"


def plain_attributes(attributes: Iterable[Any]) -> Attributes:
    """Protobuf KeyValues as a dict; of a key given twice the last counts."""
    # Text is by far the most frequent, and asking for it first is cheaper than asking which it is.
    return {item.key: item.value.string_value or plain_value(item.value) for item in attributes}


def json_value(value: Any, depth: int = 0) -> Any:
    """An AnyValue of OTLP/JSON as a JSON value; raises ValueError or TypeError for what is none."""
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise ValueError("an attribute's value is not an object")
    for which, inner in value.items():
        if inner is None:
            continue
        if which == "stringValue":
            return inner if isinstance(inner, str) else str(inner)
        if which == "intValue":
            return int(inner)
        if which == "boolValue":
            return inner if isinstance(inner, bool) else str(inner).lower() == "true"
        if which == "doubleValue":
            return plain_double(float(inner))
        if which == "bytesValue":
            return str(inner)
        if which in ("arrayValue", "kvlistValue"):
            if depth >= MAX_DEPTH:
                return TOO_DEEP
            values = inner.get("values") or []
            if which == "arrayValue":
                return [json_value(item, depth + 1) for item in values]
            return {str(item["key"]): json_value(item.get("value"), depth + 1) for item in values}
    return None


def json_attributes(attributes: Sequence[Any] | None) -> Attributes:
    """KeyValues of OTLP/JSON as a dict; raises ValueError, TypeError or KeyError for what is none."""
    return {str(item["key"]): json_value(item.get("value")) for item in attributes or ()}


def as_text(attributes: Attributes) -> bytes:
    """JSON object, UTF-8. Integers beyond 64 bits, which only OTLP/JSON can bring, become text."""
    try:
        return orjson.dumps(attributes)
    except TypeError:
        return orjson.dumps(_narrow(attributes))


def _narrow(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _narrow(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_narrow(item) for item in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return str(value)
    return value


class Promoted(NamedTuple):
    """Attributes that are columns of their own; None where not given or not usable."""

    cluster: str | None
    topic: str | None
    partition: int | None
    message_offset: int | None
    consumer_group: str | None
    operation: str | None
    event_id: str | None


NOTHING = Promoted(None, None, None, None, None, None, None)

# Current names first, then those of older conventions.
_PARTITION = (
    "messaging.destination.partition.id",
    "messaging.kafka.destination.partition",
    "messaging.kafka.partition",
)
_OFFSET = ("messaging.kafka.offset", "messaging.kafka.message.offset")
_GROUP = ("messaging.consumer.group.name", "messaging.kafka.consumer.group")
_TOPIC = ("messaging.destination.name", "messaging.destination")
_OPERATION = ("messaging.operation.type", "messaging.operation")
_SAME_OPERATION = {"publish": "send", "deliver": "process"}


def promoted(attributes: Attributes) -> Promoted:
    """Columns of a span or a link that speaks of messages."""
    operation = _text(attributes, _OPERATION)
    return Promoted(
        _text(attributes, ("messaging.kafka.cluster.id",)),
        _text(attributes, _TOPIC),
        _whole(attributes, _PARTITION, 2**31),
        _whole(attributes, _OFFSET, 2**63),
        _text(attributes, _GROUP),
        operation if operation is None else _SAME_OPERATION.get(operation, operation),
        _text(attributes, ("headwater.event.id",)),
    )


def _text(attributes: Attributes, names: Sequence[str]) -> str | None:
    for name in names:
        value = attributes.get(name)
        if value is not None and value != "":
            return value if isinstance(value, str) else str(value)
    return None


def _whole(attributes: Attributes, names: Sequence[str], limit: int) -> int | None:
    for name in names:
        value = attributes.get(name)
        if value is None:
            continue
        try:
            number = int(value)
        except (ValueError, TypeError):
            continue
        if 0 <= number < limit:
            return number
    return None
