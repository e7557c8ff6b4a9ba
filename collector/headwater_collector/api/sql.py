"""Runs one checked question on a cursor of its own, within limits of rows, time and number."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from headwater_analysis.errors import HeadwaterError, QueryFailed, QueryRefused
from headwater_analysis.json_values import column_values
from headwater_collector.store.store import Store

from .sql_guard import SqlGuard

BATCH_ROWS = 2_048
"""DuckDB's own vector size: what is fetched before the limits are looked at again."""


class Busy(HeadwaterError):
    """As many questions as are allowed run already."""


class TookTooLong(QueryFailed):
    """The limit of time ran out before there was a row."""


@dataclass(frozen=True)
class SqlLimits:
    """What one question may cost."""

    rows: int = 100_000
    """More is cut, and the answer says so; an export of everything reads the file itself."""
    seconds: float = 30.0
    """A person does not wait longer; what was fetched by then is given, and marked."""
    at_once: int = 8
    """Questions running side by side; each may use as much memory as it needs within the store's limit."""


@dataclass(frozen=True)
class Table:
    """An answer as Arrow, with DuckDB's names of the types and why it is cut ("rows", "time" or None)."""

    data: pa.Table
    types: tuple[str, ...]
    cut: str | None


class SqlRunner:
    """Answers questions on a store; safe to call from several threads."""

    def __init__(self, store: Store, limits: SqlLimits) -> None:
        self._store = store
        self._limits = limits
        self._places = threading.BoundedSemaphore(limits.at_once)
        self._guard: SqlGuard | None = None

    def run(self, statement: str, params: Sequence[object] = ()) -> Table:
        """The answer; raises QueryRefused, QueryFailed or Busy."""
        if not self._places.acquire(timeout=2):
            raise Busy(f"{self._limits.at_once} questions are running already; ask again in a moment.")
        try:
            with self._cursor() as cursor:
                self._checked(cursor, statement)
                return self._answer(cursor, statement, params)
        finally:
            self._places.release()

    @contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        cursor = self._store.cursor()
        try:
            yield cursor
        finally:
            cursor.close()

    def _checked(self, cursor: duckdb.DuckDBPyConnection, statement: str) -> None:
        def serialise(text: str) -> str:
            found = cursor.execute("select json_serialize_sql(?::varchar)::varchar", [text]).fetchone()
            return str(found[0]) if found else "{}"

        if self._guard is None:
            names = "select table_name from duckdb_tables() union select view_name from duckdb_views()"
            self._guard = SqlGuard([name for (name,) in cursor.execute(names).fetchall()])
        self._guard.check(statement, serialise)

    def _answer(self, cursor: duckdb.DuckDBPyConnection, statement: str, params: Sequence[object]) -> Table:
        stopped = threading.Event()

        def interrupt() -> None:
            stopped.set()
            cursor.interrupt()

        timer = threading.Timer(self._limits.seconds, interrupt)
        timer.daemon = True
        timer.start()
        deadline = time.monotonic() + self._limits.seconds
        batches: list[pa.RecordBatch] = []
        cut: str | None = None
        rows = 0
        try:
            cursor.execute(statement, list(params))
            types = tuple(str(column[1]) for column in cursor.description or ())
            reader = cursor.to_arrow_reader(BATCH_ROWS)
            schema = reader.schema
            try:
                for batch in reader:
                    batches.append(batch.slice(0, self._limits.rows - rows))
                    rows += batch.num_rows
                    if rows > self._limits.rows:
                        cut = "rows"
                        break
                    if time.monotonic() > deadline:
                        cut = "time"
                        break
            except (duckdb.Error, pa.ArrowException):
                if not (stopped.is_set() and batches):
                    raise
                cut = "time"
            return Table(pa.Table.from_batches(batches, schema), types, cut)
        except (duckdb.Error, pa.ArrowException, RuntimeError) as error:
            if stopped.is_set():
                raise TookTooLong(
                    f"The question took longer than {self._limits.seconds:g} s; ask for a shorter time range."
                ) from None
            raise _sentence(error) from None
        finally:
            timer.cancel()


def _sentence(error: Exception) -> HeadwaterError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else type(error).__name__
    hints = [line for line in lines[1:] if line.startswith(("Candidate bindings", "Did you mean"))]
    kind, _, rest = text.partition(": ")
    text = (rest if kind.endswith("Error") and rest else text).removesuffix("Candidate functions:").rstrip()
    sentence = f"{text.rstrip('.')}." + (f" {hints[0].rstrip('.')}." if hints else "")
    if (
        isinstance(error, duckdb.InvalidInputException)
        or "Binder" in kind
        or "Parser" in kind
        or "Catalog" in kind
    ):
        return QueryRefused(sentence)
    return QueryFailed(sentence)


def json_rows(table: Table) -> list[list[Any]]:
    """Rows of JSON values: times as ISO 8601 in UTC as precise as stored, whole numbers as numbers."""
    columns = [column_values(table.data.column(i), kind) for i, kind in enumerate(table.types)]
    return [list(row) for row in zip(*columns, strict=True)]
