"""The filter line over flows: ``service:payments topic:orders.* status:error wait>2s -topic:audit.log "free text"``.

Parsed once, compiled to one parameterised SQL condition on the relation ``flows``. Values never become
part of the statement. What stands side by side must all hold.
"""

import difflib
import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass

from .errors import UsageError
from .window import parse_duration

_TEXT = {
    "service": "services",
    "topic": "topics",
    "status": "status",
    "entry": "entry_name",
    "flow": "flow_id",
    "pathway": "pathway_id",
}
_LISTS = {"services", "topics"}
_OF_HOPS = {"group": "consumer_group", "error": "error_type"}
_DURATIONS = {"total": "total_ms", "wait": "wait_ms", "work": "work_ms", "backoff": "backoff_ms"}
_COUNTS = {
    "spans": "spans", "messages": "messages", "errors": "errors", "dead_letters": "dead_letters",
    "traces": "traces", "replays": "replays",
}  # fmt: skip
_FREE = ("flow_id", "entry_name", "array_to_string(services, ' ')", "array_to_string(topics, ' ')")
_COMPARED = (">", "<", ">=", "<=", "=")

KEYS = (*_TEXT, *_OF_HOPS, "key", *_DURATIONS, *_COUNTS, "attempt")
"""Every name that may stand before a colon, a tilde or a comparison."""

SECRET = "HEADWATER_KEY_SECRET"
"""In the environment: what services key their hashes of keys with."""

_TOKEN = re.compile(
    r"""
    (?P<minus>-)?
    (?: (?P<key>[A-Za-z_]+)? (?P<op>:|~|>=|<=|>|<|=) )?
    (?: "(?P<quoted>(?:[^"\\]|\\.)*)" | (?P<bare>[^\s"]+) )?
    """,
    re.VERBOSE,
)


class FilterError(UsageError):
    """The filter cannot be read; ``position`` is where, counted in characters from 0."""

    def __init__(self, sentence: str, position: int, line: str = "") -> None:
        super().__init__(f"{sentence} (at character {position + 1})")
        self.sentence = sentence
        self.position = position
        self.line = line

    @property
    def pointed(self) -> str:
        """The filter line, and below it a caret that points to the place."""
        return f"{self.line}\n{' ' * self.position}^"


@dataclass(frozen=True)
class Condition:
    """SQL that is true for the rows wanted, with the parameters for its question marks."""

    sql: str = "true"
    params: tuple[object, ...] = ()


@dataclass(frozen=True)
class _Term:
    """One part of the line, and where its parts stand."""

    key: str | None
    operator: str | None
    value: str
    start: int
    operator_at: int
    value_at: int


def compile_filter(text: str) -> Condition:
    """The condition on ``flows`` that the filter line asks for; an empty line wants everything.

    Raises FilterError, which says where the line is wrong.
    """
    terms: list[str] = []
    params: list[object] = []
    position = 0
    try:
        while position < len(text):
            if text[position].isspace():
                position += 1
                continue
            found = _TOKEN.match(text, position)
            assert found is not None  # every part of it is optional
            condition = _condition(_term(text, found))
            terms.append(f"not coalesce({condition.sql}, false)" if found["minus"] else condition.sql)
            params.extend(condition.params)
            position = found.end()
    except FilterError as error:
        raise FilterError(error.sentence, error.position, text) from None
    return Condition(" and ".join(terms), tuple(params)) if terms else Condition()


def _term(text: str, found: re.Match[str]) -> _Term:
    quoted, bare = found["quoted"], found["bare"]
    end = found.end()
    if quoted is None and bare is None:
        if end < len(text) and text[end] == '"':
            raise FilterError("A quotation mark is not closed", end)
        missing = f"after {found['key'] or ''}{found['op']}" if found["op"] else "after the minus"
        raise FilterError(f"Something is missing {missing}", end)
    value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else bare
    at = found.start("quoted") if quoted is not None else found.start("bare")
    operator_at = found.start("op") if found["op"] else at
    if found["op"] and found["key"] is None and found["op"] != "~":
        raise FilterError(f"No name stands before {found['op']}", operator_at)
    return _Term(
        found["key"], found["op"], value, found.start("key") if found["key"] else at, operator_at, at
    )


def _condition(term: _Term) -> Condition:
    if term.key is None:
        return _free(term)
    for keys, condition in _BY_KEYS:
        if term.key in keys:
            return condition(term)
    near = difflib.get_close_matches(term.key, KEYS, 1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(KEYS)}."
    raise FilterError(
        f"There is no {term.key!r} to filter by; {hint} A text with {term.operator} in it stands in quotation marks",
        term.start,
    )


