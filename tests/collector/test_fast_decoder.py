"""The fast path says what the protobuf path says, span for span and field for field, of everything."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from builders import a_request, a_send
from collector_process import SHARED_DATA
from decoder_helpers import (
    IDS,
    a_random_request,
    a_random_span,
    around,
    differences,
    field,
    requests_of,
    spoilt,
)
from headwater_collector.receivers.otlp_decode import Decoder, Kind, RawRequest
from headwater_collector.receivers.otlp_wire import check_framing

if TYPE_CHECKING:
    from headwater_collector.receivers.fast.decoder import FastDecoder

NOW = 1_790_000_000_000_000_000
RECORDED = SHARED_DATA / "otel-demo-2024-10-traces.jsonl"
MALFORMED = SHARED_DATA / "otlp-malformed"


def check(fast: FastDecoder, *bodies: bytes, kind: Kind = Kind.HTTP_PROTOBUF) -> None:
    """Both decoders, from the same state, of the same requests."""
    requests = [RawRequest(NOW + number, kind, body) for number, body in enumerate(bodies)]
    fast.forget()
    assert differences(fast.decode(requests), Decoder().decode(requests)) == {}


def as_protobuf(line: str) -> bytes:
    """A line of OTLP/JSON as protobuf, its hex ids as bytes."""
    import base64

    from google.protobuf.json_format import ParseDict  # type: ignore[import-untyped]

    def unhexed(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: base64.b64encode(bytes.fromhex(item)).decode()
                if key in ("traceId", "spanId", "parentSpanId")
                else unhexed(item)
                for key, item in value.items()
            }
        return [unhexed(item) for item in value] if isinstance(value, list) else value

    request = ParseDict(unhexed(json.loads(line)), ExportTraceServiceRequest(), ignore_unknown_fields=True)
    found: bytes = request.SerializeToString()
    return found


def test_recorded_traces(fast: FastDecoder) -> None:
    if not RECORDED.exists():
        pytest.skip(f"{RECORDED} is not there")
    bodies = [as_protobuf(line) for line in RECORDED.read_text().splitlines()]
    check(fast, *bodies)
    batch, _ = fast.decode(requests_of(bodies, NOW))
    assert (batch.spans.num_rows, batch.links.num_rows) == (547, 53)


def test_everything_malformed_that_was_collected(fast: FastDecoder) -> None:
    if not MALFORMED.exists():
        pytest.skip(f"{MALFORMED} is not there")
    for path in sorted(MALFORMED.iterdir()):
        whole = path.read_bytes()
        for body in (whole, *whole.splitlines()):
            check(fast, body)
            check(fast, body, kind=Kind.HTTP_JSON)


def test_generated_requests_whole_and_spoilt(fast: FastDecoder) -> None:
    dice = random.Random(7)
    done = 0
    while done < 10_000:
        whole = [a_random_request(dice, NOW).SerializeToString() for _ in range(50)]
        bodies = whole + [spoilt(body, dice) for body in whole for _ in range(9)]
        check(fast, *bodies)
        done += len(bodies)


def test_cut_at_every_byte(fast: FastDecoder) -> None:
    dice = random.Random(3)
    body = a_request(*(a_random_span(dice, NOW) for _ in range(3))).SerializeToString()
    check(fast, *(body[:cut] for cut in range(len(body))))


def test_every_byte_changed(fast: FastDecoder) -> None:
    dice = random.Random(4)
    body = a_request(*(a_random_span(dice, NOW) for _ in range(2))).SerializeToString()
    bodies = []
    for at in range(len(body)):
        for bits in (0x01, 0x80, 0x9D):
            changed = bytearray(body)
            changed[at] ^= bits
            bodies.append(bytes(changed))
    check(fast, *bodies)


STRANGE: list[tuple[str, bytes]] = [
    ("nothing", b""),
    ("a length of 2^64 - 1", IDS + b"\x4a" + b"\xff" * 9 + b"\x01"),
    ("a length of 2^63", IDS + b"\x4a" + b"\x80" * 9 + b"\x01"),
    ("a length in more bytes than it needs", IDS + b"\x2a\x81\x80\x80\x00a"),
    ("a length in ten bytes", IDS + b"\x2a\x81" + b"\x80" * 8 + b"\x00a"),
    ("a length beyond its parent", IDS + b"\x4a\x05\x0a\x7fab"),
    ("a group", IDS + b"\x23\x08\x01\x24"),
    ("a group that does not end", IDS + b"\x23\x08\x01"),
    ("a group's end alone", IDS + b"\x24"),
    ("field 0", IDS + b"\x02\x01a"),
    ("wire type 6", IDS + b"\x4e\x01a"),
    (
        "an unknown field of each type",
        IDS + b"\xa0\x01\x05\xa1\x01" + bytes(8) + b"\xa2\x01\x01a\xa5\x01" + bytes(4),
    ),
    ("an unknown field of a large number", IDS + b"\xf8\xff\xff\xff\x0f\x01"),
    ("known fields of another type", IDS + b"\x48\x01\x35" + bytes(4) + b"\x38\x01"),
    ("a tag in more bytes than it needs", IDS + b"\xaa\x00\x01a"),
    ("fields twice, the last counts", IDS + field(5, b"one") + field(5, b"two") + b"\x30\x01\x30\x02"),
    ("fields in another order", field(5, b"n") + field(9, field(1, b"k")) + IDS),
    ("status twice", IDS + field(15, b"\x18\x02" + field(2, b"a")) + field(15, b"\x18\x01")),
    ("a status cut off", IDS + field(15, b"\x18")),
    ("an enumeration beyond 32 bits", IDS + b"\x30\x82\x80\x80\x80\x10"),
    ("an enumeration below zero", IDS + b"\x30" + b"\xff" * 9 + b"\x01"),
    ("an eleventh byte of a number", IDS + b"\x30" + b"\x80" * 10 + b"\x01"),
    ("a tenth byte of a number that is too large", IDS + b"\x30" + b"\xff" * 9 + b"\x7f"),
    ("a key alone", IDS + field(9, field(1, b"k"))),
    ("a value alone", IDS + field(9, field(2, b"\x18\x05"))),
    ("an attribute of nothing", IDS + field(9, b"")),
    ("a value before its key", IDS + field(9, field(2, b"\x18\x05") + field(1, b"k"))),
    ("a key twice in one attribute", IDS + field(9, field(1, b"k") + field(1, b"l") + field(2, b"\x18\x05"))),
    ("two values in one", IDS + field(9, field(1, b"k") + field(2, b"\x18\x05\x10\x01"))),
    ("a number cut off", IDS + field(9, field(1, b"k") + field(2, b"\x18"))),
    ("a truth cut off", IDS + field(9, field(1, b"k") + field(2, b"\x10\x80"))),
    ("a truth of 5", IDS + field(9, field(1, b"k") + field(2, b"\x10\x05"))),
    ("a double cut off", IDS + field(9, field(1, b"k") + field(2, b"\x21abc"))),
    ("a value of a later protocol", IDS + field(9, field(1, b"k") + field(2, b"\x40\x05"))),
    ("text that is no UTF-8", IDS + field(9, field(1, b"k\xff") + field(2, field(1, b"\xc3")))),
    ("half a pair of surrogates", IDS + field(9, field(1, b"k") + field(2, field(1, b"\xed\xa0\x80")))),
    ("a name that is no UTF-8", IDS + field(5, b"ab\x80")),
    (
        "a topic that is a number",
        IDS + field(9, field(1, b"messaging.destination.name") + field(2, b"\x18\x05")),
    ),
    ("an id too long", field(1, bytes(range(1, 18))) + field(2, bytes(range(1, 9)))),
    ("an id of zeros", field(1, bytes(16)) + field(2, bytes(range(1, 9)))),
    ("a parent too short", IDS + field(4, b"abc")),
    ("a parent of zeros", IDS + field(4, bytes(8))),
]


@pytest.mark.parametrize(("what", "span"), STRANGE, ids=[what for what, _ in STRANGE])
def test_strange_bytes(fast: FastDecoder, what: str, span: bytes) -> None:
    good = a_send("orders", 1, 2, start_ns=NOW).SerializeToString()
    check(fast, around(good, span, good), around(span))


FRAMES: list[tuple[str, bytes]] = [
    ("two resources", field(1, field(1, b"") + field(1, b"") + field(2, field(2, IDS)))),
    ("two scopes", field(1, field(2, field(1, b"") + field(2, IDS) + field(1, field(1, b"s"))))),
    ("a resource that is none", field(1, field(1, b"\x0a\x05ab") + field(2, field(2, IDS)))),
    ("a scope that is none", field(1, field(2, field(1, b"\x0a\x05ab") + field(2, IDS)))),
    ("a resource after its spans", field(1, field(2, field(2, IDS)) + field(1, field(1, field(1, b"k"))))),
    ("spans of another type", field(1, field(2, b"\x10\x01"))),
    ("a group around all", b"\x0b\x0c" + around(IDS)),
    ("unknown fields", b"\x10\x01" + field(1, b"\x28\x01" + field(2, b"\x28\x01" + field(2, IDS)))),
    (
        "resources without spans",
        field(1, field(1, field(1, field(1, b"k")))) + field(1, b"") + field(1, field(2, b"")),
    ),
    (
        "a resource with bad text",
        field(1, field(1, field(1, field(1, b"\xff"))) + 2 * field(2, field(2, IDS))),
    ),
    ("a schema URL twice", field(1, field(3, b"a") + field(2, field(2, IDS)) + field(3, b"b"))),
]


@pytest.mark.parametrize(("what", "body"), FRAMES, ids=[what for what, _ in FRAMES])
def test_strange_frames(fast: FastDecoder, what: str, body: bytes) -> None:
    check(fast, around(IDS), body, body, around(IDS))


def test_the_door_counts_the_same_spans(fast: FastDecoder) -> None:
    dice = random.Random(9)
    whole = [a_random_request(dice, NOW).SerializeToString() for _ in range(100)]
    counted = 0
    for body in [*whole, *(spoilt(body, dice) for body in whole * 10), *(body for _, body in FRAMES)]:
        found = fast.count(body)
        if found is not None:
            assert found == check_framing(body)
            counted += 1
    assert counted >= len(whole), "what is not spoilt is counted"
    assert fast.count(b"") == 0
