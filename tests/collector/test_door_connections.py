"""Connections that drip, hang, flood or go away half: each costs itself only, and ends."""

from __future__ import annotations

import asyncio
import http.client
import resource
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from builders import a_request, a_span
from collector_process import a_collector
from door_helpers import Doors, everything, open_doors, slow_disk, until
from headwater_collector.asgi_server import AsgiServer
from headwater_collector.connections import KEPT_DESCRIPTORS, ConnectionBounds, allowed
from headwater_collector.receivers.intake import DoorBounds

MOST = 24
BODY = a_request(a_span()).SerializeToString()
HEAD = b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\n"
WHOLE = HEAD + b"content-length: %d\r\n\r\n" % len(BODY) + BODY


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    bounds = ConnectionBounds(most=MOST, head_seconds=2)
    with open_doors(tmp_path_factory.mktemp("connections"), connections=bounds) as running:
        yield running
        assert running.intake.in_flight == 0, "somebody left with memory"


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    """Doors that soon give up."""
    with open_doors(
        tmp_path_factory.mktemp("hasty"),
        bounds=DoorBounds(read_seconds=0.4),
        connections=ConnectionBounds(head_seconds=0.4, head_bytes=20_000),
    ) as running:
        yield running
        assert running.intake.in_flight == 0, "somebody left with memory"