def _free(term: _Term) -> Condition:
    """Anywhere in the names that a list of flows shows."""
    if term.operator == "~":
        pattern = _pattern(term)
        return Condition(
            " or ".join(f"regexp_matches({field}, ?, 'i')" for field in _FREE).join("()"),
            (pattern,) * len(_FREE),
        )
    like = f"%{_escaped(term.value)}%"
    return Condition(
        " or ".join(rf"{field} ilike ? escape '\'" for field in _FREE).join("()"), (like,) * len(_FREE)
    )


def _text(term: _Term) -> Condition:
    column = _TEXT[term.key or ""]
    one = _matches(term, "one" if column in _LISTS else column)
    if column in _LISTS:
        return Condition(f"len(list_filter({column}, lambda one: {one.sql})) > 0", one.params)
    return one


def _of_hops(term: _Term) -> Condition:
    one = _matches(term, _OF_HOPS[term.key or ""])
    return Condition(f"flow_id in (select flow_id from hops where {one.sql})", one.params)


def _matches(term: _Term, column: str) -> Condition:
    """A name with * for any characters, or a regular expression; capitals do not matter."""
    if term.operator == "~":
        return Condition(f"regexp_matches({column}, ?, 'i')", (_pattern(term),))
    if term.operator in (":", "="):
        return Condition(rf"{column} ilike ? escape '\'", (_escaped(term.value).replace("*", "%"),))
    raise FilterError(f"{term.key} is followed by a colon or a tilde", term.operator_at)


def _message_key(term: _Term) -> Condition:
    """By its hash, the only thing of a key that is stored."""
    if term.operator not in (":", "="):
        raise FilterError("key is followed by a colon: keys are compared by their hash", term.operator_at)
    secret = os.environ.get(SECRET, "").encode()
    if not secret:
        raise FilterError(f"Keys are stored as hashes; set {SECRET} as the services have it", term.value_at)
    # BLAKE2b takes keys of at most 64 bytes.
    keyed = secret if len(secret) <= 64 else hashlib.blake2b(secret).digest()
    digest = hashlib.blake2b(term.value.encode(), digest_size=8, key=keyed).hexdigest()
    return Condition(
        "flow_id in (select h.flow_id from hops h join messages m on m.trace_id = h.send_trace_id "
        "and m.span_id = h.send_span_id where m.key_hash = ?)",
        (digest,),
    )


def _duration(term: _Term) -> Condition:
    operator = _comparison(term)
    try:
        limit = parse_duration(term.value) * 1000
    except UsageError as error:
        raise FilterError(str(error).rstrip("."), term.value_at) from None
    return Condition(f"{_DURATIONS[term.key or '']} {operator} ?", (limit,))


def _count(term: _Term) -> Condition:
    operator = _comparison(term)
    number = _whole(term)
    if term.key == "attempt":
        return Condition(f"flow_id in (select flow_id from hops where attempt {operator} ?)", (number,))
    return Condition(f"{_COUNTS[term.key or '']} {operator} ?", (number,))


def _comparison(term: _Term) -> str:
    if term.operator not in _COMPARED:
        raise FilterError(f"{term.key} is followed by one of {' '.join(_COMPARED)}", term.operator_at)
    return term.operator


def _whole(term: _Term) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", term.value):
        raise FilterError(f"{term.key} is compared with a whole number", term.value_at)
    return int(term.value)


_BY_KEYS: tuple[tuple[tuple[str, ...], Callable[[_Term], Condition]], ...] = (
    (tuple(_TEXT), _text),
    (tuple(_OF_HOPS), _of_hops),
    (("key",), _message_key),
    (tuple(_DURATIONS), _duration),
    ((*_COUNTS, "attempt"), _count),
)


def _pattern(term: _Term) -> str:
    """A regular expression that DuckDB reads; it has no look-around and no references back."""
    try:
        re.compile(term.value)
    except re.error as error:
        raise FilterError(
            f"The regular expression cannot be read: {error.msg}", term.value_at + (error.pos or 0)
        ) from None
    beyond = re.search(r"(?<!\\)\((?:\?[=!]|\?<[=!])|(?<!\\)\\[1-9]", term.value)
    if beyond is not None:
        raise FilterError(
            "A regular expression can neither look around nor refer back here", term.value_at + beyond.start()
        )
    return term.value


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
