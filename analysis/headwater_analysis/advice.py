"""How many consumers a group needs, or why more would not help: rules over what one consumer can do."""

import json
import math
import re
from dataclasses import dataclass

from . import format as fmt

HEADROOM = 0.3
"""Share of the in-rate that is kept free: bursts and the time a rebalance takes."""
BUDGET_SECONDS = 60.0
"""Lag time up to which a group has enough consumers, whatever the figures say."""
STUCK = frozenset("blocked frozen stalled no_commit lost truncated".split())
"""Verdicts that no number of consumers mends."""


@dataclass(frozen=True)
class Load:
    """A group on a topic as advice looks at it; None is unknown."""

    consumer_group: str
    topic: str
    status: str
    worst_partition: int | None
    consumers: int | None
    """Members that have partitions of this topic."""
    partitions: int
    in_rate: float | None
    """Messages a second produced."""
    lag_seconds: float | None
    capacity: float | None
    """Messages a second that one consumer can do."""
    method: str | None
    """measured or spans."""
    work_ms: float | None = None
    handlers: float | None = None
    skewed: str | None = None
    """Evidence of the mark, where one partition holds most of the lag."""
    hot_key: str | None = None
    """The key that takes more than its share of that topic, in words."""


@dataclass(frozen=True)
class Advice:
    """What to do about the number of consumers."""

    kind: str
    """start, unblock, skewed, unknown, ceiling, more, fewer or enough."""
    consumers: int | None
    """How many there should be; None where no number is known or none helps."""
    sentence: str


def advise(load: Load, headroom: float = HEADROOM, budget_seconds: float = BUDGET_SECONDS) -> Advice:
    """The first that applies: nobody reads, something is stuck, one partition is the trouble, capacity."""
    there = load.consumers
    if not there:
        if there is None:
            return Advice("unknown", None, "No advice: the group's members are not known.")
        return Advice("start", None, "Nobody reads: start a consumer of this group.")
    if load.status in STUCK:
        where = f"partition {load.worst_partition}" if load.worst_partition is not None else "a partition"
        return Advice(
            "unblock",
            None,
            f"More consumers will not help: the trouble is {where} ({fmt.state(load.status).word}); "
            f"`headwater blockers --group {load.consumer_group}` says on what.",
        )
    if load.skewed is not None:
        key = f"; {load.hot_key}" if load.hot_key else ""
        return Advice("skewed", None, f"More consumers will not help: {load.skewed}{key}.")
    if load.capacity is None or load.capacity <= 0 or load.in_rate is None:
        return Advice(
            "unknown",
            None,
            "No advice: what one consumer can do is not known, since the group was never behind for long in the last "
            "five minutes and too few spans tell how long handling takes.",
        )
    return _by_capacity(load, there, load.capacity, load.in_rate * (1 + headroom), headroom, budget_seconds)


def _by_capacity(
    load: Load, there: int, capacity: float, wanted: float, headroom: float, budget_seconds: float
) -> Advice:
    needed = max(1, math.ceil(wanted / capacity - 1e-9))
    why = (
        f"{fmt.rate(load.in_rate)} and {fmt.ratio(headroom)} headroom, "
        f"{fmt.rate(capacity)} a consumer ({_source(load)})"
    )
    within = load.lag_seconds is not None and load.lag_seconds <= budget_seconds
    if needed > there and within:
        budget = fmt.duration_ms(budget_seconds * 1000)
        return Advice("enough", there, f"{_of(there)} will do: lag time is within {budget} ({why}).")
    if needed > load.partitions:
        return Advice(
            "ceiling",
            load.partitions,
            f"You are at the partition ceiling ({load.partitions}): {_of(needed)} would be needed for {why}; "
            "add partitions or make handling faster.",
        )
    if needed > there:
        return Advice("more", needed, f"{_of(needed)} needed, {there} there: {why}.")
    if needed < there:
        return Advice("fewer", needed, f"{_of(needed)} would do, {there} there: {why}.")
    return Advice("enough", there, f"{_of(there)} will do: {why}.")


def _of(consumers: int) -> str:
    return f"{consumers} consumer{'' if consumers == 1 else 's'}"


def _source(load: Load) -> str:
    if load.method == "spans" and load.work_ms is not None:
        return f"{fmt.count(load.handlers)} at a time, {fmt.duration_ms(load.work_ms)} each"
    return "measured while it was behind"


def scaled_object(load: Load, advice: Advice, bootstrap: str, budget_seconds: float = BUDGET_SECONDS) -> str:
    """A KEDA ScaledObject in YAML: as many replicas as bring the lag time back within the budget, and no fewer than
    the present rate needs. For a load whose capacity is known."""
    assert load.capacity is not None
    threshold = max(1, math.floor(load.capacity * budget_seconds))
    least = min(advice.consumers or 1, load.partitions)
    words = [
        "apiVersion: keda.sh/v1alpha1",
        "kind: ScaledObject",
        "metadata:",
        f"  name: {_kubernetes(f'{load.consumer_group}-{load.topic}')}",
        "spec:",
        "  scaleTargetRef:",
        f"    name: {_kubernetes(load.consumer_group)}  # the Deployment of this group's consumers",
        f"  minReplicaCount: {least}  # what the present rate needs",
        f"  maxReplicaCount: {load.partitions}  # a consumer more than partitions would idle",
        "  triggers:",
        "    - type: kafka",
        "      metadata:",
        f"        bootstrapServers: {json.dumps(bootstrap)}",
        f"        consumerGroup: {json.dumps(load.consumer_group)}",
        f"        topic: {json.dumps(load.topic)}",
        f'        lagThreshold: "{threshold}"  # {fmt.rate(load.capacity)} a consumer in {budget_seconds:.0f} s',
        '        allowIdleConsumers: "false"',
    ]
    return "\n".join(words) + "\n"


def _kubernetes(name: str) -> str:
    """A name that Kubernetes takes."""
    return re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-")[:63].strip("-") or "group"
