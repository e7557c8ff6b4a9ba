"""The collector on one page: what it is made of, started in this order and stopped in reverse."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from headwater_analysis.settings import read

from .api.server import ApiServer
from .config import SERVE, CollectorSettings, from_settings
from .counters import IngestCounters
from .kafka.watch import KafkaWatch
from .log import AppendLog, LogBounds
from .pipeline import Pipeline, PipelineBounds
from .receivers.decoding import SwitchingDecoder
from .receivers.intake import DoorBounds, Intake
from .receivers.otlp_grpc import OtlpGrpcDoor
from .receivers.otlp_http import OtlpHttpDoor
from .store import Store

MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Addresses:
    """HOST:PORT of each door, as taken."""

    otlp_grpc: str
    otlp_http: str
    api: str

    def write(self, data: Path, **more: str) -> None:
        """Write addresses.json, whole or not at all."""
        temporary = data / f".addresses.{os.getpid()}.json"
        temporary.write_text(json.dumps({**asdict(self), **more}, indent=2) + "\n", encoding="utf-8")
        temporary.replace(data / "addresses.json")


class Collector:
    """Construct without I/O, `start` once, `stop` once. Raises UsageError for settings that cannot be."""

    def __init__(self, settings: CollectorSettings) -> None:
        self.settings = settings.checked()
        self.decoder = SwitchingDecoder(settings.cache, settings.decoder)
        self._parts: AsyncExitStack | None = None
        self._health: Callable[[], dict[str, object]] = dict

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
        counters = IngestCounters(version("headwater"))
        path, keep = settings.data / "headwater.duckdb", settings.retention
        store = await asyncio.to_thread(Store.open, path, memory_limit=settings.store_memory, retention=keep)
        parts.push_async_callback(asyncio.to_thread, store.close)

        most = settings.max_log * MEGABYTE
        log = AppendLog(settings.data / "log", LogBounds(most_bytes=most))
        bounds = PipelineBounds(checkpoint_bytes=min(256 * MEGABYTE, most // 4))
        parts.push_async_callback(asyncio.to_thread, self.decoder.stop)
        pipeline = Pipeline(store, log, counters, bounds, self.decoder)
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
        self._health = lambda: {**pipeline.health(), "clusters": watch.status()}
        api = ApiServer(store, settings.api, health=self.health, token=settings.token)
        api_address = await api.start()
        parts.push_async_callback(api.stop)

        door_bounds = DoorBounds(body_bytes=settings.max_body * MEGABYTE)
        intake = Intake(log, counters, token=settings.token, bounds=door_bounds, count=self.decoder.count)
        http = OtlpHttpDoor(intake, settings.otlp_http)
        http_address = await http.start()
        parts.push_async_callback(http.stop)
        grpc = OtlpGrpcDoor(intake, settings.otlp_grpc)
        grpc_address = await grpc.start()
        parts.push_async_callback(grpc.stop)

        addresses = Addresses(grpc_address, http_address, api_address)
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
        return {**self._health(), "decoder": self.decoder.name}


async def _serve(settings: CollectorSettings) -> None:
    collector = Collector(settings)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    addresses = await collector.start()
    gc.collect()
    gc.freeze()  # what is loaded stays: looking through it again and again would cost each batch
    sys.stdout.write(
        f"headwater collector on {settings.data}\n"
        f"  OTLP/gRPC  {addresses.otlp_grpc}\n  OTLP/HTTP  http://{addresses.otlp_http}\n"
        f"  API        http://{addresses.api}\n{collector.decoder.remark}\n"
    )
    sys.stdout.flush()
    try:
        await ended.wait()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)  # asked again, it ends at once; the log has what was accepted
    finally:
        await collector.stop()


def serve(argv: list[str]) -> int:
    """`headwater serve`"""
    settings = from_settings(read(SERVE, argv))
    asyncio.run(_serve(settings))
    return 0
