"""A store with a small story in it behind a real API, and the `headwater` command as a real process."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import store_helpers as told
from headwater_collector.access import Access
from headwater_collector.api.server import ApiServer
from headwater_collector.api.sql import SqlLimits
from headwater_collector.store import Store, Writer

POLLED = datetime(2026, 11, 24, 3, 0, tzinfo=UTC).replace(tzinfo=None)
CLUSTER = "c1"
_COMMAND = "import sys; from headwater_analysis.cli import main; sys.exit(main())"


def an_order(name: str, offset: int, failed: bool = False) -> list[told.Told]:
    """One order: checkout sends, payments waits 2 s and sends on, inventory waits 300 ms."""
    more: dict[str, Any] = {"error": "GatewayTimeout"} if failed else {}
    return [
        told.work("checkout", name, f"{name} POST /orders", 0, 30),
        told.send(
            "checkout", name, f"{name} send orders", ("orders", 0, offset), 5, 10, f"{name} POST /orders"
        ),
        told.process(
            "payments", name, f"{name} charge", ("orders", 0, offset), 2015, 80, f"{name} send orders", **more
        ),
        told.send("payments", name, f"{name} send paid", ("paid", 0, offset), 2040, 10, f"{name} charge"),
        told.process(
            "inventory", name, f"{name} reserve", ("paid", 0, offset), 2350, 20, f"{name} send paid"
        ),
    ]


def fill_with_a_story(store: Store) -> None:
    """Two orders, a cluster with a lagging group, a dead letter, and what the doors counted."""
    told.fill(store, an_order("order-1", 7), an_order("order-2", 8, failed=True))

    def watch(writer: Writer) -> None:
        now = {"sampled_at": POLLED, "since": POLLED, "cluster": CLUSTER}
        behind = {"consumer_group": "payments", "topic": "orders", "status": "stalled", "lag": 12}
        behind |= {"evidence": "12 messages and no commit for 2 min", "lag_method": "interpolated"}
        behind |= {"lag_seconds": 64.0, "lag_error_seconds": 5.0}
        writer.append("cluster_rows", [
            {"cluster": CLUSTER, "name": "prod", "bootstrap": "b:9092", "state": "up", "brokers": 3,
             "polled_at": POLLED, "poll_ms": 4.5, "share_groups": ["billing-[share]"]},
        ])  # fmt: skip
        writer.append("group_health_now", [now | behind | {"partitions": 1, "members": 2, "state": "Stable"}])
        writer.append("lag_now", [now | behind | {"partition": 0, "committed": 9, "end_offset": 21}])
        writer.append("dead_letter_rows", [
            {"received_at": POLLED, "cluster": CLUSTER, "topic": "orders-dlq", "partition": 0,
             "message_offset": 3, "record_time": POLLED, "family": "spring", "role": "dead_letter",
             "origin_topic": "orders", "origin_partition": 0, "origin_offset": 8, "origin_group": "payments",
             "error_type": "ValueError", "error_message": "no such currency", "attempts": 3,
             "failure_group_id": "f00d", "normalised_error": "no such currency",
             "key": "order-2", "headers": '[["kafka_dlt-original-topic", "orders"]]'},
        ])  # fmt: skip
        counted = ("received_requests", "acknowledged_requests", "repeated_requests", "refused_requests",
                   "stored_spans", "quarantined", "metrics_not_kept", "logs_not_kept", "log_bytes",
                   "unstored_bytes")  # fmt: skip
        writer.append("ingest_samples", [
            {"sampled_at": POLLED, "started_at": POLLED, "version": "0.1.0", "stored_spans": 10,
             "quarantine_reasons": '{"zero id": 2}'} | {name: 10 for name in counted},
        ])  # fmt: skip

    store.write(watch)


@contextmanager
def serving(
    store: Store, token: str | None = None, limits: SqlLimits | None = None, address: str = "127.0.0.1:0"
) -> Iterator[str]:
    """The URL of an API over the store, in a thread with a loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = ApiServer(store, address, health=lambda: {"state": "fine"}, access=Access(token), limits=limits)
    try:
        taken = asyncio.run_coroutine_threadsafe(server.start(), loop).result(60)
        try:
            yield f"http://{taken}"
        finally:
            asyncio.run_coroutine_threadsafe(server.stop(), loop).result(60)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def headwater(
    *words: str, stdin: str | None = None, environ: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Runs the command to its end; nobody's own configuration has a say."""
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("HEADWATER_", "COLUMNS"))
    }
    clean |= {"XDG_CONFIG_HOME": "/nonexistent", "PYTHONIOENCODING": "utf-8", **(environ or {})}
    return subprocess.run(
        [sys.executable, "-c", _COMMAND, *words],
        input=(stdin or "").encode(),
        capture_output=True,
        env=clean,
        cwd=cwd,
        timeout=60,
    )
