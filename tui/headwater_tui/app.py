"""The terminal application: history, and what the global keys do; no queries."""

import json
from dataclasses import asdict, is_dataclass
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import Input

from headwater_analysis.source import Source

from . import clipboard
from .frame import TICK_SECONDS, Frame
from .messages import Go
from .screens.help import HelpScreen
from .state import VIEWS, Location

HISTORY = 100
"""Places remembered on the way back."""


class HeadwaterApp(Frame):
    """The frame with its keys."""

    TITLE = "headwater"
    CSS_PATH = "app.tcss"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(key, f"go('{place}')", title) for key, (_, place, title) in VIEWS.items()),
        Binding("slash", "filter", "filter"),
        Binding("colon,ctrl+p", "goto", "go to", key_display=":"),
        Binding("space", "pause", "pause", show=False),
        Binding("r", "range", "time range", show=False),
        Binding("R", "ask", "ask again", show=False),
        Binding("q,escape,backspace", "back", "back", show=False),
        Binding("left_square_bracket", "back", show=False),
        Binding("right_square_bracket", "forward", show=False),
        *(Binding(key, f"follow('{key}')", show=False) for key in "tvd"),
        Binding("y", "copy('name')", show=False),
        Binding("Y", "copy('json')", show=False),
        Binding("u", "copy('place')", show=False),
        Binding("question_mark,f1", "help", "help", key_display="?"),
        Binding("ctrl+q", "quit", "quit", show=False),
    ]

    def __init__(self, source: Source, location: str = "/", tick: float = TICK_SECONDS) -> None:
        super().__init__(source, location, tick)
        self._back: list[Location] = []
        self._forward: list[Location] = []

    def on_go(self, message: Go) -> None:
        self.action_go(message.location)

    def action_go(self, place: str) -> None:
        """Shows another place and remembers this one."""
        self._back.append(self.view.here())
        del self._back[:-HISTORY]
        self._forward.clear()
        self.show(Location.parse(place))

    async def action_back(self) -> None:
        """Back to where one came from; at the end of the way it asks nothing and stays."""
        line = self.frame.query_one("#line", Input)
        if line.display:
            self._close_line()
        elif self._back:
            self._forward.append(self.view.here())
            self.show(self._back.pop())
        elif self.view.name_in_path != "overview":
            self.show(Location("overview"))
        else:
            self.notify("ctrl+q quits.")

    def action_forward(self) -> None:
        if self._forward:
            self._back.append(self.view.here())
            self.show(self._forward.pop())

    def action_ask(self) -> None:
        self.ask(self.view)

    def action_pause(self) -> None:
        self.poller.paused = not self.poller.paused
        self.say_state()

    def action_range(self) -> None:
        self.notify(f"the last {self.view.next_range()}", timeout=2)

    def action_filter(self) -> None:
        self._open_line("/", self.view.filter_text, "filter, such as service:payments wait>2s")

    def action_goto(self) -> None:
        self._open_line(":", "", "flow, trace, span, event, topic@partition:offset, or /queues")

    def _open_line(self, purpose: str, text: str, placeholder: str) -> None:
        line = self.frame.query_one("#line", Input)
        line.border_title = purpose
        line.value, line.placeholder, line.display = text, placeholder, True
        line.focus()

    def _close_line(self) -> None:
        self.frame.query_one("#line", Input).display = False
        self.view.arrive(self.view.here())

    def on_input_submitted(self, event: Input.Submitted) -> None:
        purpose, text = event.input.border_title, event.value.strip()
        event.input.display = False
        if purpose == "/":
            self.view.filter_text = text
            self.view.arrive(self.view.location)
            self.view.filtered(text)
        elif text in ("q", "quit"):
            self.exit()
        elif text:
            self.action_go(text if text.startswith("/") else f"/flow/{text}")

    def action_follow(self, key: str) -> None:
        """To the flow (t), the queue (v) or the dead letter (d) of the row in hand."""
        place = self.view.links().get(key)
        if place is not None:
            self.action_go(place)

    def action_copy(self, what: str) -> None:
        row = self.view.copied_row()
        if what == "place":
            text = self.view.here().text()
        elif row is None:
            return
        elif what == "json":
            text = json.dumps(
                asdict(row) if is_dataclass(row) and not isinstance(row, type) else row, default=str
            )
        else:
            text = str(getattr(row, "flow_id", None) or getattr(row, "span_id", None) or row)
        self.notify(clipboard.copy(self, text), timeout=3)

    def action_help(self) -> None:
        self.push_screen(HelpScreen())
