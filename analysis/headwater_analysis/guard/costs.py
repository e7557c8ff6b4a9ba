"""What a question may not do although it only computes: make the database hang or eat all memory.

Limits of time and rows do not reach these: they strike while the database binds a statement, or inside one
batch of rows, and neither is interrupted.
"""

import re
from collections.abc import Iterator
from typing import Any

from headwater_analysis.errors import QueryRefused

MOST_ARROWS = 8
"""``a->'b'->'c'…``: every further arrow doubles the time of binding, since it could be a lambda too."""
MOST_REPEATED = 1_000
"""Characters or copies that repeat, lpad and rpad may make, for each of thousands of rows at a time."""
_SIZED = frozenset({"repeat", "lpad", "rpad"})
_FORMATS = frozenset({"format", "printf"})
_WIDE = re.compile(r"\d{4,}|\*|\{[^{}]*\{")
"""A width in a format of four digits and more, or one taken from an argument."""


def check(statement: object) -> None:
    """Walks a serialised statement; raises QueryRefused with what to write instead."""
    stack: list[tuple[Any, int]] = [(statement, 0)]
    while stack:
        node, arrows = stack.pop()
        if isinstance(node, dict):
            arrows = _checked(node, arrows)
            stack += [(child, arrows) for child in node.values()]
        elif isinstance(node, list):
            stack += [(child, arrows) for child in node]


def _checked(node: dict[str, Any], arrows: int) -> int:
    """The number of arrows around this node's children."""
    if node.get("materialized") == "CTE_MATERIALIZE_NEVER":
        raise QueryRefused("NOT MATERIALIZED is not available; leave it out.")
    name = str(node.get("function_name", "")).lower()
    children = node.get("children") or []
    if name in _SIZED and not (len(children) > 1 and _bounded(children[1])):
        raise QueryRefused(
            f"{name}() needs a size of at most {MOST_REPEATED:,} that can be read from the statement; "
            f"write for example {name}(x, least(n, 100){'' if name == 'repeat' else ', y'})."
        )
    if name in _FORMATS and not (children and _narrow(children[0])):
        raise QueryRefused(f"{name}() needs its format as a text in the statement, with widths below 1,000.")
    if node.get("class") != "LAMBDA":
        return arrows
    if arrows >= MOST_ARROWS:
        raise QueryRefused(
            f"More than {MOST_ARROWS} arrows in a row; name the whole path, such as attributes->>'$.a.b.c'."
        )
    return arrows + 1


def _bounded(node: dict[str, Any]) -> bool:
    if node.get("class") == "CAST":
        return _bounded(node["child"])
    if node.get("function_name") == "least":
        return any(_bounded(child) for child in node["children"])
    return any(isinstance(value, int) and value <= MOST_REPEATED for value in _constants(node))


def _narrow(node: dict[str, Any]) -> bool:
    return any(isinstance(value, str) and not _WIDE.search(value) for value in _constants(node))


def _constants(node: dict[str, Any]) -> Iterator[object]:
    if node.get("class") == "CONSTANT":
        yield node["value"].get("value")
