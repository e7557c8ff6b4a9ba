"""A flow as nodes and causes: who waited for whom, and which message each delivery rests on.

A node is a span, its number the place in `spans`, which are sorted so that the order of arrival has no say.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from headwater_analysis.flows import EdgeRow, HopRow, SpanRow

from . import causes, cycles
from .causes import Arrival, Key


@dataclass
class Graph:
    """The causes between the spans of one flow. Times in ns; a span that ends before its start has no length."""

    spans: Sequence[SpanRow]
    starts: list[int]
    ends: list[int]
    owner: list[int]
    """The node in whose time this one was called, -1 for none; a call is waited for where it ends in time."""
    arrivals: dict[int, list[Arrival]]
    """What a node that no call began was set off by. All must have come before it starts."""
    holder: list[int]
    """The node that waits for this one: its owner, or of a delivery the consumer's span around it; -1 for none."""
    replays: tuple[int, ...]
    run: list[int]
    """0, or 1 + the place in `replays` of the replay that set the node off."""
    children: dict[int, list[int]] = field(default_factory=dict)
    """Of a holder: the nodes it waits for, those that finish last at the end."""
    child_ends: dict[int, list[int]] = field(default_factory=dict)
    position: list[int] = field(default_factory=list)
    """A node's place among its holder's children."""

    def __post_init__(self) -> None:
        self.position = position = [0] * len(self.spans)
        children: defaultdict[int, list[int]] = defaultdict(list)
        for node, holder in enumerate(self.holder):
            if holder >= 0:
                children[holder].append(node)
        self.children.update(children)
        start_of, end_of = self.starts.__getitem__, self.ends.__getitem__
        for holder, nodes in children.items():
            if len(nodes) > 1:
                # At the end stands what finished last; of ties what started later, then what has the smaller id. Three
                # plain sorts, each of which keeps the order of the one before, cost less than one by all three.
                nodes.reverse()
                nodes.sort(key=start_of)
                nodes.sort(key=end_of)
                for place, node in enumerate(nodes):
                    position[node] = place
            self.child_ends[holder] = list(map(end_of, nodes))

    def before(self, node: int, moment: int, child: int = -1) -> int:
        """The child of `node` that finished last before `moment`, -1 where its own start came later than any.

        `child` is the node whose start the moment is, which cannot have waited for itself.
        """
        found = self.child_ends.get(node)
        if found is None:
            return -1
        place = bisect_right(found, moment)
        if child >= 0 and self.holder[child] == node:
            place = min(place, self.position[child])
        if place == 0 or found[place - 1] <= self.starts[node]:
            return -1
        return self.children[node][place - 1]

    def counted(self, run: int) -> list[int]:
        """The nodes between whose first start and last end the run's total lies: those not shared with other flows."""
        own = [node for node, of in enumerate(self.run) if of == run]
        shared = [span.shared for span in self.spans]
        return ([node for node in own if not shared[node]] or own) if any(shared) else own


def build(
    spans: Iterable[SpanRow],
    edges: Iterable[EdgeRow] = (),
    hops: Iterable[HopRow] = (),
    replays: frozenset[Key] = frozenset(),
) -> Graph:
    """The graph of one flow, without cycles: of each, the weakest edge is dropped.

    `replays` are the send spans, (trace id, span id), with which a replay begins: a run of its own.
    """
    ordered = _in_order(spans)
    index: dict[tuple[str | None, str | None], int] = {}
    for node, span in enumerate(ordered):
        index.setdefault((span.trace_id, span.span_id), node)
    found = causes.found(ordered, index, edges, hops, replays)
    starts = [span.started_ns for span in ordered]
    ends = [
        end if end > start else start
        for start, end in zip(starts, (span.ended_ns for span in ordered), strict=True)
    ]
    cycles.opened(ordered, found.owner, found.arrivals)
    holder = [
        owner if owner >= 0 else around for owner, around in zip(found.owner, found.around, strict=True)
    ]
    begins = tuple(sorted(index[key] for key in replays if key in index))
    run = _runs(len(ordered), begins, found.owner, found.arrivals)
    return Graph(ordered, starts, ends, found.owner, found.arrivals, holder, begins, run)


def _in_order(spans: Iterable[SpanRow]) -> list[SpanRow]:
    """By start; of those that start together the longest first, then by ids. Only ties are looked at closely."""
    ordered = sorted(spans, key=attrgetter("started_ns"))
    starts = [span.started_ns for span in ordered]
    ties = [place for place, (one, other) in enumerate(zip(starts, starts[1:], strict=False)) if one == other]
    if ties:
        places = sorted({*ties, *(place + 1 for place in ties)})
        tied = sorted(
            (ordered[place] for place in places),
            key=lambda one: (one.started_ns, -one.ended_ns, one.span_id, one.trace_id),
        )
        for place, span in zip(places, tied, strict=True):
            ordered[place] = span
    return ordered


def _runs(
    count: int, begins: Sequence[int], owner: list[int], arrivals: dict[int, list[Arrival]]
) -> list[int]:
    run = [0] * count
    if not begins:
        return run
    other = set(begins)
    effects: dict[int, list[int]] = {}
    for node, above in enumerate(owner):
        effects.setdefault(above, []).append(node)
    for node, some in arrivals.items():
        for arrival in some:
            effects.setdefault(arrival.cause, []).append(node)
    for number, begin in enumerate(begins, 1):
        stack = [begin]
        while stack:
            node = stack.pop()
            if run[node] != number and (node == begin or node not in other):
                run[node] = number
                stack.extend(effects.get(node, ()))
    return run
