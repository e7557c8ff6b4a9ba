"""The names of a cluster's share groups (KIP-932), asked now and then beside the polls.

librdkafka's listing leaves them out, and aiokafka's tells of every group what kind it is. What they have not read yet
neither of them can ask. The question runs in a thread with an event loop of its own: a slow broker holds nothing up,
and the names of very many groups are not decoded where requests are answered.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterable
from typing import Any, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient

from .aiokafka_options import aiokafka_options
from .cluster_config import ClusterConfig
from .consumer_end import ended

ASKED_EVERY_SECONDS = 60.0
ANSWERED_WITHIN_SECONDS = 10.0
GOOD_FOR_SECONDS = ASKED_EVERY_SECONDS + 2 * ANSWERED_WITHIN_SECONDS
REQUEST_MS = 5000
MOST_NAMES = 1000
LONGEST_REASON = 300


class Listed(NamedTuple):
    """What asking gave."""

    names: tuple[str, ...] | None
    """In order, at most `MOST_NAMES`; None is unknown."""
    remark: str | None = None
    """Why they are unknown, or that there are more."""


NOTHING = Listed(None)


class ShareGroups:
    """Of one cluster; at most one question is under way."""

    def __init__(self, config: ClusterConfig) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._under_way: tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]] | None = None
        self._round = 0
        self._due = 0.0
        self._answer, self._answered = NOTHING, 0.0

    def ask_if_due(self) -> None:
        """Begin to ask if it is time and nothing is under way; never waits. Call it where the cluster has answered."""
        now = time.monotonic()
        if now < self._due or (self._thread is not None and self._thread.is_alive()):
            return
        self._due = now + ASKED_EVERY_SECONDS
        name = f"headwater share groups {self._config.name}"
        self._thread = threading.Thread(target=self._ask, args=(self._round,), name=name, daemon=True)
        self._thread.start()

    def listed(self) -> Listed:
        """The last answer, unless it is too old."""
        with self._lock:
            fresh = time.monotonic() - self._answered < GOOD_FOR_SECONDS
            return self._answer if fresh else NOTHING

    def forget(self) -> None:
        """The cluster is away: what it said is not known any more, and what it still says does not count."""
        with self._lock:
            self._answer, self._due = NOTHING, 0.0
            self._round += 1

    def close(self) -> None:
        """End the question under way; nobody has to wait for it."""
        self.forget()
        with self._lock, contextlib.suppress(RuntimeError):  # its loop may have ended just now
            if self._under_way is not None:
                loop, task = self._under_way
                loop.call_soon_threadsafe(task.cancel)

    def _ask(self, number: int) -> None:
        try:
            answer = asyncio.run(self._list(number))
        except (Exception, asyncio.CancelledError) as error:  # whatever it is, the polls go on
            reason = str(error)[:LONGEST_REASON] or type(error).__name__
            answer = Listed(None, f"share groups cannot be listed: {reason}")
        with self._lock:
            self._under_way = None
            if number == self._round:
                self._answer, self._answered = answer, time.monotonic()

    async def _list(self, number: int) -> Listed:
        task = asyncio.current_task()
        with self._lock:
            if number != self._round or task is None:
                return NOTHING
            self._under_way = asyncio.get_running_loop(), task
        client = AIOKafkaAdminClient(**aiokafka_options(self._config), request_timeout_ms=REQUEST_MS)
        try:
            async with asyncio.timeout(ANSWERED_WITHIN_SECONDS):
                await client.start()
                return listing(await client.list_consumer_groups())
        except TimeoutError as error:
            raise TimeoutError("no answer in time") from error
        finally:
            await ended(client.close())


def listing(groups: Iterable[tuple[str, str]]) -> Listed:
    """The share groups among groups with their kinds: consumers, Connect's workers and all else are left out."""
    names = sorted(name for name, kind in groups if kind == "share")
    if len(names) <= MOST_NAMES:
        return Listed(tuple(names))
    return Listed(tuple(names[:MOST_NAMES]), f"of {len(names):,} share groups {MOST_NAMES:,} are named")
