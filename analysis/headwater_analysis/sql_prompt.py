"""`headwater sql`: a question by hand, or a prompt."""

import contextlib
import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from . import format as fmt
from .commands.printing import print_table
from .errors import HeadwaterError, Unavailable, UsageError
from .reference.rendering import markdown
from .settings import COLLECTOR, JSON, STORE, TOKEN, Command, Option, Positional, Settings, note, out, read
from .source import Answer, Source, open_source, write_csv

if TYPE_CHECKING:
    import pyarrow as pa

SHOWN_ROWS = 1_000
"""Rows of a table for people, who cannot read more; the formats for machines give all."""
FORMATS = ("table", "json", "csv", "arrow", "parquet")

SQL = Command(
    "sql",
    "Asks one SELECT over the public relations and prints the rows; without a statement it opens a prompt. "
    "Times are UTC; ago(interval 15 minutes) is now less that much.",
    (
        'headwater sql "select service, count(*) from spans group by all"',
        'headwater sql "from flows_between(ago(interval 1 hour), null) where errors > 0" --format json',
        'headwater sql "from hops" --format parquet > hops.parquet',
        "headwater sql --store data/headwater.duckdb",
        "headwater sql --reference",
    ),
    (Positional("statement", "one SELECT; `-` reads it from standard input", optional=True),),
    (
        Option("format", "How the rows are printed.", "table", "choice", FORMATS),
        Option(
            "reference", "Print questions with their SQL, every relation and every column.", False, "flag"
        ),
        COLLECTOR,
        TOKEN,
        STORE,
        JSON,
    ),
)

_RELATIONS = (
    "select relation, comment from relation_columns where coalesce(column_name, '') = '' order by relation"
)
_COLUMNS = (
    "select column_name, comment from relation_columns "
    "where relation = ? and coalesce(column_name, '') <> '' order by position"
)
_HELP = "End a question with ;   \\d lists the relations   \\d NAME its columns   \\q leaves\n"


def run(argv: list[str]) -> int:
    """The command; gives its exit code."""
    settings = read(SQL, argv)
    form = "json" if settings.json else settings.format
    with contextlib.closing(
        open_source(settings.collector, settings.token, settings.store, settings.tls_ca)
    ) as source:
        if settings.reference:
            out(markdown(source))
            return 0
        if settings.statement is None and sys.stdin.isatty():
            return _prompt(source, form)
        statement = settings.statement
        if statement in (None, "-"):
            statement = sys.stdin.read()
        _ask(source, settings, statement, form)
    return 0


def _ask(source: Source, settings: Settings, statement: str, form: str) -> None:
    if form in ("arrow", "parquet"):
        if sys.stdout.isatty():
            raise UsageError(
                f"{form} is not for a terminal; send it into a file: `… --format {form} > FILE`."
            )
        _write_columns(_arrow(source, statement), form)
        return
    _print_answer(source.query(statement), form)


def _print_answer(answer: Answer, form: str) -> None:
    if form == "csv":
        write_csv(answer.columns, answer.rows, sys.stdout)
    elif form == "json":
        json.dump(answer.dicts(), sys.stdout, ensure_ascii=False)
        out("\n")
    else:
        show(answer)
    _say_cut(answer.cut, len(answer.rows))


def show(answer: Answer) -> None:
    """The rows as a table for people."""
    numeric = [
        name
        for name, kind in zip(answer.columns, answer.types, strict=True)
        if kind.split("(")[0] in _NUMERIC
    ]
    shown = answer.rows[:SHOWN_ROWS]
    print_table(answer.columns, ([_cell(value) for value in row] for row in shown), right=numeric)
    total = f"{len(answer.rows):,} row{'' if len(answer.rows) == 1 else 's'}"
    hidden = len(answer.rows) > len(shown)
    note(f"The first {len(shown):,} of {total}; --format csv prints all of them." if hidden else total)


_NUMERIC = frozenset(
    "TINYINT SMALLINT INTEGER BIGINT HUGEINT UTINYINT USMALLINT UINTEGER UBIGINT FLOAT DOUBLE DECIMAL".split()
)


