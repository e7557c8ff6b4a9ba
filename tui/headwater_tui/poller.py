"""The only caller of the source: asks the question of the view in front, at most once a tick, never twice at once."""

import threading
import time
from collections.abc import Callable
from typing import Any

from headwater_analysis.errors import HeadwaterError, Unavailable
from headwater_analysis.source import Source

RETRY_SECONDS = 2.0
"""Before a change stream that ended is asked for again."""
IDLE_SECONDS = 5.0
"""A question is asked again after this long even if nothing was said to have changed: ages go on."""


class Poller:
    """Runs questions in a thread of their own; ``changed`` is set by the collector's change stream."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.paused = False
        self.asked_at = 0.0
        """Monotonic seconds of the last question."""
        self.answered_ns: int | None = None
        """When the last answer came, ns since the epoch."""
        self.error: str | None = None
        """Why there is no newer answer."""
        self.skipped = 0
        """Ticks at which the last question still ran."""
        self._changed = threading.Event()
        self._changed.set()
        self._stop = threading.Event()
        self._busy = threading.Lock()
        self._listener = threading.Thread(target=self._listen, name="changes", daemon=True)

    def start(self) -> None:
        """Starts to listen for changes."""
        self._listener.start()

    def stop(self) -> None:
        """Ends listening; the source is closed."""
        self._stop.set()
        self.source.close()

    def due(self) -> bool:
        """Whether asking again is worth it now."""
        if self.paused:
            return False
        return self._changed.is_set() or time.monotonic() - self.asked_at > IDLE_SECONDS

    def ask(self, question: Callable[[Source], Any]) -> tuple[Any, HeadwaterError | None] | None:
        """The answer or the error; None while another question runs. Blocks: call it in a worker."""
        if not self._busy.acquire(blocking=False):
            self.skipped += 1
            return None
        try:
            self._changed.clear()
            self.asked_at = time.monotonic()
            answer = question(self.source)
        except Unavailable as error:
            self.error = str(error)
            return None, error
        except HeadwaterError as error:
            return None, error
        else:
            self.error = None
            self.answered_ns = time.time_ns()
            return answer, None
        finally:
            self._busy.release()

    def _listen(self) -> None:
        while not self._stop.is_set():
            try:
                for _change in self.source.changes(self._stop):
                    self._changed.set()
            except HeadwaterError:
                # The next question says what is wrong; here it is enough to try again.
                self._changed.set()
            self._stop.wait(RETRY_SECONDS)
