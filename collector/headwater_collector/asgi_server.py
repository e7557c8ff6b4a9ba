"""An ASGI application on an address, inside the running event loop and without touching signal handlers."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn

from .errors import PortInUse

STOP_SECONDS = 5
"""How long open requests may take to end after the door has closed."""


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # The collector decides what ends it, and in which order.
        yield


class AsgiServer:
    """Serves one application; ``address`` is HOST:PORT, port 0 takes a free one."""

    def __init__(self, app: Any, address: str, option: str, **settings: Any) -> None:
        self._address = address
        self._option = option
        self._server = _Server(
            uvicorn.Config(
                app,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=STOP_SECONDS,
                **settings,
            )
        )
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> str:
        """Opens the door and gives the address taken; raises PortInUse naming the option that chooses it."""
        sock = bind(self._address, self._option)
        host, port = sock.getsockname()[:2]
        self._task = asyncio.create_task(self._server.serve([sock]), name=f"asgi {host}:{port}")
        while not self._server.started:
            if self._task.done():
                await self._task
                raise PortInUse(self._address, self._option)
            await asyncio.sleep(0.005)
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    async def stop(self) -> None:
        """Closes the door, lets open requests end within their time, and returns."""
        if self._task is not None:
            self._server.should_exit = True
            await self._task
            self._task = None


def bind(address: str, option: str) -> socket.socket:
    """A listening socket on HOST:PORT; raises PortInUse."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named since asyncio switches Nagle's delay off only where it is: 40 ms an answer.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, int(port)))
        sock.listen(1024)
    except OSError:
        sock.close()
        raise PortInUse(address, option) from None
    sock.setblocking(False)
    return sock
