"""How commands answer: JSON for machines, a table for people, and nothing else on standard output."""

import dataclasses
import json
import os
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from headwater_analysis import format as fmt
from headwater_analysis.settings import Settings, note
from headwater_analysis.source import Source, open_source

_CONTROLS = {code: "�" for code in (*range(32), *range(127, 160))} | {9: " ", 10: "⏎"}
TONES = {"good": "green", "busy": "cyan", "warn": "yellow", "bad": "red", "quiet": "dim"}


def opened(settings: Settings) -> "closing[Source]":
    """The source that --collector, --token, --tls-ca and --store name, closed at the end of a ``with``."""
    return closing(open_source(settings.collector, settings.token, settings.store, settings.tls_ca))


def count_of(number: int | None, word: str) -> str:
    """A number and its word: ``1 error``, ``2 errors``."""
    return f"{fmt.count(number)} {word}{'' if number == 1 else 's'}"


def print_json(answer: object) -> None:
    """Dataclasses, lists and plain values as one JSON document."""
    json.dump(_as_json(answer), sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


def console() -> Console:
    """Standard output for people; wide where nobody looks, so that nothing is cut in a pipe."""
    known = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(width=None if known else 200, highlight=False, soft_wrap=False)


def ascii_only() -> bool:
    """Whether standard output knows no more than ASCII."""
    return "utf" not in (sys.stdout.encoding or "").lower()


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[str | Text]], right: Sequence[str] = ()
) -> None:
    """A table without frames; columns named in ``right`` are numbers."""
    table = Table(box=None, pad_edge=False, header_style="bold", expand=False)
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(plain(cell) for cell in row))
    console().print(table)


def print_fields(fields: Iterable[tuple[str, str]], width: int) -> None:
    """Names and values, one pair a line."""
    out = console()
    for name, value in fields:
        out.print(plain(f"{name:<{width}} {value}"), soft_wrap=True)


def plain(cell: str | Text) -> Text:
    """Text as it is: no markup, and no character that steers a terminal, whoever wrote it into a span."""
    if isinstance(cell, str):
        return Text(cell.translate(_CONTROLS))
    return Text(cell.plain.translate(_CONTROLS), style=cell.style)


def cut(text: str, width: int) -> str:
    """Text as `plain` gives it, at most so many characters; of what is longer, the end gives way to a mark."""
    shown = plain(text).plain
    return shown if len(shown) <= width else f"{shown[: width - 1]}…"


def status_text(status: str | None) -> Text:
    """Glyph and word of a status, coloured."""
    state = fmt.state(status)
    return Text(f"{state.glyph} {state.word}", style=TONES[state.tone])


def when(ns: int | None) -> str:
    """A time for people: local clock, to the second."""
    if ns is None:
        return fmt.UNKNOWN
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(ns / 1e9))


def empty(sentence: str) -> None:
    """Says on standard error why there is nothing to print."""
    note(sentence)


def _as_json(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _as_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, list | tuple):
        return [_as_json(one) for one in value]
    if isinstance(value, dict):
        return {key: _as_json(one) for key, one in value.items()}
    return value
