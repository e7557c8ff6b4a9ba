"""A store file that no collector holds, opened read-only in this process."""

import re
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from .errors import QueryFailed, QueryRefused, Unavailable
from .json_values import column_values
from .source import Answer, Change

ROW_LIMIT = 100_000
"""As many rows as the collector gives."""


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
            self._root.execute("set global timezone = 'UTC'")
            self._root.execute("select 1 from spans limit 0")
        except duckdb.Error as error:
            raise _cannot_open(path, str(error)) from None
        self._lock = threading.Lock()

    def query(self, sql: str, params: Sequence[object] = ()) -> Answer:
        """See Source.query."""
        table, types, cut = self.arrow(sql, params)
        columns = [column_values(table.column(i), kind) for i, kind in enumerate(types)]
        rows = list(zip(*columns, strict=True)) if columns else []
        return Answer(tuple(table.column_names), types, rows, cut)

    def arrow(self, sql: str, params: Sequence[object] = ()) -> tuple[pa.Table, tuple[str, ...], str | None]:
        """The answer as Arrow, with DuckDB's type names and why it is cut."""
        with self._lock:
            cursor = self._root.cursor()
        try:
            cursor.execute(sql, list(params))
            types = tuple(str(column[1]) for column in cursor.description or ())
            reader = cursor.to_arrow_reader(2_048)
            batches: list[pa.RecordBatch] = []
            rows = 0
            for batch in reader:
                batches.append(batch.slice(0, ROW_LIMIT - rows))
                rows += batch.num_rows
                if rows > ROW_LIMIT:
                    break
            return pa.Table.from_batches(batches, reader.schema), types, "rows" if rows > ROW_LIMIT else None
        except (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException) as error:
            raise QueryRefused(_first_line(error)) from None
        except (duckdb.Error, pa.ArrowException) as error:
            raise QueryFailed(_first_line(error)) from None
        finally:
            cursor.close()

    def changes(self, stop: threading.Event) -> Iterator[Change]:
        """A file that nobody writes does not change; waits until it is told to stop."""
        stop.wait()
        return iter(())

    def health(self) -> dict[str, Any]:
        """What file this is."""
        return {"store": str(self._path), "bytes": self._path.stat().st_size, "collector": None}

    def close(self) -> None:
        """Closes the file."""
        self._root.close()


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


def _first_line(error: Exception) -> str:
    text = str(error).splitlines()[0]
    kind, _, rest = text.partition(": ")
    return (rest if kind.endswith("Error") and rest else text).rstrip(".") + "."
