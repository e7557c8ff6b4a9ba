"""OTLP over gRPC: raw bytes in, raw bytes out; the messages themselves are read behind the log.

Each call is declared as a stream of one request: on the wire that is the same, and here it lets the token
be asked for before the body is read, and a body that drips be given up.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import grpc.aio

from headwater_collector.connections import ConnectionBounds
from headwater_collector.errors import (
    INVALID_ARGUMENT,
    PERMISSION_DENIED,
    RESOURCE_EXHAUSTED,
    UNAUTHENTICATED,
    UNAVAILABLE,
    Malformed,
    PortInUse,
    Refused,
    TooSlow,
    TryLater,
)
from headwater_collector.tls import Tls

from .addresses import listen, split
from .intake import Intake, Signal
from .otlp_decode import Kind
from .otlp_wire import status_bytes

_SERVICES: dict[Signal, str] = {
    "traces": "opentelemetry.proto.collector.trace.v1.TraceService",
    "metrics": "opentelemetry.proto.collector.metrics.v1.MetricsService",
    "logs": "opentelemetry.proto.collector.logs.v1.LogsService",
}
_CODES = {
    INVALID_ARGUMENT: grpc.StatusCode.INVALID_ARGUMENT,
    PERMISSION_DENIED: grpc.StatusCode.PERMISSION_DENIED,
    RESOURCE_EXHAUSTED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    UNAUTHENTICATED: grpc.StatusCode.UNAUTHENTICATED,
    UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
}
_READING = 64
"""Bodies read side by side: how large one is, shows only when it is there."""
_CALLS = 1_024
"""Calls at once, those included that wait for their turn; more are told to come later."""
_STOP_SECONDS = 5

_log = logging.getLogger(__name__)


class OtlpGrpcDoor:
    """The door on 4317. Construct without I/O."""

    def __init__(
        self,
        intake: Intake,
        address: str,
        *,
        connections: ConnectionBounds | None = None,
        tls: Tls | None = None,
    ) -> None:
        self._intake = intake
        self._address = address
        self._bounds = connections or ConnectionBounds()
        self._tls = tls
        self._server: Any = None
        self._turns = asyncio.Semaphore(_READING)
        self.calls = 0
        """Calls being answered."""

    async def start(self) -> str:
        """Listen; returns HOST:PORT taken. Raises PortInUse."""
        host, port = split(self._address)
        if port:
            # gRPC says only that it failed; a socket says why.
            listen(self._address, "--otlp-grpc").close()
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # else it prints whatever nonsense a stranger sends
        server = grpc.aio.server(options=self._options())
        for signal, service in _SERVICES.items():
            handler = grpc.stream_unary_rpc_method_handler(self._handler(signal))
            server.add_generic_rpc_handlers(
                (grpc.method_handlers_generic_handler(service, {"Export": handler}),)
            )
        named = f"[{host}]" if ":" in host else host
        try:
            if self._tls is None:
                taken = server.add_insecure_port(f"{named}:{port}")
            else:
                pair = (self._tls.key, self._tls.certificate)
                taken = server.add_secure_port(f"{named}:{port}", grpc.ssl_server_credentials([pair]))
        except RuntimeError as error:
            raise PortInUse(self._address, "--otlp-grpc") from error
        await server.start()
        self._server = server
        return f"{named}:{taken}"

    def _options(self) -> list[tuple[str, int]]:
        return [
            ("grpc.max_receive_message_length", self._intake.bounds.body_bytes),  # unpacked, too
            ("grpc.so_reuseport", 0),  # else two collectors would share a port unnoticed
            ("grpc.max_allowed_incoming_connections", self._bounds.most),
            ("grpc.max_concurrent_streams", 256),
            ("grpc.server_handshake_timeout_ms", round(self._bounds.head_seconds * 1000)),
            # Asks silent clients for a sign of life, and lets clients ask for one.
            ("grpc.keepalive_time_ms", round(self._bounds.idle_seconds * 1000)),
            ("grpc.keepalive_timeout_ms", 20_000),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
            ("grpc.max_connection_idle_ms", 900_000),
        ]

    async def stop(self) -> None:
        """Take no more; answer what was taken."""
        if self._server is not None:
            await self._server.stop(_STOP_SECONDS)
            self._server = None

    def _handler(self, signal: Signal) -> Callable[[AsyncIterator[bytes], Any], Awaitable[bytes]]:
        async def export(requests: AsyncIterator[bytes], context: Any) -> bytes:
            self.calls += 1
            try:
                return await self._take(signal, requests, context)
            except Refused as error:
                self._intake.refused(error)
                _refuse(context, error)
            except Exception as error:
                _log.error("A request failed: %r", error, exc_info=_log.isEnabledFor(logging.DEBUG))
                context.set_code(grpc.StatusCode.INTERNAL)
                context.set_details("The collector could not take the request; its log says why.")
            finally:
                self.calls -= 1
            return b""

        return export

    async def _take(self, signal: Signal, requests: AsyncIterator[bytes], context: Any) -> bytes:
        intake = self._intake
        given = dict(context.invocation_metadata()).get("authorization", "")
        intake.begin(given.encode() if isinstance(given, str) else given)
        if self.calls > _CALLS:
            raise TryLater("The collector is answering all the calls it has room for; send this again.", 2)
        with intake.room() as room:
            try:
                async with asyncio.timeout(intake.bounds.read_seconds), self._turns:
                    body = await anext(aiter(requests), None)
            except TimeoutError:
                raise TooSlow("The request took too long to arrive; send it again.", 1) from None
            if body is None:
                raise Malformed("The call ended without a request.")
            room.take(len(body))
            kept = await intake.keep(signal, Kind.GRPC_PROTOBUF, body)
        return kept.protobuf()


def _refuse(context: Any, error: Refused) -> None:
    context.set_code(_CODES[error.code])
    context.set_details(str(error))
    details = status_bytes(error.code, str(error), error.retry_seconds)
    context.set_trailing_metadata((("grpc-status-details-bin", details),))
