"""The filter line over flows: ``service:payments topic:orders.* status:error wait>2s -topic:audit "text"``.

Parsed once, compiled to one parameterised SQL condition on the relation ``flows``. Values never become
part of the statement.
"""

import re
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
_DURATIONS = {"total": "total_ms", "wait": "wait_ms", "work": "work_ms", "backoff": "backoff_ms"}
_COUNTS = {"spans": "spans", "messages": "messages", "errors": "errors", "dead_letters": "dead_letters"}
_OPERATORS = {">": ">", "<": "<", ">=": ">=", "<=": "<=", "=": "="}

KEYS = (*_TEXT, *_DURATIONS, *_COUNTS)
"""Every name that may stand before a colon or a comparison."""

_TOKEN = re.compile(
    r'(?P<minus>-)?(?:(?P<key>[A-Za-z_]+)(?P<op>:|>=|<=|>|<|=))?(?:"(?P<quoted>[^"]*)"|(?P<bare>[^\s"]+))'
)


class FilterError(UsageError):
    """The filter cannot be read; ``position`` is where, counted in characters from 0."""

    def __init__(self, sentence: str, position: int) -> None:
        super().__init__(f"{sentence} (at character {position + 1})")
        self.position = position


@dataclass(frozen=True)
class Condition:
    """SQL that is true for the rows wanted, with the parameters for its question marks."""

    sql: str = "true"
    params: tuple[object, ...] = ()


def compile_filter(text: str) -> Condition:
    """The condition on ``flows`` that the filter line asks for; an empty line wants everything."""
    terms: list[str] = []
    params: list[object] = []
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        found = _TOKEN.match(text, position)
        if found is None:
            raise FilterError("A quotation mark is not closed", position)
        sql, values = _term(found)
        terms.append(f"not ({sql})" if found["minus"] else sql)
        params.extend(values)
        position = found.end()
    return Condition(" and ".join(terms), tuple(params)) if terms else Condition()


def _term(found: re.Match[str]) -> tuple[str, list[object]]:
    key, operator = found["key"], found["op"]
    value = found["quoted"] if found["quoted"] is not None else found["bare"]
    if key is None:
        like = f"%{_escaped(value)}%"
        fields = ("flow_id", "entry_name", "array_to_string(services, ' ')", "array_to_string(topics, ' ')")
        return " or ".join(rf"{field} ilike ? escape '\'" for field in fields).join("()"), [like] * len(
            fields
        )
    if key in _TEXT and operator in (":", "="):
        column = _TEXT[key]
        like = _escaped(value).replace("*", "%")
        if column in _LISTS:
            return rf"len(list_filter({column}, lambda one: one ilike ? escape '\')) > 0", [like]
        return rf"{column} ilike ? escape '\'", [like]
    if key in _DURATIONS and operator in _OPERATORS:
        try:
            return f"{_DURATIONS[key]} {_OPERATORS[operator]} ?", [parse_duration(value) * 1000]
        except UsageError as error:
            raise FilterError(str(error).rstrip("."), found.start("op") + len(operator)) from None
    if key in _COUNTS and operator in _OPERATORS:
        if not value.isdigit():
            raise FilterError(f"{key} is compared with a whole number", found.start("op") + len(operator))
        return f"{_COUNTS[key]} {_OPERATORS[operator]} ?", [int(value)]
    if key in KEYS:
        wanted = "a colon" if key in _TEXT else "one of > < >= <= ="
        raise FilterError(f"{key} is followed by {wanted}", found.start("op"))
    raise FilterError(f"There is no {key!r} to filter by; there are {', '.join(KEYS)}", found.start("key"))


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
