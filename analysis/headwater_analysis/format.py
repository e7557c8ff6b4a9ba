"""Durations, counts, ages, states and colours as text: the same on both screens and in the commands."""

import hashlib
import json
from dataclasses import dataclass

UNKNOWN = "–"


def duration_ms(milliseconds: float | None) -> str:
    """A duration in a few significant figures: ``0.8 ms``, ``12.4 s``, ``3 min 05 s``, ``2 h 10 min``."""
    if milliseconds is None:
        return UNKNOWN
    if milliseconds < 0:
        return "-" + duration_ms(-milliseconds)
    if milliseconds < 1:
        return f"{milliseconds * 1000:.0f} µs"
    if milliseconds < 10:
        return f"{milliseconds:.1f} ms"
    if milliseconds < 999.5:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    if seconds < 9.995:
        return f"{seconds:.2f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes:02d} min"
    return f"{hours // 24} d {hours % 24} h"


def lag_time(seconds: float | None, method: str | None, error_seconds: float | None) -> str:
    """Lag time with its certainty: ``12.4 s`` exact, ``≈12 s ±5`` bounded, ``≥ 30 min`` at least."""
    if seconds is None:
        return UNKNOWN
    text = duration_ms(seconds * 1000)
    if seconds == 0:
        return "0 s"
    if method == "at_least":
        return f"≥ {text}"
    if method == "record":
        return text
    bound = f" ±{duration_ms(error_seconds * 1000)}" if error_seconds else ""
    return f"≈{text}{bound}"


def count(number: float | None) -> str:
    """A whole number with thousands set apart."""
    return UNKNOWN if number is None else f"{number:,.0f}"


def rate(per_second: float | None) -> str:
    """Events a second."""
    if per_second is None:
        return UNKNOWN
    return f"{per_second:.1f}/s" if abs(per_second) < 100 else f"{per_second:,.0f}/s"


def ratio(share: float | None) -> str:
    """A share of one, in percent."""
    if share is None:
        return UNKNOWN
    percent = share * 100
    return f"{percent:.1f} %" if 0 < percent < 9.95 else f"{percent:.0f} %"


def age(then_ns: int | None, now_ns: int) -> str:
    """How long ago, roughly: ``now``, ``42 s ago``, ``3 h ago``."""
    if then_ns is None:
        return UNKNOWN
    seconds = (now_ns - then_ns) / 1e9
    if seconds < 1:
        return "now"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return f"{int(seconds)} s ago"


_BARS = " ▁▂▃▄▅▆▇█"


def sparkline(values: tuple[float | None, ...], width: int) -> str:
    """The newest ``width`` values as bars of text; a step without a value is a space."""
    shown = values[-width:]
    known = [value for value in shown if value is not None]
    most = max(known, default=0) or 1
    bars = "".join(
        " " if value is None else _BARS[max(1, round(value / most * 8)) if value else 1] for value in shown
    )
    return bars.rjust(width)


@dataclass(frozen=True)
class State:
    """How a status is shown: never by colour alone."""

    glyph: str
    word: str
    tone: str
    """One of good, busy, warn, bad, quiet: each screen's theme gives it a colour."""


_STATES = {
    "ok": State("✓", "ok", "good"),
    "unset": State("·", "unset", "quiet"),
    "error": State("✗", "error", "bad"),
    "open": State("…", "open", "busy"),
    "lost": State("✗", "lost", "bad"),
    "truncated": State("✗", "truncated", "bad"),
    "blocked": State("✗", "blocked", "bad"),
    "frozen": State("✗", "frozen", "bad"),
    "stopped": State("■", "stopped", "bad"),
    "stalled": State("■", "stalled", "bad"),
    "no_commit": State("?", "no commit", "warn"),
    "rewound": State("↶", "rewound", "warn"),
    "skipped_ahead": State("↷", "skipped ahead", "warn"),
    "rebalancing": State("⇄", "rebalancing", "busy"),
    "falling_behind": State("↗", "falling behind", "warn"),
    "slow": State("▲", "slow", "warn"),
    "unknown": State("?", "unknown", "quiet"),
    "breach": State("✗", "breach", "bad"),
    "steady": State("✓", "steady", "good"),
    "better": State("↓", "better", "good"),
    "worse": State("✗", "worse", "bad"),
    "up": State("✓", "up", "good"),
    "degraded": State("▲", "degraded", "warn"),
    "down": State("✗", "down", "bad"),
    "retry": State("⟳", "retry", "warn"),
    "dead_letter": State("☠", "dead letter", "bad"),
    "new": State("☠", "new", "bad"),
    "skipped": State("∅", "skipped", "bad"),
    "expired": State("✗", "expired", "bad"),
    "failed": State("✗", "failed", "bad"),
    "dead_lettered": State("☠", "dead-lettered", "bad"),
    "duplicate": State("≡", "duplicate", "warn"),
    "processing": State("▶", "processing", "busy"),
    "waiting": State("…", "waiting", "busy"),
    "unsettled": State("◌", "unsettled", "busy"),
    "retried": State("⟳", "retried", "warn"),
    "replayed": State("⟳", "replayed", "busy"),
    "aborted": State("⊘", "aborted", "quiet"),
    "done": State("✓", "done", "good"),
    "passed": State("·", "passed", "quiet"),
    "problem": State("✗", "problem", "bad"),
    "hint": State("▲", "hint", "warn"),
}


def state(status: str | None) -> State:
    """Glyph, word and tone of a status; an unknown word is shown as it is."""
    if status is None:
        return _STATES["unknown"]
    return _STATES.get(status) or State("?", status, "quiet")


# Twelve hues that stay apart for the common kinds of colour blindness and hold 3:1 on dark and on light.
_SERVICE_COLOURS = (
    "#4a86c9", "#c9762f", "#3f9d5d", "#9a6bc4", "#c9574f", "#2f9aa8",
    "#a3852a", "#7d8790", "#c463a0", "#6f9a32", "#6d78d6", "#a9744f",
)  # fmt: skip


def service_colour(service: str | None) -> str:
    """The colour of a service as ``#rrggbb``: the same in every process, on every screen."""
    digest = hashlib.blake2b((service or "").encode(), digest_size=2).digest()
    return _SERVICE_COLOURS[int.from_bytes(digest, "big") % len(_SERVICE_COLOURS)]


def place(topic: object, partition: object, offset: object) -> str:
    """Where a message lies, as every screen writes it: ``orders@3:1042``."""
    return f"{topic}@{partition}:{offset}"


def pretty_json(text: str) -> str:
    """JSON with a line for each value; anything else as it is."""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:
        return text
