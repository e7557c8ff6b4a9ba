"""What a question may name: read from DuckDB's own parse tree, so that no spelling gets around it.

Switching off external access is not enough: table functions that write logs, take checkpoints or read
settings pass it. So a statement must be one SELECT, over public relations and listed functions only.
"""

import re
from collections.abc import Callable, Iterable
from importlib import resources
from typing import Any

import orjson

from headwater_analysis.errors import QueryRefused
from headwater_analysis.sql import PUBLIC_FUNCTIONS, PUBLIC_RELATIONS, PUBLIC_TABLE_MACROS

from . import costs

TABLE_FUNCTIONS = frozenset({"unnest", "range", "generate_series", *PUBLIC_TABLE_MACROS})
"""What may stand after FROM with parentheses."""

_FROM = frozenset(
    {"BASE_TABLE", "JOIN", "SUBQUERY", "TABLE_FUNCTION", "EMPTY", "EXPRESSION_LIST", "PIVOT", "SHOW_REF"}
)
_SYSTEM = ("duckdb_", "pragma_", "sqlite_", "pg_")
"""How the names of the catalogue's own views begin, which it does not all list."""
_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_ -]*$")
_TOO_DEEP = "The statement is nested too deeply; write it with fewer levels of parentheses."
MAX_STATEMENT = 100_000
"""Characters of a statement; a longer one is a program's mistake."""


def _functions() -> frozenset[str]:
    text = (resources.files(__package__) / "functions.txt").read_text("utf-8")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("# "))


FUNCTIONS = _functions() | {"unnest", *PUBLIC_FUNCTIONS}
"""What may be called in an expression; operators are functions too."""


class SqlGuard:
    """Checks statements against the public relations.

    ``hidden`` are the names of the catalogue's other tables and views, which no WITH may take over: outside
    its scope the name would mean the hidden one.
    """

    def __init__(self, hidden: Iterable[str]) -> None:
        self._hidden = frozenset(name.lower() for name in hidden) - frozenset(PUBLIC_RELATIONS)

    @classmethod
    def of(cls, execute: Callable[[str], Any]) -> "SqlGuard":
        """The guard of a store; ``execute`` runs a statement on it and gives what has ``fetchall``."""
        names = "select table_name from duckdb_tables() union select view_name from duckdb_views()"
        return cls([name for (name,) in execute(names).fetchall()])

    def check_on(self, execute: Callable[..., Any], statement: str) -> None:
        """``check`` with the parser of the database that ``execute`` runs statements on."""

        def serialise(text: str) -> str:
            found = execute("select json_serialize_sql(?::varchar)::varchar", [text]).fetchone()
            return str(found[0]) if found else "{}"

        self.check(statement, serialise)

    def check(self, statement: str, serialise: Callable[[str], str]) -> None:
        """Raises QueryRefused with what is not allowed, and what is.

        ``serialise`` runs DuckDB's json_serialize_sql on the statement.
        """
        if not statement.strip():
            raise QueryRefused("There is no question; write a SELECT.")
        if len(statement) > MAX_STATEMENT:
            raise QueryRefused(f"The statement is longer than {MAX_STATEMENT:,} characters.")
        try:
            tree = orjson.loads(serialise(statement))
        except orjson.JSONDecodeError:
            raise QueryRefused(_TOO_DEEP) from None
        if tree.get("error"):
            raise QueryRefused(_parser_sentence(tree, statement))
        statements = tree.get("statements", [])
        if len(statements) != 1:
            raise QueryRefused(f"One question at a time, please; this holds {len(statements)}.")
        names = {name.lower() for name in _with_names(statements[0])}
        for name in sorted(one for one in names if one in self._hidden or one.startswith(_SYSTEM)):
            raise QueryRefused(f"WITH may not take the name {name!r}; choose another.")
        try:
            self._walk(statements[0], names)
        except RecursionError:
            raise QueryRefused(_TOO_DEEP) from None
        costs.check(statements[0])

    def _walk(self, node: Any, with_names: set[str]) -> None:
        if isinstance(node, list):
            for item in node:
                self._walk(item, with_names)
            return
        if not isinstance(node, dict):
            return
        for place in ("from_table", "left", "right", "source"):
            child = node.get(place)
            if (
                isinstance(child, dict)
                and "alias" in child
                and "class" not in child
                and "modifiers" not in child
            ):
                kind = child.get("type")
                if kind not in _FROM:
                    raise QueryRefused(f"A question may not read from {kind}.")
        kind = node.get("type")
        if kind == "BASE_TABLE":
            self._relation(node, with_names)
        elif kind == "SHOW_REF" and (node.get("table_name") or not node.get("query")):
            raise QueryRefused(f"SHOW is not available; the relations are {', '.join(PUBLIC_RELATIONS)}.")
        elif kind == "TABLE_FUNCTION":
            function = node.get("function") or {}
            self._function(function, TABLE_FUNCTIONS, "read from")
            for key, child in node.items():
                self._walk(function.get("children") if key == "function" else child, with_names)
            return
        if "function_name" in node:
            self._function(node, FUNCTIONS, "call")
        for child in node.values():
            self._walk(child, with_names)

    def _relation(self, node: dict[str, Any], with_names: set[str]) -> None:
        name = str(node.get("table_name", ""))
        qualified = node.get("catalog_name") or node.get("schema_name") not in ("", "main")
        if not qualified and name.lower() in PUBLIC_RELATIONS:
            return
        if not qualified and not node.get("schema_name") and name.lower() in with_names and _NAME.match(name):
            return
        raise QueryRefused(f"There is no relation {name!r} to ask; there are {', '.join(PUBLIC_RELATIONS)}.")

    def _function(self, node: dict[str, Any], allowed: frozenset[str], verb: str) -> None:
        name = str(node.get("function_name", "")).lower()
        if node.get("catalog") or node.get("schema") not in ("", "main", None) or name not in allowed:
            hint = "only functions that compute from their arguments are allowed"
            if allowed is TABLE_FUNCTIONS:
                hint = f"there are {', '.join(sorted(TABLE_FUNCTIONS))}"
            raise QueryRefused(f"A question may not {verb} {name}(); {hint}.")


def _with_names(node: Any) -> set[str]:
    found: set[str] = set()
    if isinstance(node, list):
        for item in node:
            found |= _with_names(item)
    elif isinstance(node, dict):
        for key, child in node.items():
            if key == "cte_map" and isinstance(child, dict):
                found |= {str(entry["key"]) for entry in child.get("map", [])}
            found |= _with_names(child)
    return found


def _parser_sentence(tree: dict[str, Any], statement: str) -> str:
    message = str(tree.get("error_message", "It cannot be read")).splitlines()[0].rstrip(".!")
    if "Only SELECT" in message:
        return (
            "Only a SELECT can be asked (or FROM, VALUES, DESCRIBE, SUMMARIZE); nothing can be changed here."
        )
    if "expression depth" in message or "Memory exhausted" in message:
        return _TOO_DEEP
    position = tree.get("position")
    if position is not None and str(position).isdigit():
        before = statement[: int(position)]
        line = before.count("\n") + 1
        column = len(before) - (before.rfind("\n") + 1) + 1
        return f"{message[:1].upper()}{message[1:]} (line {line}, column {column})."
    return f"{message[:1].upper()}{message[1:]}."
