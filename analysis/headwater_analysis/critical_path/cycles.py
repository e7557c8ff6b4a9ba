"""Causes that lead back to themselves: of each cycle the weakest edge is dropped."""

from collections.abc import Sequence
from operator import ge

from headwater_analysis.flows import SpanRow

from .causes import Arrival

_STRENGTH = {"event": 0, "link": 1, "parent": 2}
"""Semantics, section 1: event, then link, then parent; what follows coordinates is stronger than these."""
_STRONGEST = 3


def opened(spans: Sequence[SpanRow], owner: list[int], arrivals: dict[int, list[Arrival]]) -> None:
    """Takes edges out of `owner` and `arrivals` until no node is its own cause.

    Nodes are numbered by their start, so a cycle holds an edge to a number that is no later.
    """
    if not any(map(ge, owner, range(len(owner)))) and not any(
        one.cause >= node for node, some in arrivals.items() for one in some
    ):
        return
    stuck = _stuck(owner, arrivals)
    while stuck:
        cycle = _cycle(next(iter(stuck)), stuck, owner, arrivals)
        _, _, node, cause = min(
            (
                _weakness(node, cause, owner, arrivals),
                (spans[node].span_id, spans[node].trace_id),
                node,
                cause,
            )
            for node, cause in cycle
        )
        if owner[node] == cause:
            owner[node] = -1
        else:
            arrivals[node] = [one for one in arrivals[node] if one.cause != cause]
        _release(node, stuck, owner, arrivals)


def _causes(node: int, owner: list[int], arrivals: dict[int, list[Arrival]]) -> list[int]:
    if owner[node] >= 0:
        return [owner[node]]
    return [one.cause for one in arrivals.get(node, ()) if one.cause >= 0]


def _stuck(owner: list[int], arrivals: dict[int, list[Arrival]]) -> dict[int, list[int]]:
    """The nodes of cycles and those that follow from them, each with its effects among them."""
    effects: dict[int, list[int]] = {}
    open_causes = [0] * len(owner)
    for node in range(len(owner)):
        for cause in _causes(node, owner, arrivals):
            effects.setdefault(cause, []).append(node)
            open_causes[node] += 1
    free = [node for node, count in enumerate(open_causes) if count == 0]
    while free:
        for effect in effects.get(free.pop(), ()):
            open_causes[effect] -= 1
            if open_causes[effect] == 0:
                free.append(effect)
    return {node: effects.get(node, []) for node, count in enumerate(open_causes) if count}


def _cycle(
    node: int, stuck: dict[int, list[int]], owner: list[int], arrivals: dict[int, list[Arrival]]
) -> list[tuple[int, int]]:
    """The edges (effect, cause) of a cycle that going back from `node` leads into."""
    steps: list[tuple[int, int]] = []
    place: dict[int, int] = {}
    while node not in place:
        place[node] = len(steps)
        cause = min(one for one in _causes(node, owner, arrivals) if one in stuck)
        steps.append((node, cause))
        node = cause
    return steps[place[node] :]


def _weakness(node: int, cause: int, owner: list[int], arrivals: dict[int, list[Arrival]]) -> int:
    if owner[node] == cause:
        return _STRENGTH["parent"]
    return min(_STRENGTH.get(one.edge, _STRONGEST) for one in arrivals[node] if one.cause == cause)


def _release(
    node: int, stuck: dict[int, list[int]], owner: list[int], arrivals: dict[int, list[Arrival]]
) -> None:
    """Forgets the nodes that no cycle holds back any more."""
    free = [node]
    while free:
        one = free.pop()
        if one in stuck and not any(cause in stuck for cause in _causes(one, owner, arrivals)):
            free.extend(stuck.pop(one))
