"""Starts and ends of spans as times that rest on each other, so that they can be counted anew.

The same rule as the walk's, forwards: a call starts its own stretch after the last child that its caller waited for,
a delivery starts once all that it needs is there, a span ends its own stretch after its last child. Several graphs
stand side by side, since deliveries of many flows go through one partition.

An event is a number: 2n the start of node n, 2n + 1 its end, 2N + n the moment at which n's holder has waited for n
and for every child that finished before it (N nodes in all).
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from .causes import Arrival
from .graph import Graph


class Rest(NamedTuple):
    """What a start rests on for an arrival: an event, its node's own time after it, then what nothing changes."""

    event: int
    node: int
    own: int
    fixed: int
    """Negative where an effect starts before its cause by the clocks."""
    arrival: Arrival


class Timeline:
    """The events of several graphs. Times in nanoseconds.

    Three events a span are many, so what they rest on lies in columns. A start that arrivals set off rests on those in
    `several`; a moment of the third kind rests on the one before it and on the end of its own node.
    """

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
        self.several: dict[int, list[Rest]] = {}
        """By the event of its start, what a node rests on that arrivals set off; missing where nothing is known."""
        self.before = [-1] * (3 * self.nodes)
        """The event that an event rests on, -1 for none."""
        self.of = [0] * (3 * self.nodes)
        """Whose own time lies between the two."""
        self.own = [0] * (3 * self.nodes)
        self.fixed = [0] * (3 * self.nodes)
        """How much of it does, and how much lies between them besides, as in `Rest`."""
        self.arrivals: list[list[Arrival] | None] = [None] * self.nodes
        self.recorded = [
            moment for both in zip(self.starts, self.ends, strict=True) for moment in both
        ] + self.ends
        """The times of the events as recorded."""
        # An end rests on its own start, unless it is found below to rest on a child.
        self.before[1 : 2 * self.nodes : 2] = range(0, 2 * self.nodes, 2)
        self.of[1 : 2 * self.nodes : 2] = range(self.nodes)
        self.own[1 : 2 * self.nodes : 2] = [
            end - start for start, end in zip(self.starts, self.ends, strict=True)
        ]
        for graph, offset in zip(graphs, self.offsets, strict=True):
            self._add(graph, offset)

    def _add(self, graph: Graph, offset: int) -> None:
        for node, some in graph.arrivals.items():
            if some:
                self.arrivals[node + offset] = some
                rests = [
                    Rest(*self._point(graph, offset, one.cause, one.ready), one)
                    for one in some
                    if one.cause >= 0
                ]
                if rests:
                    self.several[2 * (node + offset)] = rests
        for holder, children in graph.children.items():
            self._put(2 * (holder + offset) + 1, *self._within(graph, offset, holder, graph.ends[holder]))
            self._add_children(graph, offset, holder, children)

    def _add_children(self, graph: Graph, offset: int, holder: int, children: Sequence[int]) -> None:
        """Where in the time of their holder calls begin, and its moments after each of them."""
        starts, ends, owner, arrivals = graph.starts, graph.ends, graph.owner, self.arrivals
        before, of, own, fixed = self.before, self.of, self.own, self.fixed
        found = graph.child_ends[holder]
        begun, ended, joined, whose = starts[holder], ends[holder], 2 * self.nodes + offset, holder + offset
        last = 2 * whose
        for place, child in enumerate(children):
            if ends[child] > begun:
                before[joined + child] = last
                of[joined + child] = whose
                last = joined + child
            if owner[child] != holder or arrivals[child + offset]:
                continue
            event, moment = 2 * (child + offset), starts[child]
            if moment > ended:
                self._put(event, *self._point(graph, offset, holder, moment, child))
                continue
            # As in `_within`: of the children that finished before, the call itself left out.
            earlier = bisect_right(found, moment, 0, place)
            if earlier and found[earlier - 1] > begun:
                base = found[earlier - 1]
                before[event] = joined + children[earlier - 1]
            else:
                base = begun
                before[event] = 2 * whose
            of[event] = whose
            own[event] = max(moment - base, 0)
            fixed[event] = moment - base - own[event]

    def _put(self, event: int, before: int, node: int, own: int, fixed: int) -> None:
        self.before[event], self.of[event], self.own[event], self.fixed[event] = before, node, own, fixed

    def _point(
        self, graph: Graph, offset: int, node: int, moment: int, child: int = -1
    ) -> tuple[int, int, int, int]:
        """A moment in a node's time, or after it, for an effect that begins then; `child` where it is a call.

        Gives the event that it rests on, the node, and the lengths of both stretches.
        """
        end = graph.ends[node]
        if moment > end or (moment == end and child < 0):
            below = graph.before(node, moment, child)
            if below < 0 or graph.ends[below] <= end:
                return 2 * (node + offset) + 1, node + offset, 0, moment - end
        return self._within(graph, offset, node, moment, child)

    def _within(
        self, graph: Graph, offset: int, node: int, moment: int, child: int = -1
    ) -> tuple[int, int, int, int]:
        """A moment in a node's time: after its last child before it, or after its start."""
        below = graph.before(node, moment, child)
        base = graph.ends[below] if below >= 0 else graph.starts[node]
        event = 2 * self.nodes + offset + below if below >= 0 else 2 * (node + offset)
        own = max(min(moment, graph.ends[node]) - base, 0)
        return event, node + offset, own, moment - base - own

    def order(self, more: dict[int, int] | None = None, extra: int = 0) -> list[int]:
        """Every event after those it rests on. `more` are further rests, `extra` events that only `more` knows.

        Where clocks make a circle, the event of the earliest recorded time goes first and rests on nothing.
        """
        known = 3 * self.nodes
        count, joined = known + extra, 2 * self.nodes
        open_rests = [0] * count
        users: list[list[int]] = [[] for _ in range(count)]
        for event, before in enumerate(self.before):
            if before >= 0:
                users[before].append(event)
                open_rests[event] = 1
                if event >= joined:
                    users[2 * (event - joined) + 1].append(event)
                    open_rests[event] = 2
        for event, some in self.several.items():
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
                    (event for event in range(known) if open_rests[event] > 0),
                    key=lambda event: -self.recorded[event],
                )
            while waiting and open_rests[waiting[-1]] <= 0:
                waiting.pop()
            if not waiting:
                return order
            held = waiting.pop()
            open_rests[held] = 0
            self.before[held] = -1
            self.several.pop(held, None)
            order.append(held)
