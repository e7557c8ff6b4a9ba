"""The two decoders side by side: requests of every shape, requests spoilt, and whether both say the same of them."""

from __future__ import annotations

import random
import struct
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from builders import a_request, a_span, add_to, attributes_of
from headwater_collector.receivers.otlp_decode import RawRequest
from headwater_collector.records import SpanBatch

TABLES = ("spans", "links", "events", "resources", "scopes")
DecodeCall = Callable[[Sequence[RawRequest]], tuple[SpanBatch, Counter[str]]]

PROMOTED = (
    "messaging.destination.name",
    "messaging.destination",
    "messaging.destination.partition.id",
    "messaging.kafka.partition",
    "messaging.kafka.offset",
    "messaging.kafka.message.offset",
    "messaging.consumer.group.name",
    "messaging.operation.type",
    "messaging.operation",
    "messaging.kafka.cluster.id",
    "messaging.system",
    "headwater.event.id",
    "error.type",
    "exception.type",
)
_TEXTS: tuple[str, ...] = (
    "",
    "a",
    "orders",
    "publish",
    "deliver",
    "process",
    "12",
    "007",
    " 5",
    "x" * 40,
    'q"\\/\n\t\x00\x1f\x7f',
)
_TEXTS += ("ä€\U0001f600", "ж" * 30, "seven77", "eight888", "nine99999", "exception")
_WHOLE = (0, 1, -1, 127, 128, 2**31 - 1, 2**31, 2**53, 2**63 - 1, -(2**63))
_DOUBLES = (
    0.0,
    -0.0,
    0.1,
    1.0,
    1e16,
    1e15,
    1.5e300,
    5e-324,
    1e-5,
    1e-7,
    float("nan"),
    float("inf"),
    -float("inf"),
)


def a_random_value(dice: random.Random, depth: int = 0) -> object:
    """A value of any type that OTLP has."""
    kind = dice.randrange(9 if depth < 3 else 6)
    if kind <= 1:
        return dice.choice(_TEXTS)
    if kind == 2:
        return dice.choice(_WHOLE) if dice.random() < 0.7 else dice.getrandbits(63)
    if kind == 3:
        if dice.random() < 0.5:
            return dice.choice(_DOUBLES)
        found: float = struct.unpack("<d", dice.randbytes(8))[0]
        return found
    if kind == 4:
        return dice.choice((True, False, None))
    if kind == 5:
        return dice.randbytes(dice.randrange(8))
    if kind == 6:
        return {str(dice.choice(_TEXTS)): a_random_value(dice, depth + 1) for _ in range(dice.randrange(4))}
    return [a_random_value(dice, depth + 1) for _ in range(dice.randrange(4))]


def random_attributes(dice: random.Random) -> dict[str, object]:
    """Attributes with many of those that become columns."""
    keys = dice.sample(PROMOTED, dice.randrange(6)) + [dice.choice(_TEXTS) for _ in range(dice.randrange(4))]
    return {key: a_random_value(dice) for key in keys}


def a_random_span(dice: random.Random, now_ns: int) -> Span:
    """A span that uses each field now and then."""
    span = a_span(
        dice.choice(_TEXTS),
        kind=dice.choice(("internal", "server", "client", "producer", "consumer")),
        trace_id=dice.randbytes(16).hex(),
        span_id=dice.randbytes(8).hex(),
        parent=dice.choice(("", dice.randbytes(8).hex(), "00" * 8, "ab")),
        start_ns=now_ns - dice.randrange(10**12) if dice.random() < 0.8 else dice.choice((0, 5, 2**64 - 1)),
        end_ns=now_ns if dice.random() < 0.8 else dice.choice((0, 5, 2**63, 2**64 - 1)),
        links=[
            (dice.randbytes(16).hex(), dice.randbytes(dice.choice((8, 8, 3))).hex(), random_attributes(dice))
            for _ in range(dice.choice((0, 0, 0, 1, 3)))
        ],
        events=[
            (dice.choice(("exception", "retry", "ж")), random_attributes(dice))
            for _ in range(dice.choice((0, 0, 0, 1, 3)))
        ],
        attributes=random_attributes(dice),
    )
    if dice.random() < 0.3:
        span.trace_state, span.flags = dice.choice(_TEXTS), dice.getrandbits(32)
        span.dropped_attributes_count = dice.getrandbits(32)
        span.dropped_events_count, span.dropped_links_count = dice.randrange(3), dice.randrange(3)
        span.status.code, span.status.message = dice.randrange(3), dice.choice(_TEXTS)  # type: ignore[assignment]
        for link in span.links:
            link.trace_state, link.flags = dice.choice(_TEXTS), dice.getrandbits(32)
    if dice.random() < 0.05:
        span.attributes.extend(attributes_of({"again": 1}))
        span.attributes.extend(attributes_of({"again": 2}))
    return span


