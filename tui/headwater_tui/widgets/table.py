"""A table by the line API: only the lines in sight are built, rows keep their place by key."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.events import Click
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from headwater_tui.messages import Moved, Opened

CACHED_LINES = 2_000


@dataclass(frozen=True)
class Column:
    """One column: what stands in it, and how important it is when there is no room."""

    title: str
    width: int
    """Characters; 0 takes what is left over."""
    text: Callable[[Any], str | Text]
    right: bool = False
    priority: int = 1
    """Columns with the highest number go first when the terminal is narrow."""
    sort: Callable[[Any], Any] | None = None
    """What the column sorts by; None: it cannot be sorted by."""


class Table(ScrollView, can_focus=True):
    """Rows under a heading. Follows the newest at the top; elsewhere it holds the row under the cursor."""

    DEFAULT_CSS = """
    Table { height: 1fr; overflow-x: hidden; scrollbar-size-vertical: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "move(1)", "down", show=False),
        Binding("k,up", "move(-1)", "up", show=False),
        Binding("ctrl+d,pagedown", "page(1)", "page down", show=False),
        Binding("ctrl+u,pageup", "page(-1)", "page up", show=False),
        Binding("g,home", "edge(0)", "first", show=False),
        Binding("G,end", "edge(1)", "last", show=False),
        Binding("enter", "open", "open"),
        Binding("s", "sort", "sort", show=False),
        Binding("S", "reverse", "reverse", show=False),
    ]

    def __init__(self, columns: Sequence[Column], key: Callable[[Any], Hashable], **options: Any) -> None:
        super().__init__(**options)
        self.columns = tuple(columns)
        self._key = key
        self.rows: tuple[Any, ...] = ()
        self.cursor = 0
        self.new_above = 0
        """Rows that came in above while the cursor held its row."""
        self._lines: dict[tuple[int, bool, int], Strip] = {}
        self._sorted: Column | None = None
        self._reversed = False
        self.lines_built = 0
        """Lines built since the start; what a test may count."""

    @property
    def current(self) -> Any | None:
        """The row under the cursor."""
        return self.rows[self.cursor] if 0 <= self.cursor < len(self.rows) else None

    def show(self, rows: Sequence[Any]) -> None:
        """Takes new rows. The cursor stays on its row, and that row on its line, unless it follows the top."""
        before = self.current
        following = self.cursor == 0 and self.scroll_offset.y == 0
        known = {self._key(row) for row in self.rows}
        ordered = self._ordered(rows)
        self.rows = ordered
        self._lines.clear()
        self.virtual_size = Size(self.size.width, len(ordered) + 1)
        if before is None or following:
            self.cursor = min(self.cursor, max(len(ordered) - 1, 0))
            self.new_above = 0
        else:
            wanted = self._key(before)
            index = next((i for i, row in enumerate(ordered) if self._key(row) == wanted), None)
            if index is None:
                self.cursor = min(self.cursor, max(len(ordered) - 1, 0))
            else:
                shift = index - self.cursor
                self.new_above += sum(self._key(row) not in known for row in ordered[:index])
                self.cursor = index
                if shift and self.scroll_offset.y:
                    top = max(self.scroll_offset.y + shift, 0)
                    self.scroll_to(y=top, animate=False, force=True, immediate=True)
        self.refresh()
        if self.current is not None and (before is None or self._key(before) != self._key(self.current)):
            self.post_message(Moved(self.current))

    def _ordered(self, rows: Sequence[Any]) -> tuple[Any, ...]:
        column = self._sorted
        if column is None or column.sort is None:
            return tuple(rows)
        value = column.sort
        known = [row for row in rows if value(row) is not None]
        known.sort(key=value, reverse=not self._reversed)
        return (*known, *(row for row in rows if value(row) is None))

    def _layout(self, width: int) -> list[tuple[Column, int]]:
        chosen = list(self.columns)
        while len(chosen) > 1 and sum((column.width or 12) + 1 for column in chosen) > width:
            chosen.remove(max(chosen, key=lambda column: (column.priority, chosen.index(column))))
        left = width - sum(column.width + 1 for column in chosen)
        flexible = sum(column.width == 0 for column in chosen) or 1
        return [(column, column.width or max(left // flexible, 4)) for column in chosen]

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if y == 0:
            return self._heading(width)
        index = self.scroll_offset.y + y - 1
        if index >= len(self.rows):
            return Strip.blank(width, self.rich_style)
        selected = index == self.cursor and self.has_focus
        key = (index, selected, width)
        strip = self._lines.get(key)
        if strip is None:
            if len(self._lines) > CACHED_LINES:
                self._lines.clear()
            strip = self._lines[key] = self._line(self.rows[index], selected, width)
            self.lines_built += 1
        return strip

    def _heading(self, width: int) -> Strip:
        style = self.rich_style + Style(bold=True, underline=True)
        segments = []
        for column, space in self._layout(width):
            mark = ("▲" if self._reversed else "▼") if column is self._sorted else ""
            segments.append(Segment(_fit(f"{column.title}{mark}", space, column.right) + " ", style))
        return Strip(segments).adjust_cell_length(width, self.rich_style)

    def _line(self, row: Any, selected: bool, width: int) -> Strip:
        base = self.rich_style + (Style(reverse=True) if selected else Style())
        segments: list[Segment] = []
        for column, space in self._layout(width):
            content = column.text(row)
            text = content if isinstance(content, Text) else Text(content)
            text = text.copy()
            text.truncate(space, overflow="ellipsis")
            pad = space - text.cell_len
            if column.right:
                text.pad_left(pad)
            else:
                text.pad_right(pad)
            for segment in text.render(self.app.console):
                style = Style() if selected else (segment.style or Style())
                segments.append(Segment(segment.text, base + style))
            segments.append(Segment(" ", base))
        return Strip([one for one in segments if "\n" not in one.text]).adjust_cell_length(width, base)

    def watch_has_focus(self, focused: bool) -> None:
        super().watch_has_focus(focused)
        self.refresh()

    def on_resize(self) -> None:
        self._lines.clear()

    def on_click(self, event: Click) -> None:
        index = self.scroll_offset.y + event.y - 1
        if event.y > 0 and index < len(self.rows):
            if index == self.cursor:
                self.action_open()
            else:
                self._to(index)

    def _to(self, index: int) -> None:
        old = self.cursor
        self.cursor = max(0, min(len(self.rows) - 1, index))
        if self.cursor == old or not self.rows:
            return
        page = max(self.size.height - 1, 1)
        top = self.scroll_offset.y
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, force=True, immediate=True)
            self.refresh()
        elif self.cursor >= top + page:
            self.scroll_to(y=self.cursor - page + 1, animate=False, force=True, immediate=True)
            self.refresh()
        else:
            width = self.size.width
            self.refresh(Region(0, old - top + 1, width, 1), Region(0, self.cursor - top + 1, width, 1))
        if self.cursor == 0:
            self.new_above = 0
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

    def action_sort(self) -> None:
        choices: list[Column | None] = [None, *(one for one in self.columns if one.sort is not None)]
        self._sorted = choices[(choices.index(self._sorted) + 1) % len(choices)]
        self.show(self.rows)

    def action_reverse(self) -> None:
        self._reversed = not self._reversed
        self.show(self.rows)


def _fit(text: str, space: int, right: bool) -> str:
    cut = text if len(text) <= space else text[: max(space - 1, 0)] + "…"
    return cut.rjust(space) if right else cut.ljust(space)
