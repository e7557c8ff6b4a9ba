"""The keys, on one page."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

KEYS = """[b]Screens[/b]
  1 Overview   3 Flows   5 Queues   6 Dead letters   8 SQL

[b]Move[/b]
  j k g G, arrows, ctrl+d ctrl+u    rows and pages
  Enter                             open            q Esc Backspace   back
  [ ]                               back and forward in history
  : or ctrl+p                       go to a flow, trace, span, event or topic@partition:offset

[b]Look[/b]
  /  filter            r  longer time range      R  ask again now
  s S  sort, reverse   Space  pause, resume live
  t v d  flow, queue, dead letter of this row

[b]Waterfall[/b]
  z Z  fold, fold all          e  elastic or linear time axis
  n N  next, previous error    w  next longest wait     b  to its cause
  + -  zoom                    h l  pan

[b]Copy[/b]
  y  this row's name     Y  this row as JSON     u  the address of this place

[b]SQL[/b]
  ctrl+r  run            Esc  leave the editor

  ? help    ctrl+q quit
"""


class HelpScreen(ModalScreen[None]):
    """Closed by any of the keys that lead back."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark,enter", "dismiss", "close")]
    DEFAULT_CSS = """
    HelpScreen { align: center middle; }
    HelpScreen VerticalScroll { width: 84; max-width: 100%; height: auto; max-height: 90%; border: round $primary;
        background: $surface; padding: 1 2; }
    """

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Static(KEYS)
