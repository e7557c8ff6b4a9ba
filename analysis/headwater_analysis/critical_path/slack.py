"""How much later what is not on the path could have come without the run taking longer."""

from collections.abc import Sequence

from .causes import Key
from .graph import Graph
from .segments import Segment, Slack, Step
from .timeline import Timeline
from .walk import own_fields

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
    on_path: dict[str, set[Key]] = {"own": set(), "wait": set(), "gap": set()}
    for one in segments:
        on_path[_OWN.get(one.kind, "wait")].add((one.trace_id, one.span_id))
    allowed = allowances(graph, max(map(graph.ends.__getitem__, counted)))
    # By the fields of a step; a step itself is made once for all that have it in common.
    found: dict[tuple[str | None, ...], list[tuple[int, int]]] = {}
    for node in counted:
        span = graph.spans[node]
        ids = (span.trace_id, span.span_id)
        if ids not in on_path["own"]:
            fields = own_fields(span)
            slack = (allowed[2 * node + 1], graph.ends[node] - graph.starts[node])
            if fields in found:
                found[fields].append(slack)
            else:
                found[fields] = [slack]
        if node not in graph.arrivals or ids in on_path["wait"]:
            continue
        for arrival in graph.arrivals[node]:
            wait = graph.starts[node] - arrival.available
            if wait > 0 and arrival.kind == "wait":
                fields = ("wait", None, None, arrival.topic, arrival.consumer_group)
                found.setdefault(fields, []).append((allowed[2 * node], wait))
    slacks = [
        Slack(
            Step(kind or "", *more),
            len(some),
            max(length for _, length in some) / 1e6,
            min(slack for slack, _ in some) / 1e6,
        )
        for (kind, *more), some in found.items()
    ]
    return tuple(sorted(slacks, key=lambda one: (one.slack_ms, -one.duration_ms, str(one.step))))


def allowances(graph: Graph, end: int) -> list[int]:
    """By event, how much later it could have been, in ns; what nothing rests on may last until `end`."""
    line = Timeline([graph])
    order = line.order()
    recorded, before = line.recorded, line.before
    joined = 2 * line.nodes
    allowed = [_ENDLESS] * (3 * line.nodes)
    allowed[1:joined:2] = [max(end - moment, 0) for moment in graph.ends]
    for event in reversed(order):
        ahead, later = before[event], allowed[event]
        if ahead >= 0:
            if event < joined:
                if later < allowed[ahead]:
                    allowed[ahead] = later
                continue
            # After a child: whichever of the two came first has as much more room as it came before the other.
            child = 2 * (event - joined) + 1
            room = recorded[child] - recorded[ahead]
            if later + max(room, 0) < allowed[ahead]:
                allowed[ahead] = later + max(room, 0)
            if later + max(-room, 0) < allowed[child]:
                allowed[child] = later + max(-room, 0)
        elif event in line.several:
            some = line.several[event]
            reached = [
                recorded[rest.event] + rest.own + rest.fixed + rest.arrival.txn + rest.arrival.backoff
                for rest in some
            ]
            last = max(reached) if len(some) > 1 else reached[0]
            for rest, at in zip(some, reached, strict=True):
                allowed[rest.event] = min(allowed[rest.event], later + last - at)
    return allowed
