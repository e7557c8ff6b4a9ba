"""What every service of the shop needs: its settings, a clean end, and the marks of retries and dead letters."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from opentelemetry import trace
from opentelemetry.trace import StatusCode

tracer = trace.get_tracer("shop")

GRACE_SECONDS = 5.0
"""A service whose parent is gone and that has not ended within it is ended."""


@dataclass(frozen=True)
class Shop:
    """Settings of a run, the same for all services."""

    bootstrap: str
    seed: int
    rate: float
    """Orders a second, on average."""
    orders: int
    """Orders in all; 0 goes on for ever."""
    faults: frozenset[str]
    started: float
    """When the shop opened, seconds since the epoch."""

    @classmethod
    def from_environment(cls) -> "Shop":
        """As the demo passes it on."""
        read = os.environ.get
        return cls(
            bootstrap=read("SHOP_BOOTSTRAP", "127.0.0.1:9092"),
            seed=int(read("SHOP_SEED", "1")),
            rate=float(read("SHOP_RATE", "4")),
            orders=int(read("SHOP_ORDERS", "0")),
            faults=frozenset(name for name in read("SHOP_FAULTS", "").split(",") if name),
            started=float(read("SHOP_STARTED") or time.time()),
        )


def run(service: Coroutine[Any, Any, None]) -> None:
    """Runs a service until it ends, is told to, or its parent is gone."""
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_until_told(service))


async def _until_told(service: Coroutine[Any, Any, None]) -> None:
    task = asyncio.ensure_future(service)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _end_with_parent() -> None:
    """Nothing is left behind even if the demo is killed: standard input is a pipe that ends with whoever holds it."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    threading.Timer(GRACE_SECONDS, os._exit, (1,)).start()
    os.kill(os.getpid(), signal.SIGTERM)


@asynccontextmanager
async def producer(shop: Shop) -> AsyncIterator[AIOKafkaProducer]:
    """A started producer of JSON values."""
    one = AIOKafkaProducer(
        bootstrap_servers=shop.bootstrap,
        value_serializer=lambda value: json.dumps(value).encode(),
        key_serializer=str.encode,
    )
    await one.start()
    try:
        yield one
    finally:
        await one.stop()


@asynccontextmanager
async def consumer(shop: Shop, group: str, *topics: str, **options: Any) -> AsyncIterator[AIOKafkaConsumer]:
    """A started consumer of JSON values that reads a topic from its start."""
    one = AIOKafkaConsumer(
        *topics,
        bootstrap_servers=shop.bootstrap,
        group_id=group,
        auto_offset_reset="earliest",
        auto_commit_interval_ms=1_000,
        session_timeout_ms=10_000,
        heartbeat_interval_ms=500,
        value_deserializer=lambda value: json.loads(value) if value is not None else None,
        **options,
    )
    await one.start()
    try:
        yield one
    finally:
        await one.stop()


def mark_failed(error: Exception) -> None:
    """Says on the span of the handling that it failed."""
    span = trace.get_current_span()
    span.record_exception(error)
    span.set_attribute("error.type", type(error).__name__)
    span.set_status(StatusCode.ERROR, type(error).__name__)


def marked(
    record: Any, role: str, group: str, attempt: int, error: Exception, delay: float | None = None
) -> Sequence[tuple[str, bytes]]:
    """Headers of a copy for a retry or dead-letter topic: the record's own, and where it comes from and why."""
    own = dict(record.headers)
    values: dict[str, Any] = {
        "headwater-role": role,
        "headwater-origin-topic": own.get("headwater-origin-topic", record.topic.encode()).decode(),
        "headwater-origin-partition": int(own.get("headwater-origin-partition", record.partition)),
        "headwater-origin-offset": int(own.get("headwater-origin-offset", record.offset)),
        "headwater-origin-group": group,
        "headwater-attempt": attempt,
        "headwater-error-type": type(error).__name__,
        "headwater-error-message": str(error),
    }
    if delay is not None:
        values["headwater-due-ms"] = time.time_ns() // 1_000_000 + round(delay * 1000)
    kept = [(name, value) for name, value in record.headers if name not in values]
    return [*kept, *((name, str(value).encode()) for name, value in values.items())]
