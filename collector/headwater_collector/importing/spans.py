"""Spans of foreign formats, as OTLP/JSON has them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

KINDS = {"INTERNAL": 1, "SERVER": 2, "CLIENT": 3, "PRODUCER": 4, "CONSUMER": 5}
ERROR = 2
"""Code of a status."""
INCOMPLETE = "without a trace id, an id or a time"
"""Why a span is left out."""
Json = dict[str, Any]


@dataclass
class Read:
    """What a file held: OTLP/JSON ``resourceSpans``, and what could not be read of it."""

    resource_spans: list[Json] = field(default_factory=list)
    skipped: dict[str, int] = field(default_factory=dict)
    """How many spans by reason."""

    def skip(self, reason: str, number: int = 1) -> None:
        """Counts spans that are left out."""
        self.skipped[reason] = self.skipped.get(reason, 0) + number


def attributes(values: Mapping[str, Any]) -> list[Json]:
    """OTLP/JSON attributes; values other than text, numbers and booleans become text, None is left out."""
    return [{"key": key, "value": _value(value)} for key, value in values.items() if value is not None]


def _value(value: Any) -> Json:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    return {"stringValue": str(value)}


def trace_id(text: str) -> str:
    """32 digits of a trace id that may have 16. Raises ValueError."""
    return _hex(text, 32)


def span_id(text: str) -> str:
    """16 digits. Raises ValueError."""
    return _hex(text, 16)


def _hex(text: str, digits: int) -> str:
    found = text.lower()
    if not found or len(found) > digits or int(found, 16) == 0:
        raise ValueError(f"{text!r} is no id")
    return found.zfill(digits)


def times(start_us: Any, duration_us: Any) -> Json:
    """Start and end of a span whose format counts in microseconds. Raises TypeError, ValueError."""
    started = int(start_us) * 1000
    ended = started + int(duration_us or 0) * 1000
    return {"startTimeUnixNano": str(started), "endTimeUnixNano": str(ended)}


def other_id(span: str) -> str:
    """An id made from another one, always the same: for the second of two spans that share theirs."""
    return hashlib.md5(span.encode(), usedforsecurity=False).hexdigest()[:16]


def grouped(spans: Iterable[tuple[tuple[tuple[str, str], ...], Json]]) -> list[Json]:
    """``resourceSpans`` of spans that come with the attributes of their resource."""
    found: dict[tuple[tuple[str, str], ...], list[Json]] = {}
    for resource, span in spans:
        found.setdefault(resource, []).append(span)
    return [
        {
            "resource": {"attributes": attributes(dict(resource))},
            "scopeSpans": [{"scope": {"name": "headwater import"}, "spans": own}],
        }
        for resource, own in found.items()
    ]


def messaging(system: str, destination: str | None, kind: int, name: str) -> Json:
    """Attributes of the messaging conventions for a span of an older one: what it did is told by its kind and name."""
    if kind == KINDS["PRODUCER"]:
        operation, sort = "send", "send"
    elif name.lower() in ("poll", "receive", "next-message"):
        operation, sort = "poll", "receive"
    else:
        operation, sort = "process", "process"
    return {
        "messaging.system": system,
        "messaging.destination.name": destination,
        "messaging.operation.name": operation,
        "messaging.operation.type": sort,
    }
