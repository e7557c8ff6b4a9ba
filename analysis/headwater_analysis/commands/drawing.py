"""A flow drawn in lines of text: header, time axis, a row a span with the wait in front of its bar."""

from collections.abc import Iterator

from rich.text import Text

from headwater_analysis import format as fmt
from headwater_analysis.flows import FlowDetail
from headwater_analysis.layout.elastic_axis import Axis
from headwater_analysis.layout.tree import Row, axis_for, path, waterfall

from .printing import count_of, plain

NAME_SHARE = 0.34
"""Share of the width for the tree of names."""
NOTE_SHARE = 0.24
"""Share of the width for durations and waits in words."""


def draw(detail: FlowDetail, width: int, elastic: bool | None, ascii_only: bool = False) -> Iterator[Text]:
    """The lines of a picture ``width`` characters wide."""
    flow = detail.flow
    state = fmt.state(flow.status)
    yield Text(f"flow {flow.flow_id}", style="bold")
    yield plain(" → ".join(path(detail)))
    yield Text(
        f"{state.glyph} {state.word}   total {fmt.duration_ms(flow.total_ms)}   "
        f"wait {fmt.duration_ms(flow.wait_ms)}   work {fmt.duration_ms(flow.work_ms)}   "
        f"back-off {fmt.duration_ms(flow.backoff_ms)}"
    )
    yield Text(
        f"{count_of(flow.spans, 'span')}   {count_of(flow.errors, 'error')}   "
        f"{count_of(flow.dead_letters, 'dead letter')}"
        + (f"   {count_of(flow.replays, 'replay')}, in no total" if flow.replays else "")
    )
    axis = axis_for(detail, elastic)
    names = max(int(width * NAME_SHARE), 24)
    notes = max(int(width * NOTE_SHARE), 22)
    bars = width - names - notes - 2
    marks = _Marks(ascii_only)
    yield Text(" " * (names + 1)).append_text(_ruler(axis, bars, marks))
    for row in waterfall(detail):
        yield _line(row, axis, names, bars, marks)


class _Marks:
    def __init__(self, ascii_only: bool) -> None:
        self.bar, self.wait, self.backoff, self.gap, self.rule = "#-.~-" if ascii_only else "█┄·≈─"


def _ruler(axis: Axis, bars: int, marks: _Marks) -> Text:
    cells = [marks.rule] * bars
    for gap in axis.gaps:
        first, last = int(gap.x0 * bars), max(int(gap.x1 * bars), int(gap.x0 * bars) + 1)
        label = f"{marks.gap}{fmt.duration_ms((gap.to_ns - gap.from_ns) / 1e6)}{marks.gap}"
        text = label[: last - first].center(last - first, marks.gap)
        cells[first:last] = text
    return Text("".join(cells)[:bars], style="dim")


def _line(row: Row, axis: Axis, names: int, bars: int, marks: _Marks) -> Text:
    span = row.span
    glyph = ""
    if span.status == "error":
        glyph = f"{fmt.state('error').glyph} "
    elif row.attempt and row.attempt > 1:
        glyph = f"{fmt.state('retry').glyph} "
    indent = "  " * min(row.depth, 12)
    link = "⇢ " if row.asynchronous else ""
    label = f"{indent}{glyph}{link}{span.service}: {span.name}"
    style = "red" if span.status == "error" else fmt.service_colour(span.service)
    line = Text(plain(label).plain[: names - 1].ljust(names), style="red" if span.status == "error" else "")
    cells = [" "] * bars
    styles = [""] * bars
    for wait in row.waits:
        mark = marks.backoff if wait.kind == "backoff" else marks.wait
        _fill(cells, styles, axis, wait.from_ns, wait.to_ns, mark, "dim")
    _fill(cells, styles, axis, span.started_ns, max(span.ended_ns, span.started_ns), marks.bar, style)
    text = Text(" ")
    for cell, cell_style in zip(cells, styles, strict=True):
        text.append(cell, cell_style)
    note = f" {fmt.duration_ms(span.duration_ms)}"
    before = [
        f"{fmt.duration_ms(wait.duration_ms)} back-off"
        if wait.kind == "backoff"
        else f"{fmt.duration_ms(wait.duration_ms)} in {wait.topic}"
        for wait in row.waits
        if wait.duration_ms
    ]
    if before:
        note += f" after {', '.join(before)}"
    return line + text + Text(note, style="dim")


def _fill(
    cells: list[str], styles: list[str], axis: Axis, start: int, end: int, mark: str, style: str
) -> None:
    first = min(int(axis.position(start) * len(cells)), len(cells) - 1)
    last = min(max(int(axis.position(end) * len(cells)), first + 1), len(cells))
    cells[first:last] = [mark] * (last - first)
    styles[first:last] = [style] * (last - first)
