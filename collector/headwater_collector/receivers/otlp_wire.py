"""OTLP at the level of lengths: is it framed at all, which part is bad, and the errors that doors answer.

Pure functions over bytes; nothing here knows of sockets.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from headwater_collector.errors import Malformed
from headwater_collector.receivers import otlp_schema

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5

# The fields to descend by: request -> resource_spans -> scope_spans -> spans (metrics and logs are alike).
_CHILDREN = (1, 2, 2)
_LEVELS = ("request", "resource", "scope")


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise Malformed("The body is no OTLP: a number is cut off.")


def check_framing(body: bytes) -> int:
    """Walk the lengths down to the spans, not into them; returns how many spans are framed.

    Raises Malformed. A span that is bad inside passes: it costs only itself, later.
    """
    return _walk(body, 0, len(body), 0)


def _walk(data: bytes, at: int, end: int, level: int) -> int:
    child = _CHILDREN[level]
    last = level == len(_CHILDREN) - 1
    found = 0
    while at < end:
        tag = data[at]
        at += 1
        if tag >= 0x80:
            tag, at = _varint(data, at - 1, end)
        wire = tag & 7
        field = tag >> 3
        if wire == LENGTH and field:
            if at >= end:
                raise Malformed(f"The body is no OTLP: the {_LEVELS[level]} ends within a length.")
            length = data[at]
            at += 1
            if length >= 0x80:
                length, at = _varint(data, at - 1, end)
            stop = at + length
            if stop > end:
                raise Malformed(f"The body is no OTLP: a part is longer than the {_LEVELS[level]} around it.")
            if field == child:
                found += 1 if last else _walk(data, at, stop, level + 1)
            at = stop
            continue
        if field == 0 or field == child:
            raise Malformed(f"The body is no OTLP: the {_LEVELS[level]} holds a field of the wrong type.")
        at = _skip(data, at, end, wire)
    return found


def mend(body: bytes) -> tuple[bytes, int, int]:
    """What is framed of a request that `check_framing` refuses: its bytes, its spans, and how often it was cut.

    A part whose inside breaks off keeps what stands before the fault. Raises Malformed where the fault lies
    outside all parts: nothing tells then where the next one would begin.
    """
    return _mend(body, 0)


def _mend(data: bytes, level: int) -> tuple[bytes, int, int]:
    out: list[bytes] = []
    found = cuts = at = 0
    end = len(data)
    while at < end:
        begin = at
        try:
            tag, at = _varint(data, at, end)
            field, wire = tag >> 3, tag & 7
            if field == 0 or (field == _CHILDREN[level] and wire != LENGTH):
                raise Malformed(f"The body is no OTLP: the {_LEVELS[level]} holds a field of the wrong type.")
            if wire != LENGTH:
                at = _skip(data, at, end, wire)
                out.append(data[begin:at])
                continue
            length, at = _varint(data, at, end)
            if at + length > end:
                raise Malformed(f"The body is no OTLP: a part is longer than the {_LEVELS[level]} around it.")
        except Malformed:
            if level == 0:
                raise
            return b"".join(out), found, cuts + 1
        part, at = data[at : at + length], at + length
        if field != _CHILDREN[level] or level == len(_CHILDREN) - 1:
            found += field == _CHILDREN[level]
            out.append(data[begin:at])
            continue
        inner, inner_found, inner_cuts = _mend(part, level + 1)
        out.append(field_bytes(field, inner))
        found, cuts = found + inner_found, cuts + inner_cuts
    return b"".join(out), found, cuts


def _skip(data: bytes, at: int, end: int, wire: int) -> int:
    if wire == VARINT:
        return _varint(data, at, end)[1]
    if wire == FIXED64:
        at += 8
    elif wire == FIXED32:
        at += 4
    else:
        raise Malformed("The body is no OTLP: it holds a wire type that OTLP does not use.")
    if at > end:
        raise Malformed("The body is no OTLP: a number is cut off.")
    return at


def _parts(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(field number, bytes) of every length-delimited field; the framing has been checked."""
    at, end = 0, len(data)
    while at < end:
        tag, at = _varint(data, at, end)
        if tag & 7 == LENGTH:
            length, at = _varint(data, at, end)
            yield tag >> 3, data[at : at + length]
            at += length
        else:
            at = _skip(data, at, end, tag & 7)


def salvage(body: bytes) -> tuple[Any, list[tuple[str, bytes]]]:
    """Read every good span of a request in which some part is bad.

    Returns the request and (reason, bytes) of each part that is lost; raises Malformed if it is not framed.
    """
    check_framing(body)
    request = otlp_schema.Request()
    bad: list[tuple[str, bytes]] = []

    def read(message: Any, data: bytes, reason: str) -> bool:
        try:
            message.MergeFromString(data)
        except DecodeError:
            message.Clear()
            bad.append((reason, data))
            return False
        return True

    for number, resource_spans in _parts(body):
        if number != 1:
            continue
        of_resource = request.resource_spans.add()
        for part, data in _parts(resource_spans):
            if part == 1:
                read(of_resource.resource, data, "malformed_resource")
            elif part == 3:
                of_resource.schema_url = data
            elif part == 2:
                of_scope = of_resource.scope_spans.add()
                for inner, inner_data in _parts(data):
                    if inner == 1:
                        read(of_scope.scope, inner_data, "malformed_scope")
                    elif inner == 2:
                        span = otlp_schema.Span()
                        if read(span, inner_data, "malformed_span"):
                            of_scope.spans.append(span)
    return request, bad


def field_bytes(number: int, data: bytes) -> bytes:
    """A length-delimited field of a number up to 15."""
    return bytes((number << 3 | LENGTH,)) + _number(len(data)) + data


def number_field(number: int, value: int) -> bytes:
    """A whole-number field of a number up to 15."""
    return bytes((number << 3,)) + _number(value)


def _number(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def status_bytes(code: int, message: str, retry_seconds: int | None = None) -> bytes:
    """google.rpc.Status in protobuf, with google.rpc.RetryInfo where a retry helps.

    Written by hand: the package that holds these two messages is not among OTLP's own.
    """
    status = number_field(1, code) + field_bytes(2, message.encode())
    if retry_seconds is not None:
        delay = field_bytes(1, number_field(1, retry_seconds))
        detail = field_bytes(1, b"type.googleapis.com/google.rpc.RetryInfo") + field_bytes(2, delay)
        status += field_bytes(3, detail)
    return status
