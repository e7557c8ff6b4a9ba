"""Reads single records: the first one at or after an offset. Own assignment, no group, no commits.

Bounded by time; what was not reached is not in the answer.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from .aiokafka_options import aiokafka_options
from .cluster_config import ClusterConfig
from .consumer_end import cancelled_from_outside, end
from .snapshot import Partition

_FETCH_BYTES = 65536  # one record is wanted; a broker sends a larger first batch all the same
_ROUND_MS = 250


@dataclass(frozen=True)
class Place:
    """The first record at or after `offset`, before `stable`."""

    partition: Partition
    offset: int
    stable: int
    """Last stable offset: reading ends there."""


class RecordFetcher:
    """One connection for the look-ups of one cluster; made at the first look-up, remade after a failure."""

    def __init__(self, config: ClusterConfig, *, budget_seconds: float = 1.5) -> None:
        self._config = config
        self._budget = budget_seconds
        self._consumer: Any = None

    async def fetch(self, places: Iterable[Place]) -> dict[Place, Any]:
        """The record of each place, None where there is none; a place without an answer is absent.

        Never raises for Kafka's sake.
        """
        rounds = _rounds(places)
        found: dict[Place, Any] = {}
        if not rounds:
            return found
        try:
            async with asyncio.timeout(self._budget + 5.0):
                consumer = await self._connect()
                deadline = asyncio.get_running_loop().time() + self._budget
                for places_by_partition in rounds:
                    await _round(consumer, places_by_partition, found, deadline)
        except (KafkaError, OSError, TimeoutError):
            await self.close()
        except asyncio.CancelledError:
            if cancelled_from_outside():
                raise
            await self.close()
        return found

    async def close(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await end(consumer)

    async def _connect(self) -> Any:
        if self._consumer is None:
            consumer = AIOKafkaConsumer(
                **aiokafka_options(self._config),
                group_id=None,
                enable_auto_commit=False,
                auto_offset_reset="earliest",  # an offset that retention passed: what is left comes next
                isolation_level="read_committed",
                max_partition_fetch_bytes=_FETCH_BYTES,
                request_timeout_ms=5000,
                fetch_max_wait_ms=100,
            )
            try:
                await consumer.start()
            except BaseException:
                await end(consumer)
                raise
            self._consumer = consumer
        return self._consumer


async def _round(
    consumer: Any, places: dict[TopicPartition, Place], found: dict[Place, Any], deadline: float
) -> None:
    """Places of different partitions at once, until all are answered or time is up."""
    loop = asyncio.get_running_loop()
    if loop.time() >= deadline:
        return
    consumer.assign(list(places))
    for partition, place in places.items():
        consumer.seek(partition, place.offset)
    unanswered = dict(places)
    while unanswered and loop.time() < deadline:
        batches = await consumer.getmany(*unanswered, timeout_ms=_ROUND_MS, max_records=len(unanswered))
        for partition, records in batches.items():
            found[unanswered.pop(partition)] = records[0]
            consumer.pause(partition)
        for partition, place in list(unanswered.items()):
            if await consumer.position(partition) >= place.stable:
                found[place] = None
                del unanswered[partition]


def _rounds(places: Iterable[Place]) -> list[dict[TopicPartition, Place]]:
    """Places in rounds that name each partition once: groups may stand at different offsets of it."""
    rounds: list[dict[TopicPartition, Place]] = []
    for place in places:
        partition = TopicPartition(place.partition.topic, place.partition.partition)
        for each in rounds:
            if partition not in each:
                each[partition] = place
                break
        else:
            rounds.append({partition: place})
    return rounds
