"""Starts and ends of spans as times that rest on each other, so that they can be counted anew.

The same rule as the walk's, forwards: a call starts its own stretch after the last child that its caller waited for,
a delivery starts once all that it needs is there, a span ends its own stretch after its last child. Several graphs
stand side by side, since deliveries of many flows go through one partition.

An event is a number: 2n the start of node n, 2n + 1 its end, 2N + n the moment at which n's holder has waited for n
and for every child that finished before it (N nodes in all).
"""

from collections.abc import Sequence
from typing import NamedTuple

from .causes import Arrival
from .graph import Graph


class Rest(NamedTuple):
    """What an event rests on: another event, a stretch of a node's own time, then a stretch that nothing changes."""

    event: int
    node: int
    own: int
    fixed: int
    """Negative where an effect starts before its cause by the clocks."""
    arrival: Arrival | None = None


class Timeline:
    """The events of several graphs. Times in nanoseconds."""

    def __init__(self, graphs: Sequence[Graph]) -> None:
        self.graphs = graphs
        self.offsets: list[int] = []
        self.starts: list[int] = []
        self.ends: list[int] = []
        for graph in graphs:
            self.offsets.append(len(self.starts))
            self.starts.extend(graph.starts)
            self.ends.extend(graph.ends)
        self.nodes = len(self.starts)
        self.rests: list[list[Rest]] = [[] for _ in range(3 * self.nodes)]
        self.arrivals: list[list[Arrival] | None] = [None] * self.nodes
        self.recorded = [
            moment for both in zip(self.starts, self.ends, strict=True) for moment in both
        ] + self.ends
        """The times of the events as recorded."""
        for graph, offset in zip(graphs, self.offsets, strict=True):
            self._add(graph, offset)

    def _add(self, graph: Graph, offset: int) -> None:
        rests, joined = self.rests, 2 * self.nodes + offset
        for node in range(len(graph.spans)):
            begin = 2 * (node + offset)
            some = graph.arrivals.get(node)
            if some:
                self.arrivals[node + offset] = some
                rests[begin] = [
                    self._point(graph, offset, one.cause, one.ready, -1)._replace(arrival=one)
                    for one in some
                    if one.cause >= 0
                ]
            elif graph.owner[node] >= 0:
                rests[begin] = [self._point(graph, offset, graph.owner[node], graph.starts[node], node)]
            rests[begin + 1] = [self._within(graph, offset, node, graph.ends[node], -1)]
        for holder, children in graph.children.items():
            last = 2 * (holder + offset)
            for child in children:
                if graph.ends[child] > graph.starts[holder]:
                    rests[joined + child] = [
                        Rest(last, holder + offset, 0, 0),
                        Rest(2 * (child + offset) + 1, holder + offset, 0, 0),
                    ]
                    last = joined + child

    def _point(self, graph: Graph, offset: int, node: int, moment: int, child: int) -> Rest:
        """A moment in a node's time, or after it, for an effect that begins then; `child` where it is a call."""
        end = graph.ends[node]
        if moment > end or (moment == end and child < 0):
            below = graph.before(node, moment, child)
            if below < 0 or graph.ends[below] <= end:
                return Rest(2 * (node + offset) + 1, node + offset, 0, moment - end)
        return self._within(graph, offset, node, moment, child)

    def _within(self, graph: Graph, offset: int, node: int, moment: int, child: int) -> Rest:
        """A moment in a node's time: after its last child before it, or after its start."""
        below = graph.before(node, moment, child)
        base = graph.ends[below] if below >= 0 else graph.starts[node]
        event = 2 * self.nodes + offset + below if below >= 0 else 2 * (node + offset)
        own = max(min(moment, graph.ends[node]) - base, 0)
        return Rest(event, node + offset, own, moment - base - own)

    def order(self, more: dict[int, int] | None = None, extra: int = 0) -> list[int]:
        """Every event after those it rests on. `more` are further rests, `extra` events that only `more` knows.

        Where clocks make a circle, the event of the earliest recorded time goes first and rests on nothing.
        """
        count = len(self.rests) + extra
        open_rests = [0] * count
        users: list[list[int]] = [[] for _ in range(count)]
        for event, some in enumerate(self.rests):
            for rest in some:
                users[rest.event].append(event)
            open_rests[event] = len(some)
        for event, before in (more or {}).items():
            users[before].append(event)
            open_rests[event] += 1
        order = [event for event in range(count) if open_rests[event] == 0]
        placed = 0
        waiting: list[int] | None = None
        while True:
            while placed < len(order):
                for user in users[order[placed]]:
                    open_rests[user] -= 1
                    if open_rests[user] == 0:
                        order.append(user)
                placed += 1
            if len(order) >= count:
                return order
            if waiting is None:
                waiting = sorted(
                    (event for event in range(len(self.rests)) if open_rests[event] > 0),
                    key=lambda event: -self.recorded[event],
                )
            while waiting and open_rests[waiting[-1]] <= 0:
                waiting.pop()
            if not waiting:
                return order
            held = waiting.pop()
            open_rests[held] = 0
            self.rests[held] = []
            order.append(held)
