"""An ASGI application on an address, inside the running event loop and without touching signal handlers.

Connections are accepted here and not by uvicorn: only so can those be counted and ended that have not
got through their TLS handshake, and a full process be a refusal and not an error in a loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import uvicorn

from .connections import ConnectionBounds
from .http_protocol import BoundedProtocol
from .receivers.addresses import listen, text_of

STOP_SECONDS = 5
"""How long open requests may take to end after the door has closed."""
_PAUSE_SECONDS = 0.1
"""Before accepting again when the process or the system is out of descriptors."""
_BUSY_BODY = b'{"code":14,"message":"All connections of this door are taken; send this again later."}'
_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\nconnection: close\r\n"
    b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(_BUSY_BODY), _BUSY_BODY)
)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # The collector decides what ends it, and in which order.
        yield


class AsgiServer:
    """Serves one application; ``address`` is HOST:PORT, port 0 takes a free one. Construct without I/O."""

    def __init__(
        self,
        app: Any,
        address: str,
        option: str,
        *,
        bounds: ConnectionBounds | None = None,
        tls: ssl.SSLContext | None = None,
        answer_half_closed: bool = False,
    ) -> None:
        self._address = address
        self._option = option
        self._bounds = bounds or ConnectionBounds()
        self._tls = tls
        self._answer_half_closed = answer_half_closed
        self._config = uvicorn.Config(
            app,
            interface="asgi3",
            lifespan="off",
            ws="none",
            http="httptools",
            log_config=None,
            log_level="error",  # what a stranger sends is his error: answered, and not written into our log
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=self._bounds.idle_seconds,  # type: ignore[arg-type]  # it takes parts of seconds
            timeout_graceful_shutdown=STOP_SECONDS,
        )
        self._server = _Server(self._config)
        self._listening: socket.socket | None = None
        self._open: set[BoundedProtocol] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._serving: asyncio.Task[None] | None = None
        self._accepting: asyncio.Task[None] | None = None
        self.refused = 0
        """Connections that found the door full, or the process out of descriptors."""

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._open)

    async def start(self) -> str:
        """Opens the door and gives the address taken; raises PortInUse naming the option that chooses it."""
        self._listening = listen(self._address, self._option)
        self._serving = asyncio.create_task(self._server.serve(sockets=[]), name=f"asgi {self._address}")
        while not self._server.started:
            if self._serving.done():
                self._listening.close()
                await self._serving
                raise RuntimeError("the HTTP server ended before it began")
            await asyncio.sleep(0.005)
        self._accepting = asyncio.create_task(self._accept(self._listening), name=f"accept {self._address}")
        return text_of(self._listening)

    async def stop(self) -> None:
        """Closes the door, lets open requests end within their time, and returns."""
        if self._serving is None or self._accepting is None or self._listening is None:
            return
        for task in (self._accepting, *self._tasks):
            task.cancel()
        await asyncio.gather(self._accepting, *self._tasks, return_exceptions=True)
        self._listening.close()
        self._server.should_exit = True
        await self._serving
        self._serving = None

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(listening)
            except OSError:
                self.refused += 1
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            if len(self._open) >= self._bounds.most:
                self.refused += 1
                self._turn_away(connection)
            else:
                self._open.add(protocol := self._protocol())
                task = asyncio.create_task(self._connect(protocol, connection))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            await asyncio.sleep(
                0
            )  # what waits is accepted without a pause otherwise, and others must have theirs

    def _turn_away(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            if self._tls is None:
                connection.send(_BUSY)

    def _protocol(self) -> BoundedProtocol:
        return BoundedProtocol(
            config=self._config,
            server_state=self._server.server_state,
            app_state=self._server.lifespan.state,
            bounds=self._bounds,
            answer_half_closed=self._answer_half_closed,
            lost=self._open.discard,
        )

    async def _connect(self, protocol: BoundedProtocol, connection: socket.socket) -> None:
        limit = None if self._tls is None else self._bounds.head_seconds
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: protocol,
                connection,
                ssl=self._tls,
                ssl_handshake_timeout=limit,
                ssl_shutdown_timeout=limit,
            )
        except (OSError, asyncio.CancelledError):  # no TLS, or not in time
            self._open.discard(protocol)
            connection.close()
