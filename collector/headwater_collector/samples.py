"""What the pipeline counts, as rows of ingest_samples."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from .store import Store, Writer

EVERY_SECONDS = 1.0
SECOND = 1_000_000_000


class Samples:
    """Writes a row when something has changed. For one thread."""

    def __init__(self, store: Store, health: Callable[[], dict[str, object]]) -> None:
        """`health` gives the columns of a row without its time."""
        self._store = store
        self._health = health
        self._last: dict[str, object] = {}
        self._last_at = 0.0

    def take(self, at_once: bool) -> None:
        """A row, at most one a second unless `at_once`, and only when something has changed."""
        now = time.monotonic()
        if now - self._last_at < EVERY_SECONDS and not at_once:
            return
        row = self._health()
        if all(row[name] == self._last.get(name) for name in row if name != "oldest_unstored_seconds"):
            return
        self._last, self._last_at = row, now
        now_ns = time.time_ns()
        times = {"sampled_at": datetime.fromtimestamp(now_ns / SECOND, UTC), "started_at": row["started_at"]}
        # The store's times are UTC without saying so.
        plain = {name: at.replace(tzinfo=None) for name, at in times.items() if isinstance(at, datetime)}
        sampled = {**row, **plain}

        def work(writer: Writer) -> None:
            writer.append("ingest_samples", [sampled])
            writer.changed("ingest_health", now_ns, now_ns)

        self._store.write(work)
