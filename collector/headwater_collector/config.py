"""Every setting of the collector, its default and the reason for it; for flags, environment and TOML."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path

from headwater_analysis.errors import UsageError
from headwater_analysis.settings import TOKEN, Command, Option, Settings

from .alerts import AlertSettings, alert_settings
from .cluster_settings import clusters
from .data_directory import DATA
from .kafka.watch import ClusterConfig
from .masking import Masking, rules_of
from .receivers.addresses import is_loopback, split
from .store import Retention
from .tls import Tls
from .tokens import TokenFile

OPTIONS = (
    DATA,
    Option("otlp-grpc", "Where OTLP over gRPC is received.", "127.0.0.1:4317", "address"),
    Option("otlp-http", "Where OTLP over HTTP is received.", "127.0.0.1:4318", "address"),
    Option("api", "Where questions are answered.", "127.0.0.1:4319", "address"),
    Option("web", "Where the dashboard listens, when it is started too.", "127.0.0.1:8050", "address"),
    Option(
        "kafka",
        "A cluster to watch, repeatable; more about it in [clusters.NAME] of the configuration file.",
        (),
        "list",
        metavar="[NAME=]HOST:PORT[,HOST:PORT]",
    ),
    Option(
        "dead-letters",
        "Topics read as dead letters, repeatable; without it, topics named like one.",
        (),
        "list",
        metavar="PATTERN",
    ),
    Option(
        "poll",
        "Seconds between two looks at Kafka: a poll costs brokers little, and lag is as old as the last.",
        5.0,
        "number",
        metavar="SECONDS",
    ),
    Option(
        "capture",
        "What is kept of dead letters: only the class of the error, or payloads and texts too.",
        "class",
        "choice",
        ("class", "full"),
    ),
    TOKEN,
    Option("tls-cert", "Certificate of the doors and the API, its chain after it, in PEM.", None, "path"),
    Option("tls-key", "The key of --tls-cert, without a password, in PEM.", None, "path"),
    Option("insecure", "Listen beyond this machine without a token and without TLS.", False, "flag"),
    Option(
        "max-connections",
        "Connections that each OTLP door takes at once; less where the system grants fewer descriptors.",
        4096,
        "whole",
        metavar="N",
    ),
    Option(
        "min-free",
        "Megabytes of the disk left to the store; below, senders are told to try again later.",
        256,
        "whole",
        metavar="MB",
    ),
    Option(
        "max-body",
        "Megabytes of one request, unpacked: an exporter's batch is below one, an agent's may be many.",
        64,
        "whole",
        metavar="MB",
    ),
    Option(
        "max-log",
        "Megabytes of requests accepted and not yet stored; beyond, senders are told to try again later.",
        2048,
        "whole",
        metavar="MB",
    ),
    Option(
        "keep-days",
        "Days for which what has arrived is kept: a week shows the same day of the last one.",
        7.0,
        "number",
        metavar="DAYS",
    ),
    Option(
        "keep-notable-days",
        "The same for flows with errors or dead letters, slow ones, and offsets: a bug is looked for weeks later.",
        28.0,
        "number",
        metavar="DAYS",
    ),
    Option(
        "keep-size",
        "Gigabytes of the store; beyond, the oldest goes: some 150 million spans.",
        20.0,
        "number",
        metavar="GB",
    ),
    Option(
        "decoder",
        "How spans are read: by code compiled for this machine, or by protobuf, at a tenth of the speed.",
        "fast",
        "choice",
        ("fast", "protobuf"),
    ),
    Option(
        "cache",
        "Directory of the compiled code; without it, it would be compiled at every start.",
        user_cache_path("headwater"),
        "path",
    ),
    Option(
        "store-memory",
        "Memory of the store for inserts and questions; 256MB is enough for 10 million spans.",
        "1GB",
        "text",
        metavar="SIZE",
    ),
)

SERVE = Command(
    "serve",
    "Receives OTLP, watches Kafka, stores and answers questions: the collector alone.",
    (
        "headwater serve",
        "headwater serve --data ./data --kafka main=localhost:9092",
        "headwater serve --otlp-http 0.0.0.0:4318 --tls-cert cert.pem --tls-key key.pem",
    ),
    options=OPTIONS,
)


@dataclass(frozen=True)
class CollectorSettings:
    """What a collector needs to know; checked as a whole by `checked`."""

    data: Path
    otlp_grpc: str = "127.0.0.1:4317"
    otlp_http: str = "127.0.0.1:4318"
    api: str = "127.0.0.1:4319"
    kafka: tuple[ClusterConfig, ...] = ()
    poll: float = 5.0
    """Seconds"""
    dead_letters: tuple[str, ...] = ()
    """Patterns; empty means the usual names."""
    capture: str = "class"
    token: str | None = None
    """Opens everything, beside the tokens of the token file."""
    tls_cert: Path | None = None
    tls_key: Path | None = None
    insecure: bool = False
    max_connections: int = 4096
    """Of each OTLP door."""
    min_free: int = 256
    """Megabytes"""
    max_body: int = 64
    """Megabytes"""
    max_log: int = 2048
    """Megabytes"""
    keep_days: float = 7.0
    keep_notable_days: float = 28.0
    keep_size: float = 20.0
    """Gigabytes"""
    store_memory: str = "1GB"
    masking: Masking = Masking()
    alerts: AlertSettings = AlertSettings()
    decoder: str = "fast"
    cache: Path = user_cache_path("headwater")

    @property
    def retention(self) -> Retention:
        """What the store keeps."""
        return Retention(self.keep_days, round(self.keep_size * 1e9), self.keep_notable_days)

    @property
    def scheme(self) -> str:
        """http, or https with a certificate."""
        return "http" if self.tls_cert is None else "https"

    def tls(self) -> Tls | None:
        """The certificate; None without one. Raises UsageError."""
        return (
            None if self.tls_cert is None or self.tls_key is None else Tls.load(self.tls_cert, self.tls_key)
        )

    @property
    def reachable(self) -> dict[str, str]:
        """Option and address of each door that other machines can reach."""
        addresses = {"--otlp-grpc": self.otlp_grpc, "--otlp-http": self.otlp_http, "--api": self.api}
        return {option: address for option, address in addresses.items() if not is_loopback(address)}

    def check_files(self) -> None:
        """What `checked` cannot know without looking: certificate and tokens.

        Raises UsageError or TokensBroken.
        """
        self.tls()
        if self.reachable and not (self.insecure or self.token or self.tls_cert):
            if TokenFile(self.data).read():
                return
            option, address = next(iter(self.reachable.items()))
            raise UsageError(
                f"{option} {address} can be reached from other machines: make tokens with `headwater token "
                f"create --role ingest --data {self.data}`, give --token TOKEN or --tls-cert and --tls-key, "
                "or --insecure if everybody there may read and write."
            )

    def warnings(self) -> list[str]:
        """Sentences about what is allowed and still worth knowing."""
        if not self.reachable:
            return []
        where = ", ".join(self.reachable.values())
        found = []
        if self.tls_cert is None:
            found.append(f"What is sent to {where} can be read on its way, tokens included: there is no TLS.")
        if not self.token and not TokenFile(self.data).read():
            found.append(f"Everybody who reaches {where} may read and write: there are no tokens.")
        return found

    def checked(self) -> CollectorSettings:
        """Itself; raises UsageError for what must not or cannot be."""
        for address in (self.otlp_grpc, self.otlp_http, self.api):
            split(address)
        if (self.tls_cert is None) != (self.tls_key is None):
            raise UsageError("--tls-cert and --tls-key belong together: give both, or none.")
        if self.max_connections < 1:
            raise UsageError("--max-connections must be at least 1.")
        if self.max_body < 1 or self.max_log < 4 * self.max_body:
            raise UsageError(
                f"--max-log is {self.max_log} MB and --max-body {self.max_body} MB: "
                "the log must hold at least four of the largest requests."
            )
        if self.keep_days <= 0 or self.keep_size < 0.01:
            raise UsageError("--keep-days must be more than 0, and --keep-size at least 0.01 gigabytes.")
        if self.poll < 0.1:
            raise UsageError(f"--poll is {self.poll} and must be at least 0.1 seconds.")
        if not re.fullmatch(r"\d+(\.\d+)?\s*[KMGT]i?B", self.store_memory, re.IGNORECASE):
            raise UsageError(f"--store-memory is {self.store_memory} but takes a size, such as 512MB.")
        return self


def from_settings(settings: Settings) -> CollectorSettings:
    """What `headwater serve` was told. Raises UsageError or TokensBroken."""
    found = CollectorSettings(
        data=settings.data,
        otlp_grpc=settings.otlp_grpc,
        otlp_http=settings.otlp_http,
        api=settings.api,
        kafka=clusters(settings.kafka, settings.tables.get("clusters") or {}),
        poll=settings.poll,
        dead_letters=tuple(settings.dead_letters),
        capture=settings.capture,
        token=settings.token or None,
        tls_cert=settings.tls_cert,
        tls_key=settings.tls_key,
        insecure=settings.insecure,
        max_connections=settings.max_connections,
        min_free=settings.min_free,
        max_body=settings.max_body,
        max_log=settings.max_log,
        keep_days=settings.keep_days,
        keep_notable_days=settings.keep_notable_days,
        keep_size=settings.keep_size,
        store_memory=settings.store_memory,
        masking=rules_of(settings.tables.get("masking") or {}),
        alerts=alert_settings(settings.tables.get("alerts") or {}),
        decoder=settings.decoder,
        cache=settings.cache,
    ).checked()
    found.check_files()
    return found
