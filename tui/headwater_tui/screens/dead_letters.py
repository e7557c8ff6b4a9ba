"""Dead letters: causes above, the messages of the cause in hand below, and one message whole."""

from collections.abc import Callable
from typing import Any

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Static

from headwater_analysis import dead_letters
from headwater_analysis import format as fmt
from headwater_analysis.coordinates import Coordinates
from headwater_analysis.dead_letters import LetterRow
from headwater_analysis.source import Source
from headwater_tui import palette
from headwater_tui.messages import Ask, Moved
from headwater_tui.state import Location
from headwater_tui.widgets.table import Column, Table

from .view import View


class DeadLettersView(View):
    """Failure groups, their messages, and the message in hand."""

    name_in_path = "dead_letters"
    DEFAULT_CSS = """
    DeadLettersView #letters { width: 1fr; }
    DeadLettersView #letter { width: 1fr; padding: 0 1; overflow-y: auto; height: 1fr; }
    DeadLettersView Horizontal { height: 60%; border-top: solid $primary 50%; }
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._group: str | None = None
        self._letter: LetterRow | None = None
        self.last = "7d"

    def compose(self) -> ComposeResult:
        yield Static("", classes="head", id="dead-head")
        yield Static("", classes="empty")
        yield Table(
            self._group_columns(), lambda row: row.failure_group_id, id="failure-groups", classes="pane"
        )
        with Horizontal():
            yield Table(self._letter_columns(), _place, id="letters")
            yield Static("", id="letter")

    def _group_columns(self) -> list[Column]:
        return [
            Column(
                "messages", 8, lambda row: fmt.count(row.messages), right=True, sort=lambda row: row.messages
            ),
            Column("error", 24, lambda row: row.error_type or fmt.UNKNOWN, sort=lambda row: row.error_type),
            Column("origin", 16, lambda row: row.origin_topic or fmt.UNKNOWN),
            Column("group", 16, lambda row: row.consumer_group or fmt.UNKNOWN, priority=3),
            Column("tries", 5, lambda row: fmt.count(row.attempts_max), right=True, priority=4),
            Column("last seen", 12, self._age, priority=2, sort=lambda row: row.last_seen_ns),
            Column("cause", 0, lambda row: row.normalised_error or "", priority=5),
        ]

    def _letter_columns(self) -> list[Column]:
        return [
            Column("origin", 20, dead_letters.origin),
            Column(
                "message", 20, lambda row: fmt.place(row.topic, row.partition, row.message_offset), priority=2
            ),
            Column("tries", 5, lambda row: fmt.count(row.attempts), right=True, priority=3),
            Column("says", 0, lambda row: row.error_message or row.error_type or "", priority=4),
        ]

    def _age(self, row: Any) -> str:
        import time

        return fmt.age(row.last_seen_ns, time.time_ns())

    def arrive(self, location: Location) -> None:
        super().arrive(location)
        self.query_one("#failure-groups", Table).focus()

    def here(self) -> Location:
        letter = self._letter
        if letter is None:
            return Location("dead_letters")
        return Location("dead_letters", (letter.topic, str(letter.partition), str(letter.message_offset)))

    def question(self) -> Callable[[Source], Any]:
        window, chosen, wanted = self.window, self._group, self._wanted()

        def ask(source: Source) -> tuple[Any, ...]:
            groups = dead_letters.failure_groups(source, window)
            one = dead_letters.letter(source, wanted) if wanted else None
            group = (
                one.failure_group_id if one else chosen or (groups[0].failure_group_id if groups else None)
            )
            return groups, group, dead_letters.letters(source, group) if group else (), one

        return ask

    def _wanted(self) -> Coordinates | None:
        rest = self.location.rest
        if len(rest) == 3 and rest[1].isdigit() and rest[2].isdigit():
            return Coordinates(rest[0], int(rest[1]), int(rest[2]))
        return None

    def show(self, answer: tuple[Any, ...]) -> None:
        groups, self._group, letters, wanted = answer
        words = self.filter_text.lower().split()
        groups = tuple(
            row
            for row in groups
            if all(
                word in f"{row.error_type} {row.origin_topic} {row.normalised_error}".lower()
                for word in words
            )
        )
        table = self.query_one("#failure-groups", Table)
        table.show(groups)
        if wanted is not None:
            self.location = Location("dead_letters")
            table.cursor = next(
                (i for i, row in enumerate(groups) if row.failure_group_id == wanted.failure_group_id), 0
            )
        list_of = self.query_one("#letters", Table)
        list_of.show(letters)
        if wanted is not None:
            list_of.cursor = next((i for i, row in enumerate(letters) if _place(row) == _place(wanted)), 0)
        total = sum(row.messages for row in groups)
        self.query_one("#dead-head", Static).update(
            f"{total:,} dead letters in {len(groups):,} failure groups, last {self.last}"
        )
        self._detail(wanted or list_of.current)
        self.say(None if groups else f"No dead letters in the last {self.last}. That is how it should be.")

    def on_moved(self, message: Moved) -> None:
        message.stop()
        if isinstance(message.row, dead_letters.FailureGroupRow):
            if message.row.failure_group_id != self._group:
                self._group = message.row.failure_group_id
                self.post_message(Ask())
        elif isinstance(message.row, LetterRow):
            self._detail(message.row)

    def _detail(self, row: LetterRow | None) -> None:
        self._letter = row
        place = self.query_one("#letter", Static)
        if row is None:
            place.update("")
            return
        text = Text()
        quiet = palette.tone("quiet", self.app.current_theme.dark)
        for name, value in (
            ("message", fmt.place(row.topic, row.partition, row.message_offset)),
            ("origin", dead_letters.origin(row)),
            ("group", row.origin_group),
            ("error", row.error_type),
            ("says", row.error_message),
            ("attempts", row.attempts),
            ("flow", f"{row.flow_id}  (t opens it)" if row.flow_id else None),
            ("key", row.key),
        ):
            if value is not None:
                text.append(f"{name:<10}", style=quiet)
                text.append(f"{value}\n")
        if row.value is None and row.headers is None:
            text.append("Keys, values and headers are not kept; --capture full keeps them.\n", style=quiet)
        if row.value is not None:
            text.append("value\n", style=quiet)
            text.append(f"{fmt.pretty_json(row.value)}\n")
        for header in row.headers or ():
            text.append(f"{header[0]}: ", style=quiet)
            text.append(f"{header[1]}\n")
        place.update(text)

    def links(self) -> dict[str, str]:
        row = self._letter
        if row is None:
            return {}
        found = {"t": f"/flow/{row.flow_id}"} if row.flow_id else {}
        return {**found, **({"v": f"/queue/{row.origin_topic}"} if row.origin_topic else {})}

    def copied_row(self) -> Any:
        return self._letter


def _place(row: Any) -> tuple[Any, ...]:
    return (row.cluster, row.topic, row.partition, row.message_offset)
