"""uvicorn's HTTP/1.1 protocol with an end to everything: heads that drip, answers that nobody reads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .connections import ConnectionBounds

_HEAD_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
)
_MOST_AT_ONCE = 256 << 10
"""What asyncio reads in one piece."""
_CHUNK = 8
"""Bytes that the smallest chunk takes on the wire for one byte of the body."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection. uvicorn itself waits for ever for the first head, and for a client that does not read."""

    def __init__(
        self,
        *arguments: Any,
        bounds: ConnectionBounds,
        answer_half_closed: bool,
        lost: Callable[[BoundedProtocol], None],
        **keywords: Any,
    ) -> None:
        super().__init__(*arguments, **keywords)
        self._bounds = bounds
        self._answer_half_closed = answer_half_closed
        self._lost = lost
        self._head_timer: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._beside_body = 0
        self._write_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self._head_arrived()
        self.resume_writing()
        self._lost(self)

    def data_received(self, data: bytes) -> None:
        self._beside_body += len(data)
        super().data_received(data)
        if self._beside_body > self._bounds.head_bytes + _MOST_AT_ONCE:
            self.transport.abort()  # trailers, or extensions of chunks, that nothing else would end
        if self.transport.is_closing() or not (self.cycle is None or self.cycle.response_complete):
            return
        self._await_head()
        self._head_bytes += len(data)
        if self._head_bytes > self._bounds.head_bytes:
            self.transport.write(_HEAD_TOO_LARGE)
            self.transport.close()

    def on_message_begin(self) -> None:
        self._beside_body = 0
        super().on_message_begin()

    def on_body(self, body: bytes) -> None:
        self._beside_body = max(0, self._beside_body - _CHUNK * len(body))
        super().on_body(body)

    def on_headers_complete(self) -> None:
        self._head_arrived()
        super().on_headers_complete()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Whether to stay: a client that has sent all of its request may still wait for the answer.

        Not under TLS, which has no half-closed connections.
        """
        cycle = self.cycle
        if (
            not self._answer_half_closed
            or self.scheme == "https"
            or cycle is None
            or cycle.response_complete
            or cycle.more_body
        ):
            return False
        cycle.keep_alive = False
        return True

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(self._bounds.write_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _await_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self._bounds.head_seconds, self.transport.close)

    def _head_arrived(self) -> None:
        self._head_bytes = 0
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
