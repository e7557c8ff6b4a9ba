"""What the database says about a statement, as one sentence for whoever wrote it."""

import re

from .errors import HeadwaterError, QueryFailed, QueryRefused
from .sql import PUBLIC_RELATIONS

_WRONG = frozenset(
    {"ParserException", "SyntaxException", "BinderException", "CatalogException", "InvalidInputException"}
)
"""The database's errors that speak of the statement, not of what happened while it ran."""
_PLACE = re.compile(r"^LINE (\d+): (.*)\n( *)\^", re.MULTILINE)


def translated(error: Exception) -> HeadwaterError:
    """QueryRefused where the statement is wrong, QueryFailed where it failed; with its place if known."""
    text = str(error)
    lines = [line.strip() for line in text.splitlines() if line.strip()] or [type(error).__name__]
    kind, _, rest = lines[0].partition(": ")
    first = (rest if kind.endswith("Error") and rest else lines[0]).removesuffix("Candidate functions:")
    parts = [first.strip().rstrip(".!") + _place(text) + "."]
    for hint in lines[1:]:
        # The database also suggests tables that are not for questions.
        known = any(f'"{name}"' in hint for name in PUBLIC_RELATIONS)
        if hint.startswith("Candidate bindings") or (hint.startswith("Did you mean") and known):
            parts.append(hint if hint.endswith("?") else hint.rstrip(".!") + ".")
    sentence = " ".join(parts)
    return QueryRefused(sentence) if type(error).__name__ in _WRONG else QueryFailed(sentence)


def _place(text: str) -> str:
    found = _PLACE.search(text)
    # A long line is shown shortened, and then its caret stands elsewhere.
    if found is None or found[2].startswith("..."):
        return ""
    column = len(found[3]) - len(f"LINE {found[1]}: ") + 1
    return f" (line {found[1]}, column {column})" if column > 0 else ""
