"""OTLP at the level of lengths: is it framed at all, which part is bad, and the errors that doors answer.

Pure functions over bytes; nothing here knows of sockets.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from google.protobuf import (  # type: ignore[import-untyped]
    descriptor_pb2,
    descriptor_pool,
    message_factory,
)
from google.protobuf.message import DecodeError, Message  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from headwater_collector.errors import Malformed

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


class Salvaged:
    """What could be read of a request that protobuf refuses as a whole."""

    def __init__(self) -> None:
        self.request = trace_service_pb2.ExportTraceServiceRequest()
        self.bad: list[tuple[str, bytes]] = []
        """(reason, bytes) of each part that is lost."""
        self.repaired = 0
        """Parts whose text was not UTF-8 and has been replaced where it was not."""

    def read(self, target: Any, data: bytes, what: str) -> bool:
        """Parse data into the message `target`, repairing text; False if it is lost."""
        try:
            target.MergeFromString(data)
            return True
        except DecodeError:
            target.Clear()
        try:
            target.MergeFromString(_replace_bad_text(type(target), data))
        except DecodeError:
            target.Clear()
            self.bad.append((what, data))
            return False
        self.repaired += 1
        return True


def salvage(body: bytes) -> Salvaged:
    """Read every good span of a request in which some part is bad; raises Malformed if it is not framed."""
    check_framing(body)
    result = Salvaged()
    for number, resource_spans in _parts(body):
        if number != 1:
            continue
        of_resource = result.request.resource_spans.add()
        for part, data in _parts(resource_spans):
            if part == 1:
                result.read(of_resource.resource, data, "malformed_resource")
            elif part == 2:
                _salvage_scope(result, of_resource.scope_spans.add(), data)
            elif part == 3:
                of_resource.schema_url = data.decode("utf-8", "replace")
    return result


def _salvage_scope(result: Salvaged, of_scope: trace_pb2.ScopeSpans, scope_spans: bytes) -> None:
    for part, data in _parts(scope_spans):
        if part == 1:
            result.read(of_scope.scope, data, "malformed_scope")
        elif part == 2:
            span = trace_pb2.Span()
            if result.read(span, data, "malformed_span"):
                of_scope.spans.append(span)


@cache
def _lenient_pool() -> descriptor_pool.DescriptorPool:
    """OTLP's own descriptors with every text field read as bytes, so that bad UTF-8 parses."""
    pool = descriptor_pool.DescriptorPool()
    for module in (common_pb2, resource_pb2, trace_pb2):
        file = descriptor_pb2.FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(file)
        messages = list(file.message_type)
        while messages:
            message = messages.pop()
            messages.extend(message.nested_type)
            for field in message.field:
                if field.type == descriptor_pb2.FieldDescriptorProto.TYPE_STRING:
                    field.type = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES
        pool.Add(file)
    return pool


def _replace_bad_text(kind: Any, data: bytes) -> bytes:
    descriptor = _lenient_pool().FindMessageTypeByName(kind.DESCRIPTOR.full_name)
    message = message_factory.GetMessageClass(descriptor).FromString(data)
    _repair(message, kind.DESCRIPTOR)
    repaired: bytes = message.SerializeToString()
    return repaired


def _repair(message: Message, strict: Any) -> None:
    for field, value in message.ListFields():
        wanted = strict.fields_by_name[field.name]
        if wanted.message_type is not None:
            for item in value if hasattr(value, "append") else (value,):
                _repair(item, wanted.message_type)
        elif wanted.type == wanted.TYPE_STRING:
            if hasattr(value, "append"):
                value[:] = [item.decode("utf-8", "replace").encode() for item in value]
            else:
                setattr(message, field.name, value.decode("utf-8", "replace").encode())


def _field(number: int, data: bytes) -> bytes:
    return bytes((number << 3 | LENGTH,)) + _number(len(data)) + data


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
    status = bytes((0x08,)) + _number(code) + _field(2, message.encode())
    if retry_seconds is not None:
        delay = _field(1, bytes((0x08,)) + _number(retry_seconds))
        detail = _field(1, b"type.googleapis.com/google.rpc.RetryInfo") + _field(2, delay)
        status += _field(3, detail)
    return status
