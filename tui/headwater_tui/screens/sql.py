"""SQL over the public relations: an editor, the relations with their meaning, and the rows."""

from collections.abc import Callable
from typing import Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Static, TextArea

from headwater_analysis import format as fmt
from headwater_analysis.errors import HeadwaterError
from headwater_analysis.source import Answer, Source
from headwater_analysis.sql import DESCRIPTIONS, EXAMPLE
from headwater_tui.messages import Ask
from headwater_tui.state import Location
from headwater_tui.widgets.table import Column, Table

from .view import View

WIDEST = 40


class SqlView(View):
    """ctrl+r runs what stands in the editor; the newest answer stays until the next."""

    name_in_path = "sql"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+r", "run", "run", priority=True)]
    DEFAULT_CSS = """
    SqlView Horizontal { height: 45%; }
    SqlView TextArea { width: 2fr; }
    SqlView #relations { width: 1fr; overflow-y: auto; padding: 0 1; }
    SqlView #rows { height: 1fr; }
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._statement: str | None = None
        self._relations: list[tuple[Any, ...]] | None = None
        self._answers = 0

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield TextArea(EXAMPLE, id="editor", show_line_numbers=True, tab_behavior="focus")
            yield Static("", id="relations")
        yield Static("ctrl+r runs, Esc leaves the editor", classes="head", id="sql-head")
        yield Static("", classes="empty")
        yield Table([Column("", 0, str)], lambda row: row, id="rows")

    def arrive(self, location: Location) -> None:
        super().arrive(location)
        if location.query.get("q"):
            self.query_one(TextArea).text = location.query["q"]
        self.query_one(TextArea).focus()

    def here(self) -> Location:
        return Location("sql", (), {"q": self.query_one(TextArea).text})

    def action_run(self) -> None:
        self._statement = self.query_one(TextArea).text
        self.query_one("#sql-head", Static).update("running …")
        self.post_message(Ask())

    def question(self) -> Callable[[Source], Any] | None:
        statement, self._statement = self._statement, None
        if self._relations is None:
            return lambda source: ("relations", source.query(DESCRIPTIONS).rows)
        if statement is None:
            return None
        return lambda source: ("rows", source.query(statement.strip().rstrip(";")))

    def show(self, answer: tuple[str, Any]) -> None:
        kind, found = answer
        if kind == "relations":
            self._relations = found
            self._describe(found)
            if self._statement is not None:
                self.post_message(Ask())
        else:
            self._rows(found)

    def failed(self, error: HeadwaterError) -> None:
        self.query_one("#sql-head", Static).update(Text(f"✗ {error}"))

    def _describe(self, rows: list[tuple[Any, ...]]) -> None:
        text = Text()
        for relation, column, kind, comment in rows:
            if column is None:
                text.append(f"{relation}", style="bold")
                text.append(f"  {comment or ''}\n", style="dim")
            else:
                text.append(f"  {column}")
                text.append(f" {kind}\n", style="dim")
        self.query_one("#relations", Static).update(text)

    def _rows(self, answer: Answer) -> None:
        table = self.query_one("#rows", Table)
        self._answers += 1
        table.columns = tuple(
            Column(name, self._width(answer, i), lambda row, i=i: _cell(row[1][i]), right=_number(kind))  # type: ignore[misc]
            for i, (name, kind) in enumerate(zip(answer.columns, answer.types, strict=True))
        )
        table._key = lambda row: (self._answers, row[0])
        table.cursor = 0
        table.show(list(enumerate(answer.rows)))
        cut = f", cut by the limit of {answer.cut}: ask for fewer" if answer.cut else ""
        self.query_one("#sql-head", Static).update(f"{len(answer.rows):,} rows{cut}")

    @staticmethod
    def _width(answer: Answer, index: int) -> int:
        longest = max((len(_cell(row[index])) for row in answer.rows[:200]), default=4)
        return min(max(longest, len(answer.columns[index])), WIDEST)

    def copied_row(self) -> Any:
        row = self.query_one("#rows", Table).current
        return list(row[1]) if row is not None else None


def _number(kind: str) -> bool:
    return kind.split("(")[0] in ("INTEGER", "BIGINT", "DOUBLE", "HUGEINT", "DECIMAL", "UINTEGER", "UBIGINT")


def _cell(value: Any) -> str:
    if value is None:
        return fmt.UNKNOWN
    return f"{value:.6g}" if isinstance(value, float) else str(value).replace("\n", " ")
