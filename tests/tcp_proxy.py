"""A stretch of network that can be cut: forwards connections to one address until it is told to be a black hole."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

_CHUNK = 65536


class TcpProxy:
    """Takes connections on a listening socket; `cut` swallows what is sent meanwhile without closing anything."""

    def __init__(self, listening: socket.socket, target: tuple[str, int]) -> None:
        self._listening, self._target = listening, target
        self._open, self._over = threading.Event(), threading.Event()
        self._open.set()
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @contextlib.contextmanager
    def cut(self) -> Iterator[None]:
        """Nothing gets through in the block; connections stay open, new ones are taken, and nobody answers."""
        self._open.clear()
        try:
            yield
        finally:
            self._open.set()

    def close(self) -> None:
        """Ends every connection; the listening socket is the caller's."""
        self._over.set()
        self._open.set()
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for each in self._sockets:
            each.close()

    def _accept(self) -> None:
        self._listening.settimeout(0.05)
        while not self._over.is_set():
            with contextlib.suppress(TimeoutError):
                near, _ = self._listening.accept()
                near.setblocking(True)
                self._sockets.append(near)
                try:
                    far = socket.create_connection(self._target)
                except OSError:  # nobody is there: neither is anybody here
                    near.close()
                    continue
                self._sockets.append(far)
                for one, other in ((near, far), (far, near)):
                    thread = threading.Thread(target=self._forward, args=(one, other), daemon=True)
                    self._threads.append(thread)
                    thread.start()

    def _forward(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := one.recv(_CHUNK):
                self._open.wait()
                other.sendall(chunk)
        with contextlib.suppress(OSError):
            other.shutdown(socket.SHUT_WR)
