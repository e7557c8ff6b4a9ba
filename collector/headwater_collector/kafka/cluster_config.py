"""A cluster to watch, and its options as librdkafka wants them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ClusterConfig:
    """One cluster to watch."""

    name: str
    bootstrap: str
    """HOST:PORT[,HOST:PORT]"""
    options: Mapping[str, str] = field(default_factory=dict)
    """Security and the like, in librdkafka's option names."""
    read_records: bool = True
    """Whether records may be read: the first unread one of a partition for its time, and dead letters."""


def librdkafka_options(config: ClusterConfig) -> dict[str, Any]:
    """Options of a confluent-kafka client; quick to come back to a broker that was away, silent on stderr."""
    return {
        "reconnect.backoff.max.ms": 2000,
        "client.id": "headwater",
        **config.options,
        "bootstrap.servers": config.bootstrap,
        "log_level": 0,
    }
