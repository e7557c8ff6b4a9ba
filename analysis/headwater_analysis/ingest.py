"""Is what services send arriving, and is it kept?"""

from dataclasses import dataclass
from typing import Any

from .rows import select
from .source import Source


@dataclass(frozen=True)
class IngestRow:
    """What the collector's doors counted since it started, and what waits to be stored."""

    sampled_ns: int
    started_ns: int
    version: str
    received_requests: int
    acknowledged_requests: int
    repeated_requests: int
    refused_requests: int
    stored_spans: int
    quarantined: int
    quarantine_reasons: Any
    """Reason → count."""
    metrics_not_kept: int
    logs_not_kept: int
    log_bytes: int
    unstored_bytes: int
    oldest_unstored_seconds: float | None
    last_error: str | None


@dataclass(frozen=True)
class IngestNow:
    """What only a running collector knows: how fast things go and what room is left; None where it does not say."""

    received_per_second: float | None
    """Requests, over the last ten seconds, as are the other rates."""
    acknowledged_per_second: float | None
    refused_per_second: float | None
    stored_per_second: float | None
    """Spans."""
    waiting_requests: int | None
    """Requests that wait for the disk."""
    log_limit_bytes: int | None
    """Size of the log at which senders are told to come later."""
    disk_free_bytes: int | None
    doors: Any
    """Door → connections, limit, refused, calls."""


def ingest_now(source: Source) -> IngestNow | None:
    """The doors at this moment; None for a store that no collector holds. Raises Unavailable."""
    state = source.health()
    if "doors" not in state:
        return None
    rates = state.get("per_second") or {}
    return IngestNow(
        rates.get("received_requests"),
        rates.get("acknowledged_requests"),
        rates.get("refused_requests"),
        rates.get("stored_spans"),
        state.get("waiting_requests"),
        state.get("log_limit_bytes"),
        state.get("disk_free_bytes"),
        state["doors"],
    )


def ingest(source: Source) -> IngestRow | None:
    """The newest state of ingest; None while the collector has not said anything yet."""
    rows = select(source, IngestRow, "from ingest_health limit 1")
    return rows[0] if rows else None
