"""Spans cut into requests of a bounded size, and moved in time where that is wanted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from .spans import Json

SPANS_AT_MOST = 500
"""In a request."""
TIMES = ("startTimeUnixNano", "endTimeUnixNano", "timeUnixNano")


def requests(resource_spans: list[Json]) -> Iterator[tuple[bytes, int]]:
    """Bodies of OTLP/JSON, and how many spans are in each."""
    held: list[Json] = []
    number = 0
    for resource in resource_spans:
        for scope in _objects(resource, "scopeSpans"):
            spans = scope.get("spans")
            spans = spans if isinstance(spans, list) else []
            for at in range(0, len(spans), SPANS_AT_MOST):
                part = spans[at : at + SPANS_AT_MOST]
                if number + len(part) > SPANS_AT_MOST:
                    yield _body(held), number
                    held, number = [], 0
                held.append({**resource, "scopeSpans": [{**scope, "spans": part}]})
                number += len(part)
    if number:
        yield _body(held), number


def halves(body: bytes) -> list[tuple[bytes, int]]:
    """A request in two, for a door that takes no larger ones; one span cannot be divided."""
    held = orjson.loads(body)["resourceSpans"]
    spans = [
        {**resource, "scopeSpans": [{**scope, "spans": [span]}]}
        for resource in held
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]
    middle = len(spans) // 2
    return [(_body(part), len(part)) for part in (spans[:middle], spans[middle:]) if part]


def bounds(resource_spans: list[Json]) -> tuple[int, int] | None:
    """First start and last end of all spans, nanoseconds since the epoch; None where no span has both."""
    times = [
        (int(span[TIMES[0]]), int(span[TIMES[1]]))
        for span in _spans(resource_spans)
        if all(str(span.get(name, "")).isdigit() and int(span[name]) > 0 for name in TIMES[:2])
    ]
    return (min(start for start, _ in times), max(end for _, end in times)) if times else None


def move(resource_spans: list[Json], by_ns: int) -> None:
    """Moves all times of spans and their events."""
    for span in _spans(resource_spans):
        for holder in (span, *_objects(span, "events")):
            for name in TIMES:
                if str(holder.get(name, "")).isdigit() and int(holder[name]) > 0:
                    holder[name] = str(int(holder[name]) + by_ns)


def _spans(resource_spans: list[Json]) -> Iterator[Json]:
    for resource in resource_spans:
        for scope in _objects(resource, "scopeSpans"):
            yield from _objects(scope, "spans")


def _objects(holder: Json, name: str) -> list[Json]:
    found: Any = holder.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _body(resource_spans: list[Json]) -> bytes:
    return orjson.dumps({"resourceSpans": resource_spans})
