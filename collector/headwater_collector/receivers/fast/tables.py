"""Filled rows to Arrow tables of the schemas in `records`. The rows are copied out, so that they can be filled anew.

Text is copied too, and not referred to where it lies in the request: names and ids are about as short as a
reference, the request's memory can go at once, and whatever works on the columns meets plain strings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headwater_collector import records
from headwater_collector.receivers.columns import KINDS, STATUSES

from . import rows
from .rows import Filled

_MARKS = ("no_time", "ends_before_start", "far_future", "far_past", "repeated_id")
"""In the order of their bits in `spans`, and of the list."""


def _marks(bits: int) -> list[str] | None:
    return [mark for at, mark in enumerate(_MARKS) if bits >> at & 1] or None


_ALL_MARKS = pa.array([_marks(bits) for bits in range(1 << len(_MARKS))], pa.list_(pa.string()))
_KINDS, _STATUSES = pa.array([*KINDS, KINDS[0]]), pa.array([*STATUSES, STATUSES[0]])


def _validity(valid: npt.NDArray[Any]) -> pa.Buffer | None:
    return None if valid.all() else pa.py_buffer(np.packbits(valid, bitorder="little"))


def _numbers(values: npt.NDArray[Any], kind: pa.DataType, unknown: int | None = None) -> pa.Array:
    plain = np.ascontiguousarray(values, kind.to_pandas_dtype() if pa.types.is_integer(kind) else np.int64)
    if plain is values or plain.base is not None:
        plain = plain.copy()
    validity = None if unknown is None else _validity(values != unknown)
    return pa.Array.from_buffers(kind, len(values), [validity, pa.py_buffer(plain)])


def _string(ends: npt.NDArray[Any], text: npt.NDArray[np.uint8], valid: npt.NDArray[Any] | None) -> pa.Array:
    validity = None if valid is None else _validity(valid)
    offsets, data = ends.astype(np.int32), text[: ends[-1]].tobytes()
    return pa.Array.from_buffers(
        pa.string(), len(ends) - 1, [validity, pa.py_buffer(offsets), pa.py_buffer(data)]
    )


def _text(table: Filled, column: int) -> pa.Array:
    return _string(*table.text(column))


def _id(table: Filled, column: int, width: int) -> pa.Array:
    return _string(np.arange(0, (table.count + 1) * width, width), *table.ids(column))


def _json(table: Filled) -> pa.Array:
    return _string(*table.json(), None)


def _words(values: npt.NDArray[np.int64], words: pa.Array) -> pa.Array:
    """Words of an enumeration that protobuf reads as 32 bits with a sign; the last for what it does not name."""
    last = len(words) - 1
    number = values & 0xFFFFFFFF
    return words.take(pa.array(np.where(number < last, number, last)))


def span_table(
    table: Filled, services: Sequence[str], resources: npt.NDArray[np.uint64], scopes: npt.NDArray[np.uint64]
) -> pa.Table:
    """SPAN_SCHEMA; services, resources and scopes are those of the groups that the rows name."""
    numbers = table.numbers
    group, marks = numbers(rows.GROUP), numbers(rows.MARKS)
    columns = {name: _text(table, at) for at, name in enumerate(rows.SPAN_TEXTS)}
    columns |= {
        "received_at": _numbers(numbers(rows.RECEIVED), pa.timestamp("ns")),
        "trace_id": _id(table, 0, 32),
        "span_id": _id(table, 1, 16),
        "parent_span_id": _id(table, 2, 16),
        "flags": _numbers(numbers(rows.FLAGS), pa.uint32()),
        "service": pa.array(services, pa.string()).take(pa.array(group)),
        "kind": _words(numbers(rows.KIND), _KINDS),
        "started_at": _numbers(numbers(rows.STARTED), pa.timestamp("ns"), 0),
        "ended_at": _numbers(numbers(rows.ENDED), pa.timestamp("ns"), 0),
        "status": _words(numbers(rows.STATUS), _STATUSES),
        "attributes": _json(table),
        "resource_id": pa.array(resources[group]),
        "scope_id": pa.array(scopes[group]),
        "dropped_attributes": _numbers(numbers(rows.DROPPED_ATTRIBUTES), pa.uint32()),
        "dropped_events": _numbers(numbers(rows.DROPPED_EVENTS), pa.uint32()),
        "dropped_links": _numbers(numbers(rows.DROPPED_LINKS), pa.uint32()),
        "partition": _numbers(numbers(rows.PARTITION), pa.int32(), -1),
        "message_offset": _numbers(numbers(rows.MESSAGE_OFFSET), pa.int64(), -1),
        "marks": _ALL_MARKS.take(pa.array(marks)) if marks.any() else pa.nulls(table.count, _ALL_MARKS.type),
    }
    return _arranged(columns, records.SPAN_SCHEMA)


def event_table(table: Filled, spans: pa.Table) -> pa.Table:
    """EVENT_SCHEMA, of these spans."""
    numbers = table.numbers
    columns = _of_span(numbers(rows.ROW), spans)
    columns |= {
        "position": _numbers(numbers(rows.POSITION), pa.uint16()),
        "occurred_at": _numbers(numbers(rows.OCCURRED), pa.timestamp("ns"), 0),
        "name": _text(table, 0),
        "attributes": _json(table),
    }
    return _arranged(columns, records.EVENT_SCHEMA)


def link_table(table: Filled, spans: pa.Table) -> pa.Table:
    """LINK_SCHEMA, of these spans."""
    numbers = table.numbers
    columns = _of_span(numbers(rows.ROW), spans)
    columns |= {name: _text(table, at) for at, name in enumerate(rows.LINK_TEXTS)}
    columns |= {
        "position": _numbers(numbers(rows.POSITION), pa.uint16()),
        "linked_trace_id": _id(table, 0, 32),
        "linked_span_id": _id(table, 1, 16),
        "flags": _numbers(numbers(rows.LINK_FLAGS), pa.uint32()),
        "partition": _numbers(numbers(rows.LINK_PARTITION), pa.int32(), -1),
        "message_offset": _numbers(numbers(rows.LINK_OFFSET), pa.int64(), -1),
        "attributes": _json(table),
    }
    return _arranged(columns, records.LINK_SCHEMA)


def _of_span(row: npt.NDArray[np.int64], spans: pa.Table) -> dict[str, pa.Array]:
    at = pa.array(row)
    return {name: spans.column(name).chunk(0).take(at) for name in ("received_at", "trace_id", "span_id")}


def _arranged(columns: dict[str, pa.Array], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_arrays([columns[name] for name in schema.names], schema=schema)
