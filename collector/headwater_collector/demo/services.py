"""The shop's services as child processes under auto-instrumentation."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError

from headwater_analysis.errors import Unavailable

SERVICES = {
    "checkout": "3.1.0",
    "payments": "2.4.1",
    "inventory": "1.9.0",
    "shipping": "1.2.3",
    "notifications": "0.8.5",
}
"""Service → version, in the order of the shop."""
TOPICS = {
    "orders": 6,
    "orders-retry-1": 1,
    "orders-retry-2": 1,
    "orders-dlq": 1,
    "payments": 4,
    "notifications": 2,
}
"""Topic → partitions; made before a service asks for one and gets the broker's default."""
FAULTS = ("poison", "gateway-timeouts", "slow-partition", "duplicates", "stopped-consumer")
STOP_SECONDS = 8.0


@dataclass
class Services:
    """The running services; ``stop`` leaves none behind."""

    environment: dict[str, str]
    log: Path
    """Where the services write what they say."""
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self) -> None:
        """Starts all services. Raises Unavailable where auto-instrumentation is not installed."""
        launcher = instrument_command()
        with self.log.open("ab") as log:
            for name, version in SERVICES.items():
                environment = {
                    **self.environment,
                    "OTEL_SERVICE_NAME": name,
                    "OTEL_RESOURCE_ATTRIBUTES": f"service.version={version},deployment.environment.name=demo",
                }
                self.processes[name] = subprocess.Popen(
                    [launcher, sys.executable, "-m", f"headwater_collector.demo.shop.{name}"],
                    env=environment,
                    stdin=subprocess.PIPE,  # never written to: its end tells the service that the demo is gone
                    stdout=log,
                    stderr=log,
                    # Ctrl-C is for the demo, which then stops them in order.
                    start_new_session=True,
                )

    def ended(self) -> dict[str, int]:
        """Exit codes of the services that have ended."""
        codes = {name: process.poll() for name, process in self.processes.items()}
        return {name: code for name, code in codes.items() if code is not None}

    def last_words(self) -> str:
        """The last line that a service wrote; the log may be gone when a person reads the message."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def stop(self) -> None:
        """Asks all to end, waits, and ends what does not."""
        for process in self.processes.values():
            if process.stdin is not None:
                process.stdin.close()
            if process.poll() is None:
                process.terminate()
        for process in self.processes.values():
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def screen(command: str, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    """Starts another `headwater` command that ends with this process, even if that is killed.

    Raises Unavailable where the command is not installed.
    """
    if not entry_points(group="headwater.commands", name=command):
        raise Unavailable(f"`headwater {command}` is not installed; install headwater again.")
    line = f"import sys; from {__package__}.guarded import main; sys.exit(main())"
    return subprocess.Popen(
        [sys.executable, "-c", line, command, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )


async def make_topics(bootstrap: str) -> None:
    """Makes the shop's topics where they are not there yet. Raises Unavailable when the broker does not answer."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await admin.start()
        for name, partitions in TOPICS.items():
            with contextlib.suppress(TopicAlreadyExistsError):
                await admin.create_topics([NewTopic(name, partitions, 1)])
    except KafkaError as error:
        raise Unavailable(
            f"The broker {bootstrap} does not answer: {error}; is Kafka running there?"
        ) from None
    finally:
        await admin.close()


def instrument_command() -> str:
    """Path of ``opentelemetry-instrument``; raises Unavailable where it is not installed."""
    beside = Path(sys.executable).with_name("opentelemetry-instrument")
    found = str(beside) if beside.exists() else shutil.which("opentelemetry-instrument")
    if found is None:
        raise Unavailable("`headwater demo` needs opentelemetry-distro: pip install 'headwater[demo]'")
    return found


def environment(
    bootstrap: str, otlp_http: str, *, seed: int, rate: float, orders: int, faults: tuple[str, ...]
) -> dict[str, str]:
    """What the services are told: the shop's settings and OpenTelemetry's own."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    return {
        **inherited,
        "SHOP_BOOTSTRAP": bootstrap,
        "SHOP_SEED": str(seed),
        "SHOP_RATE": str(rate),
        "SHOP_ORDERS": str(orders),
        "SHOP_STARTED": str(time.time()),
        "SHOP_FAULTS": ",".join(faults),
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{otlp_http}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_METRIC_EXPORT_INTERVAL": "10000",
        # Half a second instead of five: in a demo people wait for the screen.
        "OTEL_BSP_SCHEDULE_DELAY": "500",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "3",
        "PYTHONUNBUFFERED": "1",
    }
