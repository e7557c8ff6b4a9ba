"""OTLP over HTTP: protobuf and JSON, plain, gzip or zstd, on uvicorn without a framework in between."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson

from headwater_collector.asgi_server import AsgiServer
from headwater_collector.connections import ConnectionBounds
from headwater_collector.errors import INTERNAL, Refused, TooLarge, TooSlow, WrongContentType

from .intake import Intake, Room, Signal
from .otlp_decode import Kind
from .otlp_wire import status_bytes
from .unpack import unpacker

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PROTOBUF = b"application/x-protobuf"
JSON = b"application/json"
_PATHS: dict[str, Signal] = {"/v1/traces": "traces", "/v1/metrics": "metrics", "/v1/logs": "logs"}
_INLINE = 64 * 1024
"""Bytes up to which unpacking is quicker than handing it to a thread."""
_DRAIN_BYTES = 256 << 20

_log = logging.getLogger(__name__)


class OtlpHttpDoor:
    """The door on 4318. Construct without I/O."""

    def __init__(
        self,
        intake: Intake,
        address: str,
        *,
        connections: ConnectionBounds | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._intake = intake
        self.server = AsgiServer(
            self._app, address, "--otlp-http", bounds=connections, tls=tls, answer_half_closed=True
        )

    async def start(self) -> str:
        """Listen; returns HOST:PORT taken. Raises PortInUse."""
        return await self.server.start()

    async def stop(self) -> None:
        """Take no more; answer what was taken."""
        await self.server.stop()

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        content_type = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        extra: list[tuple[bytes, bytes]] = []
        answer_type = PROTOBUF if content_type == PROTOBUF else JSON
        try:
            signal = _PATHS.get(scope["path"])
            if signal is None:
                status, body = (
                    404,
                    _status(answer_type, 5, "OTLP is at /v1/traces, /v1/metrics, /v1/logs."),
                )
            elif scope["method"] != "POST":
                status, body = 405, _status(answer_type, 12, "OTLP is sent with POST.")
                extra.append((b"allow", b"POST"))
            else:
                status, body = 200, await self._take(signal, content_type, headers, receive)
        except Refused as error:
            self._intake.refused(error)
            status = error.http_status
            body = _status(answer_type, error.code, str(error), error.retry_seconds)
            if error.retry_seconds is not None:
                extra.append((b"retry-after", str(error.retry_seconds).encode()))
            if status == 401:
                extra.append((b"www-authenticate", b"Bearer"))
            if isinstance(error, TooLarge | TooSlow):
                extra.append((b"connection", b"close"))  # the rest of the body is not worth reading
        except _Gone:
            return
        except Exception as error:
            _log.error("A request failed: %r", error, exc_info=_log.isEnabledFor(logging.DEBUG))
            status = 500
            body = _status(
                answer_type, INTERNAL, "The collector could not take the request; its log says why."
            )
        lengths = [(b"content-type", answer_type), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": [*lengths, *extra]})
        await send({"type": "http.response.body", "body": body})

    async def _take(
        self, signal: Signal, content_type: bytes, headers: dict[bytes, bytes], receive: Receive
    ) -> bytes:
        intake = self._intake
        intake.begin(headers.get(b"authorization"))
        if content_type not in (PROTOBUF, JSON):
            raise WrongContentType(
                f"The content type {content_type.decode('latin-1')[:80] or '(none)'} is not taken here; "
                "send application/x-protobuf or application/json."
            )
        unpack = unpacker(headers.get(b"content-encoding", b"").strip().lower())
        kind = Kind.HTTP_JSON if content_type == JSON else Kind.HTTP_PROTOBUF
        with intake.room() as room:
            try:
                async with asyncio.timeout(intake.bounds.read_seconds):
                    body = await self._read(headers, receive, room, packed=unpack is not None)
            except TimeoutError:
                raise TooSlow("The body took too long to arrive; send it again.", 1) from None
            if unpack is not None:
                limit = intake.bounds.body_bytes
                if len(body) > _INLINE:
                    body = await asyncio.to_thread(unpack, body, limit)
                else:
                    body = unpack(body, limit)
                room.take(len(body))
            kept = await intake.keep(signal, kind, body)
        return kept.json(signal) if kind is Kind.HTTP_JSON else kept.protobuf()

    async def _read(
        self, headers: dict[bytes, bytes], receive: Receive, room: Room, *, packed: bool
    ) -> bytes:
        """The body as it came; raises TooLarge, or TryLater where too much is being read already."""
        most = self._intake.bounds.compressed_bytes if packed else self._intake.bounds.body_bytes
        length = headers.get(b"content-length")
        if length is not None and length.isdigit() and int(length) > most:
            await _drain(receive)
            raise TooLarge(f"The request has {int(length)} bytes; at most {most} are taken.")
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _Gone
            chunk: bytes = message.get("body", b"")
            more: bool = message.get("more_body", False)
            size += len(chunk)
            if size > most:
                if more:
                    await _drain(receive)
                raise TooLarge(f"The request has more than the {most} bytes that are taken.")
            room.take(len(chunk))
            chunks.append(chunk)
            if not more:
                return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def _drain(receive: Receive) -> None:
    """Read on for a while: a client that is still sending would otherwise see a reset and not the answer."""
    left = _DRAIN_BYTES
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(5):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if not message.get("more_body", False):
                    return


class _Gone(Exception):
    """The client has closed the connection."""


def _status(answer_type: bytes, code: int, message: str, retry_seconds: int | None = None) -> bytes:
    if answer_type == PROTOBUF:
        return status_bytes(code, message, retry_seconds)
    return orjson.dumps({"code": code, "message": message})
