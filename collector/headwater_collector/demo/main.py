"""`headwater demo`: a broker, a shop, the collector and a screen, with one command and nothing left behind."""

import asyncio
import contextlib
import logging
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from headwater_analysis.errors import HeadwaterError
from headwater_analysis.settings import Settings, note, out, read
from headwater_collector.kafka.watch import ClusterConfig
from headwater_collector.main import Addresses, Collector
from headwater_collector.up import child, stop_child

from .broker import Broker
from .guide import first_flow, things_to_try
from .services import Services, environment, make_topics, screen
from .settings import DEMO, cluster, collector_settings, faults, free_door

FIRST_FLOW_SECONDS = 60.0


def run(argv: list[str]) -> int:
    """`headwater demo`"""
    settings = read(DEMO, argv)
    return asyncio.run(_demo(settings, faults(settings), cluster(settings)))


async def _demo(settings: Settings, wrong: tuple[str, ...], given: ClusterConfig | None) -> int:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, ended.set)
    async with AsyncExitStack() as parts:
        data = settings.data or _temporary(parts)
        data.mkdir(parents=True, exist_ok=True)
        # Warnings of clients and servers, which would be written over the terminal screen.
        logging.basicConfig(filename=data / "demo.log", format="%(asctime)s %(name)s %(message)s")
        began = time.monotonic()
        watched = given or ClusterConfig("embedded", await _broker(parts))
        await make_topics(watched.bootstrap)
        collector = Collector(collector_settings(settings, data, watched))
        addresses = await collector.start()
        parts.push_async_callback(collector.stop)
        note(f"  collector and broker are up   {time.monotonic() - began:4.1f} s")
        services = Services(
            environment(
                watched.bootstrap,
                addresses.otlp_http,
                seed=settings.seed,
                rate=settings.rate,
                orders=settings.orders,
                faults=wrong,
            ),
            data / "shop.log",
        )
        parts.push_async_callback(asyncio.to_thread, services.stop)
        await asyncio.to_thread(services.start)
        note(f"  the shop's services start     {time.monotonic() - began:4.1f} s")
        watch = _in_terminal if settings.tui else _in_browser
        await watch(settings, addresses, services, ended, data, watched.bootstrap, parts)
        if settings.tui or ended.is_set():
            # A second Ctrl-C must not leave anything behind.
            note("  stopping …")
    return 0


async def _in_terminal(
    settings: Settings,
    addresses: Addresses,
    _services: Services,
    ended: asyncio.Event,
    data: Path,
    bootstrap: str,
    parts: AsyncExitStack,
) -> None:
    addresses.write(data, kafka=bootstrap)
    shown = child("tui", [f"--collector=http://{addresses.api}"])
    parts.push_async_callback(asyncio.to_thread, stop_child, shown)
    await _until(ended, settings.seconds, lambda: shown.poll() is not None)


async def _in_browser(
    settings: Settings,
    addresses: Addresses,
    services: Services,
    ended: asyncio.Event,
    data: Path,
    bootstrap: str,
    parts: AsyncExitStack,
) -> None:
    began = time.monotonic()
    api = f"http://{addresses.api}"
    web: dict[str, str] = {}
    shown: subprocess.Popen[bytes] | None = None
    if not settings.no_dashboard:
        web = {"web": free_door(settings.web, "--web")}
        shown = screen("dashboard", [f"--collector={api}", f"--web={web['web']}"])
        parts.push_async_callback(asyncio.to_thread, stop_child, shown)
    addresses.write(data, kafka=bootstrap, **web)
    flow = await _wait_for_flow(api, services, ended)
    if flow is None:
        return
    out(things_to_try(addresses, web.get("web"), flow, bootstrap, time.monotonic() - began))
    sys.stdout.flush()
    await _until(ended, settings.seconds, lambda: shown is not None and shown.poll() is not None)
    if shown is not None and shown.poll() is not None:
        raise HeadwaterError("The dashboard has ended by itself; --no-dashboard does without it.")


async def _wait_for_flow(api: str, services: Services, ended: asyncio.Event) -> str | None:
    deadline = time.monotonic() + FIRST_FLOW_SECONDS
    while not ended.is_set():
        failed = next((name for name, code in services.ended().items() if code != 0), None)
        if failed is not None:
            raise HeadwaterError(f"The shop's service {failed} has ended: {services.last_words()}")
        if time.monotonic() > deadline:
            raise HeadwaterError(
                f"No flow has arrived within {FIRST_FLOW_SECONDS:.0f} s: {services.last_words()}"
            )
        flow = await asyncio.to_thread(first_flow, api)
        if flow is not None:
            return flow
        await _until(ended, 0.2, lambda: False)
    return None


async def _until(ended: asyncio.Event, seconds: float, over: Callable[[], bool]) -> None:
    """Waits for Ctrl-C, the end of the time (0: none), or something that ends it."""
    deadline = time.monotonic() + seconds if seconds else float("inf")
    while not (ended.is_set() or over() or time.monotonic() >= deadline):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(0.3, max(deadline - time.monotonic(), 0.01))):
                await ended.wait()


async def _broker(parts: AsyncExitStack) -> str:
    broker = Broker()
    address = await broker.start()
    parts.push_async_callback(broker.stop)
    return address


def _temporary(parts: AsyncExitStack) -> Path:
    path = Path(tempfile.mkdtemp(prefix="headwater-demo-"))
    parts.callback(shutil.rmtree, path, ignore_errors=True)
    return path
