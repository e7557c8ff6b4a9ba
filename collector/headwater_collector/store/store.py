"""Owns the DuckDB file: the one place that opens it. Writing by intent, reading on own cursors."""

import re
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import duckdb

from . import schema
from .errors import StoreBroken, StoreHeld, StoreTooNew
from .file_lock import FileLock
from .recalling import Recalling
from .retention import Retention, Upkeep
from .seen_events import SeenEvents
from .writer import Listener, TableColumns, Writer

T = TypeVar("T")

CHECKPOINT_THRESHOLD = "256MB"
"""DuckDB's own 16 MB rewrites the last row group again and again and stalls up to a third of a second."""

VACUUM_TASKS = 0
"""None: a commit that fills a row group leaves a small one behind it, and merging those at every checkpoint would
write everything twice. Row groups whose rows are all deleted are given back without it."""


class Store:
    """An open store. Every method may be called from any thread; writing is serialised."""

    def __init__(self, path: Path, root: duckdb.DuckDBPyConnection, lock: FileLock) -> None:
        """Used by ``open``; ``root`` only makes cursors."""
        self.path = path
        self._root = root
        self._file_lock = lock
        self._cursor_lock = threading.Lock()
        self._write_lock = threading.Lock()
        self._writer = root.cursor()
        self._columns = _columns(self._writer)
        self._seen_events = SeenEvents()
        self._listeners: list[Listener] = []
        self._upkeep: Upkeep | None = None
        self._recalling: Recalling | None = None
        self._closed = False
        self._open_again: Callable[[], duckdb.DuckDBPyConnection] | None = None
        self.down = False
        """DuckDB met an error that it calls fatal, such as a full disk while it checkpoints: see `revive`."""
        self.writes = 0
        """Transactions committed since the store was opened."""

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        memory_limit: str = "1GB",
        threads: int = 1,
        retention: Retention | None = None,
    ) -> "Store":
        """Opens or makes the store at ``path`` for this process alone; keeps it within ``retention``, if given.

        Raises StoreHeld, StoreTooNew (before anything is touched) or StoreBroken.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock.take(path)
        try:
            root = _connect(path, memory_limit, threads)
            store = cls(path, root, lock)
        except BaseException:
            lock.release()
            raise
        store._open_again = lambda: _connect(path, memory_limit, threads)
        if retention is not None:
            store._upkeep = Upkeep(store, retention)
            store._upkeep.start()
        return store

    def recall(self) -> None:
        """Begins to read which events are stored, beside whatever else goes on: else the first write has to."""
        if self._recalling is None:
            self._recalling = Recalling(self.cursor, self._seen_events)

    def write(self, work: Callable[[Writer], T]) -> T:
        """Runs ``work`` in one transaction and commits it; an exception rolls everything back.

        Listeners are told afterwards, in this thread. Not to be nested.
        """
        with self._write_lock:
            writer = Writer(self._writer, self._columns, self._seen_events)
            self._writer.execute("begin")
            try:
                result = work(writer)
                self._writer.execute("commit")
            except BaseException as error:
                self.down = self.down or isinstance(error, duckdb.FatalException)
                _rollback(self._writer)
                raise
            self.writes += 1
        for relation, (from_ns, to_ns) in writer.changes.items():
            for listener in tuple(self._listeners):
                listener(relation, from_ns, to_ns)
        return result

    def read(self, sql: str, params: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Rows of a small trusted question of the collector's own."""
        cursor = self.cursor()
        try:
            return cursor.execute(sql, list(params)).fetchall()
        finally:
            cursor.close()

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A connection of its own for one question; the caller closes it."""
        with self._cursor_lock:
            return self._root.cursor()

    def add_listener(self, listener: Listener) -> None:
        """Calls ``listener(relation, from_ns, to_ns)`` after each commit, in the writer's thread."""
        self._listeners.append(listener)

    def checkpoint(self) -> bool:
        """Moves what was committed from DuckDB's own log into the file; readers are not blocked.

        False when another transaction of this process stood in the way: nothing is lost, it can be tried later.
        """
        with self._write_lock:
            try:
                self._writer.execute("checkpoint")
            except duckdb.TransactionException:
                return False
            except duckdb.FatalException:
                self.down = True
                raise
        return True

    def revive(self) -> None:
        """Opens the file again after a fatal error: DuckDB answers nothing more until then.

        Raises what `open` raises while the cause lasts, and can be called again.
        """
        if self._recalling is not None:
            self._recalling.stop()
        with self._write_lock, self._cursor_lock:
            if self._closed or self._open_again is None:
                return
            self._writer.close()
            self._root.close()
            self._root = self._open_again()
            self._writer = self._root.cursor()
            self.down = False

    def size_bytes(self) -> int:
        """Size of the file and its log on disk."""
        files = (self.path, self.path.with_name(self.path.name + ".wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    def close(self) -> None:
        """Checkpoints and lets go of the file; a second call does nothing."""
        if self._upkeep is not None:
            self._upkeep.stop()
        if self._recalling is not None:
            self._recalling.stop()
        with self._write_lock:
            if self._closed:
                return
            self._closed = True
            try:
                self._writer.close()
                self._root.close()
            finally:
                self._file_lock.release()


def _connect(path: Path, memory_limit: str, threads: int) -> duckdb.DuckDBPyConnection:
    if path.exists():
        _look_before_touching(path)
    try:
        root = duckdb.connect(
            str(path),
            config={
                "storage_compatibility_version": "latest",
                "memory_limit": memory_limit,
                "threads": str(threads),
                "preserve_insertion_order": "false",
                "checkpoint_threshold": CHECKPOINT_THRESHOLD,
                "max_vacuum_tasks": str(VACUUM_TASKS),
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
            },
        )
    except duckdb.Error as error:
        raise _translated(path, error) from error
    try:
        version = schema.check_version(root, path)
        root.execute("set global timezone = 'UTC'")
        if version is not None:
            schema.migrate(root, version)
        root.execute("begin")
        schema.install(root, version)
        root.execute("commit")
        # No question may reach files, the network or extensions, and none may change that.
        root.execute("set enable_external_access = false")
        root.execute("set lock_configuration = true")
    except BaseException:
        root.close()
        raise
    return root


def _look_before_touching(path: Path) -> None:
    """Opening for writing replays the log into the file; so the version is read before that."""
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            schema.check_version(connection, path)
    except duckdb.Error as error:
        raise _translated(path, error) from error


def _translated(path: Path, error: duckdb.Error) -> StoreHeld | StoreTooNew | StoreBroken:
    text = str(error)
    if "lock" in text.lower():
        found = re.search(r"PID (\d+)", text)
        return StoreHeld(path, int(found[1]) if found else None)
    found = re.search(r"database file with version number (\d+)", text)
    if found:
        return StoreTooNew(path, f"of DuckDB format {found[1]}", f"of DuckDB {duckdb.__version__}")
    return StoreBroken(path, text.splitlines()[0].rstrip("."))


def _rollback(connection: duckdb.DuckDBPyConnection) -> None:
    try:
        connection.execute("rollback")
    except duckdb.Error:
        # A failed commit has ended the transaction already.
        return


def _columns(connection: duckdb.DuckDBPyConnection) -> TableColumns:
    rows = connection.execute(
        "select table_name, column_name, data_type from duckdb_columns() where schema_name = 'main'"
    ).fetchall()
    result: dict[str, dict[str, str]] = {}
    for table, column, kind in rows:
        result.setdefault(table, {})[column] = kind
    return result
