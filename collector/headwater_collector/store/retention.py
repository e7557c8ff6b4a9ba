"""What is kept for how long: by time of arrival, never by span time, oldest first.

Flows with errors or dead letters, and slow ones, are kept longer than the rest; what pathways added up to by the
hour, longest.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from headwater_analysis import sql

from . import tiers

if TYPE_CHECKING:
    from .store import Store
    from .writer import Writer

_LOG = logging.getLogger(__name__)

OF_TRACES = {
    **dict.fromkeys(
        (
            "span_rows", "link_rows", "event_rows", "message_rows", "delivery_rows", "range_rows", "claim_rows",
            "cause_rows", "split_spans", "fragments", "flow_parts", "transaction_rows", "transacted_rows",
        ),
        "trace_id",
    ),
    "hop_rows": "coalesce(hop_rows.owner_trace_id, hop_rows.trace_id)",
}  # fmt: skip
"""Tables whose rows go when their ``received_at`` is too old, and later if their trace is kept; its column."""

BY_ARRIVAL = ("quarantine_rows", "request_hashes", "ignored_events")
"""Tables whose rows go when their ``received_at`` is too old."""

NOTABLE = ("dead_letter_rows", "kept_traces")
"""Tables whose rows stay as long as the flows worth keeping."""

BY_SAMPLE = ("ingest_samples", "metric_rows", "reporter_rows", "held_rows")
"""Tables whose rows go when their ``sampled_at`` is too old."""

THINNED = tuple(tiers.KEYS)
"""Tables whose rows stay as long by their ``sampled_at``: thinned with age, a month of them is small."""

AGGREGATES = ("pathway_hours",)
"""Tables whose rows go when their ``hour`` is more than AGGREGATE_DAYS ago."""

KEPT = (
    "resource_rows", "scope_rows", "log_position", "cluster_rows", "topic_lives", "lag_now",
    "group_health_now", "dead_letter_positions",
)  # fmt: skip
"""Tables of bounded size, which do not age."""

BEFORE = ("aged_flows", "newly_kept", "pathway_history")
"""Steps of ``retaining`` that look at what is to go; those after it look at what is left."""

AGGREGATE_DAYS = 400
"""A year can be compared with the one before; a pathway's hour is one small row."""

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
    """While the used part of the file is bigger, the oldest tenth goes, flows worth keeping last. Freed room is used
    again; the file does not shrink."""
    notable_days: float = 28.0
    """The same for flows with errors or dead letters, for slow ones and for samples of Kafka: a bug is looked for
    weeks later."""


def apply(store: Store, limits: Retention, now: datetime | None = None) -> int:
    """Removes what is too old, then what is too much; gives the number of spans removed."""
    now = now or datetime.now(UTC)
    cutoff = now - timedelta(days=limits.days)
    notable = now - timedelta(days=max(limits.notable_days, limits.days))
    removed = store.write(lambda writer: _remove(writer, cutoff, notable, now))
    while used_bytes(store) > limits.max_bytes:
        oldest, all_kept = _oldest(store)
        if oldest is None:
            break
        until = oldest if all_kept else notable
        step = store.write(
            lambda writer, before=oldest, until=until: _remove(writer, before, until, now)  # type: ignore[misc]
        )
        if step == 0 and all_kept:
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


def _oldest(store: Store) -> tuple[datetime | None, bool]:
    """Just after the oldest tenth of the spans arrived, and whether none but those worth keeping are left."""
    for kept, where in ((False, "anti join kept_traces using (trace_id)"), (True, "")):
        asked = f"select quantile_disc(received_at, ?)::timestamp from span_rows {where}"
        [(found,)] = store.read(asked, [STEP])
        if found is not None:
            return found.replace(tzinfo=UTC) + timedelta(microseconds=1), kept
    return None, True


@cache
def _steps() -> dict[str, str]:
    return {item.name: item.text for item in sql.ordered(resources.files(__package__) / "retaining")}


def _remove(writer: Writer, before: datetime, notable_before: datetime, now: datetime) -> int:
    """Removes what arrived before the first limit, but what is worth keeping only before the second."""
    removed = 0
    limits = [moment.astimezone(UTC).replace(tzinfo=None) for moment in (before, notable_before)]
    if _any(writer, "flow_parts", "received_at", limits[0]) or _any(
        writer, "span_rows", "received_at", limits[0]
    ):
        writer.execute(
            "create or replace temp table retention_limits as "
            "select ?::timestamp_ns as before, ?::timestamp_ns as notable_before",
            limits,
        )
        for step in BEFORE:
            writer.execute(_steps()[step])
        for table, trace in OF_TRACES.items():
            count = _remove_traces(writer, table, trace)
            removed += count if table == "span_rows" else 0
        writer.execute("insert into kept_traces by name from newly_kept")
        writer.execute(_steps()["first_runs"])
    aggregates = now.astimezone(UTC).replace(tzinfo=None) - timedelta(days=AGGREGATE_DAYS)
    for tables, column, limit in (
        (BY_ARRIVAL, "received_at", limits[0]),
        (NOTABLE, "received_at", limits[1]),
        (THINNED, "sampled_at", limits[1]),
        (BY_SAMPLE, "sampled_at", limits[0]),
        (AGGREGATES, "hour", aggregates),
    ):
        for table in tables:
            if _any(writer, table, column, limit):
                writer.execute(f"delete from {table} where {column} < ?::timestamp", [limit])
    return removed


def _remove_traces(writer: Writer, table: str, trace: str) -> int:
    """Old rows go; those newly worth keeping move behind the newest, since room is given back by whole row groups."""
    old = "received_at < (select before from retention_limits)"
    qualified = trace if "." in trace else f"{table}.{trace}"
    kept = f"exists (from {{}} k where k.trace_id = {qualified})"
    writer.execute(
        f"create or replace temp table moved as select * from {table} where {old} and {kept.format('newly_kept')}"
    )
    [(gone,)] = writer.execute(
        f"delete from {table} where {old} and (received_at < (select notable_before from retention_limits) "
        f"or not {kept.format('kept_traces')})"
    )
    [(back,)] = writer.execute(f"insert into {table} from moved")
    return int(gone) - int(back)


def _any(writer: Writer, table: str, column: str, limit: datetime) -> bool:
    return bool(writer.execute(f"select exists (from {table} where {column} < ?::timestamp)", [limit])[0][0])


class Upkeep:
    """Applies the limits now and then, in a thread of its own, until stopped."""

    def __init__(self, store: Store, limits: Retention) -> None:
        self._store = store
        self._limits = limits
        self._thinning = tiers.Thinning()
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
                self._thinning.apply(self._store, datetime.now(UTC))
            except Exception:
                _LOG.exception("the store's limits could not be applied; trying again later")
            self._stop.wait(max(PERIOD_SECONDS - (time.monotonic() - begun), 1.0))
