"""A stretch of time that a question looks at, and how people write it."""

import re
import time
from dataclasses import dataclass
from datetime import datetime

from .errors import UsageError

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DURATION = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d|w)\s*$")


def parse_duration(text: str) -> float:
    """Seconds of a duration such as ``500ms``, ``30s``, ``15m``, ``1.5h``, ``7d``.

    Raises UsageError for anything else.
    """
    found = _DURATION.match(text)
    if found is None:
        raise UsageError(f"{text!r} is no duration; write for example 500ms, 30s, 15m, 2h or 7d.")
    return float(found[1]) * _UNITS_S[found[2]]


@dataclass(frozen=True)
class Window:
    """From (inclusive) and to (exclusive) in nanoseconds since the epoch, UTC; None is open."""

    from_ns: int | None = None
    to_ns: int | None = None

    @classmethod
    def last(cls, duration: str, now_ns: int | None = None) -> "Window":
        """The newest ``duration`` (such as ``15m``); it stays open towards now."""
        now = time.time_ns() if now_ns is None else now_ns
        return cls(now - int(parse_duration(duration) * 1e9), None)

    @classmethod
    def between(cls, text: str, now_ns: int | None = None) -> "Window":
        """``A..B``: each a time (2026-11-27T10:00, local unless it says a zone), how long ago (40m), or now.

        Raises UsageError for anything else, and where B is not after A.
        """
        now = time.time_ns() if now_ns is None else now_ns
        start, dots, end = text.partition("..")
        if not dots:
            raise UsageError(f"{text!r} is no stretch of time; write for example 40m..30m or 30m..now.")
        window = cls(_moment(start.strip(), now), _moment(end.strip(), now))
        if window.from_ns is None or window.to_ns is None or window.from_ns >= window.to_ns:
            raise UsageError(f"{text!r} ends before it starts.")
        return window

    def where(self, column: str) -> tuple[str, list[object]]:
        """A SQL condition on a TIMESTAMP_NS column, and its parameters."""
        terms: list[str] = []
        params: list[object] = []
        for sign, bound in ((">=", self.from_ns), ("<", self.to_ns)):
            if bound is not None:
                terms.append(f"{column} {sign} make_timestamp_ns(?)")
                params.append(bound)
        return " and ".join(terms) or "true", params

    def flows(self) -> tuple[str, list[object]]:
        """The relation of the flows that began in it, and its parameters; none where it is open on both sides."""
        if self.from_ns is None and self.to_ns is None:
            return "flows", []
        return "flows_between(make_timestamp_ns(?), make_timestamp_ns(?))", [self.from_ns, self.to_ns]


def _moment(text: str, now_ns: int) -> int:
    if text == "now":
        return now_ns
    if _DURATION.match(text):
        return now_ns - int(parse_duration(text) * 1e9)
    try:
        return int(datetime.fromisoformat(text).astimezone().timestamp() * 1e9)
    except ValueError:
        raise UsageError(
            f"{text!r} is no time; write for example 2026-11-27T10:00, 40m (that long ago) or now."
        ) from None
