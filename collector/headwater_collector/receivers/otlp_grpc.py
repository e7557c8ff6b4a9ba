"""OTLP over gRPC: raw bytes in, raw bytes out; the messages themselves are read behind the log."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from headwater_collector.errors import (
    INVALID_ARGUMENT,
    RESOURCE_EXHAUSTED,
    UNAUTHENTICATED,
    UNAVAILABLE,
    PortInUse,
    Refused,
    TryLater,
)

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
    RESOURCE_EXHAUSTED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    UNAUTHENTICATED: grpc.StatusCode.UNAUTHENTICATED,
    UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
}
_THREADS = 16
"""Each waits for the disk with one request: so many share one fdatasync."""

_log = logging.getLogger(__name__)


class OtlpGrpcDoor:
    """The door on 4317. Construct without I/O."""

    def __init__(self, intake: Intake, address: str) -> None:
        self._intake = intake
        self._address = address
        self._server: Any = None
        self._pool: ThreadPoolExecutor | None = None

    async def start(self) -> str:
        """Listen; returns HOST:PORT taken. Raises PortInUse."""
        return await asyncio.to_thread(self._start)

    def _start(self) -> str:
        host, port = split(self._address)
        if port:
            # gRPC says only that it failed; a socket says why.
            listen(self._address, "--otlp-grpc").close()
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="otlp-grpc")
        server = grpc.server(
            self._pool,
            options=[
                ("grpc.max_receive_message_length", self._intake.bounds.body_bytes),
                ("grpc.so_reuseport", 0),  # else two collectors would share a port unnoticed
            ],
        )
        for signal, service in _SERVICES.items():
            handler = grpc.unary_unary_rpc_method_handler(self._handler(signal))
            server.add_generic_rpc_handlers(
                (grpc.method_handlers_generic_handler(service, {"Export": handler}),)
            )
        named = f"[{host}]" if ":" in host else host
        try:
            taken = server.add_insecure_port(f"{named}:{port}")
        except RuntimeError as error:
            self._pool.shutdown()
            raise PortInUse(self._address, "--otlp-grpc") from error
        server.start()
        self._server = server
        return f"{named}:{taken}"

    async def stop(self) -> None:
        """Take no more; answer what was taken."""
        if self._server is not None:
            await asyncio.to_thread(self._server.stop(5).wait)
            self._server = None
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def _handler(self, signal: Signal) -> Callable[[bytes, Any], bytes]:
        intake = self._intake

        def export(body: bytes, context: Any) -> bytes:
            try:
                intake.begin()
                given = dict(context.invocation_metadata()).get("authorization", "")
                intake.check_token(given.encode() if isinstance(given, str) else given)
                outcome: list[TryLater | None] = []
                waiting = threading.Lock()
                waiting.acquire()

                def done(error: TryLater | None) -> None:
                    outcome.append(error)
                    waiting.release()

                intake.accept(signal, Kind.GRPC_PROTOBUF, body, done)
                waiting.acquire()
                if outcome[0] is None:
                    return b""
                raise outcome[0]
            except Refused as error:
                intake.refused(error)
                _refuse(context, error)
            except Exception as error:
                _log.error("A request failed: %r", error, exc_info=_log.isEnabledFor(logging.DEBUG))
                context.set_code(grpc.StatusCode.INTERNAL)
                context.set_details("The collector could not take the request; its log says why.")
            return b""

        return export


def _refuse(context: Any, error: Refused) -> None:
    context.set_code(_CODES[error.code])
    context.set_details(str(error))
    details = status_bytes(error.code, str(error), error.retry_seconds)
    context.set_trailing_metadata((("grpc-status-details-bin", details),))
