"""Every setting of the collector, its default and the reason for it; for flags, environment and TOML."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path, user_data_path

from headwater_analysis.errors import UsageError
from headwater_analysis.settings import TOKEN, Command, Option, Settings

from .kafka.watch import ClusterConfig
from .receivers.addresses import is_loopback
from .store import Retention

OPTIONS = (
    Option("data", "Directory of store and log; made if absent.", user_data_path("headwater"), "path"),
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
    Option("insecure", "Listen beyond this machine without a token.", False, "flag"),
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
        "headwater serve --otlp-http 0.0.0.0:4318 --token SECRET",
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
    insecure: bool = False
    max_body: int = 64
    """Megabytes"""
    max_log: int = 2048
    """Megabytes"""
    keep_days: float = 7.0
    keep_size: float = 20.0
    """Gigabytes"""
    store_memory: str = "1GB"
    decoder: str = "fast"
    cache: Path = user_cache_path("headwater")

    @property
    def retention(self) -> Retention:
        """What the store keeps."""
        return Retention(self.keep_days, round(self.keep_size * 1e9))

    def checked(self) -> CollectorSettings:
        """Itself; raises UsageError for what must not or cannot be."""
        for option in ("otlp_grpc", "otlp_http", "api"):
            address = getattr(self, option)
            if not is_loopback(address) and not self.token and not self.insecure:
                raise UsageError(
                    f"--{option.replace('_', '-')} {address} can be reached from other machines: "
                    "give --token TOKEN, or --insecure if everybody there may read and write."
                )
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
    """What `headwater serve` was told. Raises UsageError."""
    return CollectorSettings(
        data=settings.data,
        otlp_grpc=settings.otlp_grpc,
        otlp_http=settings.otlp_http,
        api=settings.api,
        kafka=clusters(settings.kafka, settings.tables.get("clusters") or {}),
        poll=settings.poll,
        dead_letters=tuple(settings.dead_letters),
        capture=settings.capture,
        token=settings.token or None,
        insecure=settings.insecure,
        max_body=settings.max_body,
        max_log=settings.max_log,
        keep_days=settings.keep_days,
        keep_size=settings.keep_size,
        store_memory=settings.store_memory,
        decoder=settings.decoder,
        cache=settings.cache,
    ).checked()


def clusters(given: tuple[str, ...], tables: Mapping[str, Any]) -> tuple[ClusterConfig, ...]:
    """Clusters of --kafka and of [clusters.NAME] tables; a flag's addresses win over its table's."""
    found = {name: _of_table(name, table) for name, table in tables.items()}
    named: set[str] = set()
    for number, text in enumerate(given, 1):
        name, equals, bootstrap = text.rpartition("=")
        if not equals:
            name = "kafka" if number == 1 else f"kafka-{number}"
        if not name or not _is_bootstrap(bootstrap):
            raise UsageError(f"--kafka is {text!r}, but takes [NAME=]HOST:PORT[,HOST:PORT].")
        if name in named:
            raise UsageError(f"--kafka names {name!r} twice; give each cluster a name of its own.")
        named.add(name)
        known = found.get(name)
        found[name] = replace(known, bootstrap=bootstrap) if known else ClusterConfig(name, bootstrap)
    for name, cluster in found.items():
        if not cluster.bootstrap:
            raise UsageError(f'[clusters.{name}] has no bootstrap; add bootstrap = "HOST:PORT".')
    return tuple(found.values())


def _is_bootstrap(text: str) -> bool:
    return all(re.fullmatch(r"(\[[^\]]+\]|[^:,\s\[\]]+):\d{1,5}", part.strip()) for part in text.split(","))


def _of_table(name: str, table: Any) -> ClusterConfig:
    if not isinstance(table, Mapping):
        raise UsageError(f"clusters.{name} in the configuration is no table; write [clusters.{name}].")
    options = dict(_flat(table))
    read_records = options.pop("read_records", True)
    if not isinstance(read_records, bool):
        raise UsageError(f"read_records in [clusters.{name}] takes true or false.")
    bootstrap = options.pop("bootstrap", None) or options.pop("bootstrap.servers", "")
    if bootstrap and not _is_bootstrap(str(bootstrap)):
        raise UsageError(f"bootstrap in [clusters.{name}] is {bootstrap!r}, but takes HOST:PORT[,HOST:PORT].")
    texts = {key: _secret(name, key, _text(value)) for key, value in options.items()}
    return ClusterConfig(name, str(bootstrap), texts, read_records)


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """TOML reads the option name security.protocol as a table within a table, unless it is quoted."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _secret(cluster: str, key: str, value: str) -> str:
    """${NAME} stands for an environment variable, so that no secret needs to lie in a file."""

    def of(match: re.Match[str]) -> str:
        if match[1] not in os.environ:
            raise UsageError(f"{key} in [clusters.{cluster}] needs the environment variable {match[1]}.")
        return os.environ[match[1]]

    return re.sub(r"\$\{(\w+)\}", of, value)
