"""Which page an address means; the addresses are those of the terminal."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from .pages import dead_letters, flow, flows, overview, queues, sql

_PAGES: dict[str, tuple[Any, str]] = {
    "": (overview, "/"),
    "flows": (flows, "/flows"),
    "flow": (flow, "/flows"),
    "trace": (flow, "/flows"),
    "go": (flow, "/flows"),
    "queues": (queues, "/queues"),
    "queue": (queues, "/queues"),
    "dead-letters": (dead_letters, "/dead-letters"),
    "sql": (sql, "/sql"),
}
NAVIGATION = (
    ("1", "Overview", "/"),
    ("3", "Flows", "/flows"),
    ("5", "Queues", "/queues"),
    ("6", "Dead letters", "/dead-letters"),
    ("8", "SQL", "/sql"),
)
"""Key, title, address."""

KEPT = (flow, sql, flows)
"""Pages that are not drawn anew on a change: they hold what the reader has done to them."""


@dataclass(frozen=True)
class Place:
    """An address, understood."""

    page: Any
    rest: tuple[str, ...]
    query: dict[str, str]
    section: str
    """The address of the part of the navigation that it belongs to."""


def place(path: str | None, search: str | None) -> Place | None:
    """What an address means; None where it means nothing."""
    names = [unquote(name) for name in (path or "/").split("/") if name]
    found = _PAGES.get(names[0] if names else "")
    if found is None:
        return None
    page, section = found
    return Place(page, tuple(names[1:]), dict(parse_qsl((search or "").lstrip("?"))), section)
