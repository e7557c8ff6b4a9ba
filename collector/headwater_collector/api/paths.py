"""GET /v1/flows/{id}/critical-path: the one answer about flows that no single SELECT gives."""

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from headwater_analysis.critical_path.asking import path_of_flow
from headwater_analysis.errors import QueryFailed
from headwater_analysis.flows import resolve
from headwater_analysis.source import Answer, Change

from .sql import SqlRunner, json_rows

MOST_SPANS = 10_000
"""Of a flow whose path is counted in this process, which has spans to receive meanwhile."""


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


class TooLarge(QueryFailed):
    """The flow has more spans than are looked at here."""


def critical_path(runner: SqlRunner, anything: str) -> bytes:
    """The critical path of a flow, as `headwater flow ID --view critical-path --json` prints it.

    Raises NotFound, TooLarge, or what the runner raises.
    """
    source = StoreSource(runner)
    flow_id = resolve(source, anything)
    counted = source.query("select spans from flows_named([?])", [flow_id]).rows
    if counted and counted[0][0] > MOST_SPANS:
        raise TooLarge(
            f"The flow has {counted[0][0]:,} spans, and {MOST_SPANS:,} are looked at here; "
            f"`headwater flow {flow_id} --view critical-path` looks at all."
        )
    return orjson.dumps(path_of_flow(source, flow_id))
