"""The collector on one page: what it is made of, started in this order and stopped in reverse."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from importlib.metadata import version

from headwater_analysis.settings import note, read

from .alerts import AlertWatch
from .config import SERVE, CollectorSettings, from_settings
from .connections import raise_descriptor_limit
from .counters import IngestCounters
from .doors import Addresses, Doors
from .kafka.watch import KafkaWatch
from .log import AppendLog, LogBounds
from .pipeline import Pipeline
from .pipeline_bounds import PipelineBounds
from .receivers.decoding import SwitchingDecoder
from .store import Store

MEGABYTE = 1 << 20


class Collector:
    """Construct without I/O, `start` once, `stop` once. Raises UsageError for settings that cannot be."""

    def __init__(self, settings: CollectorSettings) -> None:
        self.settings = settings.checked()
        self.decoder = SwitchingDecoder(settings.cache, settings.decoder)
        self._parts: AsyncExitStack | None = None
        self._doors: Doors | None = None

    async def start(self) -> Addresses:
        """Take the store, then the log, then what writes, then the doors. A failed start leaves nothing open.

        Raises StoreHeld, StoreTooNew, StoreBroken, LogBroken, PortInUse or UsageError.
        """
        async with AsyncExitStack() as parts:
            addresses = await self._start(parts)
            self._parts = parts.pop_all()
        return addresses

    async def _start(self, parts: AsyncExitStack) -> Addresses:
        settings = self.settings
        settings.check_files()
        counters = IngestCounters(version("headwater"))
        path, keep = settings.data / "headwater.duckdb", settings.retention
        store = await asyncio.to_thread(Store.open, path, memory_limit=settings.store_memory, retention=keep)
        parts.push_async_callback(asyncio.to_thread, store.close)
        store.recall()
        most = settings.max_log * MEGABYTE
        log = AppendLog(
            settings.data / "log", LogBounds(most_bytes=most, free_bytes=settings.min_free * MEGABYTE)
        )
        bounds = PipelineBounds(checkpoint_bytes=min(256 * MEGABYTE, most // 4))
        parts.push_async_callback(asyncio.to_thread, self.decoder.stop)
        pipeline = Pipeline(store, log, counters, bounds, settings.masking.masked, self.decoder)
        await asyncio.to_thread(log.open, Pipeline.stored_position(store))
        parts.callback(log.close_reader)
        await asyncio.to_thread(pipeline.start)
        parts.push_async_callback(asyncio.to_thread, pipeline.stop)
        parts.push_async_callback(asyncio.to_thread, log.close)

        watch = KafkaWatch(
            store,
            settings.kafka,
            poll_seconds=settings.poll,
            dead_letter_patterns=settings.dead_letters,
            capture=settings.capture,
        )
        await watch.start()
        parts.push_async_callback(watch.stop)
        alerts = AlertWatch(store, settings.data, settings.alerts)
        parts.push_async_callback(alerts.stop)
        await alerts.start()
        self._doors = doors = Doors(
            settings,
            store,
            log,
            counters,
            lambda: (
                pipeline.health()
                | {"decoder": self.decoder.name, "clusters": watch.status(), "alerts": alerts.status()}
            ),
            self.decoder.count,
        )
        addresses = await doors.open(parts)
        parts.callback((settings.data / "addresses.json").unlink, missing_ok=True)
        addresses.write(settings.data)
        self.decoder.start()
        return addresses

    async def stop(self) -> None:
        """Close the doors, store what was accepted, let go of the store; a second call does nothing."""
        parts, self._parts = self._parts, None
        if parts is not None:
            await parts.aclose()

    def health(self) -> dict[str, object]:
        """What the doors counted, what waits, how spans are read, and each cluster's state."""
        return {} if self._doors is None else self._doors.health()


async def _serve(settings: CollectorSettings) -> None:
    collector = Collector(settings)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    raise_descriptor_limit()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    addresses = await collector.start()
    gc.collect()
    gc.freeze()  # what is loaded stays: looking through it again and again would cost each batch
    sys.stdout.write(
        f"headwater collector on {settings.data}\n"
        f"  OTLP/gRPC  {addresses.otlp_grpc}\n  OTLP/HTTP  {settings.scheme}://{addresses.otlp_http}\n"
        f"  API        {settings.scheme}://{addresses.api}\n{collector.decoder.remark}\n"
    )
    sys.stdout.flush()
    for sentence in settings.warnings():
        note(sentence)
    try:
        await ended.wait()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)  # asked again, it ends at once; the log has what was accepted
    finally:
        await collector.stop()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's where there is one (not on Windows): a small request over gRPC costs a quarter less with it."""
    try:
        from uvloop import new_event_loop
    except ImportError:
        return None
    return new_event_loop


def serve(argv: list[str]) -> int:
    """`headwater serve`"""
    settings = from_settings(read(SERVE, argv))
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(settings))
    return 0
