"""Critical paths, counted in this process: GET /v1/flows/{id}/critical-path, and flow_critical_path in SQL."""

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from headwater_analysis.critical_path import in_sql
from headwater_analysis.flows import NotFound, resolve
from headwater_analysis.source import Answer, Change

from .sql import Question, SqlRunner, Table, json_rows


class StoreSource:
    """The store of this process as a Source: its questions are checked and limited like everybody's."""

    label = "this collector"

    def __init__(self, runner: SqlRunner) -> None:
        self._runner = runner

    def query(self, sql: str, params: Sequence[object] = ()) -> Answer:
        """See Source.query."""
        table = self._runner.run(sql, params)
        rows = [tuple(row) for row in json_rows(table)]
        return Answer(tuple(table.data.column_names), table.types, rows, table.cut)

    def changes(self, stop: threading.Event) -> Iterator[Change]:
        """Nobody listens here; the change stream is the server's."""
        yield from ()

    def health(self) -> dict[str, Any]:
        """The server's own answer says more."""
        return {}

    def close(self) -> None:
        """The store stays open."""


def critical_path(runner: SqlRunner, anything: str) -> bytes:
    """The critical path of a flow, as `headwater flow ID --view critical-path --json` prints it.

    Raises NotFound, TooLarge, or what the runner raises.
    """
    source = StoreSource(runner)
    flow_id = resolve(source, anything)
    found = in_sql.bounded_path(source, flow_id)
    if found is None:
        raise NotFound(f"The flow {flow_id} is no longer stored.")
    return orjson.dumps(found)


def run(runner: SqlRunner, statement: str, params: Sequence[object], question: Question) -> Table:
    """The answer to a statement, which may ask for critical paths; raises what the runner raises, or TooLarge."""
    flows = runner.flows_asked(statement, params)
    # Counted before the statement takes its place: counting asks questions of its own.
    counted = in_sql.rows_of(StoreSource(runner), flows) if flows else None
    return runner.run(statement, params, question, counted)
