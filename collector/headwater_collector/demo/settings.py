"""What `headwater demo` can be told, and the doors that follow from it."""

from pathlib import Path

from headwater_analysis.errors import UsageError
from headwater_analysis.settings import Command, Option, Settings, note
from headwater_collector.cluster_settings import clusters
from headwater_collector.config import OPTIONS, CollectorSettings
from headwater_collector.errors import PortInUse
from headwater_collector.kafka.watch import ClusterConfig
from headwater_collector.receivers.addresses import listen

from .services import FAULTS

DEFAULT_FAULTS = ("poison", "gateway-timeouts", "slow-partition")

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
        Option("seed", "The same number makes the same orders again.", 2, "whole"),
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
        next(option for option in OPTIONS if option.name == "cache"),
        Option("poll", "Seconds between two looks at Kafka; shorter than usual, to see more.", 2.0, "number"),
    ),
)


def faults(settings: Settings) -> tuple[str, ...]:
    """The faults to switch on; raises UsageError for one that there is not."""
    wanted = tuple(name for name in settings.fault if name != "none")
    for name in wanted:
        if name not in FAULTS:
            raise UsageError(f"There is no fault {name!r}; there are {', '.join(FAULTS)} and none.")
    return wanted


def cluster(settings: Settings) -> ClusterConfig | None:
    """The broker that --kafka names, None for the embedded one; raises UsageError."""
    if settings.kafka is None:
        return None
    (found,) = clusters((settings.kafka,), {})
    return found


def collector_settings(settings: Settings, data: Path, watched: ClusterConfig) -> CollectorSettings:
    """The collector beside the shop."""
    return CollectorSettings(
        data=data,
        otlp_grpc=free_door(settings.otlp_grpc, "--otlp-grpc"),
        otlp_http=free_door(settings.otlp_http, "--otlp-http"),
        api=free_door(settings.api, "--api"),
        kafka=(watched,),
        poll=settings.poll,
        cache=settings.cache,
        # The demo's own made-up messages may be shown whole; a team's are not unless it says so.
        capture="full",
        min_free=32,  # a demo on a small disk should still show something
    )


def free_door(address: str, option: str) -> str:
    """The address, or another port beside it where it is taken, which is said."""
    try:
        sock = listen(address, option)
    except PortInUse:
        host = address.rpartition(":")[0]
        sock = listen(f"{host}:0", option)
        note(f"{address} is in use; taking port {sock.getsockname()[1]} instead ({option} chooses).")
    port = sock.getsockname()[1]
    sock.close()
    return f"{address.rpartition(':')[0]}:{port}"