def _cell(value: Any) -> Text:
    if value is None:
        return Text(fmt.UNKNOWN, style="dim")
    if isinstance(value, list | dict):
        return Text(json.dumps(value, ensure_ascii=False))
    return Text(f"{value:.6g}" if isinstance(value, float) else str(value))


def _say_cut(cut: str | None, rows: int) -> None:
    if cut == "rows":
        note(
            f"Cut at {rows:,} rows; ask for fewer, or stop the collector and write all of them: "
            "`… --store FILE --format parquet > FILE`."
        )
    elif cut == "memory":
        note(f"Cut after {rows:,} rows, since they are large; ask for fewer rows or columns.")
    elif cut == "time":
        note(f"Cut after {rows:,} rows by the limit of time; ask for a shorter time range.")


def _arrow(source: Source, statement: str) -> "pa.Table":
    import pyarrow as pa

    from .local import LocalSource
    from .remote import RemoteSource

    if isinstance(source, LocalSource):
        table, _, cut = source.arrow(statement)
        _say_cut(cut, table.num_rows)
        return table
    if not isinstance(source, RemoteSource):
        raise Unavailable(f"{source.label} gives no Arrow.")
    batches = []
    with pa.ipc.open_stream(source.post(statement, (), "application/vnd.apache.arrow.stream")) as reader:
        schema = reader.schema
        cut = None
        while True:
            try:
                batch, metadata = reader.read_next_batch_with_custom_metadata()
            except StopIteration:
                break
            batches.append(batch)
            cut = (metadata or {}).get("headwater.cut", b"").decode() or cut
    table = pa.Table.from_batches(batches, schema)
    _say_cut(cut, table.num_rows)
    return table


def _write_columns(table: "pa.Table", form: str) -> None:
    import pyarrow as pa

    if form == "arrow":
        with pa.ipc.new_stream(sys.stdout.buffer, table.schema) as writer:
            writer.write_table(table)
    else:
        import pyarrow.parquet

        pyarrow.parquet.write_table(table, sys.stdout.buffer)


def _prompt(source: Source, form: str) -> int:
    _remember_lines()
    note(f"{source.label}. {_HELP}")
    lines: list[str] = []
    while True:
        try:
            line = input("…> " if lines else "headwater> ")
        except EOFError:
            out("\n")
            return 0
        except KeyboardInterrupt:
            out("\n")
            lines.clear()
            continue
        if not lines and line.strip().startswith("\\"):
            if line.strip() in ("\\q", "\\quit"):
                return 0
            _guarded(partial(_describe, source, line.split()[1:]))
            continue
        lines.append(line)
        if line.rstrip().endswith(";"):
            statement = "\n".join(lines).strip().rstrip(";")
            lines.clear()
            _guarded(partial(_ask_at_prompt, source, statement, form))


def _ask_at_prompt(source: Source, statement: str, form: str) -> None:
    _print_answer(source.query(statement), "table" if form in ("arrow", "parquet") else form)


def _describe(source: Source, words: Sequence[str]) -> None:
    if not words:
        _print_comments(("relation", "one row is"), source.query(_RELATIONS))
        return
    found = source.query(_COLUMNS, [words[0].lower()])
    if not found.rows:
        raise UsageError(f"There is no relation {words[0]!r}; \\d lists them.")
    _print_comments(("column", "meaning"), found)


def _print_comments(titles: Sequence[str], answer: Answer) -> None:
    print_table(titles, ((name, comment or "") for name, comment in answer.rows))


def _guarded(work: Callable[[], None]) -> None:
    try:
        work()
    except HeadwaterError as error:
        note(str(error))


def _remember_lines() -> None:
    with contextlib.suppress(ImportError, OSError):
        import atexit
        import readline

        from platformdirs import user_state_path

        history = Path(user_state_path("headwater")) / "sql_history"
        history.parent.mkdir(parents=True, exist_ok=True)
        if history.exists():
            readline.read_history_file(history)
        readline.set_history_length(1000)
        atexit.register(readline.write_history_file, history)
