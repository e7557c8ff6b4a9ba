"""OTLP over HTTP: protobuf and JSON, plain or gzip, on uvicorn without a framework in between."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import zlib
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any

import orjson
import uvicorn

from headwater_collector.errors import INTERNAL, Malformed, Refused, TooLarge, TryLater, WrongContentType

from .addresses import listen, text_of
from .intake import Intake, Signal
from .otlp_decode import Kind
from .otlp_wire import field_bytes, status_bytes

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PROTOBUF = b"application/x-protobuf"
JSON = b"application/json"
_PATHS: dict[str, Signal] = {"/v1/traces": "traces", "/v1/metrics": "metrics", "/v1/logs": "logs"}
_INLINE_GZIP = 64 * 1024
"""Bytes up to which unpacking is quicker than handing it to a thread."""
_DRAIN_BYTES = 256 << 20

_log = logging.getLogger(__name__)


class _Server(uvicorn.Server):
    """uvicorn as a part of a program: signals belong to the program."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class OtlpHttpDoor:
    """The door on 4318. Construct without I/O."""

    def __init__(self, intake: Intake, address: str) -> None:
        self._intake = intake
        self._address = address
        self._in_flight = 0
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> str:
        """Listen; returns HOST:PORT taken. Raises PortInUse."""
        listening = listen(self._address, "--otlp-http")
        config = uvicorn.Config(
            self._app,
            log_level="warning",
            access_log=False,
            interface="asgi3",
            proxy_headers=False,
            lifespan="off",
            ws="none",
            server_header=False,
            timeout_keep_alive=75,  # exporters send every few seconds and should not reconnect each time
            timeout_graceful_shutdown=5,
        )
        self._server = _Server(config)
        self._serving = asyncio.create_task(self._server.serve(sockets=[listening]))
        while not self._server.started:
            if self._serving.done():
                await self._serving
                raise RuntimeError("the HTTP server ended before it began")
            await asyncio.sleep(0.005)
        return text_of(listening)

    async def stop(self) -> None:
        """Take no more; answer what was taken."""
        if self._server is not None and self._serving is not None:
            self._server.should_exit = True
            await self._serving
            self._serving = None

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
            if isinstance(error, TooLarge):
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
        intake.begin()
        intake.check_token(headers.get(b"authorization"))
        if content_type not in (PROTOBUF, JSON):
            raise WrongContentType(
                f"The content type {content_type.decode('latin-1')[:80] or '(none)'} is not taken here; "
                "send application/x-protobuf or application/json."
            )
        encoding = headers.get(b"content-encoding", b"identity").strip().lower()
        if encoding not in (b"identity", b"", b"gzip"):
            raise WrongContentType(
                f"The content encoding {encoding.decode('latin-1')[:80]} is not taken; send gzip or none."
            )
        packed = encoding == b"gzip"
        most = intake.bounds.compressed_bytes if packed else intake.bounds.body_bytes
        held = 0
        try:
            async with asyncio.timeout(intake.bounds.read_seconds):
                chunks: list[bytes] = []
                async for chunk in self._chunks(headers, receive, most):
                    held += len(chunk)
                    self._in_flight += len(chunk)
                    chunks.append(chunk)
            body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
            del chunks
            if packed:
                limit = intake.bounds.body_bytes
                if len(body) > _INLINE_GZIP:
                    body = await asyncio.to_thread(unpack, body, limit)
                else:
                    body = unpack(body, limit)
            kind = Kind.HTTP_JSON if content_type == JSON else Kind.HTTP_PROTOBUF
            remark = await self._keep(signal, kind, body)
        except TimeoutError:
            raise TryLater("The body took too long to arrive; send it again.", 1) from None
        finally:
            self._in_flight -= held
        if remark is None:
            return b"{}" if kind is Kind.HTTP_JSON else b""
        if kind is Kind.HTTP_JSON:
            return orjson.dumps({"partialSuccess": {"errorMessage": remark}})
        return field_bytes(1, field_bytes(2, remark.encode()))

    async def _chunks(self, headers: dict[bytes, bytes], receive: Receive, most: int) -> Any:
        length = headers.get(b"content-length")
        if length is not None and length.isdigit() and int(length) > most:
            await _drain(receive)
            raise TooLarge(f"The request has {int(length)} bytes; at most {most} are taken.")
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _Gone
            chunk: bytes = message.get("body", b"")
            size += len(chunk)
            if size > most:
                if message.get("more_body", False):
                    await _drain(receive)
                raise TooLarge(f"The request has more than the {most} bytes that are taken.")
            if self._in_flight + len(chunk) > self._intake.bounds.in_flight_bytes:
                raise TryLater("The collector is reading all it has room for; send this again.", 2)
            if chunk:
                yield chunk
            if not message.get("more_body", False):
                return

    async def _keep(self, signal: Signal, kind: Kind, body: bytes) -> str | None:
        """Returns when the request is durable, with a remark for the sender or None."""
        loop = asyncio.get_running_loop()
        durable: asyncio.Future[None] = loop.create_future()

        def resolve(error: TryLater | None) -> None:
            if durable.done():
                return
            if error is None:
                durable.set_result(None)
            else:
                durable.set_exception(error)

        def done(error: TryLater | None) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended, and nobody waits any more
                loop.call_soon_threadsafe(resolve, error)

        remark = self._intake.accept(signal, kind, body, done)
        await durable
        return remark


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


def unpack(data: bytes, most: int) -> bytes:
    """gunzip, all members; raises Malformed, or TooLarge as soon as more than `most` bytes come out."""
    out: list[bytes] = []
    size = 0
    while data:
        unpacker = zlib.decompressobj(31)
        try:
            part = unpacker.decompress(data, most - size + 1)
        except zlib.error as error:
            raise Malformed(f"The body is said to be gzip and is not: {error}.") from error
        size += len(part)
        if size > most:
            raise TooLarge(f"The request unpacks to more than the {most} bytes that are taken.")
        if not unpacker.eof:
            raise Malformed("The body is gzip that ends too early.")
        out.append(part)
        data = unpacker.unused_data.lstrip(b"\0")
    return b"".join(out)


def _status(answer_type: bytes, code: int, message: str, retry_seconds: int | None = None) -> bytes:
    if answer_type == PROTOBUF:
        return status_bytes(code, message, retry_seconds)
    return orjson.dumps({"code": code, "message": message})
