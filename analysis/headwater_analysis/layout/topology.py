"""Layers of a graph that flows from left to right, for both screens' pictures of services and topics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

Node = str


def layers(edges: Iterable[tuple[Node, Node]], alone: Iterable[Node] = ()) -> tuple[tuple[Node, ...], ...]:
    """Nodes by layer, sources first: each lies behind all that lead to it; layers are in the order of crossings.

    Edges that close a circle are left out of account, those found last from the first node in alphabetical order, so
    that the answer does not depend on the order of the edges (Sugiyama, Tagawa and Toda 1981).
    """
    after = _without_circles({*edges}, alone)
    depth: dict[Node, int] = {}
    for node in _in_order(after):
        depth.setdefault(node, 0)
        for following in after[node]:
            depth[following] = max(depth.get(following, 0), depth[node] + 1)
    rows: list[list[Node]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for node in sorted(depth):
        rows[depth[node]].append(node)
    before: dict[Node, list[Node]] = {node: [] for node in after}
    for node, found in after.items():
        for following in found:
            before[following].append(node)
    place: dict[Node, float] = {}
    for row in rows:
        row.sort(key=lambda node: (_middle([place[one] for one in before[node] if one in place]), node))
        place.update({node: at / max(len(row) - 1, 1) for at, node in enumerate(row)})
    return tuple(tuple(row) for row in rows)


def _middle(places: list[float]) -> float:
    return sum(places) / len(places) if places else 0.0


def _without_circles(edges: set[tuple[Node, Node]], alone: Iterable[Node]) -> dict[Node, list[Node]]:
    nodes = sorted({*alone, *(node for edge in edges for node in edge)})
    leads: dict[Node, list[Node]] = {node: [] for node in nodes}
    for start, end in sorted(edges):
        leads[start].append(end)
    # Where nothing leads to comes first: a walk from there meets a circle where people would enter it.
    entered = {end for start, end in edges if start != end}
    kept: dict[Node, list[Node]] = {node: [] for node in nodes}
    open_now, done = set(), set()
    for root in sorted(nodes, key=lambda node: (node in entered, node)):
        if root in done:
            continue
        walk = [(root, iter(leads[root]))]
        open_now.add(root)
        while walk:
            node, rest = walk[-1]
            following = next(rest, None)
            if following is None:
                walk.pop()
                open_now.discard(node)
                done.add(node)
            elif following not in open_now:
                kept[node].append(following)
                if following not in done:
                    open_now.add(following)
                    walk.append((following, iter(leads[following])))
    return kept


def _in_order(after: Mapping[Node, list[Node]]) -> list[Node]:
    """Every node before all that it leads to; Kahn 1962."""
    waiting = dict.fromkeys(after, 0)
    for found in after.values():
        for node in found:
            waiting[node] += 1
    ready = sorted(node for node, number in waiting.items() if number == 0)
    order = []
    while ready:
        node = ready.pop()
        order.append(node)
        for following in after[node]:
            waiting[following] -= 1
            if waiting[following] == 0:
                ready.append(following)
    return order
