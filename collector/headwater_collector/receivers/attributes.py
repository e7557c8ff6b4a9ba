"""Attributes: OTLP values to plain ones, those to JSON text, and the ones that become columns."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any

import orjson

MAX_DEPTH = 64
"""Nesting beyond this is cut: JSON text is written to a depth of 254, and nobody reads the 65th level."""
TOO_DEEP = "(nested too deep)"

Attributes = dict[str, Any]


def plain_value(value: Any, text: Callable[[bytes], str], depth: int = 0) -> Any:
    """A protobuf AnyValue as a JSON value: bytes as base64, NaN and infinities as words, unset as None.

    `text` makes text of bytes that should be UTF-8.
    """
    which = value.WhichOneof("value")
    if which == "string_value":
        return text(value.string_value)
    if which == "int_value":
        return value.int_value
    if which == "double_value":
        return plain_double(value.double_value)
    if which == "bool_value":
        return value.bool_value
    if which == "bytes_value":
        return b64encode(value.bytes_value).decode()
    if which not in ("array_value", "kvlist_value"):
        return None
    if depth >= MAX_DEPTH:
        return TOO_DEEP
    if which == "array_value":
        return [plain_value(item, text, depth + 1) for item in value.array_value.values]
    pairs = value.kvlist_value.values
    return {text(item.key): plain_value(item.value, text, depth + 1) for item in pairs}


def plain_double(value: float) -> float | str:
    """JSON has no NaN and no infinities; they are kept as the words that OTLP/JSON uses."""
    if isfinite(value):
        return value
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"


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
    if not attributes:
        return b"{}"
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


Promoted = tuple[str | None, str | None, int | None, int | None, str | None, str | None, str | None]
"""cluster, topic, partition, message_offset, consumer_group, operation, event_id: columns of their own."""

NOTHING: Promoted = (None, None, None, None, None, None, None)

# The names of conventions 1.44 first, then those of newer and of older ones.
TOPIC = ("messaging.destination.name", "messaging.destination")
PARTITION = (
    "messaging.destination.partition.id",
    "messaging.kafka.destination.partition",
    "messaging.kafka.partition",
)
OFFSET = ("messaging.kafka.offset", "kafka.offset", "messaging.kafka.message.offset")
GROUP = ("messaging.consumer.group.name", "messaging.kafka.consumer.group")
OPERATION = ("messaging.operation.type", "messaging.operation")
SAME_OPERATION = {"publish": "send", "deliver": "process"}
CLUSTER = ("messaging.kafka.cluster.id", "kafka.cluster.id")
EVENT_ID = "headwater.event.id"
SYSTEM = "messaging.system"
ERROR_TYPE = "error.type"
EXCEPTION_TYPE = "exception.type"
MESSAGING = frozenset((*TOPIC, *PARTITION, *OFFSET, *GROUP, *OPERATION, EVENT_ID, SYSTEM))
"""Where none of these is given, nothing is promoted."""


def promoted(attributes: Attributes) -> Promoted:
    """Columns of a span or a link; None where an attribute is not given or not usable."""
    if MESSAGING.isdisjoint(attributes):
        return NOTHING
    get = attributes.get
    # The current names, in text and numbers, are nearly always what is there: so they are tried by hand.
    topic = get(TOPIC[0])
    if type(topic) is not str or not topic:
        topic = _text(attributes, TOPIC)
    offset = get(OFFSET[0])
    if type(offset) is not int or not 0 <= offset < 2**63:
        offset = _whole(attributes, OFFSET, 2**63)
    operation = get(OPERATION[0])
    if type(operation) is not str or not operation:
        operation = _text(attributes, OPERATION)
    group = get(GROUP[0])
    if type(group) is not str or not group:
        group = _text(attributes, GROUP)
    cluster = get(CLUSTER[0])
    if type(cluster) is not str or not cluster:
        cluster = _text(attributes, CLUSTER)
    event = get(EVENT_ID)
    return (
        cluster,
        topic,
        _whole(attributes, PARTITION, 2**31),
        offset,
        group,
        operation if operation is None else SAME_OPERATION.get(operation, operation),
        None if event is None or event == "" else str(event),
    )


def _text(attributes: Attributes, names: Sequence[str]) -> str | None:
    for name in names:
        value = attributes.get(name)
        if value:
            return value if type(value) is str else str(value)
    return None


def _whole(attributes: Attributes, names: Sequence[str], limit: int) -> int | None:
    for name in names:
        value = attributes.get(name)
        if value is None:
            continue
        try:
            number = int(value)
        except (ValueError, TypeError, OverflowError):
            continue
        if 0 <= number < limit:
            return number
    return None
