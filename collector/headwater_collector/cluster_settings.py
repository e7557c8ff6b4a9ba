"""Which clusters to watch: --kafka and the [clusters.NAME] tables of the configuration."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from headwater_analysis.errors import UsageError

from .environment import filled
from .kafka.watch import ClusterConfig


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
    texts = {key: filled(_text(value), f"{key} in [clusters.{name}]") for key, value in options.items()}
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
