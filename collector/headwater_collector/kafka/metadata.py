"""The client's words for topics and groups, in ours."""

from typing import Any

from confluent_kafka import ConsumerGroupType, KafkaException

from .refusals import Refusals, reason_of
from .snapshot import Partition

STATES = {
    "PREPARING_REBALANCING": "preparing",
    "COMPLETING_REBALANCING": "completing",
    "STABLE": "stable",
    "DEAD": "dead",
    "EMPTY": "empty",
}


def partitions_of(metadata: Any, refusals: Refusals) -> tuple[dict[str, int], list[Partition]]:
    """Topic -> number of partitions, and those partitions that have a leader to ask."""
    counts: dict[str, int] = {}
    readable: list[Partition] = []
    for name, topic in metadata.topics.items():
        if topic.error is not None:
            refusals.add(f"topic {name}", reason_of(KafkaException(topic.error)))
            continue
        counts[name] = len(topic.partitions)
        for number, partition in topic.partitions.items():
            if partition.leader < 0:
                refusals.add(f"topic {name}", f"partition {number} has no leader")
            else:
                readable.append(Partition(name, number))
    return counts, readable


def protocol_of(group: Any) -> str:
    return "consumer" if group.type is ConsumerGroupType.CONSUMER else "classic"
