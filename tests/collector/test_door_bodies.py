"""What comes packed, and what is right in part: bounded, kept as far as it is right, and said."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path

import grpc
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from builders import a_request, a_span
from door_helpers import JSON, PROTOBUF, TRACES, Doors, open_doors
from headwater_collector.errors import Malformed, TooLarge
from headwater_collector.receivers.intake import DoorBounds
from headwater_collector.receivers.otlp_wire import check_framing, field_bytes, mend
from headwater_collector.receivers.unpack import gunzip, unzstd

LIMIT = 1 << 20


def zstd(data: bytes) -> bytes:
    packed: bytes = pa.compress(data, codec="zstd", asbytes=True)
    return packed


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    with open_doors(tmp_path_factory.mktemp("bodies"), bounds=DoorBounds(body_bytes=LIMIT)) as running:
        yield running


@pytest.mark.parametrize("spans", [1, 500])
@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("zstd", zstd)])
@pytest.mark.parametrize("door", ["protobuf", "json"])
def test_packed_bodies_arrive(doors: Doors, encoding: str, pack: object, spans: int, door: str) -> None:
    body = a_request(*(a_span(os.urandom(150).hex()) for _ in range(spans))).SerializeToString()
    if door == "json":
        spans_json = [{"traceId": "a" * 32, "spanId": "b" * 16, "name": os.urandom(150).hex()}] * spans
        body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans_json}]}]}).encode()
    assert callable(pack)
    headers = {**(JSON if door == "json" else PROTOBUF), "Content-Encoding": encoding}
    assert doors.post(pack(body), headers)[0] == 200
    assert doors.kept()[-1] == body


@pytest.mark.parametrize("unpack", [gunzip, unzstd])
def test_members_one_after_another_are_one_body(unpack: object) -> None:
    pack = gzip.compress if unpack is gunzip else zstd
    assert callable(unpack)
    assert unpack(pack(b"one") + pack(b"") + pack(b"two"), 100) == b"onetwo"
    assert unpack(pack(b"x" * 100), 100) == b"x" * 100
    with pytest.raises(TooLarge):
        unpack(pack(b"x" * 60) + pack(b"y" * 41), 100)


@given(data=st.binary(max_size=60), at=st.integers(0, 200))
def test_cut_off_or_spoilt_anywhere_it_is_one_clear_sentence(data: bytes, at: int) -> None:
    for pack, unpack in ((gzip.compress, gunzip), (zstd, unzstd)):
        packed = pack(data * 20)
        for spoilt in (packed[: 1 + at % (len(packed) - 1)], packed + b"garbage", b"\x28" + packed[1:]):
            try:
                assert unpack(spoilt, 10_000) == data * 20
            except Malformed as error:
                assert str(error).endswith(".")


def test_a_bomb_is_not_unpacked_further_than_is_taken() -> None:
    bomb = zstd(bytes(2 << 30))
    assert len(bomb) < 100_000
    pool = pa.default_memory_pool()
    before = pool.bytes_allocated()
    with pytest.raises(TooLarge, match="more than the 1048576 bytes"):
        unzstd(bomb, LIMIT)
    assert pool.max_memory() - before < 64 << 20
    with pytest.raises(TooLarge):
        gunzip(gzip.compress(bytes(64 << 20)), LIMIT)


def test_a_thousand_empty_members_are_refused() -> None:
    with pytest.raises(Malformed, match="members"):
        gunzip(gzip.compress(b"") * 1000, LIMIT)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_bombs_are_refused_at_the_door(doors: Doors, encoding: str) -> None:
    bomb = (gzip.compress if encoding == "gzip" else zstd)(bytes(40 * LIMIT))
    assert doors.post(bomb, {**PROTOBUF, "Content-Encoding": encoding})[0] == 413
    status, _, said = doors.post(b"no such thing", {**PROTOBUF, "Content-Encoding": encoding})
    assert status == 400
    assert encoding.encode() in said


def broken_request() -> tuple[bytes, list[str]]:
    """A request whose first resource breaks off behind its first span; names of the spans that are framed."""
    good = a_request(a_span("one"), a_span("two")).SerializeToString()
    first = ExportTraceServiceRequest.FromString(good).resource_spans[0]
    scope = first.scope_spans[0].SerializeToString()
    broken = field_bytes(2, scope[:-5])  # the second span is longer than what is around it
    return field_bytes(1, broken) + a_request(a_span("three")).SerializeToString(), ["one", "three"]


def names_in(body: bytes) -> list[str]:
    request = ExportTraceServiceRequest.FromString(body)
    return [s.name for r in request.resource_spans for c in r.scope_spans for s in c.spans]


def test_what_is_framed_is_kept_and_the_rest_is_told_as_rejected(doors: Doors) -> None:
    body, names = broken_request()
    status, _, answered = doors.post(body)
    assert status == 200
    partial = ExportTraceServiceResponse.FromString(answered).partial_success
    assert partial.rejected_spans == 1
    assert "2 spans were kept" in partial.error_message
    assert names_in(doors.kept()[-1]) == names
    with grpc.insecure_channel(doors.grpc) as channel:
        answered = channel.unary_unary(TRACES)(body, timeout=60)
    assert ExportTraceServiceResponse.FromString(answered).partial_success == partial
    reasons = doors.counters.row()["quarantine_reasons"]
    assert isinstance(reasons, dict)
    assert reasons["rejected_part"] >= 2


def test_json_spans_that_are_no_objects_are_told_as_rejected(doors: Doors) -> None:
    spans: list[object] = [{"traceId": "a" * 32, "spanId": "b" * 16}, 7, None]
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode()
    status, _, answered = doors.post(body, JSON)
    assert status == 200
    partial = json.loads(answered)["partialSuccess"]
    assert partial["rejectedSpans"] == "2"
    assert partial["errorMessage"] == "2 of 3 spans are no objects and were not kept."


def test_json_whose_outer_parts_are_no_objects_is_refused(doors: Doors) -> None:
    assert doors.post(b'{"resourceSpans": [7]}', JSON)[0] == 400
    assert doors.post(b'{"resourceSpans": [{"scopeSpans": ["x"]}]}', JSON)[0] == 400


@given(cut=st.integers(0, 200), at=st.integers(0, 200), byte=st.integers(0, 255))
def test_mending_gives_something_framed_or_refuses(cut: int, at: int, byte: int) -> None:
    body = bytearray(broken_request()[0])
    body[at % len(body)] = byte
    try:
        mended, found, cuts = mend(bytes(body[: len(body) - cut % len(body)]))
    except Malformed:
        return
    assert check_framing(mended) == found
    assert cuts >= 0


def test_an_uncompressed_body_of_the_exact_limit_is_taken(tmp_path: Path) -> None:
    body = a_request(a_span("x" * 500)).SerializeToString()
    with open_doors(tmp_path, bounds=DoorBounds(body_bytes=len(body))) as doors:
        assert doors.post(body)[0] == 200
        assert doors.post(zstd(body), {**PROTOBUF, "Content-Encoding": "zstd"})[0] == 200
        assert doors.post(body + b"\x12\x00")[0] == 413
