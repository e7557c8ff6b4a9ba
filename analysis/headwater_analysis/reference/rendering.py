"""The reference as Markdown."""

from collections.abc import Iterator

from headwater_analysis.source import Source
from headwater_analysis.sql import DESCRIPTIONS, PUBLIC_FUNCTIONS, PUBLIC_RELATIONS, PUBLIC_TABLE_MACROS

from .examples import EXAMPLES
from .questions import QUESTIONS

_HEAD = """# Asking in SQL

`headwater sql "…"` asks a running collector, screen 8 of the terminal and of the dashboard does too, and any DuckDB 1.5
reads the store file of a collector that has ended: all the same relations. Times are UTC, durations end in `_ms` or
`_seconds`, what is not known is NULL. The dialect is DuckDB's; `ago(interval 1 hour)` is a time that long before now.
This text is what `headwater sql --reference` prints.
"""


def markdown(source: Source) -> str:
    """Questions with their SQL, then every public relation with its columns and macros with what they take."""
    return "\n".join([*_questions(), *_relations(source)]) + "\n"


def _questions() -> Iterator[str]:
    yield _HEAD
    yield "## Questions"
    for question in QUESTIONS:
        yield f"\n### {question.words}\n\n```sql\n{question.sql}\n```"


def _relations(source: Source) -> Iterator[str]:
    told: dict[str, str] = {}
    columns: dict[str, list[tuple[str, str, str]]] = {}
    for relation, column, kind, comment in source.query(DESCRIPTIONS).rows:
        if column is None:
            told[relation] = comment
        else:
            columns.setdefault(relation, []).append((column, kind.lower(), comment))
    yield "\n## Relations"
    for name in PUBLIC_RELATIONS:
        yield f"\n### {name}\n\n{_sentence(told[name])}\n\n```sql\n{EXAMPLES[name]}\n```\n"
        yield "| column | type | |\n|---|---|---|"
        yield from (f"| `{column}` | {kind} | {_cell(text)} |" for column, kind, text in columns[name])
    yield "\n## Macros"
    for name in (*PUBLIC_TABLE_MACROS, *PUBLIC_FUNCTIONS):
        yield f"\n### {name}\n\n{_sentence(told[name])}\n\n```sql\n{EXAMPLES[name]}\n```"


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