def a_random_request(dice: random.Random, now_ns: int) -> ExportTraceServiceRequest:
    """A few spans of a few services."""
    request = a_request(*(a_random_span(dice, now_ns) for _ in range(dice.randrange(4))), resource={"n": 1.5})
    for _ in range(dice.randrange(3)):
        spans = [a_random_span(dice, now_ns) for _ in range(dice.randrange(3))]
        add_to(request, *spans, service=dice.choice(_TEXTS), resource=random_attributes(dice))
    return request


def field(number: int, data: bytes) -> bytes:
    """A length-delimited field."""
    length = bytearray()
    size = len(data)
    while size >= 0x80:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes((number << 3 | 2, *length, size)) + data


def around(*spans: bytes) -> bytes:
    """A request that holds these bytes as its spans."""
    return field(1, field(2, b"".join(field(2, span) for span in spans)))


IDS = field(1, bytes(range(1, 17))) + field(2, bytes(range(1, 9)))
"""Fields of a trace id and a span id."""


def spoilt(body: bytes, dice: random.Random) -> bytes:
    """The same with a few bytes changed, cut, doubled, moved or put in."""
    data = bytearray(body)
    for _ in range(dice.choice((1, 1, 1, 2, 5))):
        if not data:
            break
        at, size = dice.randrange(len(data)), dice.choice((1, 1, 2, 8, 40))
        how = dice.randrange(8)
        if how <= 2:
            data[at] = dice.choice(
                (0, 1, 0x7F, 0x80, 0xFF, 0x0A, 0x12, 0x4A, 0x0B, 0x0C, dice.randrange(256))
            )
        elif how == 3:
            data[at] ^= 1 << dice.randrange(8)
        elif how == 4:
            del data[at : at + size]
        elif how == 5:
            data[at:at] = data[at : at + size]
        elif how == 6:
            data[at:at] = dice.choice((b"\xff" * 9 + b"\x01", b"\x80" * 3 + b"\0", dice.randbytes(size)))
        else:
            del data[at:]
    return bytes(data)


def _sorted(table: pa.Table) -> pa.Table:
    """Rows in an order of their own: the fast path stores those that it did not take itself before the others."""
    order = ("received_at", "first_seen", "trace_id", "span_id", "position", "name", "attributes")
    return table.sort_by([(name, "ascending") for name in order if name in table.column_names])


def _rows(table: pa.Table) -> Counter[str]:
    plain = [
        column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column for column in table.columns
    ]
    return Counter(map(repr, pa.Table.from_arrays(plain, table.column_names).to_pylist()))


def differences(
    one: tuple[SpanBatch, Counter[str]], other: tuple[SpanBatch, Counter[str]]
) -> dict[str, tuple[Any, Any]]:
    """What one batch has and the other has not, by table; empty when they say the same."""
    found: dict[str, tuple[Any, Any]] = {}
    for name in TABLES:
        mine, theirs = getattr(one[0], name), getattr(other[0], name)
        if mine.schema != theirs.schema:
            found[name] = (mine.schema, theirs.schema)
        elif not mine.equals(theirs) and not _sorted(mine).equals(_sorted(theirs)):
            left, right = _rows(mine), _rows(theirs)
            if left != right:
                found[name] = (left - right, right - left)
    quarantined, other_quarantined = (Counter(map(repr, batch.quarantined)) for batch, _ in (one, other))
    if quarantined != other_quarantined:
        found["quarantined"] = (quarantined - other_quarantined, other_quarantined - quarantined)
    if one[1] != other[1]:
        found["repairs"] = (one[1], other[1])
    return found


def requests_of(bodies: Sequence[bytes], now_ns: int) -> list[RawRequest]:
    """Requests a nanosecond apart, so that rows tell which they came in."""
    return [RawRequest(now_ns + number, 1, body) for number, body in enumerate(bodies)]
