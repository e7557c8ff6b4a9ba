"""The poll loop of one cluster: poll, look records up, judge, write; a cluster that is away is a state."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import islice

from headwater_analysis.errors import HeadwaterError
from headwater_collector.store import Store

from .aiokafka_options import untranslatable
from .answers import answer
from .cluster_config import ClusterConfig
from .daemon_thread import in_daemon_thread
from .hands import Hands
from .lives import FIRST, NewLives
from .poll_writer import known_cluster, restore, state_of, write_down, write_poll
from .poller import Poller
from .record_fetcher import RecordFetcher
from .sent_times import sent_times
from .share_groups import ShareGroups
from .snapshot import Snapshot
from .tracker import Tracker

LONGEST_TIMEOUT_SECONDS = 10.0
MOST_TURNS_BETWEEN_FAILURES = 3
LOOKUPS_PER_POLL = 200

_log = logging.getLogger(__name__)


class ClusterWatch:
    """Polls one cluster every `poll_seconds`; a poll that takes longer costs the turns it runs over."""

    def __init__(self, store: Store, config: ClusterConfig, poll_seconds: float) -> None:
        self.config = config
        self._store = store
        self._interval = poll_seconds
        self._poller = Poller(config, timeout_seconds=min(LONGEST_TIMEOUT_SECONDS, max(3.0, poll_seconds)))
        self._lookup = RecordFetcher(config)
        self._hands = Hands(store)
        self._share_groups = ShareGroups(config)
        self._no_records = _no_records(config)
        self._tracker: Tracker | None = None
        self._task: asyncio.Task[None] | None = None
        self._writing: asyncio.Task[None] | None = None
        self._polled = asyncio.Event()
        self.snapshot: Snapshot | None = None
        """The last poll that succeeded and was written, for those who need topics and groups."""
        self._incarnations: Mapping[str, int] = {}
        self.cluster: str | None = None
        self.state = "unknown"
        self.reason: str | None = "not polled yet"
        self.polls = self.failures = self.skipped = 0
        self.poll_ms: float | None = None

    async def start(self) -> None:
        self.cluster = await asyncio.to_thread(known_cluster, self._store, self.config.name)
        self._task = asyncio.create_task(self._run(), name=f"poll {self.config.name}")

    async def stop(self) -> None:
        """Returns when the last write is done; a request under way is left to its time-out."""
        self._poller.close()
        self._share_groups.close()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._writing is not None:
            await asyncio.wait([self._writing])
        await self._lookup.close()

    @property
    def reads_records(self) -> bool:
        """Whether records may be read, and aiokafka can."""
        return self.config.read_records and self._no_records is None

    async def next_poll(self) -> None:
        """Wait for a poll to succeed."""
        await self._polled.wait()

    def incarnation(self, topic: str) -> int:
        """As of `snapshot`."""
        return self._incarnations.get(topic, FIRST)

    async def topic_ids(self, topics: Iterable[str]) -> Mapping[str, str]:
        """Topic ids at this moment; a topic that is not there, or gives none, is left out. Raises Unavailable."""
        wanted = list(topics)
        name = f"headwater topic ids {self.config.name}"
        return await in_daemon_thread(name, lambda: self._poller.topic_ids(wanted))

    def status(self) -> dict[str, object]:
        return {
            "name": self.config.name,
            "bootstrap": self.config.bootstrap,
            "cluster": self.cluster,
            "state": self.state,
            "reason": self.reason,
            "polls": self.polls,
            "failed_polls": self.failures,
            "skipped_polls": self.skipped,
            "poll_ms": self.poll_ms,
        }

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        failed_in_a_row = 0
        while True:
            failed_in_a_row = 0 if await self._turn() else failed_in_a_row + 1
            due += self._interval * max(1, min(failed_in_a_row, MOST_TURNS_BETWEEN_FAILURES))
            late = loop.time() - due
            if late > 0:
                missed = int(late / self._interval) + 1
                self.skipped += missed
                due += missed * self._interval
            await asyncio.sleep(due - loop.time())

    async def _turn(self) -> bool:
        """One poll; False when the cluster gave no answer."""
        started = time.monotonic()
        try:
            snapshot = await in_daemon_thread(f"headwater poll {self.config.name}", self._poller.poll)
            await self._take(snapshot)
            return True
        except HeadwaterError as error:
            reason = str(error)
        except Exception as error:  # whatever it is, the next poll may do better and the other clusters go on
            _log.exception("polling cluster %s failed", self.config.name)
            reason = f"the poll failed: {type(error).__name__}: {error}"
        self.failures += 1
        self.state, self.reason = "down", reason
        self.poll_ms = (time.monotonic() - started) * 1000
        if self._tracker is not None:
            self._tracker.miss()
        self._share_groups.forget()
        down = (self._store, self.config, self.cluster, reason, self.poll_ms)
        with contextlib.suppress(Exception):  # a store that fails says so where its writes are counted
            await self._write(lambda: write_down(*down))
        return False

    async def _take(self, snapshot: Snapshot) -> None:
        if self._tracker is None or snapshot.cluster != self.cluster:
            arguments = (self._store, snapshot.cluster, self._interval)
            self._tracker = await asyncio.to_thread(restore, *arguments)
        tracker = self._tracker
        self.cluster = snapshot.cluster
        snapshot = self._with_share_groups(snapshot)
        if self._no_records is not None:
            snapshot = replace(snapshot, refusals=(*snapshot.refusals, self._no_records))
        new_lives = tracker.take(snapshot)
        if self.reads_records:
            tracker.give(await self._lookup.fetch(islice(tracker.wanted(), LOOKUPS_PER_POLL)))
        await self._write(lambda: self._judge_and_write(tracker, new_lives))
        self.polls += 1
        self._incarnations = {topic: tracker.lives.incarnation(topic) for topic in snapshot.topics}
        self.snapshot = snapshot
        polled, self._polled = self._polled, asyncio.Event()
        polled.set()
        self.poll_ms = snapshot.poll_ms
        self.state, self.reason = state_of(snapshot)

    def _with_share_groups(self, snapshot: Snapshot) -> Snapshot:
        """What asking beside the polls gave until now."""
        self._share_groups.ask_if_due()
        names, remark = self._share_groups.listed()
        said = [snapshot.remark, None if self._no_records else remark]
        return replace(snapshot, share_groups=names, remark="; ".join(filter(None, said)) or None)

    def _judge_and_write(self, tracker: Tracker, new_lives: NewLives) -> None:
        assert self.cluster is not None
        if not self.reads_records:
            tracker.sent = sent_times(self._store, self.cluster, islice(tracker.wanted(), LOOKUPS_PER_POLL))
        tracker.hands = self._hands.read(self.cluster)
        tracker.settle()
        write_poll(self._store, self.config, tracker, answer(tracker), new_lives)

    async def _write(self, work: Callable[[], None]) -> None:
        """In a thread; a write that has begun is waited for by `stop`."""
        self._writing = asyncio.create_task(asyncio.to_thread(work))
        await asyncio.shield(self._writing)


def _no_records(config: ClusterConfig) -> str | None:
    """Why no records can be read though they may be; None if they can, or may not."""
    reason = untranslatable(config) if config.read_records else None
    if reason is None:
        return None
    said = "records cannot be read nor share groups be listed"
    return f"Cluster {config.name}: {said}: {reason}; or set read_records = false."
