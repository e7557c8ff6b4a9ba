"""Which deliveries were handled one after another, and which came before which.

A queue is one topic read by one group. Where none of its handlings overlap, one consumer takes them all in turn;
else each partition may be such a row. A row in which more than `MOST_BESIDE` of the handlings overlap is none: its
consumers handle side by side, and nothing tells how much sooner one would have been taken.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from .causes import Key

MOST_BESIDE = 0.01
"""Share of handlings that may overlap the one before, as after a rebalance; they are held where they were."""

Queue = tuple[str, str | None]
"""Topic and consumer group."""


@dataclass(frozen=True)
class Delivery:
    """One handling of one message or of a batch of them. Times in nanoseconds."""

    trace_id: str
    span_id: str
    cluster: str | None
    topic: str
    partition: int
    consumer_group: str | None
    available_ns: int
    """From when on it could have been begun: start less its wait."""
    started_ns: int
    ended_ns: int

    @property
    def key(self) -> Key:
        """The span that handled it."""
        return (self.trace_id, self.span_id)

    @property
    def queue(self) -> Queue:
        """What it stood in."""
        return (self.topic, self.consumer_group)


@dataclass(frozen=True)
class Lanes:
    """What came before what."""

    before: dict[Key, Delivery]
    """The handling that ended last before each began, in its row; missing for the first and for those held."""
    beside: frozenset[Queue]
    """Queues whose deliveries are, in part, in no row."""


def lanes(deliveries: Iterable[Delivery]) -> Lanes:
    """The rows of all deliveries; of a batch, the message that was available last counts."""
    queues: dict[tuple[str | None, str, str | None], dict[Key, Delivery]] = {}
    for one in deliveries:
        row = queues.setdefault((one.cluster, one.topic, one.consumer_group), {})
        known = row.get(one.key)
        if known is None or (one.available_ns, -one.partition) > (known.available_ns, -known.partition):
            row[one.key] = one
    before: dict[Key, Delivery] = {}
    beside: set[Queue] = set()
    for row in queues.values():
        whole = sorted(row.values(), key=lambda one: (one.started_ns, one.ended_ns, one.key))
        found = _in_turn(whole)
        if found is not None:
            before |= found
            continue
        partitions: dict[int, list[Delivery]] = {}
        for one in whole:
            partitions.setdefault(one.partition, []).append(one)
        for some in partitions.values():
            found = _in_turn(some)
            if found is None:
                beside.add(some[0].queue)
            else:
                before |= found
    return Lanes(before, frozenset(beside))


def _in_turn(row: list[Delivery]) -> dict[Key, Delivery] | None:
    """What came before each, None where too many overlap."""
    before: dict[Key, Delivery] = {}
    last = row[0]
    overlapping = 0
    for one in row[1:]:
        if one.started_ns >= last.ended_ns:
            before[one.key] = last
        else:
            overlapping += 1
        if one.ended_ns >= last.ended_ns:
            last = one
    return None if overlapping > MOST_BESIDE * len(row) else before
