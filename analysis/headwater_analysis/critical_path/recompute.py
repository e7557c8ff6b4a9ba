"""When everything would have happened if some segments had taken another time: what-if by counting anew.

Causes that finish earlier let effects start earlier, and later likewise. Deliveries that were handled one after
another are counted anew in their order: start = the later of available and end of the one before, and what was
left of the wait. A message that now comes before another overtakes it, and does not hold it up: so no flow takes
longer because another is quicker. Where messages were handled side by side the wait is held as it was, and the
answer is a lower bound.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .causes import Arrival, Key
from .graph import Graph
from .lanes import Delivery, Lanes, Queue
from .segments import Step
from .timeline import Rest, Timeline
from .turns import Turns
from .walk import own_step
from .what_if import Factor, factor_of


@dataclass(frozen=True)
class Recomputed:
    """The flows as they would have been."""

    graphs: tuple[Graph, ...]
    held: frozenset[Queue]
    """Queues in which a wait could not be counted anew."""
    unexplained: float | None
    """Of all waiting in queues, the share in which no known handling was in the way; None where nothing waited."""


@dataclass(frozen=True)
class _Waiting:
    """How a delivery waits. Lengths in nanoseconds."""

    queue: Queue
    kind: str
    """wait, or gap where it is no message that was waited for."""
    available: int
    """From when on it could have begun, as recorded."""
    wait: float
    """Factors of the whole wait, of its local part, of back-off and of the wait for a transaction."""
    local: float
    backoff: float
    txn: float
    length: int
    """What it waited as recorded, after the last that it needed was there."""
    fetched: int
    """The local part of that."""
    before: int
    """The event at which the one before it in its row ended, -1 where it is in none."""
    rest: int
    """Of the wait, what was left when both the message and the consumer were there."""


class Recomputation:
    """The flows ready to be counted anew, for one line of suppositions after the other."""

    def __init__(self, graphs: Sequence[Graph], lanes: Lanes) -> None:
        """`lanes` hold the deliveries of these flows, and those of others that stood in the same rows."""
        self.line = Timeline(graphs)
        self._lanes = lanes
        nodes: dict[Key, int] = {}
        for graph, offset in zip(graphs, self.line.offsets, strict=True):
            for node in (one for one, some in graph.arrivals.items() if some):
                nodes.setdefault((graph.spans[node].trace_id, graph.spans[node].span_id), node + offset)
        self._nodes = nodes
        self._others: list[Delivery] = []
        """Deliveries of flows that are not looked into."""
        self._events: dict[Key, int] = {}
        more: dict[int, int] = {}
        for key, before in self._rows():
            more[self._begin(key)] = self._begin(before.key) + 1
        first = 3 * self.line.nodes
        more |= {first + 2 * i + 1: first + 2 * i for i in range(len(self._others))}
        self._before = more
        self._order = self.line.order(more, 2 * len(self._others))
        self._floors = self._first_starts()

    def _first_starts(self) -> list[int]:
        """By event, what it cannot come before: its flow's first start, or itself where clocks put it earlier."""
        floors = list(self.line.recorded)
        for graph, offset in zip(self.line.graphs, self.line.offsets, strict=True):
            first = min((graph.starts[node] for node in graph.counted(0)), default=0)
            for node in range(offset, offset + len(graph.spans)):
                for event in (2 * node, 2 * node + 1, 2 * self.line.nodes + node):
                    floors[event] = min(floors[event], first)
        return floors

    def _rows(self) -> list[tuple[Key, Delivery]]:
        """Every step from one delivery of a row to the next, with the deliveries of other flows set down."""
        steps = []
        followers = {key: before for key, before in self._lanes.before.items()}
        wanted = [key for key in followers if key in self._nodes]
        seen: set[Key] = set()
        while wanted:
            key = wanted.pop()
            before = followers.get(key)
            if key in seen or before is None:
                continue
            seen.add(key)
            if before.key not in self._nodes and before.key not in self._events:
                self._events[before.key] = 3 * self.line.nodes + 2 * len(self._others)
                self._others.append(before)
            steps.append((key, before))
            wanted.append(before.key)
        return steps

    def _begin(self, key: Key) -> int:
        node = self._nodes.get(key)
        return self._events[key] if node is None else 2 * node

    def under(self, factors: Sequence[Factor]) -> Recomputed:
        """The flows with those factors; factor 1 changes nothing, and none below 1 makes a flow longer."""
        own = self._own_factors(factors)
        waiting, held = self._waiting(factors)
        waited = sum(one.length for one in waiting.values() if one.kind == "wait")
        left = sum(one.rest for one in waiting.values() if one.kind == "wait")
        pace: dict[Queue, float] = {}
        times = self._times(own, waiting, factors, pace)
        if self._others and any(factor != 1 for factor in own):
            pace = self._pace(times)
            times = self._times(own, waiting, factors, pace)
        return Recomputed(tuple(self._shifted(times, own, waiting)), held, left / waited if waited else None)

    def _own_factors(self, factors: Sequence[Factor]) -> list[float]:
        known: dict[Step, float] = {}
        found = []
        for graph in self.line.graphs:
            for node in range(len(graph.spans)):
                step = own_step(graph, node)
                if step not in known:
                    known[step] = factor_of(factors, step)
                found.append(known[step])
        return found

    def _waiting(self, factors: Sequence[Factor]) -> tuple[dict[int, _Waiting], frozenset[Queue]]:
        waiting: dict[int, _Waiting] = {}
        held: set[Queue] = set()
        for node, some in enumerate(self.line.arrivals):
            if not some:
                continue
            last = max(some, key=lambda one: one.available)
            queue = (last.topic or "", last.consumer_group)
            wait, local, backoff, txn = (
                factor_of(factors, Step(kind, topic=last.topic, consumer_group=last.consumer_group))
                if last.kind == "wait"
                else 1.0
                for kind in ("wait", "local_wait", "backoff", "txn_wait")
            )
            start = self.line.starts[node]
            length = max(start - last.available, 0)
            before = self._before.get(2 * node, -1)
            reached = max(last.available, self._recorded(before)) if before >= 0 else last.available
            if before < 0 and length and last.kind == "wait" and wait and queue in self._lanes.beside:
                held.add(queue)
            left = start - max(reached, last.available)
            waiting[node] = _Waiting(
                queue, last.kind, last.available, wait, local, backoff, txn, length, last.local, before, left
            )
        return waiting, frozenset(held)

    def _recorded(self, event: int) -> int:
        first = 3 * self.line.nodes
        if event < first:
            return self.line.recorded[event]
        other = self._others[(event - first) // 2]
        return other.ended_ns if (event - first) % 2 else other.started_ns

    def _times(
        self,
        own: list[float],
        waiting: dict[int, _Waiting],
        factors: Sequence[Factor],
        pace: dict[Queue, float],
    ) -> list[int]:
        """The time of every event."""
        line, first = self.line, 3 * self.line.nodes
        times = list(line.recorded)
        for other in self._others:
            times += [other.started_ns, other.ended_ns]
        turns = Turns(self._before, self._recorded_available(waiting))
        for event in self._order:
            if event >= first:
                times[event] = self._other(event, times, factors, pace, turns)
            elif event < 2 * line.nodes and event % 2 == 0 and event // 2 in waiting:
                times[event] = max(
                    self._start(event // 2, times, own, waiting[event // 2], turns), self._floors[event]
                )
            elif line.before[event] >= 0:
                length = _scaled(line.own[event], own[line.of[event]]) + line.fixed[event]
                reached = times[line.before[event]] + length
                if event >= 2 * line.nodes:
                    reached = max(reached, times[2 * (event - 2 * line.nodes) + 1])
                times[event] = max(reached, self._floors[event])
        return times

    def _recorded_available(self, waiting: dict[int, _Waiting]) -> dict[int, int]:
        """By the event of its start, from when on each delivery could have begun as recorded."""
        first = 3 * self.line.nodes
        found = {2 * node: waits.available for node, waits in waiting.items()}
        return found | {first + 2 * place: other.available_ns for place, other in enumerate(self._others)}

    def _start(self, node: int, times: list[int], own: list[float], waits: _Waiting, turns: Turns) -> int:
        """When a delivery starts: once all it needs is there and its turn has come."""
        rests = self.line.several.get(2 * node, ())
        outside = [one.available for one in self.line.arrivals[node] or () if one.cause < 0]
        if not rests and not outside:
            return self.line.starts[node]
        available = max([*outside, *(_available(rest, times, own, waits)[2] for rest in rests)])
        turn = available + waits.length
        if waits.before >= 0:
            turn = turns.free(2 * node, available, times) + waits.rest
        wait = turn - available - _lost(min(waits.fetched, turn - available), waits.local)
        return available + _scaled(wait, waits.wait)

    def _other(
        self, event: int, times: list[int], factors: Sequence[Factor], pace: dict[Queue, float], turns: Turns
    ) -> int:
        """A delivery of another flow: available as it was, and as much faster as those that were looked into."""
        place, half = divmod(event - 3 * self.line.nodes, 2)
        other = self._others[place]
        if half:
            return times[event - 1] + _scaled(other.ended_ns - other.started_ns, pace.get(other.queue, 1.0))
        before = self._before.get(event, -1)
        turn = other.started_ns
        if before >= 0:
            left = other.started_ns - max(other.available_ns, self._recorded(before))
            turn = turns.free(event, other.available_ns, times) + left
        wait = factor_of(factors, Step("wait", topic=other.topic, consumer_group=other.consumer_group))
        return other.available_ns + _scaled(turn - other.available_ns, wait)

    def _pace(self, times: list[int]) -> dict[Queue, float]:
        """By queue, how long the handlings of these flows take now, as a share of what they took."""
        sums: dict[Queue, tuple[int, int]] = {}
        for node, some in enumerate(self.line.arrivals):
            for one in (some or ())[:1]:
                queue = (one.topic or "", one.consumer_group)
                old, new = sums.get(queue, (0, 0))
                old += self.line.ends[node] - self.line.starts[node]
                sums[queue] = (old, new + times[2 * node + 1] - times[2 * node])
        return {queue: new / old for queue, (old, new) in sums.items() if old}

    def _shifted(self, times: list[int], own: list[float], waiting: dict[int, _Waiting]) -> list[Graph]:
        shifted = []
        for graph, offset in zip(self.line.graphs, self.line.offsets, strict=True):
            span = range(offset, offset + len(graph.spans))
            arrivals: dict[int, list[Arrival]] = {}
            for node, some in graph.arrivals.items():
                rests = {rest.arrival: rest for rest in self.line.several.get(2 * (node + offset), ())}
                arrivals[node] = [
                    self._moved(one, rests.get(one), times, own, waiting[node + offset], node + offset)
                    for one in some
                ]
            shifted.append(
                replace(
                    graph,
                    starts=[times[2 * node] for node in span],
                    ends=[times[2 * node + 1] for node in span],
                    arrivals=arrivals,
                    children={},
                    child_ends={},
                )
            )
        return shifted

    def _moved(
        self, one: Arrival, rest: Rest | None, times: list[int], own: list[float], waits: _Waiting, node: int
    ) -> Arrival:
        start = times[2 * node]
        if rest is None:
            return one._replace(local=min(one.local, max(start - one.available, 0)))
        ready, backoff, available = _available(rest, times, own, waits)
        local = min(_scaled(one.local, waits.local * waits.wait), max(start - available, 0))
        txn = available - ready - backoff
        return one._replace(ready=ready, txn=txn, backoff=backoff, available=available, local=local)


def _scaled(length: int, factor: float) -> int:
    return length if factor == 1 else round(length * factor)


def _lost(length: int, factor: float) -> int:
    """What a factor takes away from a length, less than nothing where it adds."""
    return length - _scaled(length, factor)


def _reached(rest: Rest, times: list[int], own: list[float]) -> int:
    return times[rest.event] + _scaled(rest.own, own[rest.node]) + rest.fixed


def _available(rest: Rest, times: list[int], own: list[float], waits: _Waiting) -> tuple[int, int, int]:
    """Of a cause: when it is ready, the back-off after it, and from when on its effect could begin."""
    ready = _reached(rest, times, own)
    arrival = rest.arrival
    backoff = _scaled(arrival.backoff, waits.backoff)
    return ready, backoff, ready + backoff + _scaled(arrival.txn, waits.txn)
