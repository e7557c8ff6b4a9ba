"""Tells listeners which relations have something new, so that a screen asks only when it is worth it."""

import asyncio
from collections.abc import AsyncIterator

import orjson

HEARTBEAT_SECONDS = 5.0
"""Between signs of life, so that a screen knows a dead connection from a quiet store."""
GATHER_SECONDS = 0.1
"""Changes within this time are told as one."""
CLIENTS = 1_000
"""Listeners at once; each holds one entry a relation at most, however slow it reads."""


class ChangeStream:
    """Fans changes out to server-sent-event streams; ``note`` may be called from any thread."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._clients: set[_Client] = set()
        self._closed = False

    def open(self) -> None:
        """Starts to deliver, in the running loop."""
        self._loop = asyncio.get_running_loop()

    def close(self) -> None:
        """Ends every stream."""
        self._closed = True
        for client in self._clients:
            client.wake.set()

    @property
    def full(self) -> bool:
        """No further listener is taken."""
        return len(self._clients) >= CLIENTS

    def note(self, relation: str, from_ns: int, to_ns: int) -> None:
        """A relation has new rows with times between the two (ns since the epoch)."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._note, relation, from_ns, to_ns)

    def _note(self, relation: str, from_ns: int, to_ns: int) -> None:
        for client in self._clients:
            client.add(relation, from_ns, to_ns)

    async def stream(self) -> AsyncIterator[bytes]:
        """Events ``data: {"relation", "from", "to"}`` from now on, with comments as heartbeats."""
        client = _Client()
        self._clients.add(client)
        try:
            yield b": listening\n\n"
            while not self._closed:
                try:
                    async with asyncio.timeout(HEARTBEAT_SECONDS):
                        await client.wake.wait()
                except TimeoutError:
                    yield b": alive\n\n"
                    continue
                if not self._closed:
                    await asyncio.sleep(GATHER_SECONDS)
                    for data in client.take():
                        yield data
        finally:
            self._clients.discard(client)


class _Client:
    def __init__(self) -> None:
        self.wake = asyncio.Event()
        self._waiting: dict[str, tuple[int, int]] = {}

    def add(self, relation: str, from_ns: int, to_ns: int) -> None:
        before = self._waiting.get(relation, (from_ns, to_ns))
        self._waiting[relation] = (min(before[0], from_ns), max(before[1], to_ns))
        self.wake.set()

    def take(self) -> list[bytes]:
        waiting, self._waiting = self._waiting, {}
        self.wake.clear()
        return [
            b"data: " + orjson.dumps({"relation": relation, "from": first, "to": last}) + b"\n\n"
            for relation, (first, last) in waiting.items()
        ]
