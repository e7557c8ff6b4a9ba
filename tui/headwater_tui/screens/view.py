"""What every view is: a question, asked in a thread, and how its answer is shown."""

from collections.abc import Callable
from typing import Any

from textual.containers import Vertical
from textual.widgets import Static

from headwater_analysis.errors import HeadwaterError
from headwater_analysis.source import Source
from headwater_analysis.window import Window
from headwater_tui.messages import Ask
from headwater_tui.state import Location

RANGES = ("15m", "1h", "6h", "1d", "7d")


class View(Vertical):
    """One screen's content. ``question`` gives a function for the poller's thread; ``show`` takes its answer."""

    DEFAULT_CSS = """
    View { height: 1fr; }
    View .head { height: auto; padding: 0 1; }
    View .pane { height: 1fr; }
    View .side { height: 40%; border-top: solid $primary 50%; padding: 0 1; overflow-y: auto; }
    View .empty { height: auto; padding: 1 2; }
    """
    name_in_path = ""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.location = Location(self.name_in_path)
        self.last = "1h"
        self.filter_text = ""

    @property
    def window(self) -> Window:
        """The time range in force."""
        return Window.last(self.last)

    def arrive(self, location: Location) -> None:
        """The view comes to the front, for this location."""
        self.location = location

    def here(self) -> Location:
        """Where this view is now, to come back to."""
        return self.location

    def question(self) -> Callable[[Source], Any] | None:
        """What to ask now; None: nothing."""
        return None

    def show(self, answer: Any) -> None:
        """Takes the newest answer."""

    def failed(self, error: HeadwaterError) -> None:
        """The question itself was wrong; a collector that is away is the app's to show."""
        self.say(str(error))

    def say(self, sentence: str | None) -> None:
        """Shows or hides the sentence of an empty state."""
        for place in self.query(".empty").results(Static):
            place.update(sentence or "")
            place.display = bool(sentence)

    def next_range(self) -> str:
        """The next longer time range, round and round; the view is asked again."""
        self.last = RANGES[(RANGES.index(self.last) + 1) % len(RANGES)]
        self.post_message(Ask())
        return self.last

    def filtered(self, text: str) -> None:
        """A new filter line; the view is asked again."""
        self.filter_text = text
        self.post_message(Ask())

    def links(self) -> dict[str, str]:
        """Where t (flow), v (queue) and d (dead letter) lead from the row in hand."""
        return {}

    def copied_row(self) -> Any:
        """The row in hand, for y and Y."""
        return None
