"""The frame around the views: which one is in front, asking its question, and saying how live the picture is."""

import time
from typing import Any

from rich.markup import escape
from textual import work
from textual.app import App, ComposeResult
from textual.screen import Screen
from textual.widgets import ContentSwitcher, Footer, Input, Static

from headwater_analysis import format as fmt
from headwater_analysis.errors import HeadwaterError, Unavailable
from headwater_analysis.source import Source

from .messages import Ask
from .poller import Poller
from .screens.dead_letters import DeadLettersView
from .screens.flow import FlowView
from .screens.flows import FlowsView
from .screens.overview import OverviewView
from .screens.queues import QueuesView
from .screens.sql import SqlView
from .screens.view import View
from .state import VIEWS, Location

TICK_SECONDS = 1.0
STALE_NS = 15_000_000_000


class Frame(App[None]):
    """Shows one view at a time; ``location`` is where it starts."""

    def __init__(self, source: Source, location: str = "/", tick: float = TICK_SECONDS) -> None:
        super().__init__()
        self.poller = Poller(source)
        self._start = location
        self._tick_seconds = tick

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
        self.show(Location.parse(self._start))
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

    def show(self, location: Location) -> None:
        """Brings a view to the front and asks its question."""
        self.frame.query_one("#views", ContentSwitcher).current = f"view-{location.view}"
        self.view.arrive(location)
        self.say_state()
        self.ask(self.view)

    def _tick(self) -> None:
        if self._ended:
            return
        self.say_state()
        if self.poller.due():
            self.ask(self.view)

    def ask(self, view: View) -> None:
        """Asks a view's question in a thread, where it has one."""
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
            self.set_timer(0.1, lambda: None if self._ended or view is not self.view else self.ask(view))
            return
        found, error = answer
        if error is None:
            view.show(found)
        elif not isinstance(error, Unavailable):
            view.failed(error)
        self.say_state()

    def say_state(self) -> None:
        """Names the view in front, and says how live the picture is."""
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
            text = f"[b]✗ disconnected[/b]  {escape(poller.error)}  (shown: {age})"
        elif poller.paused:
            text = f"⏸ paused  {fmt.age(poller.answered_ns, now)}; Space resumes"
        elif poller.answered_ns is None:
            text = "… asking"
        elif now - poller.answered_ns > STALE_NS:
            text = f"▲ last answer {fmt.age(poller.answered_ns, now)}"
        else:
            text = "● live"
        status = self.frame.query_one("#status", Static)
        status.update(f"{text}   {escape(poller.source.label)}   {escape(self.view.here().text()[:60])}")
        status.set_class(poller.error is not None, "bad")

    def on_ask(self, message: Ask) -> None:
        self.ask(self.view)
