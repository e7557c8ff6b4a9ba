"""``flow_critical_path(id)`` in SQL.

Each step of a path rests on the one before, so no statement gives it. Whoever answers one counts the paths that it
names beforehand, and lays them beside the store under the name that the macro reads.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import orjson
import pyarrow as pa

from headwater_analysis.errors import QueryFailed, QueryRefused
from headwater_analysis.source import Source

from .asking import CriticalPath, path_of_flow

MACRO = "flow_critical_path"
ROWS = "critical_path_rows"
"""What the macro reads; the view of this name in the store says that nobody has counted."""
MOST_FLOWS = 5
"""In one statement: each takes some questions of its own."""
MOST_SPANS = 10_000
"""Of a flow whose path is counted where others wait for the same process, or it has spans to receive meanwhile."""

_SCHEMA = pa.schema(
    [
        ("flow_id", pa.string()), ("run", pa.int32()), ("run_kind", pa.string()), ("place", pa.int32()),
        ("kind", pa.string()), ("started_at", pa.timestamp("ns")), ("ended_at", pa.timestamp("ns")),
        ("duration_ms", pa.float64()), ("share", pa.float64()), ("service", pa.string()),
        ("operation", pa.string()), ("topic", pa.string()), ("consumer_group", pa.string()),
        ("partition", pa.int32()), ("message_offset", pa.int64()), ("attempt", pa.int32()),
        ("trace_id", pa.string()), ("span_id", pa.string()), ("skewed", pa.bool_()),
    ]
)  # fmt: skip


class TooLarge(QueryFailed):
    """The flow has more spans than are looked at here."""


def bounded_path(source: Source, flow_id: str) -> CriticalPath | None:
    """The critical path of a flow of moderate size, None where no such flow is stored; raises TooLarge."""
    counted = source.query("select spans from flows_named([?])", [flow_id]).rows
    if not counted:
        return None
    if counted[0][0] > MOST_SPANS:
        raise TooLarge(
            f"The flow has {counted[0][0]:,} spans, and {MOST_SPANS:,} are looked at here; "
            f"`headwater flow {flow_id} --view critical-path` looks at all."
        )
    return path_of_flow(source, flow_id)


def flows_asked(execute: Callable[..., Any], statement: str, params: Sequence[object]) -> tuple[str, ...]:
    """The flows whose paths a statement that was checked asks for; raises QueryRefused.

    ``execute`` runs a statement on the database whose parser reads it.
    """
    if MACRO not in statement.lower():
        return ()
    [(written,)] = execute("select json_serialize_sql(?::varchar)::varchar", [statement]).fetchall()
    named = dict.fromkeys(_flow_id(call, params) for call in _calls(orjson.loads(written)))
    if len(named) > MOST_FLOWS:
        raise QueryRefused(
            f"One question may ask for {MOST_FLOWS} critical paths; this asks for {len(named)}."
        )
    return tuple(named)


def rows_of(source: Source, flow_ids: Sequence[str]) -> pa.Table:
    """The segments of those flows' paths, in order; raises TooLarge."""
    found = [path for flow_id in flow_ids if (path := bounded_path(source, flow_id)) is not None]
    return pa.Table.from_pylist([row for path in found for row in _rows(path)], _SCHEMA)


def _calls(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, list):
        for item in node:
            yield from _calls(item)
    elif isinstance(node, dict):
        function = node.get("function")
        if isinstance(function, dict) and str(function.get("function_name", "")).lower() == MACRO:
            yield function
        for child in node.values():
            yield from _calls(child)


def _flow_id(call: dict[str, Any], params: Sequence[object]) -> str:
    """The text that a call names its flow by: written there, or given as a parameter."""
    arguments = call.get("children") or []
    if len(arguments) == 1:
        only = arguments[0]
        if only.get("class") == "CONSTANT" and isinstance(only["value"].get("value"), str):
            return str(only["value"]["value"])
        place = str(only.get("identifier", ""))
        if only.get("class") == "PARAMETER" and place.isdigit() and 0 < int(place) <= len(params):
            return str(params[int(place) - 1])
    raise QueryRefused(
        f"{MACRO}() takes the id of one flow, as a text or a parameter: its path is counted before the rest is asked."
    )


def _rows(path: CriticalPath) -> Iterator[dict[str, object]]:
    for number, run in enumerate(path.runs):
        for place, one in enumerate(run.segments, 1):
            yield {
                "flow_id": path.flow_id, "run": number, "run_kind": run.kind, "place": place, "kind": one.kind,
                "started_at": one.from_ns, "ended_at": one.to_ns, "duration_ms": one.duration_ms, "share": one.share,
                "service": one.step.service, "operation": one.step.operation, "topic": one.step.topic,
                "consumer_group": one.step.consumer_group, "partition": one.partition,
                "message_offset": one.message_offset, "attempt": one.attempt, "trace_id": one.trace_id,
                "span_id": one.span_id, "skewed": one.skewed,
            }  # fmt: skip