@pytest.fixture(autouse=True)
def nobody_stays(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    for name in {"doors", "hasty"} & set(request.fixturenames):
        running: Doors = request.getfixturevalue(name)
        until(lambda running=running: running.http_door.server.connections == 0)  # type: ignore[misc]


def answer_of(connection: socket.socket) -> bytes:
    """Status line of what comes next."""
    return connection.recv(65536).split(b"\r\n")[0]


@pytest.mark.parametrize(
    "sent", [b"", b"POST /v1/tr", HEAD, b"\r\n"], ids=["nothing", "line", "head", "empty"]
)
def test_a_head_that_does_not_end_is_given_up(hasty: Doors, sent: bytes) -> None:
    with hasty.connect() as connection:
        connection.sendall(sent)
        assert everything(connection) == b""


@pytest.mark.parametrize("sent", [b"P", b"\r\n"])
def test_so_is_the_head_of_a_further_request(hasty: Doors, sent: bytes) -> None:
    with hasty.connect() as connection:
        connection.sendall(WHOLE)
        assert answer_of(connection) == b"HTTP/1.1 200 OK"
        began = time.monotonic()
        connection.sendall(sent)
        assert everything(connection) == b""
        assert time.monotonic() - began < 30, "that was the time an idle connection has"


def test_a_head_without_end_is_refused_before_it_fills_the_memory(hasty: Doors) -> None:
    with hasty.connect() as connection:
        connection.sendall(HEAD)
        try:
            for number in range(2000):
                connection.sendall(b"x-%d: %s\r\n" % (number, b"y" * 100))
        except (ConnectionResetError, BrokenPipeError):
            pass
        assert everything(connection)[:12] in (b"HTTP/1.1 431", b"")  # a reset may overtake the answer


@pytest.mark.parametrize("ending", [b"1\r\nx\r\n0\r\n", b"1;"], ids=["trailers", "extension"])
def test_so_is_what_has_no_end_beside_the_body(hasty: Doors, ending: bytes) -> None:
    sent = 0
    with hasty.connect() as connection:
        connection.sendall(HEAD + b"transfer-encoding: chunked\r\n\r\n" + ending)
        try:
            while sent < 64 << 20:
                connection.sendall(b"x-y: " + b"z" * 60_000 + (b"\r\n" if ending[-1:] == b"\n" else b""))
                sent += 60_000
        except (ConnectionResetError, BrokenPipeError):
            pass
    assert sent < 16 << 20


def test_bodies_in_the_smallest_chunks_are_taken(doors: Doors) -> None:
    body = a_request(*(a_span("n" * 200) for _ in range(40))).SerializeToString()
    with doors.connect() as connection:
        connection.sendall(HEAD + b"transfer-encoding: chunked\r\n\r\n")
        connection.sendall(b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n")
        assert answer_of(connection) == b"HTTP/1.1 200 OK"


def test_a_body_that_drips_is_told_to_come_again(hasty: Doors) -> None:
    with hasty.connect() as connection:
        connection.sendall(HEAD + b"content-length: 1000\r\n\r\n" + BODY[:10])
        answer = everything(connection)
    assert answer.startswith(b"HTTP/1.1 503")
    assert b"retry-after: 1\r\n" in answer
    assert b"took too long" in answer


def test_a_client_that_has_said_all_gets_its_answer(doors: Doors) -> None:
    before = len(doors.kept())
    with doors.connect() as connection:
        connection.sendall(WHOLE)
        connection.shutdown(socket.SHUT_WR)
        assert everything(connection).startswith(b"HTTP/1.1 200 OK")
    assert len(doors.kept()) == before + 1


def test_one_that_leaves_in_the_middle_leaves_nothing(doors: Doors) -> None:
    before = len(doors.kept())
    with doors.connect() as connection:
        connection.sendall(WHOLE[:-3])
        connection.shutdown(socket.SHUT_WR)
        assert everything(connection) == b""
    until(lambda: doors.intake.in_flight == 0)
    assert len(doors.kept()) == before


def test_requests_follow_one_another_on_one_connection(doors: Doors) -> None:
    connection = http.client.HTTPConnection(doors.http, timeout=60)
    headers = {"Content-Type": "application/x-protobuf"}
    sockets = set()
    for body in (BODY, b"\xff\xff", BODY):
        connection.request("POST", "/v1/traces", body, headers)
        answer = connection.getresponse()
        answer.read()
        sockets.add(connection.sock)
        assert answer.status == (400 if body == b"\xff\xff" else 200)
    assert len(sockets) == 1
    connection.close()


def test_a_flood_is_turned_away_and_who_was_there_goes_on(doors: Doors) -> None:
    kept = http.client.HTTPConnection(doors.http, timeout=60)
    kept.request("POST", "/v1/traces", BODY, {"Content-Type": "application/x-protobuf"})
    assert kept.getresponse().read() == b""
    refused = doors.http_door.server.refused
    flood = [doors.connect() for _ in range(300)]
    until(lambda: doors.http_door.server.refused - refused >= 300 - MOST)
    assert doors.http_door.server.connections <= MOST
    answers = [everything(connection) for connection in flood]
    turned_away = [answer for answer in answers if answer]
    assert all(a.startswith(b"HTTP/1.1 503") and b"retry-after" in a for a in turned_away)
    assert len(turned_away) >= 300 - MOST
    kept.request("POST", "/v1/traces", BODY, {"Content-Type": "application/x-protobuf"})
    assert kept.getresponse().status == 200
    kept.close()
    for connection in flood:
        connection.close()
    until(lambda: doors.http_door.server.connections == 0)
    assert doors.post(BODY)[0] == 200


def test_too_much_in_flight_is_told_to_come_again(tmp_path: Path) -> None:
    with open_doors(tmp_path, bounds=DoorBounds(in_flight_bytes=100_000)) as doors, doors.connect() as first:
        first.sendall(HEAD + b"content-length: 90001\r\n\r\n" + bytes(90_000))
        until(lambda: doors.intake.in_flight == 90_000)
        status, headers, _ = doors.post(b"\x0a" * 20_000)
        assert (status, headers["retry-after"]) == (503, "2")
        first.close()
        until(lambda: doors.intake.in_flight == 0)
        assert doors.post(BODY)[0] == 200


async def test_an_answer_that_nobody_reads_is_cut_off() -> None:
    async def much(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(200):
            await send({"type": "http.response.body", "body": bytes(1 << 20), "more_body": True})

    server = AsgiServer(much, "127.0.0.1:0", "--api", bounds=ConnectionBounds(write_seconds=0.3))
    host, port = (await server.start()).split(":")
    connection = socket.create_connection((host, int(port)))
    connection.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    while not server.connections:
        await asyncio.sleep(0.005)
    async with asyncio.timeout(60):
        while server.connections:
            await asyncio.sleep(0.005)
    connection.close()
    await server.stop()


async def test_a_handshake_that_does_not_come_is_given_up_and_counts_meanwhile(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    bounds = ConnectionBounds(most=2, head_seconds=2.0)
    server = AsgiServer(lambda *_: None, "127.0.0.1:0", "--api", bounds=bounds, tls=context)
    host, port = (await server.start()).split(":")
    connections = [socket.create_connection((host, int(port)), 60) for _ in range(3)]
    async with asyncio.timeout(60):
        while not server.refused:
            await asyncio.sleep(0.005)
        assert server.connections == 2
        while server.connections:
            await asyncio.sleep(0.005)
    for connection in connections:
        assert await asyncio.to_thread(everything, connection) == b""
        connection.close()
    await server.stop()


def test_what_was_accepted_is_answered_before_the_doors_close(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_doors(tmp_path) as doors:
        reached, held = slow_disk(monkeypatch)
        answers: list[int] = []
        sender = threading.Thread(target=lambda: answers.append(doors.post(BODY)[0]))
        sender.start()
        assert reached.wait(60)
        closer = threading.Thread(target=doors.close)
        closer.start()
        until(lambda: doors.http_door.server._server.should_exit)
        held.set()
        closer.join()
        sender.join()
        assert answers == [200]
        with pytest.raises(ConnectionRefusedError):
            doors.connect()


def test_the_limit_follows_what_the_system_grants(monkeypatch: pytest.MonkeyPatch) -> None:
    for soft, most in ((1024, (1024 - KEPT_DESCRIPTORS) // 2), (100_000, 4096), (10, 16)):
        monkeypatch.setattr(resource, "getrlimit", lambda _kind, soft=soft: (soft, soft))
        assert allowed(ConnectionBounds(), 0.5).most == most


def test_a_process_without_descriptors_refuses_and_recovers(tmp_path: Path) -> None:
    with a_collector(tmp_path) as collector:
        pid = collector.process.pid
        used = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 20, hard))
        host, port = collector.addresses["otlp_http"].split(":")
        flood = [socket.create_connection((host, int(port)), 60) for _ in range(200)]
        until(lambda: len(list(Path(f"/proc/{pid}/fd").iterdir())) >= used + 19)
        for connection in flood:
            connection.close()
        until(lambda: collector.send(BODY).status == 200)
        collector.wait_for("select count(*) from spans", 1)
        assert collector.stop() == 0
