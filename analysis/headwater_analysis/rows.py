"""Answers as frozen dataclasses: a field is the column of its name, so that neither can drift."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, TypeVar

from .source import Answer, Source

Row = TypeVar("Row")


def columns(kind: type[Any], **instead: str) -> str:
    """The SELECT list for a dataclass: its field names, or the expression given for one of them.

    A field whose name ends in ``_ns`` is read from the time column of its stem: ``started_ns`` from
    ``started_at``.
    """
    parts = []
    for field in fields(kind):
        if field.name in instead:
            parts.append(f"{instead[field.name]} as {field.name}")
        elif field.name.endswith("_ns"):
            parts.append(f"epoch_ns({field.name.removesuffix('_ns')}_at) as {field.name}")
        else:
            parts.append(field.name)
    return ", ".join(parts)


def select(
    source: Source, kind: type[Row], rest: str, params: Sequence[object] = (), **instead: str
) -> tuple[Row, ...]:
    """``select <the fields of kind> <rest>`` as rows of that kind; ``rest`` starts with FROM."""
    answer = source.query(f"select {columns(kind, **instead)} {rest}", params)
    return of(answer, kind)


def of(answer: Answer, kind: type[Row]) -> tuple[Row, ...]:
    """The rows of an answer as dataclasses; lists become tuples."""
    names = answer.columns
    return tuple(
        kind(**{n: tuple(v) if isinstance(v, list) else v for n, v in zip(names, row, strict=True)})
        for row in answer.rows
    )
