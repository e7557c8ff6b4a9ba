"""A flow's waterfall by the line API: a tree of names beside bars, with the waits drawn in front of the work."""

from typing import Any, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.events import Click
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from headwater_analysis import format as fmt
from headwater_analysis.flows import FlowDetail
from headwater_analysis.layout.elastic_axis import Axis
from headwater_analysis.layout.tree import Row, axis_for, waterfall
from headwater_tui import palette
from headwater_tui.messages import Moved, Opened
from headwater_tui.widgets.waterfall_cells import cut, duration_label, joined, label

CACHED_LINES = 2_000
BAR, WAIT, BACKOFF, GAP = "█", "┄", "·", "≈"


class Waterfall(ScrollView, can_focus=True):
    """The rows of one flow; the cursor and what is folded survive a refresh by the spans' ids."""

    DEFAULT_CSS = """
    Waterfall { height: 1fr; overflow-x: hidden; scrollbar-size-vertical: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "move(1)", "down", show=False),
        Binding("k,up", "move(-1)", "up", show=False),
        Binding("ctrl+d,pagedown", "page(1)", "page down", show=False),
        Binding("ctrl+u,pageup", "page(-1)", "page up", show=False),
        Binding("g,home", "edge(0)", "first", show=False),
        Binding("G,end", "edge(1)", "last", show=False),
        Binding("z", "fold", "fold"),
        Binding("Z", "fold_all", "fold all", show=False),
        Binding("e", "axis", "elastic"),
        Binding("n", "error(1)", "next error"),
        Binding("N", "error(-1)", "previous error", show=False),
        Binding("w", "longest_wait", "longest wait"),
        Binding("b", "cause", "to its cause"),
        Binding("plus,equals_sign", "zoom(0.5)", "zoom in", show=False),
        Binding("minus", "zoom(2)", "zoom out", show=False),
        Binding("h,left", "pan(-1)", "pan left", show=False),
        Binding("l,right", "pan(1)", "pan right", show=False),
        Binding("enter", "open", "details"),
    ]

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.detail: FlowDetail | None = None
        self.rows: tuple[Row, ...] = ()
        self.cursor = 0
        self.elastic: bool | None = None
        """None: by itself where the flow mostly waits."""
        self.folded: set[tuple[str, str]] = set()
        self._axis = Axis.linear(0, 1)
        self._view = (0.0, 1.0)
        self._waits_seen: set[tuple[str, str]] = set()
        self._lines: dict[tuple[int, bool, int], Strip] = {}
        self.lines_built = 0

    @property
    def current(self) -> Row | None:
        """The row under the cursor."""
        return self.rows[self.cursor] if 0 <= self.cursor < len(self.rows) else None

    @property
    def is_elastic(self) -> bool:
        """Whether idle time is folded away now."""
        return bool(self._axis.gaps)

    def show(self, detail: FlowDetail, span_id: str | None = None) -> None:
        """Draws a flow; the cursor goes to ``span_id``, or stays where it was."""
        key = self.current.key if self.current else None
        self.detail = detail
        self._reflow()
        wanted = next((i for i, row in enumerate(self.rows) if row.span.span_id == span_id), None)
        if wanted is None and key is not None:
            wanted = next((i for i, row in enumerate(self.rows) if row.key == key), None)
        self.cursor = min(wanted or 0, max(len(self.rows) - 1, 0))
        if span_id is not None and wanted is not None:
            self.scroll_to(
                y=max(wanted - self.size.height // 2, 0), animate=False, force=True, immediate=True
            )
        if self.current is not None:
            self.post_message(Moved(self.current))

    def _reflow(self) -> None:
        if self.detail is None:
            return
        self.rows = waterfall(self.detail, self.folded)
        self._axis = axis_for(self.detail, self.elastic)
        self._lines.clear()
        self.virtual_size = Size(self.size.width, len(self.rows) + 1)
        self.refresh()

    def _widths(self, width: int) -> tuple[int, int]:
        names = max(min(int(width * 0.42), 64), 24)
        return names, max(width - names - 1, 10)

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if y == 0:
            return self._ruler(width)
        index = self.scroll_offset.y + y - 1
        if index >= len(self.rows):
            return Strip.blank(width, self.rich_style)
        selected = index == self.cursor
        key = (index, selected, width)
        strip = self._lines.get(key)
        if strip is None:
            if len(self._lines) > CACHED_LINES:
                self._lines.clear()
            strip = self._lines[key] = self._line(self.rows[index], selected, width)
            self.lines_built += 1
        return strip

    def _cell(self, ns: int, bars: int) -> int:
        first, last = self._view
        return int((self._axis.position(ns) - first) / (last - first) * bars)

    def _ruler(self, width: int) -> Strip:
        names, bars = self._widths(width)
        cells = ["─"] * bars
        for gap in self._axis.gaps:
            first, last = self._cell(gap.from_ns, bars), self._cell(gap.to_ns, bars)
            label = fmt.duration_ms((gap.to_ns - gap.from_ns) / 1e6)
            first, last = max(first, 0), min(max(last, first + 1), bars)
            if first < last:
                cells[first:last] = f" {label} "[: last - first].center(last - first, GAP)
        title = "spans" if not self.is_elastic else f"spans    {GAP} idle time folded, e opens"
        style = self.rich_style + Style(bold=True)
        return Strip(
            [
                Segment(title[:names].ljust(names) + " ", style),
                Segment("".join(cells)[:bars], self.rich_style + Style(dim=True)),
            ]
        ).adjust_cell_length(width, self.rich_style)

    def _line(self, row: Row, selected: bool, width: int) -> Strip:
        names, bars = self._widths(width)
        dark = self.app.current_theme.dark
        base = self.rich_style
        quiet, bad = palette.tone("quiet", dark), palette.tone("bad", dark)
        span = row.span
        failed = span.status == "error"
        glyph = "✗ " if failed else "⟳ " if row.attempt and row.attempt > 1 else ""
        fold = f"▸{row.hidden} " if row.hidden else "▾ " if row.children else "  "
        arrow = "⇢ " if row.asynchronous else ""
        name = f"{' ' * min(row.depth, 16)}{fold}{glyph}{arrow}{span.name}"
        service = f" {span.service}"
        space = max(names - len(service), 8)
        colour = bad if failed else palette.service(span.service)
        cursor = Style(reverse=True) if selected else Style()
        segments = [
            Segment(cut(name, space), base + (bad if failed else Style()) + cursor),
            Segment(cut(service, names - space), base + palette.service(span.service) + cursor),
            Segment(" ", base),
        ]
        cells: list[tuple[str, Style]] = [(" ", base)] * bars
        for wait in row.waits:
            mark = BACKOFF if wait.kind == "backoff" else WAIT
            self._fill(cells, wait.from_ns, wait.to_ns, mark, base + quiet)
        end = self._fill(cells, span.started_ns, max(span.ended_ns, span.started_ns), BAR, base + colour)
        label(cells, end, duration_label(row), base + quiet)
        segments.extend(joined(cells))
        return Strip(segments).adjust_cell_length(width, base)

    def _fill(self, cells: list[tuple[str, Style]], start: int, end: int, mark: str, style: Style) -> int:
        first, last = self._cell(start, len(cells)), self._cell(end, len(cells))
        if last < 0 or first >= len(cells) + 1:
            return max(min(last, len(cells)), 0)
        first = max(min(first, len(cells) - 1), 0)
        last = min(max(last, first + 1), len(cells))
        cells[first:last] = [(mark, style)] * (last - first)
        return last

    def on_resize(self) -> None:
        self._lines.clear()

    def on_click(self, event: Click) -> None:
        index = self.scroll_offset.y + event.y - 1
        if event.y > 0 and index < len(self.rows):
            self._to(index)

    def _to(self, index: int) -> None:
        old = self.cursor
        self.cursor = max(0, min(len(self.rows) - 1, index))
        if self.cursor == old or not self.rows:
            return
        page = max(self.size.height - 1, 1)
        top = self.scroll_offset.y
        if not top <= self.cursor < top + page:
            wanted = self.cursor if self.cursor < top else self.cursor - page + 1
            self.scroll_to(y=wanted, animate=False, force=True, immediate=True)
            self.refresh()
        else:
            width = self.size.width
            self.refresh(Region(0, old - top + 1, width, 1), Region(0, self.cursor - top + 1, width, 1))
        self.post_message(Moved(self.current))

    def action_move(self, step: int) -> None:
        self._to(self.cursor + step)

    def action_page(self, step: int) -> None:
        self._to(self.cursor + step * max(self.size.height - 2, 1))

    def action_edge(self, end: int) -> None:
        self._to(len(self.rows) - 1 if end else 0)

    def action_open(self) -> None:
        if self.current is not None:
            self.post_message(Opened(self.current))

    def action_fold(self) -> None:
        if self.current is not None and self.current.children:
            self.folded ^= {self.current.key}
            self._reflow()

    def action_fold_all(self) -> None:
        row = self.current
        self.folded = (
            set() if self.folded else {one.key for one in self.rows if one.children and one.depth > 0}
        )
        self._reflow()
        self._find(row)

    def action_axis(self) -> None:
        self.elastic = not self.is_elastic
        self._view = (0.0, 1.0)
        self._reflow()

    def action_error(self, step: int) -> None:
        order = range(self.cursor + 1, len(self.rows)) if step > 0 else range(self.cursor - 1, -1, -1)
        found = next((i for i in order if self.rows[i].span.status == "error"), None)
        if found is not None:
            self._to(found)

    def action_longest_wait(self) -> None:
        waiting = [
            (sum(wait.duration_ms for wait in row.waits), -i)
            for i, row in enumerate(self.rows)
            if row.waits and row.key not in self._waits_seen
        ]
        if not waiting:
            self._waits_seen.clear()
            return
        index = -max(waiting)[1]
        self._waits_seen.add(self.rows[index].key)
        self._to(index)

    def action_cause(self) -> None:
        if self.current is not None:
            cause = (self.current.span.cause_trace_id, self.current.span.cause_span_id)
            found = next((i for i, row in enumerate(self.rows) if row.key == cause), None)
            if found is not None:
                self._to(found)

    def action_zoom(self, factor: float) -> None:
        row = self.current
        if row is None:
            return
        first, last = self._view
        middle = self._axis.position((row.span.started_ns + row.span.ended_ns) // 2)
        half = min((last - first) * factor, 1.0) / 2
        self._set_view(middle - half, middle + half)

    def action_pan(self, step: int) -> None:
        first, last = self._view
        shift = (last - first) * 0.2 * step
        self._set_view(first + shift, last + shift)

    def _set_view(self, first: float, last: float) -> None:
        width = min(max(last - first, 1e-6), 1.0)
        first = max(0.0, min(first, 1.0 - width))
        self._view = (first, first + width)
        self._lines.clear()
        self.refresh()

    def _find(self, row: Row | None) -> None:
        found = next((i for i, one in enumerate(self.rows) if row is not None and one.key == row.key), 0)
        self._to(found)
