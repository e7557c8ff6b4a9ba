"""A watched cluster in stretched time: every poll asks the real broker, and counts as so many seconds after the last.

What takes minutes of silence or growth to judge is so produced in seconds, from real answers.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator, Mapping, Sequence

from confluent_kafka import Consumer, Producer, TopicPartition

from headwater_collector.kafka.answers import answer
from headwater_collector.kafka.cluster_config import ClusterConfig
from headwater_collector.kafka.hands import Hands
from headwater_collector.kafka.poll_writer import write_poll
from headwater_collector.kafka.poller import Poller
from headwater_collector.kafka.snapshot import Snapshot
from headwater_collector.kafka.tracker import Tracker
from headwater_collector.store import Store
from kafka_watching import PATIENCE_SECONDS, client_options


class Stretched:
    """The watch; its last poll of `polls` counts as now."""

    def __init__(self, store: Store, bootstrap: str, *, polls: int, every: float) -> None:
        self.store = store
        self._config = ClusterConfig("main", bootstrap)
        self._poller = Poller(self._config)
        self._tracker = Tracker(every)
        self._hands = Hands(store)
        self._every = every
        self._at = time.time() - every * (polls - 1)

    def poll(self) -> Snapshot:
        """One poll, judged and written."""
        seen = dataclasses.replace(self._poller.poll(), at=self._at)
        self._at += self._every
        lives = self._tracker.take(seen)
        self._tracker.hands = self._hands.read(seen.cluster)
        self._tracker.settle()
        write_poll(self.store, self._config, self._tracker, answer(self._tracker), lives)
        return seen

    def close(self) -> None:
        self._poller.close()


class Traffic:
    """Produces to partitions, and commits for groups."""

    def __init__(self, bootstrap: str) -> None:
        self._producer = Producer(client_options(bootstrap, **{"linger.ms": 1}))

    def produce(self, topic: str, counts: Mapping[int, int]) -> None:
        """So many messages by partition; `flush` waits for them."""
        for partition, count in counts.items():
            for _ in range(count):
                self._producer.produce(topic, b"x", partition=partition)

    def flush(self) -> None:
        assert self._producer.flush(20) == 0


def commit_as(consumer: Consumer, topic: str, offsets: Mapping[int, int]) -> None:
    """A member commits."""
    places = [TopicPartition(topic, partition, offset) for partition, offset in offsets.items()]
    consumer.commit(offsets=places, asynchronous=False)


@contextlib.contextmanager
def joined(
    bootstrap: str, wanted: Sequence[tuple[str, str, int]], of: type[Consumer] = Consumer
) -> Iterator[list[Consumer]]:
    """Consumers of (group, topic, partitions it must get), all joining at once; closed at the end of the block."""
    consumers: list[Consumer] = []
    try:
        for number, (group, topic, _) in enumerate(wanted):
            own = {"group.id": group, "client.id": f"{group}-{number}", "enable.auto.commit": False}
            own |= {"auto.offset.reset": "earliest", "heartbeat.interval.ms": 200}
            consumers.append(of(client_options(bootstrap, **own)))
            consumers[-1].subscribe([topic])
        end = time.monotonic() + PATIENCE_SECONDS
        while any(
            len(one.assignment()) != count for one, (_, _, count) in zip(consumers, wanted, strict=True)
        ):
            assert time.monotonic() < end, "partitions were not given to all"
            for one in consumers:
                one.poll(0.02)
        yield consumers
    finally:
        for one in consumers:
            one.close()
