"""`headwater demo`: a broker, a shop, the collector and a screen, with one command and nothing left behind."""

import asyncio
import logging
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

from headwater_analysis.settings import Settings, note, out, read
from headwater_collector.kafka.watch import ClusterConfig
from headwater_collector.main import Collector
from headwater_collector.up import child, stop_child

from .broker import Broker
from .guide import things_to_try
from .running import Running, wait_for_flow
from .services import Services, environment, make_topics, screen
from .settings import DEMO, cluster, collector_settings, faults, free_door


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
        shop = Running(settings, addresses, services, ended, data, watched.bootstrap, parts)
        await (_in_terminal(shop) if settings.tui else _in_browser(shop))
        note("  stopping …")
    return 0


async def _in_terminal(run: Running) -> None:
    run.addresses.write(run.data, kafka=run.kafka)
    shown = child("tui", [f"--collector={run.api}"])
    run.parts.push_async_callback(asyncio.to_thread, stop_child, shown)
    await run.until(lambda: shown.poll() is not None, run.deadline())


async def _in_browser(run: Running) -> None:
    began = time.monotonic()
    web: dict[str, str] = {}
    shown: subprocess.Popen[bytes] | None = None
    if not run.settings.no_dashboard:
        web = {"web": free_door(run.settings.web, "--web")}
        shown = screen("dashboard", [f"--collector={run.api}", f"--web={web['web']}"])
        run.parts.push_async_callback(asyncio.to_thread, stop_child, shown)
    run.addresses.write(run.data, kafka=run.kafka, **web)
    flow = await wait_for_flow(run)
    if flow is None:
        return
    lost = shown is not None and shown.poll() is not None
    seconds = time.monotonic() - began
    out(
        things_to_try(
            run.addresses, None if lost else web.get("web"), flow, run.kafka, seconds, faults(run.settings)
        )
    )
    sys.stdout.flush()
    deadline = run.deadline()
    if shown is not None:
        await run.until(lambda: shown.poll() is not None, deadline)
        if shown.poll() is not None:
            note("The dashboard has ended by itself, its reason is above; the rest goes on.")
    await run.until(deadline=deadline)


async def _broker(parts: AsyncExitStack) -> str:
    broker = Broker()
    address = await broker.start()
    parts.push_async_callback(broker.stop)
    return address


def _temporary(parts: AsyncExitStack) -> Path:
    path = Path(tempfile.mkdtemp(prefix="headwater-demo-"))
    parts.callback(shutil.rmtree, path, ignore_errors=True)
    return path
