"""Everything the collector learns of Kafka: a poll loop and a dead-letter reader a cluster, and what is received."""

import asyncio
import logging
from collections.abc import Sequence

from headwater_collector.store import Store

from .cluster_config import ClusterConfig
from .cluster_watch import ClusterWatch
from .dead_letter_reader import DeadLetterReader
from .poll_writer import forget_unwatched
from .received import ReceivedWatch

__all__ = ["ClusterConfig", "KafkaWatch"]


_aiokafka_log = logging.getLogger("aiokafka")


class KafkaWatch:
    """Watches clusters and writes what it sees to the store; construct without I/O, then `start()`."""

    def __init__(
        self,
        store: Store,
        clusters: Sequence[ClusterConfig],
        *,
        poll_seconds: float,
        dead_letter_patterns: Sequence[str] = (),
        capture: str = "class",
    ) -> None:
        self._store = store
        self._log_level = _aiokafka_log.level
        self._watches = [ClusterWatch(store, config, poll_seconds) for config in clusters]
        self._received = ReceivedWatch(store, poll_seconds)
        self._readers = [
            DeadLetterReader(
                store, watch, patterns=dead_letter_patterns, capture=capture, poll_seconds=poll_seconds
            )
            for watch in self._watches
            if watch.reads_records
        ]

    async def start(self) -> None:
        """Start watching; a cluster that is not there is a state with a reason, never an error here."""
        # A broker that is away would otherwise fill the log; the state with its reason says it once.
        self._log_level = _aiokafka_log.level
        _aiokafka_log.setLevel(logging.CRITICAL)
        names = {watch.config.name for watch in self._watches}
        await asyncio.to_thread(forget_unwatched, self._store, names)
        for watch in self._watches:
            await watch.start()
        for reader in self._readers:
            await reader.start()
        await self._received.start()

    async def stop(self) -> None:
        """End all loops; returns when nothing writes to the store any more."""
        await self._received.stop()
        await asyncio.gather(*(reader.stop() for reader in self._readers))
        await asyncio.gather(*(watch.stop() for watch in self._watches))
        _aiokafka_log.setLevel(self._log_level)

    def status(self) -> list[dict[str, object]]:
        """One entry a cluster: name, bootstrap, cluster, state, reason, polls, … and `dead_letters`."""
        readers = {reader.name: reader.status() for reader in self._readers}
        return [{**watch.status(), "dead_letters": readers.get(watch.config.name)} for watch in self._watches]
