"""OTLP over gRPC with clients that drip, flood, send bombs, or have no right to."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]

from builders import a_request, a_span
from door_helpers import TRACES, Doors, RawCall, everything, message, open_doors, slow_disk, until
from headwater_collector.access import Access
from headwater_collector.connections import ConnectionBounds
from headwater_collector.log import LogBounds
from headwater_collector.receivers import otlp_grpc
from headwater_collector.receivers.intake import DoorBounds

BODY = a_request(a_span()).SerializeToString()
LIMIT = 1 << 20


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    with open_doors(tmp_path_factory.mktemp("grpc"), bounds=DoorBounds(body_bytes=LIMIT)) as running:
        yield running
        until(lambda: running.grpc_door.calls == 0)
        assert running.intake.in_flight == 0


def export(doors: Doors, body: bytes = BODY, **keywords: object) -> bytes:
    with grpc.insecure_channel(doors.grpc) as channel:
        answer: bytes = channel.unary_unary(TRACES)(body, timeout=60, **keywords)
        return answer


def retry_of(error: grpc.RpcError) -> int:
    """Seconds of the RetryInfo that came with an error."""
    status = Status.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])
    retry = RetryInfo()
    assert status.code == error.code().value[0]
    assert status.details[0].Unpack(retry)
    return int(retry.retry_delay.seconds)


def test_a_call_is_kept_and_answered(doors: Doors) -> None:
    assert export(doors) == b""
    assert doors.kept()[-1] == BODY


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_a_bomb_is_refused(doors: Doors, compression: grpc.Compression) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        export(doors, bytes(40 * LIMIT), compression=compression)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_calls_that_drip_hold_up_nobody_and_are_given_up(tmp_path: Path) -> None:
    with open_doors(tmp_path, bounds=DoorBounds(read_seconds=1)) as doors:
        calls = []
        for _ in range(otlp_grpc._READING + 20):
            connection = doors.connect("grpc")
            call = RawCall(connection)
            call.send(message(BODY)[:7])
            calls.append((connection, call))
        until(lambda: doors.grpc_door.calls > otlp_grpc._READING)
        with grpc.insecure_channel(doors.grpc) as channel:
            # Whoever meets a full house is told to come again, and then gets in.
            for _ in range(20):
                try:
                    assert channel.unary_unary(TRACES)(BODY, timeout=60) == b""
                    break
                except grpc.RpcError as error:
                    assert error.code() is grpc.StatusCode.UNAVAILABLE
            else:
                raise AssertionError("nobody got in")
        for connection, call in calls:
            trailers = call.trailers()
            assert b"14" in trailers
            assert b"took too long" in trailers
            connection.close()
        until(lambda: doors.grpc_door.calls == 0)
        assert doors.intake.in_flight == 0


def test_a_call_without_a_request_is_refused(doors: Doors) -> None:
    with doors.connect("grpc") as connection:
        call = RawCall(connection)
        call.send(b"", last=True)
        assert b"without a request" in call.trailers()


def test_a_call_that_is_cut_off_leaves_nothing(doors: Doors) -> None:
    before = len(doors.kept())
    with doors.connect("grpc") as connection:
        RawCall(connection).send(message(BODY)[:-3])
        until(lambda: doors.grpc_door.calls == 1)
    until(lambda: doors.grpc_door.calls == 0)
    assert len(doors.kept()) == before


def test_bytes_that_are_no_http2_hurt_nobody(doors: Doors) -> None:
    with doors.connect("grpc") as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n" + os.urandom(5000))
        while connection.recv(65536):
            pass
    assert export(doors) == b""


def test_a_token_is_asked_for_before_the_body_is_read(tmp_path: Path) -> None:
    with open_doors(tmp_path, access=Access("secret")) as doors:
        for given, code in ((), "UNAUTHENTICATED"), ((("authorization", "Bearer wrong"),), "UNAUTHENTICATED"):
            with pytest.raises(grpc.RpcError) as caught:
                export(doors, metadata=given)
            assert caught.value.code().name == code
        export(doors, metadata=(("authorization", "Bearer secret"),))
        with doors.connect("grpc") as connection:
            call = RawCall(connection)
            call.send(message(BODY)[:7])  # and no more
            assert b"A token is needed" in call.trailers()
        assert len(doors.kept()) == 1


def test_a_full_log_names_the_time_to_come_again(tmp_path: Path) -> None:
    with open_doors(tmp_path, log_bounds=LogBounds(most_bytes=300)) as doors:
        with pytest.raises(grpc.RpcError) as caught:
            for number in range(9):
                export(doors, a_request(a_span(f"span {number}")).SerializeToString())
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert retry_of(caught.value) == 10
        status, headers, body = doors.post(BODY)
        assert (status, headers["retry-after"]) == (503, "10")
        answered = Status.FromString(body)
        assert (answered.code, len(answered.details)) == (14, 1)


def test_connections_beyond_the_limit_are_closed_and_the_others_go_on(tmp_path: Path) -> None:
    with open_doors(tmp_path, connections=ConnectionBounds(most=20)) as doors:
        with grpc.insecure_channel(doors.grpc) as channel:
            call = channel.unary_unary(TRACES)
            assert call(BODY, timeout=60) == b""
            flood = [doors.connect("grpc") for _ in range(200)]
            closed = 0
            for connection in flood:
                try:
                    closed += connection.recv(9) == b""
                except ConnectionResetError:
                    closed += 1
            assert closed >= 180
            assert call(BODY, timeout=60) == b""
            for connection in flood:
                connection.close()


def test_a_connection_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    with open_doors(tmp_path, connections=ConnectionBounds(head_seconds=0.5)) as doors:
        with doors.connect("grpc") as connection:
            everything(connection)  # gRPC's own greeting, and the end


def test_calls_that_were_accepted_are_answered_before_the_door_closes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_doors(tmp_path) as doors:
        reached, held = slow_disk(monkeypatch)
        answers: list[bytes] = []
        sender = threading.Thread(target=lambda: answers.append(export(doors)))
        sender.start()
        assert reached.wait(60)
        closer = threading.Thread(target=doors.close)
        closer.start()
        held.set()
        closer.join()
        sender.join()
        assert answers == [b""]
