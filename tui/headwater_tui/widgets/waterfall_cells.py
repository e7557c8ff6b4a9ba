"""Cells of a waterfall's line: a sign and its style each."""

from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style

from headwater_analysis import format as fmt
from headwater_analysis.layout.tree import Row


def label(cells: list[tuple[str, Style]], at: int, text: str, style: Style) -> None:
    """Writes behind a bar that ends there, else in front of it, where nothing else is drawn."""
    room = len(cells) - at
    if len(text) <= room:
        cells[at : at + len(text)] = [(sign, style) for sign in text]
        return
    start = next((i for i, (sign, _) in enumerate(cells) if sign != " "), len(cells)) - len(text) - 1
    if start >= 0:
        cells[start : start + len(text)] = [(sign, style) for sign in text]


def duration_label(row: Row) -> str:
    """How long a span took, and after which wait."""
    text = f" {fmt.duration_ms(row.span.duration_ms)}"
    wait = next((one for one in row.waits if one.kind == "wait"), None)
    if wait is not None:
        group = f"·{wait.consumer_group}" if wait.consumer_group else ""
        text += f" after {fmt.duration_ms(wait.duration_ms)} in {wait.topic}{group}"
    return text


def cut(text: str, space: int) -> str:
    """The text in so many cells, with a mark where it goes on."""
    return (text if len(text) <= space else text[: max(space - 1, 0)] + "…").ljust(space)


def joined(cells: Sequence[tuple[str, Style]]) -> list[Segment]:
    """Neighbouring cells of one style as one segment: fewer bytes to the terminal."""
    segments: list[Segment] = []
    start = 0
    for i in range(1, len(cells) + 1):
        if i == len(cells) or cells[i][1] != cells[start][1]:
            segments.append(Segment("".join(sign for sign, _ in cells[start:i]), cells[start][1]))
            start = i
    return segments
