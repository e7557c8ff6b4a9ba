"""What may be done inside one transaction of the store."""

import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from .seen_events import SeenEvents

Listener = Callable[[str, int, int], None]
"""(relation, from_ns, to_ns) of what a commit changed."""

TableColumns = Mapping[str, Mapping[str, str]]
"""Table → column → DuckDB type."""

_numbers = itertools.count()


class Writer:
    """One transaction's hands on the store; valid only inside ``Store.write``."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, columns: TableColumns, seen_events: SeenEvents
    ) -> None:
        self._connection = connection
        self._columns = columns
        self.seen_events = seen_events
        self.changes: dict[str, tuple[int, int]] = {}
        """Relation → first and last nanosecond that this transaction touched."""

    def append(self, table: str, rows: pa.Table | Sequence[Mapping[str, object]]) -> int:
        """Adds rows by column name and gives their number; a column left out is NULL.

        Mappings may hold dicts or lists where the column is JSON, and datetimes where it is a time.
        """
        known = self._known(table)
        incoming = rows if isinstance(rows, pa.Table) else _as_arrow(rows, known)
        if incoming.num_rows == 0:
            return 0
        strange = set(incoming.column_names) - set(known)
        if strange:
            raise ValueError(f"The table {table} has no column {sorted(strange)[0]}.")
        names = ", ".join(f'"{name}"' for name in incoming.column_names)
        with Registered(self._connection, incoming) as source:
            self._connection.execute(f'insert into "{table}" ({names}) select {names} from {source}')
        return int(incoming.num_rows)

    def replace(self, table: str, rows: pa.Table | Sequence[Mapping[str, object]], **where: object) -> None:
        """Deletes the rows equal to ``where`` (all, when it is empty) and adds ``rows``."""
        self.delete(table, **where)
        self.append(table, rows)

    def delete(self, table: str, **where: object) -> None:
        """Deletes the rows whose columns equal ``where``, None meaning NULL; all, when it is empty."""
        known = self._known(table)
        strange = set(where) - set(known)
        if strange:
            raise ValueError(f"The table {table} has no column {sorted(strange)[0]}.")
        terms = " and ".join(f'"{name}" is not distinct from ?' for name in where) or "true"
        self._connection.execute(f'delete from "{table}" where {terms}', list(where.values()))

    def execute(self, sql: str, params: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Runs a statement of the collector's own and gives its rows."""
        return self._connection.execute(sql, list(params)).fetchall()

    def columns(self, sql: str) -> dict[str, npt.NDArray[Any]]:
        """Runs a question of the collector's own and gives its columns, in which nothing may be NULL."""
        found = self._connection.execute(sql).fetchnumpy()
        return {name: np.asarray(values) for name, values in found.items()}

    def batches(self, sql: str, rows: int) -> Iterator[pa.RecordBatch]:
        """Runs a question with a long answer and gives it so many rows at a time; nothing else may run meanwhile."""
        yield from self._connection.execute(sql).to_arrow_reader(rows)

    def registered(self, table: pa.Table, name: str | None = None) -> "Registered":
        """Makes an Arrow table readable by the name that a ``with`` gives, while it lasts."""
        return Registered(self._connection, table, name)

    def changed(self, relation: str, from_ns: int, to_ns: int) -> None:
        """Notes what listeners are told after the commit."""
        before = self.changes.get(relation)
        if before is not None:
            from_ns, to_ns = min(before[0], from_ns), max(before[1], to_ns)
        self.changes[relation] = (from_ns, to_ns)

    def _known(self, table: str) -> Mapping[str, str]:
        if table not in self._columns:
            raise ValueError(f"The store has no table {table}.")
        return self._columns[table]


class Registered:
    """An Arrow table under a name of its own, for as long as a ``with`` lasts."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, table: pa.Table, name: str | None = None
    ) -> None:
        self._connection = connection
        self._table = table
        self._name = name or f"incoming_{next(_numbers)}"

    def __enter__(self) -> str:
        self._connection.register(self._name, self._table)
        return self._name

    def __exit__(self, *_: object) -> None:
        self._connection.unregister(self._name)


def _as_arrow(rows: Sequence[Mapping[str, object]], known: Mapping[str, str]) -> pa.Table:
    names: dict[str, None] = {}
    for row in rows:
        if len(row) != len(names) or row.keys() != names.keys():
            names |= dict.fromkeys(row)
    columns: dict[str, list[object]] = {name: [row.get(name) for row in rows] for name in names}
    for name, values in columns.items():
        if known.get(name) == "JSON":
            columns[name] = [v if v is None or isinstance(v, str) else json.dumps(v) for v in values]
    return pa.table(columns)
