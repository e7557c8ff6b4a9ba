"""What is counted of each message: exact numbers, latency sketches, and what handlers hold. Bounded, and cheap."""

import math
import threading
import time
from collections.abc import Iterable
from typing import Any, NamedTuple

from . import attributes as names
from .forks import anew_after_fork

ACCURACY = 0.01
GAMMA = (1 + ACCURACY) / (1 - ACCURACY)
"""Bucket i of a sketch holds seconds in (GAMMA^(i-1), GAMMA^i]: DDSketch, Masson et al., VLDB 2019."""
_LOG_GAMMA = math.log(GAMMA)
LEAST_S, MOST_S = 1e-6, 1e7
"""Values beyond are counted at the edge, so that there are fewer than 1,500 buckets."""
FLOWS_AT_MOST = 1000
"""Keys that are counted apart; later ones are counted together, as ``other``."""
BUCKETS_AT_MOST = 1900
"""Of all sketches together, since an instrument of the SDK keeps 2,000 attribute sets."""
HELD_AT_MOST = 10_000
"""Deliveries that are known to be in hand at once."""
OTHER = "other"


Server = tuple[str, int]
"""Address and port of the first bootstrap server."""
Handing = tuple[str, int, int, str, float | None]
"""Topic, partition, offset, pathway, and seconds since the record's time."""


class Key(NamedTuple):
    """What is counted apart."""

    direction: str
    """out: sent; in: handed to a consumer."""
    server: Server
    topic: str
    partition: str
    group: str
    pathway: str

    def attributes(self) -> dict[str, Any]:
        """As attributes of a point."""
        values: dict[str, Any] = {
            names.SYSTEM: names.KAFKA,
            names.TOPIC: self.topic,
            names.DIRECTION: self.direction,
        }
        if self.server[0]:
            values[names.SERVER_ADDRESS], values[names.SERVER_PORT] = self.server
        for name, value in (
            (names.PARTITION, self.partition),
            (names.GROUP, self.group),
            (names.PATHWAY, self.pathway),
        ):
            if value:
                values[name] = value
        return values


class Flow:
    """Statistics of one key."""

    __slots__ = ("count", "errors", "highest", "sketches")

    def __init__(self) -> None:
        self.count = 0
        self.errors: dict[str, int] = {}
        """By error.type."""
        self.highest = -1
        self.sketches: dict[tuple[str, int], int] = {}
        """By what was measured and the bucket's index."""


class Held(NamedTuple):
    """A partition of which a handler holds a record."""

    group: str
    server: Server
    topic: str
    partition: int


class Counts:
    """The numbers of one client."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flows: dict[Key, Flow] = {}
        self._buckets = 0
        self._held: dict[Held, dict[int, tuple[int, float]]] = {}
        """By partition and delivery: the offset, and since when in seconds since the epoch."""
        self._holding = 0
        anew_after_fork(self)

    def forget(self) -> None:
        """Begins anew, in a forked process too, where the lock may be another's."""
        self._lock = threading.Lock()
        self._flows, self._held = {}, {}
        self._buckets = self._holding = 0

    def sent(
        self, server: Server, topic: str, partition: int | None, offset: int | None, pathway: str, seconds: float,
        error: str | None,
    ) -> None:  # fmt: skip
        """A send has come to its end; partition and offset where they are known."""
        place = "" if partition is None else str(partition)
        with self._lock:
            flow = self._flow(Key("out", server, topic, place, "", pathway))
            flow.count += 1
            if error is not None:
                flow.errors[error] = flow.errors.get(error, 0) + 1
            if offset is not None and offset > flow.highest:
                flow.highest = offset
            self._add(flow, "send", seconds)

    def handed(self, server: Server, group: str, places: Iterable[Handing]) -> None:
        """Records were handed to a consumer's caller."""
        with self._lock:
            for topic, partition, offset, pathway, wait in places:
                flow = self._flow(Key("in", server, topic, str(partition), group, pathway))
                flow.count += 1
                if offset > flow.highest:
                    flow.highest = offset
                if wait is not None:
                    self._add(flow, "wait", wait)

    def processed(
        self, server: Server, group: str, place: tuple[str, int, int], pathway: str, seconds: float,
        error: str | None,
    ) -> None:  # fmt: skip
        """A handler's body for the record at a place (topic, partition, offset) is over."""
        with self._lock:
            flow = self._flow(Key("in", server, place[0], str(place[1]), group, pathway))
            if error is not None:
                flow.errors[error] = flow.errors.get(error, 0) + 1
            self._add(flow, "work", seconds)

    def hold(self, server: Server, group: str, delivery: object, first: Iterable[Any]) -> list[Held]:
        """A delivery begins: ``first`` are the first records of its partitions. Gives what ``release`` takes."""
        now, held = time.time(), []
        with self._lock:
            for record in first:
                if self._holding >= HELD_AT_MOST:
                    break
                place = Held(group, server, record.topic, record.partition)
                self._held.setdefault(place, {})[id(delivery)] = (record.offset, now)
                self._holding += 1
                held.append(place)
        return held

    def release(self, delivery: object, held: Iterable[Held]) -> None:
        """The delivery is over."""
        with self._lock:
            for place in held:
                deliveries = self._held.get(place)
                if deliveries is not None and deliveries.pop(id(delivery), None) is not None:
                    self._holding -= 1
                    if not deliveries:
                        del self._held[place]

    def lowest(self) -> list[tuple[Key, int, float]]:
        """Of each partition in hand: its key, the lowest offset, and since when in seconds since the epoch."""
        with self._lock:
            found = [(place, min(deliveries.values())) for place, deliveries in self._held.items()]
        return [
            (Key("in", place.server, place.topic, str(place.partition), place.group, ""), offset, since)
            for place, (offset, since) in found
        ]

    def snapshot(self) -> list[tuple[Key, int, dict[str, int], int, dict[tuple[str, int], int]]]:
        """Of each key: messages, errors by type, highest offset, sketches."""
        with self._lock:
            return [
                (key, flow.count, dict(flow.errors), flow.highest, dict(flow.sketches))
                for key, flow in self._flows.items()
            ]

    def _flow(self, key: Key) -> Flow:
        found = self._flows.get(key)
        if found is None:
            if len(self._flows) >= FLOWS_AT_MOST:
                key = Key(key.direction, ("", 0), OTHER, "", "", "")
                found = self._flows.get(key)
            if found is None:
                found = self._flows[key] = Flow()
        return found

    def _add(self, flow: Flow, what: str, seconds: float) -> None:
        at = (what, math.ceil(math.log(min(max(seconds, LEAST_S), MOST_S)) / _LOG_GAMMA))
        found = flow.sketches.get(at)
        if found is None:
            if self._buckets >= BUCKETS_AT_MOST:
                near = [index for kind, index in flow.sketches if kind == what]
                if not near:
                    return
                at = (what, min(near, key=lambda index: abs(index - at[1])))
                flow.sketches[at] += 1
                return
            self._buckets += 1
            found = 0
        flow.sketches[at] = found + 1
