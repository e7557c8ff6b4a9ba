"""Colours by meaning, for dark and light: at least 4.5:1 for text; a status also has a glyph and a word."""

from rich.color import Color
from rich.style import Style
from rich.text import Text

from headwater_analysis import format as fmt

_TONES = {
    True: {"good": "#7bd389", "busy": "#6fc3df", "warn": "#f2c14e", "bad": "#ff8f87", "quiet": "#a0a8b0"},
    False: {"good": "#1f6f3a", "busy": "#0b5f83", "warn": "#7a5200", "bad": "#b3261e", "quiet": "#5a6169"},
}


def tone(name: str, dark: bool) -> Style:
    """The style of good, busy, warn, bad or quiet."""
    return Style(color=Color.parse(_TONES[dark][name]))


def status(word: str | None, dark: bool) -> Text:
    """Glyph and word of a status in its colour."""
    state = fmt.state(word)
    return Text(f"{state.glyph} {state.word}", style=tone(state.tone, dark))


def service(name: str | None) -> Style:
    """The colour of a service, equal in the browser."""
    return Style(color=Color.parse(fmt.service_colour(name)))
