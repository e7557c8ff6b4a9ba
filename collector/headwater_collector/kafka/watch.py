"""Everything the collector learns from Kafka: one poll loop and one dead-letter reader a cluster."""

from collections.abc import Sequence

from ..store import Store
from .cluster_config import ClusterConfig

__all__ = ["ClusterConfig", "KafkaWatch"]


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

    async def start(self) -> None:
        """Start watching; a cluster that is not there is a state with a reason, never an error here."""

    async def stop(self) -> None:
        """End all loops; returns when nothing writes to the store any more."""

    def status(self) -> list[dict[str, object]]:
        """One entry a cluster: name, bootstrap, state, reason, polls, skipped, poll_ms."""
        return []
