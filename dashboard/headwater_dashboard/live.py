"""One listener a dashboard: hears of changes from the collector, and tells every open page at most once a second."""

import asyncio
import threading
import time
from typing import Any

from headwater_analysis.errors import HeadwaterError
from headwater_analysis.source import Source

RETRY_SECONDS = 2.0
IDLE_SECONDS = 5.0
"""A page is told to ask again after this long even without a change: ages go on."""
TICK_SECONDS = 1.0


class Live:
    """Counts changes; ``version`` moves when asking again is worth it."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.version = 0
        self.error: str | None = None
        """Why the collector does not answer; None while it does."""
        self.answered = time.time()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="changes", daemon=True)

    def start(self) -> None:
        """Starts to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Ends listening and closes the source."""
        self._stop.set()
        self.source.close()

    def state(self) -> dict[str, Any]:
        """What a page is told."""
        return {"version": self.version, "error": self.error, "age": round(time.time() - self.answered)}

    def worked(self) -> None:
        """A question was answered."""
        self.error = None
        self.answered = time.time()

    def failed(self, error: HeadwaterError) -> None:
        """A question found nobody."""
        self.error = str(error)

    async def ticks(self) -> Any:
        """The state whenever it has changed, at most once a second; for ever."""
        told: tuple[int, str | None] | None = None
        idle = 0.0
        while True:
            now = (self.version, self.error)
            if now != told or idle >= IDLE_SECONDS:
                told, idle = now, 0.0
                yield self.state()
            await asyncio.sleep(TICK_SECONDS)
            idle += TICK_SECONDS

    def _listen(self) -> None:
        while not self._stop.is_set():
            try:
                for _change in self.source.changes(self._stop):
                    self.version += 1
                    self.error = None
            except HeadwaterError as error:
                self.error = str(error)
            self._stop.wait(RETRY_SECONDS)
