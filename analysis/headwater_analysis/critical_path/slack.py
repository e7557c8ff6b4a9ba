"""How much later what is not on the path could have come without the run taking longer."""

from collections.abc import Sequence

from .graph import Graph
from .segments import Segment, Slack, Step
from .timeline import Rest, Timeline
from .walk import own_step

_ENDLESS = 1 << 62
_OWN = {"work": "own", "send": "own", "gap": "gap"}
"""What of a span a segment is; all else is what it waited for."""


def off_path(graph: Graph, segments: Sequence[Segment], run: int = 0) -> tuple[Slack, ...]:
    """By step, what of the run is not on its path: the smallest slack first.

    The slack of a span is how much later it could have ended, that of a wait how much later it could have ended,
    all else taking as long as it did; never beyond the run's last end.
    """
    counted = graph.counted(run)
    if not counted:
        return ()
    on_path = {(one.trace_id, one.span_id, _OWN.get(one.kind, "wait")) for one in segments}
    allowed = allowances(graph, max(graph.ends[node] for node in counted), counted)
    found: dict[Step, list[tuple[int, int]]] = {}
    for node in counted:
        span = graph.spans[node]
        step = own_step(graph, node)
        if (span.trace_id, span.span_id, "own") not in on_path:
            found.setdefault(step, []).append((allowed[2 * node + 1], graph.ends[node] - graph.starts[node]))
        if (span.trace_id, span.span_id, "wait") in on_path:
            continue
        for arrival in graph.arrivals.get(node, ()):
            wait = graph.starts[node] - arrival.available
            if wait > 0 and arrival.kind == "wait":
                waited = Step("wait", topic=arrival.topic, consumer_group=arrival.consumer_group)
                found.setdefault(waited, []).append((allowed[2 * node], wait))
    slacks = [
        Slack(step, len(some), max(length for _, length in some) / 1e6, min(slack for slack, _ in some) / 1e6)
        for step, some in found.items()
    ]
    return tuple(sorted(slacks, key=lambda one: (one.slack_ms, -one.duration_ms, str(one.step))))


def allowances(graph: Graph, end: int, counted: Sequence[int]) -> list[int]:
    """By event, how much later it could have been, in ns; what nothing rests on may last until `end`."""
    line = Timeline([graph])
    order = line.order()
    allowed = [_ENDLESS] * (3 * line.nodes)
    for node in range(line.nodes):
        allowed[2 * node + 1] = max(end - graph.ends[node], 0)
    for event in reversed(order):
        some = line.rests[event]
        if len(some) == 1:
            allowed[some[0].event] = min(allowed[some[0].event], allowed[event])
        elif some:
            reached = [_reached(line, rest) for rest in some]
            last = max(reached)
            for rest, at in zip(some, reached, strict=True):
                allowed[rest.event] = min(allowed[rest.event], allowed[event] + last - at)
    return allowed


def _reached(line: Timeline, rest: Rest) -> int:
    waited = 0 if rest.arrival is None else rest.arrival.txn + rest.arrival.backoff
    return line.recorded[rest.event] + rest.own + rest.fixed + waited
