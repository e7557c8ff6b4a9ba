"""A watched cluster for tests: the store, the watch, and waiting for what a poll must bring."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition

from headwater_collector.kafka.watch import ClusterConfig, KafkaWatch
from headwater_collector.store import Store

POLL_SECONDS = 0.25
PATIENCE_SECONDS = 60.0

Headers = Sequence[tuple[str, str | bytes]]


class Watching:
    """A running watch and its store."""

    def __init__(self, store: Store, watch: KafkaWatch) -> None:
        self.store = store
        self.watch = watch

    def rows(self, table: str, **where: object) -> list[dict[str, Any]]:
        terms = " and ".join(f"{name} is not distinct from ?" for name in where) or "true"
        names = [row[0] for row in self.store.read(f"select column_name from (describe {table})")]
        found = self.store.read(f"select * from {table} where {terms}", list(where.values()))
        return [dict(zip(names, row, strict=True)) for row in found]

    async def until(self, ready: Callable[[], Any], what: str, seconds: float = PATIENCE_SECONDS) -> Any:
        """Wait for `ready` to answer something true; fails naming what did not come."""
        end = time.monotonic() + seconds
        while not (found := await asyncio.to_thread(ready)):
            assert time.monotonic() < end, f"{what} did not come in {seconds:.0f} s: {self.watch.status()}"
            await asyncio.sleep(0.05)
        return found

    async def polled(self, times: int = 2) -> None:
        """Wait for polls that began after now."""

        def polls() -> int:
            return sum(int(str(each["polls"])) for each in self.watch.status())

        wanted = polls() + times
        await self.until(lambda: polls() >= wanted, f"{times} polls")

    async def status(
        self, group: str, status: str, partition: int = 0, seconds: float = 30.0
    ) -> dict[str, Any]:
        """Wait for a group's status on a partition; gives the row."""

        def ready() -> dict[str, Any] | None:
            rows = self.rows("lag_now", consumer_group=group, partition=partition)
            return rows[0] if rows and rows[0]["status"] == status else None

        found: dict[str, Any] = await self.until(ready, f"{status} of {group}", seconds)
        return found


@contextlib.asynccontextmanager
async def watching(
    path: Path, bootstrap: str, *, secured_by: Mapping[str, str] | None = None, **options: Any
) -> AsyncIterator[Watching]:
    """A watch of one cluster named `main` on the store at `path`, stopped at the end of the block."""
    store = await asyncio.to_thread(Store.open, path)
    try:
        watch = KafkaWatch(
            store,
            [ClusterConfig("main", bootstrap, secured_by or {})],
            **{"poll_seconds": POLL_SECONDS, **options},
        )
        await watch.start()
        try:
            yield Watching(store, watch)
        finally:
            await watch.stop()
    finally:
        await asyncio.to_thread(store.close)


def client_options(bootstrap: str, **options: Any) -> dict[str, Any]:
    return {"bootstrap.servers": bootstrap, "log_level": 0, **options}


def produce(
    bootstrap: str,
    topic: str,
    values: Sequence[str | bytes],
    *,
    partition: int = 0,
    headers: Headers | Mapping[str, str] = (),
) -> None:
    """Send and wait for the acknowledgements."""
    producer = Producer(client_options(bootstrap))
    pairs: list[tuple[str, str | bytes | None]] = []
    pairs.extend(headers.items() if isinstance(headers, Mapping) else headers)
    for value in values:
        producer.produce(topic, value, partition=partition, headers=pairs)
    assert producer.flush(20) == 0


def commit(bootstrap: str, group: str, topic: str, offsets: Mapping[int, int]) -> None:
    """Commit offsets as a group that assigns by hand; leaves no member behind."""
    consumer = Consumer(client_options(bootstrap, **{"group.id": group, "enable.auto.commit": False}))
    try:
        places = [TopicPartition(topic, partition, offset) for partition, offset in offsets.items()]
        consumer.commit(offsets=places, asynchronous=False)
    finally:
        consumer.close()


@contextlib.contextmanager
def member(bootstrap: str, group: str, topic: str, partitions: int, **options: Any) -> Any:
    """A consumer that has been given all partitions of the topic; closed at the end of the block."""
    settings = {"group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False, **options}
    consumer = Consumer(client_options(bootstrap, **settings))
    try:
        consumer.subscribe([topic])
        end = time.monotonic() + PATIENCE_SECONDS
        while len(consumer.assignment()) < partitions:
            assert time.monotonic() < end, f"{group} was given no partitions"
            consumer.poll(0.05)
        yield consumer
    finally:
        consumer.close()
