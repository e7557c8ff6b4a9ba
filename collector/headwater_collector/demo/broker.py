"""An embedded broker that speaks the Kafka protocol: in process, in memory, ready in milliseconds.

For the demo, quick tests and users' own tests. It has one node, the classic group protocol, and no transactions, no
security and no persistence; what it leaves out is not among the versions that it announces, or answered with Kafka's
own error code. It never stands in for Apache Kafka where a claim is about Kafka.
"""

import asyncio
import io
import logging
import socket
import struct
import time
import uuid
from collections.abc import Iterable
from typing import Any

from .broker_answers import Answers
from .broker_groups import Group
from .broker_log import Topics
from .broker_protocol import API_VERSIONS, REQUESTS, api_versions_answer

logger = logging.getLogger(__name__)

LONGEST_REQUEST = 64 << 20
"""Bytes; a length beyond it is no Kafka client."""
PIPELINED = 100
"""Requests of one connection that may be unanswered; the next is read when there is room."""


class Broker:
    """One broker. ``await start()`` gives its address; ``await stop()`` ends it and every connection."""

    def __init__(self, partitions: int = 3) -> None:
        self.topics = Topics(partitions)
        self.groups: dict[str, Group] = {}
        self.cluster_id = f"embedded-{uuid.uuid4().hex[:12]}"
        self.host, self.port = "127.0.0.1", 0
        self._answers = Answers(self)
        self._tasks: list[asyncio.Task[None]] = []
        self._connections: dict[asyncio.Task[None], socket.socket] = {}

    async def start(self, address: str = "127.0.0.1:0") -> str:
        """Listens and gives HOST:PORT; port 0 takes a free one. Raises OSError when the port is taken."""
        host, _, port = address.rpartition(":")
        listening = socket.create_server((host, int(port)), backlog=100)
        listening.setblocking(False)
        self.host, self.port = listening.getsockname()[:2]
        self._tasks = [
            asyncio.create_task(self._accept(listening), name="broker door"),
            asyncio.create_task(self._expire_members(), name="broker sessions"),
        ]
        return f"{self.host}:{self.port}"

    async def stop(self) -> None:
        """Closes the door and all connections."""
        await _ended(self._tasks)
        for group in self.groups.values():
            group.close()
        connections, self._connections, self._tasks = self._connections, {}, []
        await _ended(connections)
        await asyncio.sleep(0)  # the loop lets go of a connection in its next turn
        for connection in connections.values():
            connection.close()  # of a task that had not begun

    def group(self, name: str) -> Group:
        """The group of that name; made where there is none."""
        return self.groups.setdefault(name, Group(name))

    async def _expire_members(self) -> None:
        while True:
            await asyncio.sleep(0.5)
            for group in self.groups.values():
                group.expire(time.monotonic())

    async def _accept(self, listening: socket.socket) -> None:
        """Not asyncio's server: closed in the turn in which it accepts a connection, that one stays open for ever."""
        with listening:
            while True:
                try:
                    connection, _ = await asyncio.get_running_loop().sock_accept(listening)
                except OSError as error:
                    logger.warning("The embedded broker cannot take a connection now: %s", error)
                    await asyncio.sleep(1.0)
                    continue
                task = asyncio.create_task(self._connected(connection))
                self._connections[task] = connection
                task.add_done_callback(lambda done: self._connections.pop(done, None))

    async def _connected(self, connection: socket.socket) -> None:
        try:
            reader, writer = await asyncio.open_connection(sock=connection, limit=1 << 20)
        except OSError:
            connection.close()
            return
        # Kafka answers in the order of the requests, though a fetch may wait long.
        order: asyncio.Queue[asyncio.Task[bytes | None]] = asyncio.Queue(PIPELINED)
        answering = asyncio.create_task(_answer_in_order(order, writer))
        peer = str(writer.get_extra_info("peername", ("?",))[0])
        try:
            while not answering.done():
                (length,) = struct.unpack(">i", await reader.readexactly(4))
                if not 8 <= length <= LONGEST_REQUEST:
                    logger.warning("A request of %s bytes from %s is no Kafka; closed.", length, peer)
                    return
                request = await reader.readexactly(length)
                await order.put(asyncio.create_task(self._answer(request, peer)))
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            answering.cancel()
            while not order.empty():
                order.get_nowait().cancel()
            if self._tasks:
                writer.close()
            else:
                writer.transport.abort()  # at the end, without waiting for a client that does not read

    async def _answer(self, request: bytes, peer: str) -> bytes | None:
        key, version, correlation, length = struct.unpack_from(">hhih", request)
        header = struct.pack(">i", correlation)
        if key == API_VERSIONS:
            return header + api_versions_answer(version)
        kind = REQUESTS.get((key, version))
        if kind is None:
            logger.warning("The embedded broker does not speak API %s version %s.", key, version)
            return None
        start = 10 + max(length, 0)
        client = request[10:start].decode("utf-8", "replace")
        try:
            decoded = kind.decode(io.BytesIO(request[start:]))
            fields = await self._answers.answer(key, decoded, client, peer)
        except (ValueError, struct.error) as error:
            logger.warning("A request of API %s from %s cannot be read: %s", key, peer, error)
            return None
        return None if fields is None else header + kind.RESPONSE_TYPE(*fields).encode()


async def _ended(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Ends tasks and waits for it."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _answer_in_order(order: "asyncio.Queue[asyncio.Task[Any]]", writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            data = await (await order.get())
            if data is None:
                continue
            writer.write(struct.pack(">i", len(data)) + data)
            await writer.drain()
    except ConnectionError:
        return
    except Exception:
        # Without its answer a client waits for ever; without its connection it asks again.
        logger.exception("The embedded broker failed to answer; the connection is closed.")
        writer.close()
