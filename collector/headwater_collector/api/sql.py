"""Runs one checked question on a cursor of its own, within limits of rows, time and number."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from headwater_analysis.critical_path import in_sql
from headwater_analysis.errors import Cancelled, HeadwaterError, QueryFailed
from headwater_analysis.guard.statement import SqlGuard
from headwater_analysis.json_values import column_values
from headwater_analysis.sql_errors import translated
from headwater_collector.store.cursor import Cursor, DatabaseError
from headwater_collector.store.store import Store

BATCH_ROWS = 2_048
"""DuckDB's own vector size: what is fetched before the limits are looked at again."""

ENDS_WITHIN_SECONDS = 10.0
"""How long is waited for a question that does not end though it was interrupted."""


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
    megabytes: int = 256
    """Of an answer in memory, before it is written as JSON, CSV or Arrow; more is cut, and marked."""
    at_once: int = 8
    """Questions running side by side; each may use as much memory as it needs within the store's limit."""


@dataclass(frozen=True)
class Table:
    """An answer as Arrow, with DuckDB's names of the types.

    ``cut`` is why rows are missing: "rows", "time" or "memory"; None when all are there.
    """

    data: pa.Table
    types: tuple[str, ...]
    cut: str | None


class Question:
    """One question being answered; it ends at its limit of time, or when somebody ends it before."""

    def __init__(self) -> None:
        self.ended_by: str | None = None
        """"time", "asker" or "stop"; None while nobody ended it."""
        self._wake = threading.Event()
        self._done = threading.Event()

    def end(self, by: str) -> None:
        """Interrupts it; may be called from any thread, before it starts and after it has ended too."""
        self.ended_by = self.ended_by or by
        self._wake.set()

    @contextmanager
    def watched(self, cursor: Cursor, seconds: float) -> Iterator[None]:
        """Interrupts what ``cursor`` runs inside the ``with`` when time is up or somebody ends it."""

        def watch() -> None:
            if not self._wake.wait(seconds):
                self.ended_by = "time"
            # Again and again: an interrupt that comes between two statements of a cursor is forgotten.
            with suppress(DatabaseError):  # the store was closed beneath it
                while not self._done.wait(0.1):
                    cursor.interrupt()

        watcher = threading.Thread(target=watch, name="sql-limit", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            self._done.set()
            self._wake.set()
            watcher.join()


class SqlRunner:
    """Answers questions on a store; safe to call from several threads."""

    def __init__(self, store: Store, limits: SqlLimits) -> None:
        self._store = store
        self._limits = limits
        self._places = threading.BoundedSemaphore(limits.at_once)
        self._guard: SqlGuard | None = None
        self._running: set[Question] = set()
        self._cursors = 0
        self._changed = threading.Condition()
        self._stopped = False

    def flows_asked(self, statement: str, params: Sequence[object]) -> tuple[str, ...]:
        """The flows whose critical paths a statement asks for; raises QueryRefused."""
        if in_sql.MACRO not in statement.lower():
            return ()
        with self._cursor() as cursor:
            self._checked(cursor, statement)
            return in_sql.flows_asked(cursor.execute, statement, params)

    def run(
        self,
        statement: str,
        params: Sequence[object] = (),
        question: Question | None = None,
        paths: pa.Table | None = None,
    ) -> Table:
        """The answer; raises QueryRefused, QueryFailed, Busy or Cancelled.

        ``paths`` are the critical paths that the statement asks for.
        """
        question = question or Question()
        if not self._places.acquire(timeout=2):
            raise Busy(f"{self._limits.at_once} questions are running already; ask again in a moment.")
        try:
            self._running.add(question)
            with self._cursor() as cursor:
                self._checked(cursor, statement)
                if paths is not None:
                    cursor.register(in_sql.ROWS, paths)
                return self._answer(cursor, statement, params, question)
        finally:
            self._running.discard(question)
            self._places.release()

    def stop(self) -> None:
        """Ends what runs and answers nothing more; nothing reads the store any longer when it returns."""
        with self._changed:
            self._stopped = True
        for question in tuple(self._running):
            question.end("stop")
        with self._changed:
            self._changed.wait_for(lambda: self._cursors == 0, ENDS_WITHIN_SECONDS)

    @contextmanager
    def _cursor(self) -> Iterator[Cursor]:
        with self._changed:
            if self._stopped:
                raise Busy("The collector is stopping; ask again when it is back.")
            self._cursors += 1
        try:
            cursor = self._store.cursor()
            try:
                yield cursor
            finally:
                cursor.close()
        finally:
            with self._changed:
                self._cursors -= 1
                self._changed.notify_all()

    def _checked(self, cursor: Cursor, statement: str) -> None:
        if self._guard is None:
            self._guard = SqlGuard.of(cursor.execute)
        self._guard.check_on(cursor.execute, statement)

    def _answer(
        self,
        cursor: Cursor,
        statement: str,
        params: Sequence[object],
        question: Question,
    ) -> Table:
        batches: list[pa.RecordBatch] = []
        try:
            with question.watched(cursor, self._limits.seconds):
                cursor.execute(statement, list(params))
                types = tuple(str(column[1]) for column in cursor.description or ())
                reader = cursor.to_arrow_reader(BATCH_ROWS)
                schema = reader.schema
                try:
                    cut = self._fetch(reader, batches, question)
                except (DatabaseError, pa.ArrowException):
                    if not (question.ended_by == "time" and batches):
                        raise
                    cut = "time"
            return Table(pa.Table.from_batches(batches, schema), types, cut)
        except (DatabaseError, pa.ArrowException, RuntimeError) as error:
            if question.ended_by is None:
                raise translated(error) from None
            if question.ended_by == "time":
                raise TookTooLong(
                    f"The question took longer than {self._limits.seconds:g} s; ask for a shorter time range."
                ) from None
            raise Cancelled("The question was ended before its answer was there.") from None

    def _fetch(
        self, reader: pa.RecordBatchReader, batches: list[pa.RecordBatch], question: Question
    ) -> str | None:
        rows = size = 0
        for batch in reader:
            batches.append(batch.slice(0, self._limits.rows - rows))
            rows += batch.num_rows
            size += batch.nbytes
            if rows > self._limits.rows:
                return "rows"
            if size > self._limits.megabytes << 20:
                return "memory"
            if question.ended_by == "time":
                return "time"
        return None


def json_rows(table: Table) -> list[list[Any]]:
    """Rows of JSON values: times as ISO 8601 in UTC as precise as stored, whole numbers as numbers."""
    columns = [column_values(table.data.column(i), kind) for i, kind in enumerate(table.types)]
    return [list(row) for row in zip(*columns, strict=True)]
