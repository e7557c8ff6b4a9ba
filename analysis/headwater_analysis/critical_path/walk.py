"""The critical path of a run: back from its last end to its first start, always to what was waited for last.

Inside a call tree the walk steps to the child that finished last before the current time, then to the parent's own
time, as tools for synchronous traces do. At a delivery's start it steps over the waiting to the end of sending, of a
later attempt to the end of the attempt before, and goes on from there.
"""

from bisect import bisect_left
from dataclasses import dataclass

from headwater_analysis.flows import SpanRow

from .causes import Arrival, is_send
from .graph import Graph
from .segments import Segment, Step


@dataclass(frozen=True, slots=True)
class _Piece:
    kind: str
    lo: int
    hi: int
    node: int
    """Whose time it is, or which began at its end."""
    after: int = -1
    """Of a gap: the node before it."""
    arrival: Arrival | None = None
    skewed: bool = False


def path(graph: Graph, run: int = 0) -> tuple[Segment, ...]:
    """The segments of a run in order of time; they partition its first start to its last end exactly.

    Run 0 is the flow's own, run n that of `graph.replays[n - 1]`. Empty where the run has no spans.
    """
    counted = graph.counted(run)
    if not counted:
        return ()
    walk = _Walk(graph, run, counted)
    walk.go()
    total = graph.ends[walk.last] - walk.floor
    return tuple(_segment(graph, piece, total) for piece in reversed(walk.pieces))


def last_end(graph: Graph, counted: list[int]) -> int:
    """The node that ends last; of ties the one that starts later, then the one with the smaller span id."""
    ends, starts = graph.ends, graph.starts
    last = max(map(ends.__getitem__, counted))
    return max((node for node in counted if ends[node] == last), key=lambda node: (starts[node], -node))


class _Walk:
    def __init__(self, graph: Graph, run: int, counted: list[int]) -> None:
        self.graph, self.run, self.counted = graph, run, counted
        self.floor = min(map(graph.starts.__getitem__, counted))
        self.last = last_end(graph, counted)
        self.pieces: list[_Piece] = []
        self._left: set[int] = set()
        self._by_start: list[tuple[int, int]] | None = None
        self._latest: list[int] = []

    def go(self) -> None:
        """Fills `pieces`, the last first."""
        graph = self.graph
        starts, ends = graph.starts, graph.ends
        node, now, child = self.last, ends[self.last], self.last
        while now > self.floor:
            below = graph.before(node, now, child)
            while (
                below in self._left
            ):  # of no length, and seen from another side: nothing is to be had from it
                below = graph.before(node, now, below)
            base = ends[below] if below >= 0 else starts[node]
            self._own(node, base, now, below, child)
            now = min(now, base)
            if below >= 0:
                node = child = below
                continue
            child, cause = node, -1
            if node not in self._left:
                self._left.add(node)
                cause, now = self._cause(node, now)
            if cause >= 0:
                node = cause
            elif now > self.floor:
                node, now = self._jump(node, now)

    def _own(self, node: int, base: int, now: int, below: int, child: int) -> None:
        """The node's own time between `base` and `now`, the start of `child`; after its end nothing of it ran."""
        end = self.graph.ends[node]
        if now > max(end, base):
            self._add("gap", max(end, base), now, child, below if base > end else node)
        if base < min(now, end):
            self._add("send" if is_send(self.graph.spans[node]) else "work", base, min(now, end), node)

    def _cause(self, node: int, now: int) -> tuple[int, int]:
        """What set the node off, -1 where that is not known, and when that was ready."""
        arrival = self._arrival(node)
        if arrival is not None:
            now = self._waited(node, arrival, now)
        cause = self.graph.owner[node] if arrival is None else arrival.cause
        if cause >= 0 and self.floor < now < self.graph.starts[cause]:
            kind = "gap" if arrival is None else arrival.kind
            self.pieces.append(_Piece(kind, now, now, node, cause, arrival, True))
        return cause, now

    def _arrival(self, node: int) -> Arrival | None:
        """What came last of all that the node waited for; of ties what began later, then the smaller span id."""
        some = self.graph.arrivals.get(node)
        if not some:
            return None
        if len(some) == 1:
            return some[0]
        starts, run = self.graph.starts, self.graph.run
        same = [one for one in some if one.cause < 0 or run[one.cause] == self.run] or some
        return max(
            same, key=lambda one: (one.available, starts[one.cause] if one.cause >= 0 else -1, -one.cause)
        )

    def _waited(self, node: int, arrival: Arrival, now: int) -> int:
        """Steps back over what lay between a cause and its effect; gives the time at which the cause was ready."""
        lengths = (
            ("local_wait", arrival.local),
            (arrival.kind, max(now - arrival.available - arrival.local, 0)),
            ("backoff", arrival.backoff),
            ("txn_wait", arrival.txn),
        )
        for kind, length in lengths:
            if length > 0:
                self._add(kind, now - length, now, node, arrival.cause, arrival)
                now -= length
        return now

    def _jump(self, node: int, now: int) -> tuple[int, int]:
        """Where no cause is known: to what ended last of all that began before; the gap says between what."""
        graph = self.graph
        if self._by_start is None:
            self._by_start = sorted((graph.starts[one], one) for one in self.counted)
            best = self._by_start[0][1]
            for _, one in self._by_start:
                if (
                    graph.ends[one] >= graph.ends[best]
                ):  # of a tie the later start, as they come in that order
                    best = one
                self._latest.append(best)
        before = bisect_left(self._by_start, (now, -1))
        found = self._latest[before - 1]
        reached = min(graph.ends[found], now)
        self.pieces.append(_Piece("gap", max(reached, self.floor), now, node, found))
        return found, reached

    def _add(
        self, kind: str, lo: int, hi: int, node: int, after: int = -1, arrival: Arrival | None = None
    ) -> None:
        lo = max(lo, self.floor)
        if hi <= lo:
            return
        if self.pieces and kind != "gap":
            later = self.pieces[-1]
            if later.lo == hi and later.kind == kind and later.node == node and not later.skewed:
                self.pieces[-1] = _Piece(kind, lo, later.hi, node, after, arrival)
                return
        self.pieces.append(_Piece(kind, lo, hi, node, after, arrival))


def own_step(graph: Graph, node: int) -> Step:
    """What a node's own time counts as."""
    kind, *more = own_fields(graph.spans[node])
    return Step(kind or "", *more)


def own_fields(span: SpanRow) -> tuple[str | None, ...]:
    """The fields of the step that a span's own time counts as, for whoever compares many."""
    if is_send(span):
        return ("send", span.service, span.name, span.topic)
    return ("work", span.service, span.name)


def _segment(graph: Graph, piece: _Piece, total: int) -> Segment:
    span = graph.spans[piece.node]
    length = piece.hi - piece.lo
    arrival = piece.arrival if piece.kind != "gap" else None
    if piece.kind in ("work", "send"):
        step = own_step(graph, piece.node)
    elif piece.kind == "gap":
        after = (
            f"{graph.spans[piece.after].service}: {graph.spans[piece.after].name}"
            if piece.after >= 0
            else "?"
        )
        step = Step("gap", operation=f"{after} → {span.service}: {span.name}")
    else:
        step = Step(
            piece.kind,
            topic=arrival.topic if arrival else None,
            consumer_group=arrival.consumer_group if arrival else None,
        )
    return Segment(
        piece.kind, piece.lo, piece.hi, length / 1e6, length / total if total else None, step,
        span.trace_id, span.span_id, arrival.partition if arrival else None,
        arrival.message_offset if arrival else None, arrival.attempt if arrival else None, piece.skewed,
    )  # fmt: skip
