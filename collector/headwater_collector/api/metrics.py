"""The collector's state in the text format of Prometheus.

Rates are not among it: Prometheus takes them from the counters, over whatever time is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from headwater_collector.store.cursor import DatabaseError
from headwater_collector.store.store import Store

from . import lag_metrics
from .exposition import Rows, family

# (name, type, key of the collector's health, help)
_PLAIN = (
    ("requests_received_total", "counter", "received_requests", "OTLP requests that reached a door."),
    ("requests_acknowledged_total", "counter", "acknowledged_requests",
     "OTLP requests made durable and acknowledged."),
    ("requests_repeated_total", "counter", "repeated_requests",
     "OTLP requests recognised as repeated and not stored twice."),
    ("spans_stored_total", "counter", "stored_spans", "Spans stored."),
    ("quarantined_total", "counter", "quarantined", "Spans and requests that could not be stored."),
    ("metrics_not_kept_total", "counter", "metrics_not_kept", "Metrics accepted and not kept."),
    ("logs_not_kept_total", "counter", "logs_not_kept", "Log records accepted and not kept."),
    ("log_bytes", "gauge", "log_bytes", "Size of the append log on disk."),
    ("log_limit_bytes", "gauge", "log_limit_bytes", "Size at which the doors say to come later."),
    ("log_unstored_bytes", "gauge", "unstored_bytes", "Bytes of the append log not yet in the store."),
    ("log_oldest_unstored_seconds", "gauge", "oldest_unstored_seconds",
     "Age of the oldest request not yet in the store; 0 when all are stored."),
    ("log_waiting_requests", "gauge", "waiting_requests", "Requests that wait for the disk."),
    ("log_waiting_bytes", "gauge", "waiting_bytes", "Bytes of the requests that wait for the disk."),
    ("log_disk_errors_total", "counter", "disk_errors", "Times the disk refused what the log wrote."),
    ("log_damaged_bytes_total", "counter", "damaged_bytes",
     "Bytes that were durable once and could not be read again."),
    ("in_flight_bytes", "gauge", "in_flight_bytes", "Bytes of requests being read or made durable."),
    ("disk_free_bytes", "gauge", "disk_free_bytes", "Room left on the disk of the data directory."),
)  # fmt: skip


def page(state: Mapping[str, Any], store: Store) -> bytes:
    """What `GET /metrics` answers."""
    found = [*lines(state)]
    # A store that answers nothing at the moment must not take away what says so.
    with suppress(DatabaseError):
        found += lag_metrics.lines(store)
    return "".join(f"{line}\n" for line in found).encode()


def lines(state: Mapping[str, Any]) -> Iterator[str]:
    """Lines from what `GET /v1/health` says; what is unknown is left out."""
    for name, kind, key, text in _PLAIN:
        if state.get(key) is not None:
            yield from _family(name, kind, text, [((), state[key])])
    if "version" in state:
        yield from _family("info", "gauge", "Always 1; what runs here.",
                           [((("version", state["version"]),), 1)])  # fmt: skip
    started = state.get("started_at")
    if isinstance(started, datetime):
        yield from _family(
            "start_time_seconds",
            "gauge",
            "When the collector started, since 1970.",
            [((), started.timestamp())],
        )
    reasons: Mapping[str, int] = state.get("quarantine_reasons") or {}
    refused = {key.removeprefix("refused_"): n for key, n in reasons.items() if key.startswith("refused_")}
    others = {key: n for key, n in reasons.items() if not key.startswith("refused_")}
    yield from _labelled(
        "requests_refused_total", "counter", "OTLP requests refused at a door, by reason.", "reason", refused
    )
    yield from _labelled(
        "oddities_total",
        "counter",
        "Spans and requests repaired or quarantined, by reason.",
        "reason",
        others,
    )
    doors: Mapping[str, Mapping[str, int]] = state.get("doors") or {}
    for name, kind, key, text in (
        ("connections", "gauge", "connections", "Open connections, by door."),
        ("connections_limit", "gauge", "limit", "Connections that a door takes at once."),
        ("connections_refused_total", "counter", "refused", "Connections that found a door full."),
        ("calls", "gauge", "calls", "Calls being answered."),
    ):
        found = {door: values[key] for door, values in doors.items() if key in values}
        yield from _labelled(name, kind, text, "door", found)
    clusters: list[Mapping[str, Any]] = state.get("clusters") or []
    up = {one.get("name"): one.get("state") == "up" for one in clusters}
    yield from _labelled("cluster_up", "gauge", "1 while a Kafka cluster answers.", "cluster", up)
    for key, text in (
        ("polls", "Polls of a Kafka cluster that were answered."),
        ("failed_polls", "Polls of a Kafka cluster that were not answered."),
        ("skipped_polls", "Polls left out because the one before took longer than the interval."),
    ):
        numbers = {one.get("name"): one[key] for one in clusters if key in one}
        yield from _labelled(f"{key}_total", "counter", text, "cluster", numbers)

    yield from _alerts(state.get("alerts") or {})


def _alerts(alerts: Mapping[str, Any]) -> Iterator[str]:
    rules = alerts.get("rules") or ()
    rows: Rows = [
        (
            (("rule", rule["name"]), ("severity", rule["severity"]), ("state", one)),
            sum(alert["state"] == one for alert in rule["alerts"]),
        )
        for rule in rules
        for one in ("pending", "firing")
    ]
    yield from _family("alerts", "gauge", "Alerts of a rule that are pending or firing.", rows)
    broken = {rule["name"]: rule["error"] is not None for rule in rules}
    yield from _labelled("alert_rule_failing", "gauge", "1 while a rule cannot be asked.", "rule", broken)
    for key, text in (
        ("sent", "Messages that a webhook took."),
        ("failed", "Messages that it did not take."),
    ):
        numbers = {hook["name"]: hook[key] for hook in alerts.get("webhooks") or ()}
        yield from _labelled(f"alert_messages_{key}_total", "counter", text, "webhook", numbers)


def _labelled(name: str, kind: str, text: str, label: str, values: Mapping[Any, float]) -> Iterator[str]:
    if values:
        rows = [(((label, str(one)),), number) for one, number in sorted(values.items(), key=str)]
        yield from _family(name, kind, text, rows)


def _family(name: str, kind: str, text: str, rows: Rows) -> Iterator[str]:
    return family(f"headwater_{name}", kind, text, rows)
