"""Arrow columns as JSON values: nothing loses digits, and nothing is text that could be a value."""

import base64
import datetime
import decimal
import math
from collections.abc import Callable
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc


def column_values(column: pa.ChunkedArray, kind: str) -> list[Any]:
    """The values of a column; ``kind`` is DuckDB's name of its type."""
    return _values(column, kind == "JSON")


def _values(column: Any, is_json: bool = False) -> list[Any]:
    kind = column.type
    if pa.types.is_timestamp(kind):
        return _times(column)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return [None if one is None else _list(one, kind.value_type) for one in column]
    if pa.types.is_struct(kind) or pa.types.is_map(kind):
        return [_plain(one) for one in column.to_pylist()]
    values = column.to_pylist()
    if is_json:
        return [None if value is None else _parsed(value) for value in values]
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_string(kind):
        return list(values)
    return [_plain(value) for value in values]


def _list(one: Any, kind: pa.DataType) -> list[Any] | None:
    if not one.is_valid:
        return None
    if pa.types.is_timestamp(kind) or pa.types.is_nested(kind):
        return _values(one.values)
    return [_plain(value) for value in one.as_py()]


def _times(column: Any) -> list[str | None]:
    # Python's own datetime has no nanoseconds, so the text is made by Arrow.
    plain = column.cast(pa.timestamp(column.type.unit))
    return [
        None if text is None else f"{text}Z" for text in pc.strftime(plain, "%Y-%m-%dT%H:%M:%S").to_pylist()
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


def _decimal(value: decimal.Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


def _interval(value: Any) -> float | str:
    months, days, nanoseconds = value
    if months:
        return f"P{months}M{days}DT{nanoseconds / 1e9:g}S"
    return float(days * 86_400 + nanoseconds / 1e9)


def _datetime(value: datetime.datetime) -> str:
    if value.tzinfo is not None:
        value = value.astimezone(datetime.UTC).replace(tzinfo=None)
    return f"{value.isoformat()}Z"


_CONVERSIONS: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (bool, lambda value: value),
    (pa.MonthDayNano, _interval),
    (float, lambda value: value if math.isfinite(value) else None),
    (decimal.Decimal, _decimal),
    (datetime.datetime, _datetime),
    ((datetime.date, datetime.time), lambda value: value.isoformat()),
    (datetime.timedelta, lambda value: value.total_seconds()),
    (bytes, lambda value: base64.b64encode(value).decode()),
    (dict, lambda value: {str(key): _plain(one) for key, one in value.items()}),
    (list | tuple, lambda value: [_plain(one) for one in value]),
    (str | int, lambda value: value),
    (type(None), lambda value: value),
    (object, str),
)
