"""A flow as a layered graph: spans, and between sends and handlings their messages, each below its causes.

``layer`` and ``place`` are for who draws boxes; ``rows`` have one node each, with the lanes that lead to it, for who
draws lines of text. A lane belongs to a cause and ends at the last of its effects.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from headwater_analysis import format as fmt
from headwater_analysis.flows import EdgeRow, FlowDetail, SpanRow

NODES_AT_MOST = 400
"""More are no picture; the earliest are drawn."""
Key = tuple[str, ...]
"""Trace id and span id, or of a message also its topic, partition and offset."""


@dataclass(frozen=True)
class Node:
    """A span or a message."""

    kind: str
    """span or message."""
    label: str
    service: str | None
    """None of a message."""
    started_ns: int
    duration_ms: float | None
    """None of a message."""
    failed: bool
    shared: bool
    """Belongs to other flows too."""
    trace_id: str
    span_id: str
    """Of a message: of the span that sent it."""
    layer: int = 0
    """One more than the deepest of its causes."""
    place: int = 0
    """Among the nodes of its layer."""


@dataclass(frozen=True)
class Link:
    """From cause to effect, both as places in ``nodes``."""

    source: int
    target: int
    kind: str
    """As of the flow's edges; message also from a send to its message."""
    wait_ms: float | None = None


@dataclass(frozen=True)
class Join:
    """A lane that leads to a row's node."""

    column: int
    ends: bool
    """No later row is reached from it."""


@dataclass(frozen=True)
class Row:
    """One node and the lanes beside it."""

    node: int
    column: int
    joins: tuple[Join, ...]
    lanes: tuple[int, ...]
    """Columns of lanes that pass by."""


@dataclass(frozen=True)
class Graph:
    """Nodes in order of their rows: no node stands above one of its causes."""

    nodes: tuple[Node, ...]
    links: tuple[Link, ...]
    rows: tuple[Row, ...]
    width: int
    """Columns."""
    cut: bool
    """There are more nodes."""


def graph(detail: FlowDetail) -> Graph:
    """The graph of a flow; of a cycle the link back to the earlier node is left out."""
    nodes, wanted = _found(detail)
    index = {key: number for number, key in enumerate(nodes)}
    some = list(nodes.values())
    links: dict[tuple[int, int], Link] = {}
    for source, target, kind, wait in wanted:
        a, b = index.get(source), index.get(target)
        if a is not None and b is not None and a != b:
            links.setdefault((a, b), Link(a, b, kind, wait))
    order, kept = _order(some, links)
    number_of = {node: number for number, node in enumerate(order)}
    cut = len(order) > NODES_AT_MOST
    shown = [Link(number_of[one.source], number_of[one.target], one.kind, one.wait_ms) for one in kept]
    shown = sorted(
        (one for one in shown if one.target < NODES_AT_MOST), key=lambda one: (one.target, one.source)
    )
    placed = _layers([some[node] for node in order[:NODES_AT_MOST]], shown)
    rows = _rows(len(placed), shown)
    width = (
        max((max((row.column, *row.lanes, *(join.column for join in row.joins))) for row in rows), default=-1)
        + 1
    )
    return Graph(tuple(placed), tuple(shown), tuple(rows), width, cut)


def _found(detail: FlowDetail) -> tuple[dict[Key, Node], list[tuple[Key, Key, str, float | None]]]:
    spans = {(span.trace_id, span.span_id): span for span in detail.spans}
    nodes: dict[Key, Node] = {key: _span(span) for key, span in spans.items()}
    links: list[tuple[Key, Key, str, float | None]] = []
    carried: set[tuple[Key, Key]] = set()
    for edge in detail.edges:
        sender, handler = _ends(edge)
        if edge.kind != "message" or sender not in spans or handler not in spans:
            continue
        message = (*sender, fmt.place(edge.topic, edge.partition, edge.message_offset))
        if message not in nodes:
            sent = spans[sender]
            nodes[message] = Node(
                "message", message[2], None, sent.ended_ns, None, False, False, sent.trace_id, sent.span_id
            )
            links.append((sender, message, "message", None))
        links.append((message, handler, "message", edge.wait_ms))
        carried.add((sender, handler))
    for edge in detail.edges:
        pair = _ends(edge)
        if (
            pair not in carried
            and edge.kind != "message"
            and (edge.primary_cause or edge.kind in ("parent", "link"))
        ):
            links.append((*pair, edge.kind, None))
    return nodes, links


def _ends(edge: EdgeRow) -> tuple[Key, Key]:
    return (edge.from_trace_id, edge.from_span_id), (edge.to_trace_id, edge.to_span_id)


def _span(span: SpanRow) -> Node:
    return Node(
        "span", span.name, span.service, span.started_ns, span.duration_ms, span.status == "error", span.shared,
        span.trace_id, span.span_id,
    )  # fmt: skip


def _order(nodes: Sequence[Node], links: Mapping[tuple[int, int], Link]) -> tuple[list[int], list[Link]]:
    """Nodes below all of their causes, effects right below the last cause; and the links that do not lead back."""
    effects: dict[int, list[int]] = {}
    missing = [0] * len(nodes)
    for source, target in links:
        effects.setdefault(source, []).append(target)
        missing[target] += 1
    rank = sorted(range(len(nodes)), key=lambda node: (nodes[node].started_ns, nodes[node].kind, node))
    position = {node: place for place, node in enumerate(rank)}
    order: list[int] = []
    placed = [False] * len(nodes)
    for start in (*(node for node in rank if not missing[node]), *rank):
        ready = [] if placed[start] else [start]
        while ready:
            node = ready.pop()
            if placed[node]:
                continue
            placed[node] = True
            order.append(node)
            following = effects.get(node, [])
            for effect in following:
                missing[effect] -= 1
            ready.extend(
                sorted(
                    (one for one in following if missing[one] <= 0), key=position.__getitem__, reverse=True
                )
            )
    at = {node: place for place, node in enumerate(order)}
    return order, [link for link in links.values() if at[link.source] < at[link.target]]


def _layers(nodes: Sequence[Node], links: Sequence[Link]) -> list[Node]:
    layer = [0] * len(nodes)
    for link in links:  # by target, and every source stands before its target
        layer[link.target] = max(layer[link.target], layer[link.source] + 1)
    taken: dict[int, int] = {}
    placed = []
    for node, of in zip(nodes, layer, strict=True):
        place = taken.get(of, 0)
        taken[of] = place + 1
        placed.append(replace(node, layer=of, place=place))
    return placed


def _rows(count: int, links: Sequence[Link]) -> list[Row]:
    sources: dict[int, list[int]] = {}
    last: dict[int, int] = {}
    for link in links:
        sources.setdefault(link.target, []).append(link.source)
        last[link.source] = max(last.get(link.source, 0), link.target)
    column_of: dict[int, int] = {}
    rows = []
    for node in range(count):
        joins = tuple(Join(column_of[one], last[one] == node) for one in sorted(sources.get(node, ())))
        for source in sources.get(node, ()):
            if last[source] == node:
                del column_of[source]
        passing = set(column_of.values()) - {join.column for join in joins}
        ending = [join.column for join in joins if join.ends]
        # Below its last cause where that lane ends here; else in the first free column to the right of its causes.
        column = min(ending) if ending else max((join.column for join in joins), default=-1) + 1
        while column in passing or any(join.column == column and not join.ends for join in joins):
            column += 1
        rows.append(Row(node, column, joins, tuple(sorted(passing))))
        if node in last:
            column_of[node] = column
    return rows
