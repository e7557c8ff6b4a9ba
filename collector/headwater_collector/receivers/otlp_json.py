"""OTLP/JSON: ids in hex, 64-bit integers as text or numbers, enumerations as numbers or names, null unset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from headwater_collector.errors import Malformed

from .attributes import json_attributes
from .columns import BatchBuilder, Event, Link
from .interned import Resource, Scope, resource_of, scope_of

_KINDS = {
    "SPAN_KIND_UNSPECIFIED": 0,
    "SPAN_KIND_INTERNAL": 1,
    "SPAN_KIND_SERVER": 2,
    "SPAN_KIND_CLIENT": 3,
    "SPAN_KIND_PRODUCER": 4,
    "SPAN_KIND_CONSUMER": 5,
}
_STATUSES = {"STATUS_CODE_UNSET": 0, "STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2}
_HEX = frozenset("0123456789abcdef")


def parse_json(body: bytes) -> tuple[dict[str, Any], bool]:
    """(the request, whether its text had to be repaired); raises Malformed."""
    repaired = False
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        try:
            body.decode()
        except UnicodeDecodeError:
            repaired = True
        if not repaired:
            raise Malformed(f"The body is no JSON: {error}.") from error
        try:
            document = orjson.loads(body.decode("utf-8", "replace"))
        except orjson.JSONDecodeError:
            raise Malformed(f"The body is no JSON: {error}.") from error
    if not isinstance(document, dict):
        raise Malformed("The body is no OTLP/JSON: it is not one object.")
    return document, repaired


def check_json(body: bytes, keys: tuple[str, str, str]) -> tuple[int, int, bool]:
    """Parse and look at the outer shape, such as resourceSpans, scopeSpans, spans. Raises Malformed.

    Returns how many of the innermost there are, how many of them are no objects, and whether the outermost
    was there at all.
    """
    document, _ = parse_json(body)
    level: list[Any] = [document]
    for key in keys:
        below: list[Any] = []
        for holder in level:
            if not isinstance(holder, dict):
                raise Malformed(f"The body is no OTLP/JSON: what should hold {key} is no object.")
            entries = holder.get(key)
            if entries is None:
                continue
            if not isinstance(entries, list):
                raise Malformed(f"The body is no OTLP/JSON: {key} is not a list.")
            below.extend(entries)
        level = below
    wrong = sum(not isinstance(one, dict) for one in level)
    return len(level), wrong, document.get(keys[0]) is not None or not document


def _objects(holder: Mapping[str, Any], key: str) -> Iterator[dict[str, Any]]:
    for item in holder.get(key) or ():
        if not isinstance(item, dict):
            raise ValueError(f"{key} holds something that is no object")
        yield item


def read_json(builder: BatchBuilder, body: bytes) -> None:
    """Add every span of a request."""
    document, repaired = parse_json(body)
    builder.repairs["bad_text"] += repaired
    for of_resource in _objects(document, "resourceSpans"):
        resource = of_resource.get("resource") or {}
        attributes = json_attributes(resource.get("attributes"))
        owner = resource_of(attributes, str(of_resource.get("schemaUrl") or ""))
        builder.resource(owner)
        for of_scope in _objects(of_resource, "scopeSpans"):
            scope = of_scope.get("scope") or {}
            maker = scope_of(
                str(scope.get("name") or ""),
                str(scope.get("version") or ""),
                json_attributes(scope.get("attributes")),
            )
            builder.scope(maker)
            for span in of_scope.get("spans") or ():
                _read_span(builder, owner, maker, span)


def _read_span(builder: BatchBuilder, resource: Resource, scope: Scope, span: Any) -> None:
    try:
        given = span.get("attributes") or ()
        attributes = json_attributes(given)
        builder.repairs["duplicate_key"] += len(given) - len(attributes)
        status = span.get("status") or {}
        refused = builder.add_span(
            resource,
            scope,
            _id(span.get("traceId")),
            _id(span.get("spanId")),
            _id(span.get("parentSpanId")),
            str(span.get("traceState") or ""),
            _whole(span.get("flags")) & 0xFFFFFFFF,
            str(span.get("name") or ""),
            _word(span.get("kind"), _KINDS),
            _whole(span.get("startTimeUnixNano")),
            _whole(span.get("endTimeUnixNano")),
            _word(status.get("code"), _STATUSES),
            str(status.get("message") or ""),
            attributes,
            (
                _count(span.get("droppedAttributesCount")),
                _count(span.get("droppedEventsCount")),
                _count(span.get("droppedLinksCount")),
            ),
            [_event(event) for event in _objects(span, "events")],
            [_link(link) for link in _objects(span, "links")],
        )
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        builder.refuse(
            "malformed_span", f"A span of {resource.service} could not be read: {error}.", _raw(span)
        )
        return
    if refused is not None:
        builder.refuse(
            refused,
            f"A span of {resource.service} named {str(span.get('name'))[:80]!r} has a {refused.replace('_', ' ')} "
            "that is zero or no hex of the right length.",
            _raw(span),
        )


def _event(event: Mapping[str, Any]) -> Event:
    return (
        _whole(event.get("timeUnixNano")),
        str(event.get("name") or ""),
        json_attributes(event.get("attributes")),
    )


def _link(link: Mapping[str, Any]) -> Link:
    return (
        _id(link.get("traceId")),
        _id(link.get("spanId")),
        str(link.get("traceState") or ""),
        _whole(link.get("flags")) & 0xFFFFFFFF,
        json_attributes(link.get("attributes")),
    )


def _id(value: Any) -> str:
    """Lower-case hex; what is no hex comes back as something no id can be."""
    if value is None or value == "":
        return ""
    text = str(value).lower()
    return text if _HEX.issuperset(text) else "?"


def _whole(value: Any) -> int:
    if value is None or value == "":
        return 0
    return int(value)


def _count(value: Any) -> int:
    return min(max(_whole(value), 0), 0xFFFFFFFF)


def _word(value: Any, words: Mapping[str, int]) -> int:
    if isinstance(value, str) and not value.lstrip("-").isdigit():
        return words.get(value.upper(), 0)
    return _whole(value)


def _raw(span: Any) -> bytes:
    try:
        return orjson.dumps(span)
    except TypeError:  # nested deeper than can be written
        return b""
