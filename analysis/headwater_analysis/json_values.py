"""Arrow columns as JSON values: whole numbers and times keep every digit, structures stay structures.

A whole number beyond 64 bits and a time at infinity are text, since JSON readers would change or refuse them.
"""

import base64
import datetime
import decimal
import math
from collections.abc import Callable
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

_SMALLEST, _LARGEST = -(1 << 63), (1 << 64) - 1
_INFINITIES = {(1 << 63) - 1: "infinity", -(1 << 63) + 1: "-infinity"}
"""How DuckDB stores times at infinity."""


def column_values(column: pa.ChunkedArray, kind: str) -> list[Any]:
    """The values of a column; ``kind`` is DuckDB's name of its type."""
    values = [value for chunk in column.chunks for value in _values(chunk)]
    return [None if value is None else _parsed(value) for value in values] if kind == "JSON" else values


def _values(array: Any) -> list[Any]:
    kind = array.type
    if pa.types.is_timestamp(kind):
        return _times(array)
    if pa.types.is_struct(kind):
        return _structures(array)
    if pa.types.is_map(kind):
        return _maps(array)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return _lists(array)
    values = array.to_pylist()
    if (pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_string(kind)) or kind == _TEXT:
        return list(values)
    return [_plain(value) for value in values]


_TEXT = pa.large_string()


def _lists(array: Any) -> list[Any]:
    flat = _values(array.flatten())
    result: list[Any] = []
    start = 0
    for length in pc.list_value_length(array).to_pylist():
        if length is None:
            result.append(None)
            continue
        result.append(flat[start : start + length])
        start += length
    return result


def _structures(array: Any) -> list[Any]:
    names = [array.type.field(i).name for i in range(array.type.num_fields)]
    rows = zip(*(_values(child) for child in array.flatten()), strict=True)
    valid = array.is_valid().to_pylist()
    return [dict(zip(names, row, strict=True)) if ok else None for row, ok in zip(rows, valid, strict=True)]


def _maps(array: Any) -> list[Any]:
    # Keys and items are those of all entries; the offsets say which are this array's.
    keys, items, offsets = _values(array.keys), _values(array.items), array.offsets.to_pylist()
    bounds = zip(offsets[:-1], offsets[1:], array.is_valid().to_pylist(), strict=True)
    return [
        dict(zip(map(str, keys[first:last]), items[first:last], strict=True)) if ok else None
        for first, last, ok in bounds
    ]


def _times(array: Any) -> list[str | None]:
    # Python's own datetime has no nanoseconds, so the text is made by Arrow.
    plain = array.cast(pa.timestamp(array.type.unit))
    numbers = plain.cast(pa.int64())
    ordinary = pc.invert(pc.is_in(numbers, pa.array(list(_INFINITIES), pa.int64())))
    texts = pc.strftime(pc.if_else(ordinary, plain, None), "%Y-%m-%dT%H:%M:%S").to_pylist()
    return [
        f"{text}Z" if text is not None else _INFINITIES.get(number)
        for text, number in zip(texts, numbers.to_pylist(), strict=True)
    ]


def _parsed(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def _plain(value: Any) -> Any:
    for kinds, convert in _CONVERSIONS:
        if isinstance(value, kinds):
            return convert(value)
    return value


def _decimal(value: decimal.Decimal) -> int | float | str:
    if value != value.to_integral_value():
        return float(value)
    whole = int(value)
    return whole if _SMALLEST <= whole <= _LARGEST else str(whole)


def _interval(value: Any) -> float | str:
    months, days, nanoseconds = value
    if months:
        return f"P{months}M{days}DT{nanoseconds / 1e9:g}S"
    return float(days * 86_400 + nanoseconds / 1e9)


_CONVERSIONS: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (bool, lambda value: value),
    (pa.MonthDayNano, _interval),
    (float, lambda value: value if math.isfinite(value) else None),
    (decimal.Decimal, _decimal),
    ((datetime.date, datetime.time), lambda value: value.isoformat()),
    (datetime.timedelta, lambda value: value.total_seconds()),
    (bytes, lambda value: base64.b64encode(value).decode()),
    (dict, lambda value: {str(key): _plain(one) for key, one in value.items()}),
    (list | tuple, lambda value: [_plain(one) for one in value]),
    (str | int, lambda value: value),
    (type(None), lambda value: value),
    (object, str),
)
