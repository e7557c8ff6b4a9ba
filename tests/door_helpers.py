"""Both OTLP doors in a thread of the test, with bounds of the test's own, and clients that behave badly."""

from __future__ import annotations

import asyncio
import http.client
import os
import socket
import ssl
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from headwater_collector.access import Access
from headwater_collector.connections import ConnectionBounds
from headwater_collector.counters import IngestCounters
from headwater_collector.log import AppendLog, LogBounds
from headwater_collector.receivers.intake import DoorBounds, Intake
from headwater_collector.receivers.otlp_grpc import OtlpGrpcDoor
from headwater_collector.receivers.otlp_http import OtlpHttpDoor
from headwater_collector.records import LogPosition
from headwater_collector.tls import Tls

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
PROTOBUF = {"Content-Type": "application/x-protobuf"}
JSON = {"Content-Type": "application/json"}


@dataclass
class Doors:
    """Open doors over a log that nobody stores."""

    http: str
    grpc: str
    http_door: OtlpHttpDoor
    grpc_door: OtlpGrpcDoor
    intake: Intake
    log: AppendLog
    counters: IngestCounters
    close: Callable[[], None]
    """Closes the doors as SIGTERM does; a second call does nothing."""

    def connect(self, door: str = "http") -> socket.socket:
        """A connection of its own to a door."""
        host, port = (self.http if door == "http" else self.grpc).split(":")
        return socket.create_connection((host, int(port)), 20)

    def post(
        self, body: bytes, headers: Mapping[str, str] = PROTOBUF, signal: str = "traces"
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of one request on a connection of its own."""
        connection = http.client.HTTPConnection(self.http, timeout=60)
        try:
            connection.request("POST", f"/v1/{signal}", body, dict(headers))
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def kept(self) -> list[bytes]:
        """The bodies of all requests in the log."""
        return [record.body for record in self.log.read(LogPosition(0, 0), 1 << 30)[0]]


@contextmanager
def open_doors(
    directory: Path,
    *,
    bounds: DoorBounds | None = None,
    connections: ConnectionBounds | None = None,
    access: Access | None = None,
    tls: Tls | None = None,
    log_bounds: LogBounds | None = None,
) -> Iterator[Doors]:
    """Doors for as long as a `with` lasts."""
    log = AppendLog(directory / "log", log_bounds)
    log.open(LogPosition(0, 0))
    counters = IngestCounters("test")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def run(work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(60)

    async def make() -> tuple[Intake, OtlpHttpDoor, OtlpGrpcDoor, str, str]:
        intake = Intake(log, counters, access or Access(), bounds)
        context = None if tls is None else tls.context
        web = OtlpHttpDoor(intake, "127.0.0.1:0", connections=connections, tls=context)
        rpc = OtlpGrpcDoor(intake, "127.0.0.1:0", connections=connections, tls=tls)
        return intake, web, rpc, await web.start(), await rpc.start()

    closed = threading.Event()

    def close() -> None:
        if not closed.is_set():
            closed.set()
            run(rpc.stop())
            run(web.stop())

    intake, web, rpc, web_address, rpc_address = run(make())
    try:
        yield Doors(web_address, rpc_address, web, rpc, intake, log, counters, close)
    finally:
        close()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
        log.close_reader()


def until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until something becomes true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


def everything(connection: socket.socket) -> bytes:
    """What comes until the other side closes; fails when it does not."""
    found = b""
    try:
        while part := connection.recv(65536):
            found += part
    except ConnectionResetError:
        pass
    return found


class RawCall:
    """One gRPC call written byte by byte, for what a well-behaved client cannot do."""

    def __init__(self, connection: socket.socket, path: str = TRACES, **headers: str) -> None:
        self._connection = connection
        named = {":method": "POST", ":scheme": "http", ":path": path, ":authority": "x", "te": "trailers"}
        named |= {"content-type": "application/grpc", **headers}
        block = b"".join(b"\x00" + _literal(name) + _literal(value) for name, value in named.items())
        connection.sendall(
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(4, 0, 0, b"") + _frame(1, 4, 1, block)
        )

    def send(self, data: bytes, *, last: bool = False) -> None:
        """A piece of the call's body."""
        self._connection.sendall(_frame(0, 1 if last else 0, 1, data))

    def trailers(self) -> bytes:
        """The header block that ends the call; its texts are literal."""
        buffer = b""
        while True:
            while len(buffer) < 9 or len(buffer) < 9 + int.from_bytes(buffer[:3], "big"):
                part = self._connection.recv(65536)
                assert part, "closed without an answer"
                buffer += part
            end = 9 + int.from_bytes(buffer[:3], "big")
            kind, flags, payload = buffer[3], buffer[4], buffer[9:end]
            buffer = buffer[end:]
            if kind == 1 and flags & 1:
                return payload


def message(body: bytes) -> bytes:
    """A request as gRPC frames it."""
    return b"\x00" + struct.pack(">I", len(body)) + body


def _literal(text: str) -> bytes:
    data = text.encode()
    assert len(data) < 127
    return bytes((len(data),)) + data


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    head = struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream)
    return head + payload


def make_certificate(directory: Path, name: str = "server", host: str = "localhost") -> tuple[Path, Path]:
    """A self-signed certificate for this machine and its key."""
    cert, key = directory / f"{name}.pem", directory / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-days", "2", "-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host},IP:127.0.0.1",
         "-keyout", str(key), "-out", str(cert)],
        check=True, capture_output=True,
    )  # fmt: skip
    return cert, key


def trusting(certificate: Path) -> ssl.SSLContext:
    """A client that trusts this certificate only."""
    return ssl.create_default_context(cafile=str(certificate))


def slow_disk(monkeypatch: pytest.MonkeyPatch) -> tuple[threading.Event, threading.Event]:
    """Makes the log wait with its next `fdatasync`: set when it is there, and to be set so that it goes on."""
    real, reached, held = os.fdatasync, threading.Event(), threading.Event()

    def slow(fd: int) -> None:
        if threading.current_thread().name == "log":
            reached.set()
            assert held.wait(60)
        real(fd)

    monkeypatch.setattr(os, "fdatasync", slow)
    return reached, held
