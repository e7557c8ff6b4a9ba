"""The terminal application: views, history, global keys; no queries."""

import json
import time
from dataclasses import asdict, is_dataclass
from typing import Any, ClassVar

from textual import work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import ContentSwitcher, Footer, Input, Static

from headwater_analysis import format as fmt
from headwater_analysis.errors import HeadwaterError, Unavailable
from headwater_analysis.source import Source

from . import clipboard
from .messages import Ask, Go
from .poller import Poller
from .screens.dead_letters import DeadLettersView
from .screens.flow import FlowView
from .screens.flows import FlowsView
from .screens.help import HelpScreen
from .screens.overview import OverviewView
from .screens.queues import QueuesView
from .screens.sql import SqlView
from .screens.view import View
from .state import VIEWS, Location

TICK_SECONDS = 1.0
STALE_NS = 15_000_000_000


class HeadwaterApp(App[None]):
    """Shows one view at a time; ``location`` is where it starts."""

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
        super().__init__()
        self.poller = Poller(source)
        self._start = location
        self._tick_seconds = tick
        self._back: list[Location] = []
        self._forward: list[Location] = []
        self._asked: View | None = None

    def compose(self) -> ComposeResult:
        yield Static("", id="top")
        with ContentSwitcher(initial="view-overview", id="views"):
            for kind in (OverviewView, FlowsView, FlowView, QueuesView, DeadLettersView, SqlView):
                yield kind(id=f"view-{kind.name_in_path}")
        yield Input(id="line")
        yield Static("", id="status")
        yield Footer(compact=True)

    def on_mount(self) -> None:
        self.frame.query_one("#line", Input).display = False
        self.poller.start()
        self._show(Location.parse(self._start))
        self.set_interval(self._tick_seconds, self._tick)

    def on_unmount(self) -> None:
        self.poller.stop()

    @property
    def view(self) -> View:
        """The view in front."""
        current = self.frame.query_one("#views", ContentSwitcher).current or "view-overview"
        return self.frame.query_one(f"#{current}", View)

    @property
    def frame(self) -> Screen[Any]:
        """The screen with the views, whatever is laid over it."""
        return self.screen_stack[0]

    @property
    def _ended(self) -> bool:
        """The widgets are gone: an answer that comes now is for nobody."""
        return not self.screen_stack or not self.frame.query("#top")

    def _show(self, location: Location) -> None:
        self.frame.query_one("#views", ContentSwitcher).current = f"view-{location.view}"
        self.view.arrive(location)
        self._status()
        self._ask(self.view)

    def _tick(self) -> None:
        if self._ended:
            return
        self._status()
        if self.poller.due():
            self._ask(self.view)

    def _ask(self, view: View) -> None:
        question = view.question()
        if question is not None:
            self._in_thread(view, question)

    @work(thread=True, group="questions")
    def _in_thread(self, view: View, question: Any) -> None:
        answer = self.poller.ask(question)
        if self.is_running:
            self.call_from_thread(self._answered, view, answer)

    def _answered(self, view: View, answer: tuple[Any, HeadwaterError | None] | None) -> None:
        if self._ended:
            return
        if answer is None:
            self.set_timer(0.1, lambda: None if self._ended or view is not self.view else self._ask(view))
            return
        found, error = answer
        if error is None:
            view.show(found)
        elif not isinstance(error, Unavailable):
            view.failed(error)
        self._status()

    def _status(self) -> None:
        poller, now = self.poller, time.time_ns()
        names = "  ".join(
            f"[reverse] {key} {title} [/]"
            if self.view.name_in_path in (name, name.rstrip("s"))
            else f"{key} {title}"
            for key, (name, _, title) in VIEWS.items()
        )
        self.frame.query_one("#top", Static).update(names)
        if poller.error is not None:
            age = fmt.age(poller.answered_ns, now)
            text = f"[b]✗ disconnected[/b]  {poller.error}  (shown: {age})"
        elif poller.paused:
            text = f"⏸ paused  {fmt.age(poller.answered_ns, now)}; Space resumes"
        elif poller.answered_ns is None:
            text = "… asking"
        elif now - poller.answered_ns > STALE_NS:
            text = f"▲ last answer {fmt.age(poller.answered_ns, now)}"
        else:
            text = "● live"
        status = self.frame.query_one("#status", Static)
        status.update(f"{text}   {poller.source.label}   {self.view.here().text()[:60]}")
        status.set_class(poller.error is not None, "bad")

    def on_ask(self, message: Ask) -> None:
        self._ask(self.view)

    def on_go(self, message: Go) -> None:
        self.action_go(message.location)

    def action_go(self, place: str) -> None:
        """Shows another place and remembers this one."""
        self._back.append(self.view.here())
        del self._back[:-100]
        self._forward.clear()
        self._show(Location.parse(place))

    async def action_back(self) -> None:
        """Back to where one came from; at the end of the way it asks nothing and stays."""
        line = self.frame.query_one("#line", Input)
        if line.display:
            self._close_line()
        elif self._back:
            self._forward.append(self.view.here())
            self._show(self._back.pop())
        elif self.view.name_in_path != "overview":
            self._show(Location("overview"))
        else:
            self.notify("ctrl+q quits.")

    def action_forward(self) -> None:
        if self._forward:
            self._back.append(self.view.here())
            self._show(self._forward.pop())

    def action_ask(self) -> None:
        self._ask(self.view)

    def action_pause(self) -> None:
        self.poller.paused = not self.poller.paused
        self._status()

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
