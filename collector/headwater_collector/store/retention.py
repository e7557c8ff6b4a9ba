"""What is kept for how long: by time of arrival, never by span time, oldest first."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .store import Store
    from .writer import Writer

_LOG = logging.getLogger(__name__)

BY_ARRIVAL = (
    "span_rows", "link_rows", "event_rows", "quarantine_rows", "request_hashes", "message_rows",
    "delivery_rows", "hop_rows", "range_rows", "claim_rows", "cause_rows", "split_spans", "fragments",
    "flow_parts", "dead_letter_rows",
)  # fmt: skip
"""Tables whose rows go when their ``received_at`` is too old."""

BY_SAMPLE = ("ingest_samples", "offset_samples", "commit_samples", "group_samples")
"""Tables whose rows go when their ``sampled_at`` is too old."""

KEPT = (
    "resource_rows", "scope_rows", "log_position", "cluster_rows", "topic_lives", "lag_now",
    "group_health_now", "dead_letter_positions",
)  # fmt: skip
"""Tables of bounded size, which do not age."""

STEP = 0.1
"""Share of the spans that goes at a time while the store is too big."""

PERIOD_SECONDS = 600.0
"""Between two looks: a day holds 144 of them, so a limit is overrun by less than a hundredth."""


@dataclass(frozen=True)
class Retention:
    """How much is kept."""

    days: float = 7.0
    """Rows that arrived longer ago go."""
    max_bytes: int = 20_000_000_000
    """While the used part of the file is bigger, the oldest tenth goes. Freed room is used again; the file does
    not shrink."""


def apply(store: Store, limits: Retention, now: datetime | None = None) -> int:
    """Removes what is too old, then what is too much; gives the number of spans removed."""
    cutoff = (now or datetime.now(UTC)) - timedelta(days=limits.days)
    removed = store.write(lambda writer: _remove(writer, cutoff))
    while used_bytes(store) > limits.max_bytes:
        found = store.read("select quantile_disc(received_at, ?)::timestamp from span_rows", [STEP])
        if found[0][0] is None:
            break
        oldest = found[0][0].replace(tzinfo=UTC) + timedelta(microseconds=1)
        step = store.write(lambda writer, until=oldest: _remove(writer, until))  # type: ignore[misc]
        if step == 0:
            break
        removed += step
        store.checkpoint()
    if removed:
        _LOG.info("removed %d spans that arrived before %s or were too many", removed, cutoff.isoformat())
    return removed


def used_bytes(store: Store) -> int:
    """Bytes of the file that hold something."""
    [(used,)] = store.read("select used_blocks * block_size from pragma_database_size()")
    return int(used)


def _remove(writer: Writer, before: datetime) -> int:
    until = before.astimezone(UTC).replace(tzinfo=None)
    removed = 0
    for table, column in [(t, "received_at") for t in BY_ARRIVAL] + [(t, "sampled_at") for t in BY_SAMPLE]:
        [(old,)] = writer.execute(f"select exists (from {table} where {column} < ?::timestamp)", [until])
        if not old:
            continue
        [(count,)] = writer.execute(f"delete from {table} where {column} < ?::timestamp", [until])
        if table == "span_rows":
            removed = int(count)
    return removed


class Upkeep:
    """Applies the limits now and then, in a thread of its own, until stopped."""

    def __init__(self, store: Store, limits: Retention) -> None:
        self._store = store
        self._limits = limits
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="store-upkeep", daemon=True)

    def start(self) -> None:
        """Begins; the first look comes at once, so that a collector started daily keeps to its limits too."""
        self._thread.start()

    def stop(self) -> None:
        """Ends after the look under way."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            begun = time.monotonic()
            try:
                apply(self._store, self._limits)
            except Exception:
                _LOG.exception("the store's limits could not be applied; trying again later")
            self._stop.wait(max(PERIOD_SECONDS - (time.monotonic() - begun), 1.0))
