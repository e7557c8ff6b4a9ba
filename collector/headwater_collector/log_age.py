"""How long what is in the log waits for the store, by a clock that does not jump."""

from __future__ import annotations

from bisect import bisect_right

from .records import LogPosition

_APART = 0.25
"""Seconds between two marks: as exact as anybody looks at an age."""
_MOST = 4096
"""Marks; with more, every second goes, which makes old ages a little less exact."""


class LogAge:
    """Remembers when which position was reached; times are time.monotonic()."""

    def __init__(self) -> None:
        self._positions: list[LogPosition] = []
        self._times: list[float] = []

    def mark(self, position: LogPosition, now: float) -> None:
        """What begins at this position became durable now."""
        if self._times and now - self._times[-1] < _APART:
            return
        self._positions.append(position)
        self._times.append(now)
        if len(self._times) > _MOST:
            del self._positions[1::2], self._times[1::2]

    def seconds(self, position: LogPosition, now: float) -> float:
        """Age of what follows a position, at least; forgets what is before it."""
        before = bisect_right(self._positions, position) - 1
        if before < 0:
            return now - self._times[0] if self._times else 0.0
        del self._positions[:before], self._times[:before]
        return now - self._times[0]
