"""`headwater demo`: a broker, a shop, the collector and a screen, with one command and nothing left behind."""

import asyncio
import contextlib
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

from headwater_analysis.errors import HeadwaterError, Unavailable
from headwater_analysis.settings import Command, Option, Settings, note, out, read
from headwater_collector.asgi_server import bind
from headwater_collector.config import CollectorSettings
from headwater_collector.errors import PortInUse
from headwater_collector.kafka.watch import ClusterConfig
from headwater_collector.main import Addresses, Collector
from headwater_collector.up import child, stop_child

from .broker import Broker
from .guide import first_flow, things_to_try
from .services import FAULTS, Services, environment, make_topics

DEFAULT_FAULTS = ("poison", "gateway-timeouts", "slow-partition")
FIRST_FLOW_SECONDS = 60.0

DEMO = Command(
    "demo",
    "Starts everything at once: a broker that speaks the Kafka protocol, a small shop of instrumented services with "
    "some faults in it, the collector, and the dashboard or the terminal screen. Ctrl-C ends it and leaves nothing.",
    (
        "headwater demo",
        "headwater demo --tui",
        "headwater demo --fault stopped-consumer --fault duplicates --seconds 120",
        "headwater demo --kafka localhost:9092",
    ),
    options=(
        Option("tui", "Open the terminal screen here instead of the dashboard.", False, "flag"),
        Option("no-dashboard", "Start no screen at all.", False, "flag"),
        Option("seconds", "End by itself after this time; 0 goes on until Ctrl-C.", 0, "number"),
        Option(
            "kafka", "Run the shop on this broker instead of the embedded one.", None, metavar="HOST:PORT"
        ),
        Option("seed", "The same number makes the same orders again.", 1, "whole"),
        Option("rate", "Orders a second, on average; they come in bursts.", 4, "number"),
        Option("orders", "Orders in all; 0 goes on.", 0, "whole"),
        Option(
            "fault",
            f"What goes wrong, repeatable: {', '.join(FAULTS)}; none for a shop where all is well. "
            f"By default {', '.join(DEFAULT_FAULTS)}.",
            DEFAULT_FAULTS,
            "list",
        ),
        Option("data", "Keep the data here; by default it goes with the demo.", None, "path"),
        Option("otlp-grpc", "Where OTLP over gRPC is received.", "127.0.0.1:4317", "address"),
        Option("otlp-http", "Where OTLP over HTTP is received.", "127.0.0.1:4318", "address"),
        Option("api", "Where questions are answered.", "127.0.0.1:4319", "address"),
        Option("web", "Where the dashboard listens.", "127.0.0.1:8050", "address"),
        Option("poll", "Seconds between two looks at Kafka; shorter than usual, to see more.", 2.0, "number"),
    ),
)


def run(argv: list[str]) -> int:
    """`headwater demo`"""
    settings = read(DEMO, argv)
    faults = tuple(name for name in settings.fault if name != "none")
    for name in faults:
        if name not in FAULTS:
            raise HeadwaterError(f"There is no fault {name!r}; there are {', '.join(FAULTS)} and none.")
    return asyncio.run(_demo(settings, faults))


async def _demo(settings: Settings, faults: tuple[str, ...]) -> int:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    async with AsyncExitStack() as parts:
        data = settings.data or _temporary(parts)
        data.mkdir(parents=True, exist_ok=True)
        bootstrap = settings.kafka or await _broker(parts)
        await make_topics(bootstrap)
        collector_settings = _collector_settings(settings, data, bootstrap)
        collector = Collector(collector_settings)
        addresses = await collector.start()
        parts.push_async_callback(collector.stop)
        note("collector is up; starting the shop …")
        services = Services(
            environment(
                bootstrap,
                addresses.otlp_http,
                seed=settings.seed,
                rate=settings.rate,
                orders=settings.orders,
                faults=faults,
            ),
            data / "shop.log",
        )
        parts.push_async_callback(asyncio.to_thread, services.stop)
        await asyncio.to_thread(services.start)
        return await _watched(settings, addresses, services, ended, data, bootstrap, parts)


async def _watched(
    settings: Settings,
    addresses: Addresses,
    services: Services,
    ended: asyncio.Event,
    data: Path,
    bootstrap: str,
    parts: AsyncExitStack,
) -> int:
    api = f"http://{addresses.api}"
    if settings.tui:
        addresses.write(data, kafka=bootstrap)
        screen = child("tui", ["--collector", api])
        parts.push_async_callback(asyncio.to_thread, stop_child, screen)
        await _until(ended, settings.seconds, lambda: screen.poll() is not None)
        return 0
    web = None
    if not settings.no_dashboard:
        web = _free(settings.web, "--web")
        dashboard = child("dashboard", ["--collector", api, "--web", web])
        parts.push_async_callback(asyncio.to_thread, stop_child, dashboard)
    addresses.write(data, kafka=bootstrap, **({"web": web} if web else {}))
    started = time.monotonic()
    flow = await _wait_for_flow(api, services, ended)
    if flow is not None:
        out(things_to_try(addresses, web, flow, bootstrap, time.monotonic() - started))
        sys.stdout.flush()
    await _until(ended, settings.seconds, lambda: False)
    note("stopping …")
    return 0


async def _wait_for_flow(api: str, services: Services, ended: asyncio.Event) -> str | None:
    deadline = time.monotonic() + FIRST_FLOW_SECONDS
    while not ended.is_set():
        failed = {name: code for name, code in services.ended().items() if code != 0}
        if failed:
            name = next(iter(failed))
            raise HeadwaterError(f"The shop's service {name} has ended; {services.log} says why.")
        if time.monotonic() > deadline:
            raise HeadwaterError(
                f"No flow has arrived within {FIRST_FLOW_SECONDS:.0f} s; {services.log} may say why."
            )
        flow = await asyncio.to_thread(first_flow, api)
        if flow is not None:
            return flow
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.3):
                await ended.wait()
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
    stop: Callable[[], Awaitable[None]] = broker.stop
    parts.push_async_callback(stop)
    note(f"embedded broker on {address}")
    return address


def _temporary(parts: AsyncExitStack) -> Path:
    path = Path(tempfile.mkdtemp(prefix="headwater-demo-"))
    parts.callback(shutil.rmtree, path, ignore_errors=True)
    return path


def _collector_settings(settings: Settings, data: Path, bootstrap: str) -> CollectorSettings:
    return CollectorSettings(
        data=data,
        otlp_grpc=_free(settings.otlp_grpc, "--otlp-grpc"),
        otlp_http=_free(settings.otlp_http, "--otlp-http"),
        api=_free(settings.api, "--api"),
        kafka=(ClusterConfig("demo", bootstrap),),
        poll=settings.poll,
        # The demo's own made-up messages may be shown whole; a team's are not unless it says so.
        capture="full",
    )


def _free(address: str, option: str) -> str:
    """The address, or another port beside it where it is taken, which is said."""
    try:
        sock = bind(address, option)
    except PortInUse:
        host = address.rpartition(":")[0]
        sock = bind(f"{host}:0", option)
        note(f"{address} is in use; taking port {sock.getsockname()[1]} instead ({option} chooses).")
    except OSError as error:
        raise Unavailable(
            f"{address} cannot be opened: {error.strerror}; choose another with {option}."
        ) from None
    port = sock.getsockname()[1]
    sock.close()
    return f"{address.rpartition(':')[0]}:{port}"
