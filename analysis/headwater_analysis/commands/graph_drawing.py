"""A flow's graph in lines of text: a node a line, with lanes from its causes on the left."""

from collections.abc import Iterator

from rich.text import Text

from headwater_analysis import format as fmt
from headwater_analysis.layout.graph import NODES_AT_MOST, Graph, Node, Row

from .printing import plain

COLUMNS_AT_MOST = 24
"""Lanes further right are not drawn; their nodes are."""


def draw_graph(graph: Graph, ascii_only: bool = False) -> Iterator[Text]:
    """The lines of it."""
    marks = _Marks(ascii_only)
    waits = {link.target: link.wait_ms for link in graph.links if link.wait_ms}
    for row in graph.rows:
        node = graph.nodes[row.node]
        line = Text(_lanes(row, min(graph.width, COLUMNS_AT_MOST), marks, node), style="dim")
        line.append_text(_said(node, waits.get(row.node)))
        yield line
    if graph.cut:
        yield Text(f"Only the first {NODES_AT_MOST} spans and messages are drawn.", style="yellow")


class _Marks:
    def __init__(self, ascii_only: bool) -> None:
        marks = tuple("*o|-++`++'+" if ascii_only else "●◆│─├┼╰┤┴╯┼")
        self.span, self.message, self.lane, self.line, *joins = marks
        self.left, self.between, self.left_end, self.right, self.between_end, self.right_end, self.cross = (
            joins
        )


def _lanes(row: Row, width: int, marks: _Marks, node: Node) -> str:
    """Two characters a column."""
    reached = [row.column, *(join.column for join in row.joins)]
    first, last = min(reached), max(reached)
    ends = {join.column: join.ends for join in row.joins}
    cells = []
    for column in range(width):
        inside = first <= column <= last
        if column == row.column:
            mark = marks.message if node.kind == "message" else marks.span
        elif column in ends:
            if column == first:
                mark = marks.left_end if ends[column] else marks.left
            elif column == last:
                mark = marks.right_end if ends[column] else marks.right
            else:
                mark = marks.between_end if ends[column] else marks.between
        elif column in row.lanes:
            mark = marks.cross if inside else marks.lane
        else:
            mark = marks.line if inside else " "
        cells.append(mark + (marks.line if first <= column < last else " "))
    return "".join(cells)


def _said(node: Node, wait_ms: float | None) -> Text:
    if node.kind == "message":
        return plain(Text(node.label, style="bold"))
    text = plain(Text(f"{node.service}: ", style=fmt.service_colour(node.service or "")))
    text.append_text(plain(Text(node.label, style="red" if node.failed else "")))
    text.append(f"  {fmt.duration_ms(node.duration_ms)}", style="dim")
    if wait_ms:
        text.append(f" after {fmt.duration_ms(wait_ms)} of waiting", style="yellow")
    if node.shared:
        text.append("  shared with other flows", style="dim")
    if node.failed:
        text.append("  ✗", style="red")
    return text
