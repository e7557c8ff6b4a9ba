"""A store file that no collector holds, opened read-only in this process."""

import re
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from .critical_path import in_sql
from .errors import Unavailable
from .guard.statement import SqlGuard
from .json_values import column_values
from .source import Answer, Change
from .sql import PUBLIC_FUNCTIONS, PUBLIC_RELATIONS, PUBLIC_TABLE_MACROS
from .sql_errors import translated

ROW_LIMIT = 100_000
"""As many rows as the collector gives to a screen; Arrow is given whole."""
STORE_VERSION = 6
"""The highest schema version of a store whose views mean what this headwater expects."""


class LocalSource:
    """A store file; nothing in it can be changed from here."""

    def __init__(self, path: Path) -> None:
        """Raises Unavailable when there is no such file, a collector holds it, or it is no store of ours."""
        if path.is_dir():
            path = path / "headwater.duckdb"
        if not path.exists():
            raise Unavailable(f"There is no store at {path}.")
        self.label = f"store {path}"
        self._path = path
        try:
            self._root = duckdb.connect(str(path), read_only=True)
            version = _version(self._root)
            self._root.execute("set global timezone = 'UTC'")
            # A screen shows what others typed into a link: no question may reach other files.
            self._root.execute("set enable_external_access = false")
            self._root.execute("set lock_configuration = true")
        except duckdb.Error as error:
            raise _cannot_open(path, str(error)) from None
        if version is None or version > STORE_VERSION:
            self._root.close()
            raise Unavailable(
                f"{path} is a DuckDB file, but no headwater store; name the headwater.duckdb of a collector."
                if version is None
                else f"The store {path} has version {version}, and this headwater knows versions up to "
                f"{STORE_VERSION}; install a newer headwater."
            )
        self._missing = _missing(self._root)
        """What may be asked of newer stores: an older collector wrote this one."""
        self._guard = SqlGuard.of(self._root.execute)
        self._lock = threading.Lock()

    def query(self, sql: str, params: Sequence[object] = ()) -> Answer:
        """See Source.query."""
        table, types, cut = self.arrow(sql, params, ROW_LIMIT)
        columns = [column_values(table.column(i), kind) for i, kind in enumerate(types)]
        rows = list(zip(*columns, strict=True)) if columns else []
        return Answer(tuple(table.column_names), types, rows, cut)

    def arrow(
        self, sql: str, params: Sequence[object] = (), most: int | None = None
    ) -> tuple[pa.Table, tuple[str, ...], str | None]:
        """The answer as Arrow, at most so many rows of it, with DuckDB's type names and why it is cut."""
        asked = next((name for name in self._missing if re.search(rf"\b{name}\b", sql)), None)
        if asked is not None:
            raise Unavailable(
                f"{self._path} was written by a headwater that had no {asked} yet; open it once with "
                f"`headwater serve --data {self._path.parent}`, and it is there."
            )
        with self._lock:
            cursor = self._root.cursor()
        try:
            self._guard.check_on(cursor.execute, sql)
            flows = in_sql.flows_asked(cursor.execute, sql, params)
            if flows:
                cursor.register(in_sql.ROWS, in_sql.rows_of(self, flows))
            cursor.execute(sql, list(params))
            types = tuple(str(column[1]) for column in cursor.description or ())
            reader = cursor.to_arrow_reader(2_048)
            batches: list[pa.RecordBatch] = []
            rows = 0
            for batch in reader:
                batches.append(batch if most is None else batch.slice(0, most - rows))
                rows += batch.num_rows
                if most is not None and rows > most:
                    break
            cut = "rows" if most is not None and rows > most else None
            return pa.Table.from_batches(batches, reader.schema), types, cut
        except (duckdb.Error, pa.ArrowException) as error:
            raise translated(error) from None
        finally:
            cursor.close()

    def changes(self, stop: threading.Event) -> Iterator[Change]:
        """A file that nobody writes does not change; waits until it is told to stop."""
        stop.wait()
        yield from ()

    def health(self) -> dict[str, Any]:
        """What file this is."""
        return {"store": str(self._path), "bytes": self._path.stat().st_size, "collector": None}

    def close(self) -> None:
        """Closes the file."""
        self._root.close()


def _version(root: duckdb.DuckDBPyConnection) -> int | None:
    """The schema version of a store; None for a file that is none."""
    if not root.execute("select 1 from duckdb_tables() where table_name = 'store_version'").fetchall():
        return None
    row = root.execute("select max(version) from store_version").fetchone()
    return None if row is None or row[0] is None else int(row[0])


def _missing(root: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    """Public names that the store does not have."""
    present = root.execute(
        "select view_name from duckdb_views() union select table_name from duckdb_tables() "
        "union select function_name from duckdb_functions() where not internal"
    ).fetchall()
    found = {name for (name,) in present}
    return tuple(
        name for name in (*PUBLIC_RELATIONS, *PUBLIC_TABLE_MACROS, *PUBLIC_FUNCTIONS) if name not in found
    )


def _cannot_open(path: Path, text: str) -> Unavailable:
    if "lock" in text.lower():
        held = re.search(r"PID (\d+)", text)
        holder = f"process {held[1]}" if held else "another process"
        return Unavailable(
            f"The store {path} is held by {holder}, most likely its collector; "
            "ask that one with --collector URL, or stop it first."
        )
    if "version number" in text:
        return Unavailable(f"The store {path} was written by a newer DuckDB; install a newer headwater.")
    return Unavailable(f"{path} is no headwater store: {text.splitlines()[0].rstrip('.')}.")
