"""Headers that say where a retry or a dead letter comes from; readable without this package."""

import time
from typing import Any

from . import context as ctx
from . import headers as hdr
from .delivery import noted
from .propagation import TRACE_HEADERS
from .records import view


def mark_dead_letter(
    record: Any, error: BaseException | None = None, *, group: str | None = None, message: bool = False
) -> hdr.Headers:
    """Headers for a copy of ``record`` in a dead-letter topic: its own, and origin, group, attempts and error class.

    The text of the error is written only with ``message=True``, since it may hold data. Send the result yourself:
    ``await producer.send("orders-dlq", record.value, key=record.key, headers=mark_dead_letter(record, error))``.
    """
    record = view(record)
    return _marked(record, "dead-letter", _attempt(record), error, group, message)


def mark_retry(
    record: Any,
    *,
    delay: float = 0.0,
    error: BaseException | None = None,
    group: str | None = None,
    message: bool = False,
) -> hdr.Headers:
    """Headers for a copy of ``record`` in a retry topic, to be handled again in ``delay`` seconds at the earliest."""
    record = view(record)
    marked = _marked(record, "retry", _attempt(record) + 1, error, group, message)
    due = time.time_ns() // 1_000_000 + round(delay * 1000)
    return [*marked, (hdr.DUE_MS, str(due).encode())]


def _attempt(record: Any) -> int:
    return hdr.number(record.headers or (), hdr.ATTEMPT) or 1


def _marked(
    record: Any, role: str, attempt: int, error: BaseException | None, group: str | None, message: bool
) -> hdr.Headers:
    own = hdr.copied(record.headers)
    delivery = noted(record)
    group = (
        group or hdr.last(own, hdr.ORIGIN_GROUP) or (delivery.source.group if delivery is not None else None)
    )
    known = hdr.last(own, hdr.ORIGIN_TOPIC)
    origin = (
        known or record.topic,
        hdr.last(own, hdr.ORIGIN_PARTITION) if known else record.partition,
        hdr.last(own, hdr.ORIGIN_OFFSET) if known else record.offset,
    )
    values: list[tuple[str, Any]] = [
        (hdr.ROLE, role),
        (hdr.ORIGIN_TOPIC, origin[0]),
        (hdr.ORIGIN_PARTITION, origin[1]),
        (hdr.ORIGIN_OFFSET, origin[2]),
        (hdr.ORIGIN_GROUP, group),
        (hdr.ATTEMPT, attempt),
        (hdr.ERROR_TYPE, type(error).__qualname__ if error is not None else None),
        (hdr.ERROR_MESSAGE, str(error)[:1024] if error is not None and message else None),
    ]
    # The trace headers are the handled record's; the send writes its own. The lineage stays: it is the same event.
    kept = hdr.without(own, (*hdr.MARKS, *TRACE_HEADERS, ctx.NAME))
    lineage = [pair for pair in own if pair[0] == ctx.NAME][-1:]
    return [*kept, *lineage, *((name, str(value).encode()) for name, value in values if value is not None)]
