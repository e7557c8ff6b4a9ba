"""Reads dead-letter topics of one cluster: own assignment, no group, no commits.

Rows and the positions behind them are written in one transaction, so that each dead letter is found once
across any ending. Records are fetched by a topic's name: what was read is written only when the topic, asked
afterwards, still has the id under which it was chosen. Works only while the poller says that the cluster is there.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from headwater_analysis.errors import HeadwaterError
from headwater_collector.store import Store, Writer

from . import dead_letter_rows
from .aiokafka_options import aiokafka_options
from .answers import moment
from .cluster_watch import ClusterWatch
from .consumer_end import cancelled_from_outside, end
from .dead_letter_topics import DeadLetterTopics
from .record_fetcher import RecordFetcher
from .snapshot import Partition, Snapshot

RECORDS_AT_ONCE = 500
FETCH_BYTES = 8 * 1024 * 1024
PARTITION_BYTES = 1024 * 1024
WAIT_MS = 500

_log = logging.getLogger(__name__)

Place = tuple[Partition, int]
"""(partition, incarnation of its topic)"""


class DeadLetterReader:
    """Finds dead-letter topics, also ones that appear later, and stores what lies in them."""

    def __init__(
        self,
        store: Store,
        watch: ClusterWatch,
        *,
        patterns: Sequence[str],
        capture: str,
        poll_seconds: float,
    ) -> None:
        self.name = watch.config.name
        self._store = store
        self._watch = watch
        self._capture = capture
        self._pause = min(poll_seconds, 1.0)
        self._fetcher = RecordFetcher(watch.config)
        self._topics = DeadLetterTopics(patterns, self._fetcher)
        self._consumer: Any = None
        self._chosen_from: Snapshot | None = None
        self._chosen: frozenset[Place] = frozenset()
        self._assigned: frozenset[Place] = frozenset()
        self._next: dict[Place, int] = {}
        self._positions_of: str | None = None
        self._task: asyncio.Task[None] | None = None
        self._writing: asyncio.Task[None] | None = None
        self.records = 0
        self.reason: str | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=f"dead letters {self.name}")

    async def stop(self) -> None:
        """Returns when the last write is done."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._writing is not None:
            await asyncio.wait([self._writing])
        await self._disconnect()
        await self._fetcher.close()

    def status(self) -> dict[str, object]:
        return {
            "topics": sorted({partition.topic for partition, _ in self._assigned}),
            "records": self.records,
            "reason": self.reason,
        }

    async def _run(self) -> None:
        while True:
            snapshot = self._watch.snapshot
            if snapshot is None or self._watch.state == "down":
                await self._disconnect()
                await asyncio.sleep(self._pause)
                continue
            try:
                await self._turn(snapshot)
                self.reason = None
            except (KafkaError, HeadwaterError, OSError, TimeoutError) as error:
                await self._fail(str(error) or type(error).__name__)
            except asyncio.CancelledError:
                if cancelled_from_outside():
                    raise
                await self._fail("the connection broke off")
            except Exception as error:  # one bad turn must not end the reading for good
                _log.exception("reading dead letters of cluster %s failed", self.name)
                await self._fail(f"{type(error).__name__}: {error}")

    async def _fail(self, reason: str) -> None:
        self.reason = reason
        await self._disconnect()
        await asyncio.sleep(self._pause)

    async def _turn(self, snapshot: Snapshot) -> None:
        if snapshot is not self._chosen_from:
            await self._topics.probe(snapshot)
            self._chosen = frozenset(
                (Partition(topic, number), self._watch.incarnation(topic))
                for topic in self._topics.named(snapshot)
                for number in range(snapshot.topics[topic])
            )
            self._chosen_from = snapshot
        if not self._chosen:
            await asyncio.sleep(self._pause)
            return
        if self._consumer is None or self._chosen != self._assigned:
            await self._assign(snapshot, self._chosen)
        batches = await self._consumer.getmany(timeout_ms=WAIT_MS, max_records=RECORDS_AT_ONCE)
        if not batches:
            return
        places = {TopicPartition(*place[0]): place for place in self._assigned}
        if recreated := await self._recreated(snapshot, {each.topic for each in batches}):
            self.reason = f"topic {recreated} was deleted or recreated; waiting for the next poll"
            await self._wait_for_poll()
        elif any(records[0].offset < self._next.get(places[each], 0) for each, records in batches.items()):
            await self._wait_for_poll()
            for each in batches:  # the log was cut: it is read again from its start
                self._next.pop(places[each], None)
        else:
            await self._take(snapshot, {places[each]: records for each, records in batches.items()})

    async def _recreated(self, snapshot: Snapshot, topics: set[str]) -> str | None:
        """A topic that no longer has the id under which it was chosen; None when all have.

        Where the broker gives no ids, an end offset that falls tells of a new life, and only the poller sees it.
        """
        chosen = {topic: snapshot.topic_ids[topic] for topic in topics if topic in snapshot.topic_ids}
        if not chosen:
            return None
        present = await self._watch.topic_ids(chosen)
        return next((topic for topic in sorted(chosen) if present.get(topic) != chosen[topic]), None)

    async def _wait_for_poll(self) -> None:
        await self._disconnect()
        await self._watch.next_poll()

    async def _assign(self, snapshot: Snapshot, wanted: frozenset[Place]) -> None:
        if self._assigned - wanted:  # records of an earlier life may have been fetched ahead
            await self._disconnect()
        if self._consumer is None:
            consumer = AIOKafkaConsumer(
                **aiokafka_options(self._watch.config),
                group_id=None,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                isolation_level="read_committed",
                fetch_max_bytes=FETCH_BYTES,
                max_partition_fetch_bytes=PARTITION_BYTES,
            )
            try:
                await consumer.start()
            except BaseException:
                await end(consumer)
                raise
            self._consumer = consumer
        if self._positions_of != snapshot.cluster:
            self._next = await asyncio.to_thread(self._stored_positions, snapshot.cluster)
            self._positions_of = snapshot.cluster
        self._consumer.assign([TopicPartition(*partition) for partition, _ in wanted])
        for place in wanted:
            start = self._next.get(place, snapshot.log_start.get(place[0], 0))
            self._consumer.seek(TopicPartition(*place[0]), start)
        self._assigned = wanted

    def _stored_positions(self, cluster: str) -> dict[Place, int]:
        rows = self._store.read(
            "SELECT topic, partition, next_offset FROM dead_letter_positions WHERE cluster = ?", [cluster]
        )
        return {
            (Partition(topic, partition), self._watch.incarnation(topic)): offset
            for topic, partition, offset in rows
        }

    async def _take(self, snapshot: Snapshot, batches: dict[Place, list[Any]]) -> None:
        now = time.time()
        rows = [
            dead_letter_rows.row(
                record,
                cluster=snapshot.cluster,
                incarnation=incarnation,
                received_at=moment(now),
                topics=snapshot.topics,
                groups=snapshot.groups,
                capture=self._capture,
            )
            for (_, incarnation), records in batches.items()
            for record in records
        ]
        ends = {place: records[-1].offset + 1 for place, records in batches.items()}

        def work(writer: Writer) -> None:
            writer.append("dead_letter_rows", rows)
            for (partition, incarnation), offset in ends.items():
                key: dict[str, object] = {
                    "cluster": snapshot.cluster,
                    "topic": partition.topic,
                    "partition": partition.partition,
                }
                life = "select max(incarnation) from topic_lives where cluster = ? and topic = ?"
                if writer.execute(life, [snapshot.cluster, partition.topic]) != [(incarnation,)]:
                    continue  # a poll has written a new life down meanwhile, which starts at its log start
                writer.replace("dead_letter_positions", [{**key, "next_offset": offset}], **key)
            for relation in ("dead_letters", "failure_groups"):
                writer.changed(relation, int(now * 1e9), int(now * 1e9))

        def write() -> None:
            self._store.write(work)

        self._writing = asyncio.create_task(asyncio.to_thread(write))
        await asyncio.shield(self._writing)
        self.records += len(rows)
        self._next |= ends

    async def _disconnect(self) -> None:
        consumer, self._consumer = self._consumer, None
        self._assigned = frozenset()
        if consumer is not None:
            await end(consumer)
