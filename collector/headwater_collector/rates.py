"""How fast things go at the moment: counters looked at once a second."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping

WINDOW_SECONDS = 10
"""Long enough to smooth exporters that send every five seconds, short enough to be called now."""
COUNTED = ("received_requests", "acknowledged_requests", "refused_requests", "stored_spans")


class Rates:
    """Of the counters named in COUNTED, over the last seconds."""

    def __init__(self, row: Callable[[], Mapping[str, object]]) -> None:
        self._row = row
        self._seen: deque[tuple[float, dict[str, float]]] = deque(maxlen=WINDOW_SECONDS + 1)

    async def watch(self) -> None:
        """Looks once a second, until it is cancelled."""
        while True:
            self.look(time.monotonic())
            await asyncio.sleep(1)

    def look(self, now: float) -> None:
        """Notes the counters as of a monotonic time."""
        row = self._row()
        self._seen.append((now, {name: float(str(row[name])) for name in COUNTED}))

    def per_second(self) -> dict[str, float]:
        """Events a second by counter; empty before two looks."""
        if len(self._seen) < 2:
            return {}
        (began, first), (ended, last) = self._seen[0], self._seen[-1]
        return {name: round((last[name] - first[name]) / max(ended - began, 1e-9), 2) for name in COUNTED}
