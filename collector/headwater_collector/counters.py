"""What the doors and the pipeline have counted since the start; one row of `ingest_health`."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, datetime


class IngestCounters:
    """Counters that several threads add to."""

    def __init__(self, version: str) -> None:
        self._lock = threading.Lock()
        self._version = version
        self._started_at = datetime.now(UTC)
        self._counts: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._last_error: str | None = None

    def add(self, name: str, number: int = 1) -> None:
        """Count: received_requests, acknowledged_requests, repeated_requests, refused_requests,
        stored_spans, quarantined, metrics_not_kept or logs_not_kept."""
        with self._lock:
            self._counts[name] += number

    def add_reasons(self, reasons: Counter[str]) -> None:
        """Count why things were quarantined, refused or repaired."""
        if reasons:
            with self._lock:
                self._reasons.update(reasons)

    def refused(self, reason: str) -> None:
        """Count a request that a door refused."""
        with self._lock:
            self._counts["refused_requests"] += 1
            self._reasons[f"refused_{reason}"] += 1

    def failed(self, error: str | None) -> None:
        """Remember the last error; None when what failed works again."""
        with self._lock:
            self._last_error = error

    def row(self) -> dict[str, object]:
        """Everything counted, by the column names of ingest_samples, without the log's own."""
        names = (
            "received_requests",
            "acknowledged_requests",
            "repeated_requests",
            "refused_requests",
            "stored_spans",
            "quarantined",
            "metrics_not_kept",
            "logs_not_kept",
        )
        with self._lock:
            counted: dict[str, object] = {name: self._counts[name] for name in names}
            counted["quarantine_reasons"] = dict(self._reasons)
            counted["last_error"] = self._last_error
        counted["started_at"] = self._started_at
        counted["version"] = self._version
        return counted
