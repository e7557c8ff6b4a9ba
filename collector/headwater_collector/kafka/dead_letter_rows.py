"""One record of a dead-letter topic as a row; what may be kept of its content is decided here."""

import json
from collections.abc import Collection
from datetime import datetime
from typing import Any

from headwater_analysis.dead_letter_headers import NormalForm, normalise
from headwater_analysis.fingerprint import failure_group_id, normalised_error

from .answers import moment

Row = dict[str, object]

MOST_CHARACTERS = 16_384  # of a value, a message or a stack trace

_LATEST_MS = 9_000_000_000_000  # within TIMESTAMP_NS, the year 2255
_HEX = frozenset("0123456789abcdef")


def row(
    record: Any,
    *,
    cluster: str,
    incarnation: int,
    received_at: datetime,
    topics: Collection[str],
    groups: Collection[str],
    capture: str,
) -> Row:
    """The row of an aiokafka record. `capture`: "class" keeps no content, "full" keeps it as text, cut."""
    headers = tuple(record.headers or ())
    form = normalise(headers, record.topic, topics, groups) or NormalForm(None, "dead_letter", "name")
    error = normalised_error(form.error_message, form.stack)
    trace_id, span_id = _trace(headers)
    full = capture == "full"
    return {
        "received_at": received_at,
        "cluster": cluster,
        "topic": record.topic,
        "incarnation": incarnation,
        "partition": record.partition,
        "message_offset": record.offset,
        "record_time": _time(record.timestamp),
        "family": form.family,
        "role": "replay" if form.role == "replay" else "dead_letter",  # it lies in a dead-letter topic
        "origin_topic": form.origin_topic,
        "origin_partition": _within(form.origin_partition, 32),
        "origin_offset": _within(form.origin_offset, 64),
        "origin_group": form.origin_group,
        "origin_time": _time(record.timestamp if form.time_inherited else form.origin_time),
        "error_type": form.error_class,
        "error_message": _cut(form.error_message) if full else None,
        "stack": _cut(form.stack) if full else None,
        "attempts": _within(form.attempt, 32),
        "failure_group_id": failure_group_id(form.origin_topic, form.origin_group, form.error_class, error),
        "normalised_error": error if full else None,
        "event_id": _event_id(headers),
        "trace_id": trace_id,
        "span_id": span_id,
        "key": _text(record.key) if full else None,
        "value": _text(record.value) if full else None,
        "headers": json.dumps([[name, _text(value)] for name, value in headers]) if full else None,
        "size": len(record.value) if record.value is not None else 0,
    }


def _time(milliseconds: int | None) -> datetime | None:
    """A moment that the store can hold; what a header claims may be anything."""
    if milliseconds is None or not 0 <= milliseconds < _LATEST_MS:
        return None
    return moment(milliseconds / 1000)


def _within(value: int | None, bits: int) -> int | None:
    return value if value is not None and 0 <= value < 1 << (bits - 1) else None


def _text(value: bytes | None) -> str | None:
    """UTF-8 as it is, other bytes as 0x and hex digits."""
    if value is None:
        return None
    try:
        return _cut(value.decode())
    except UnicodeDecodeError:
        return _cut("0x" + value[:MOST_CHARACTERS].hex())


def _cut(text: str | None) -> str | None:
    return text if text is None or len(text) <= MOST_CHARACTERS else text[:MOST_CHARACTERS] + "…"


def _last(headers: tuple[tuple[str, bytes | None], ...], name: str) -> list[str]:
    """Values of a header, the last one first: services on the way append theirs."""
    return [value.decode("latin-1") for key, value in reversed(headers) if key == name and value]


def _trace(headers: tuple[tuple[str, bytes | None], ...]) -> tuple[str | None, str | None]:
    """Trace and span id of the last valid traceparent."""
    for value in _last(headers, "traceparent"):
        parts = value.strip().split("-")
        if len(parts) >= 4 and _is_id(parts[1], 32) and _is_id(parts[2], 16):
            return parts[1], parts[2]
    return None, None


def _event_id(headers: tuple[tuple[str, bytes | None], ...]) -> str | None:
    """The second part of headwater-ctx: 1;event id;hop;root time;pathway."""
    for value in _last(headers, "headwater-ctx"):
        parts = value.split(";")
        if parts[0] == "1" and len(parts) >= 2 and _is_id(parts[1], 16):
            return parts[1]
    return None


def _is_id(text: str, digits: int) -> bool:
    return len(text) == digits and _HEX.issuperset(text) and text.strip("0") != ""
