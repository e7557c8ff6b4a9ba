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


def ingest(source: Source) -> IngestRow | None:
    """The newest state of ingest; None while the collector has not said anything yet."""
    rows = select(source, IngestRow, "from ingest_health limit 1")
    return rows[0] if rows else None
