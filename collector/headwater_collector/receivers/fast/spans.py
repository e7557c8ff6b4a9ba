"""Spans to rows: one function reads a span, and a span that it does not take leaves nothing behind; compiled."""

from __future__ import annotations

import numpy as np

from headwater_collector.receivers.columns import FAR_FUTURE_NS, FAR_PAST_NS

from . import promoted, rows
from .memory import Bool, Int, Ints, compiled, entry, get, load, store, word
from .parts import (
    end_row,
    json_start,
    put_event,
    put_id,
    put_link,
    put_number,
    put_operation,
    put_partition_and_offset,
    put_promoted,
    put_text,
    time_or_zero,
)
from .recent import was_seen
from .rows import FILLED, JSON_BYTES, KEPT, MAX_SPAN, MEMORY, NUMBERS, ROWS, SPANS, TEXT_BYTES, TEXTS
from .text import ROOM, ROOM_PER_BYTE
from .values import any_text, attribute, begin
from .wire import fixed32, part, skip, tag, varint

DONE, FULL, NOT_TAKEN = 0, 1, 2
NO_TIME, ENDS_BEFORE_START, FAR_FUTURE, FAR_PAST, REPEATED_ID = 1, 2, 4, 8, 16
_ERROR_TYPE = int(promoted.FIRST[promoted.ERROR])
_NEVER = np.uint64(0)
_PROMOTED = (
    (rows.CLUSTER, promoted.CLUSTER),
    (rows.TOPIC, promoted.TOPIC),
    (rows.CONSUMER_GROUP, promoted.GROUP),
    (rows.EVENT_ID, promoted.EVENT),
)


@entry
def scan(
    spans: Ints,
    first: Int,
    received: Ints,
    space: Int,
    recent: Int,
) -> tuple[Int, Int]:
    """Read spans from the `first` on; returns the one it stopped at, and why."""
    number = first
    while number < len(spans):
        start, end = spans[number, 0], spans[number, 1]
        size = end - start
        if size > MAX_SPAN:
            return number, NOT_TAKEN
        for table in range(3):
            if not _has_room(space, table, size, 1 if table == SPANS else size // 2):
                return number, FULL
        put_number(space, SPANS, rows.GROUP, spans[number, 2])
        put_number(space, SPANS, rows.RECEIVED, received[spans[number, 3]])
        if not _span(start, end, space, recent):
            _copy_counts(space, KEPT, FILLED)
            return number, NOT_TAKEN
        _copy_counts(space, FILLED, KEPT)
        number += 1
    return number, DONE


@compiled
def _copy_counts(space: Int, source: tuple[int, ...], target: tuple[int, ...]) -> None:
    for table in range(3):
        for at in range(2 + TEXTS[table]):
            store(space, target[table] + at, load(space, source[table] + at))


@compiled
def _has_room(space: Int, table: Int, size: Int, most_rows: Int) -> Bool:
    """Whether a span of so many bytes fits, whatever it holds."""
    filled = FILLED[table]
    if (
        load(space, filled) + most_rows > ROWS[table]
        or load(space, filled + 1) + size * ROOM_PER_BYTE + ROOM > JSON_BYTES[table]
    ):
        return False
    for column in range(TEXTS[table]):
        if load(space, filled + 2 + column) + size + ROOM > TEXT_BYTES:
            return False
    return True


@compiled
def _span(at: Int, end: Int, space: Int, recent: Int) -> Bool:
    """Write the span in byte(at:end); False for one that is malformed, refused or unusual."""
    row = load(space, FILLED[SPANS])
    kind = flags = dropped_attributes = dropped_events = dropped_links = np.int64(0)
    trace = span = parent = state = name = status = np.int64(0)
    trace_size = span_size = parent_size = state_size = name_size = status_end = np.int64(0)
    started = ended = np.uint64(0)
    exception = exception_size = np.int64(-1)
    to = begin(MEMORY, space, json_start(space, SPANS))
    while at < end:
        key, at = tag(at, end)
        if at < 0:
            return False
        if key & 7 == 2 and key < 128:
            start, at = part(at, end)
            if at < 0:
                return False
            if key == 0x4A:
                to = attribute(start, at, MEMORY, space, to)
                if to < 0:
                    return False
            elif key == 0x0A:
                trace, trace_size = start, at - start
            elif key == 0x12:
                span, span_size = start, at - start
            elif key == 0x1A:
                state, state_size = start, at - start
            elif key == 0x22:
                parent, parent_size = start, at - start
            elif key == 0x2A:
                name, name_size = start, at - start
            elif key == 0x7A:
                status, status_end = start, at
            elif key == 0x5A:
                found, size = put_event(start, at, row, space)
                if size < 0:
                    return False
                if exception < 0 and found >= 0:
                    exception, exception_size = found, size
            elif key == 0x6A:
                if not put_link(start, at, row, space):
                    return False
        elif key == 0x39 and end - at >= 8:
            started = word(at)
            at += 8
        elif key == 0x41 and end - at >= 8:
            ended = word(at)
            at += 8
        elif key == 0x30:
            kind, at = varint(at, end)
        elif key == 0x50:
            dropped_attributes, at = varint(at, end)
        elif key == 0x60:
            dropped_events, at = varint(at, end)
        elif key == 0x70:
            dropped_links, at = varint(at, end)
        elif key == 0x85 and end - at >= 4:
            flags = fixed32(at)
            at += 4
        else:
            at = skip(at, end, key & 7)
        if at < 0:
            return False
    if not put_id(trace, trace_size, 16, space, SPANS, 0):
        return False
    if not put_id(span, span_size, 8, space, SPANS, 1):
        return False
    if parent_size != 0 and parent_size != 8:
        return False
    put_id(parent, parent_size, 8, space, SPANS, 2)
    found = any_text(MEMORY, space, _ERROR_TYPE)
    if found >= 0:
        exception, exception_size = load(space, found), load(space, found + 1)
    if not (
        put_text(name, name_size, True, space, SPANS, rows.NAME)
        and put_text(state, state_size, state_size > 0, space, SPANS, rows.TRACE_STATE)
        and put_text(exception, exception_size, exception >= 0, space, SPANS, rows.ERROR_TYPE)
        and _put_status(status, status_end, space)
        and put_operation(MEMORY, space)
    ):
        return False
    for column, names in _PROMOTED:
        if not put_promoted(MEMORY, space, SPANS, column, names):
            return False
    put_partition_and_offset(MEMORY, space, SPANS, rows.PARTITION, rows.MESSAGE_OFFSET)
    put_number(space, SPANS, rows.KIND, kind)
    put_number(space, SPANS, rows.FLAGS, flags)
    put_number(space, SPANS, rows.DROPPED_ATTRIBUTES, dropped_attributes)
    put_number(space, SPANS, rows.DROPPED_EVENTS, dropped_events)
    put_number(space, SPANS, rows.DROPPED_LINKS, dropped_links)
    put_number(space, SPANS, rows.STARTED, time_or_zero(started))
    put_number(space, SPANS, rows.ENDED, time_or_zero(ended))
    marks = _time_marks(started, ended, load(space, NUMBERS[SPANS] + rows.RECEIVED * ROWS[SPANS] + row))
    if was_seen(recent, get(span)):
        marks |= REPEATED_ID
    put_number(space, SPANS, rows.MARKS, marks)
    end_row(space, SPANS, to)
    return True


@compiled
def _put_status(at: Int, end: Int, space: Int) -> Bool:
    message = size = code = np.int64(0)
    while at < end:
        key, at = tag(at, end)
        if at < 0:
            return False
        if key == 0x12:
            message, stop = part(at, end)
            size, at = stop - message, stop
        elif key == 0x18:
            code, at = varint(at, end)
        else:
            at = skip(at, end, key & 7)
        if at < 0:
            return False
    put_number(space, SPANS, rows.STATUS, code)
    return put_text(message, size, size > 0, space, SPANS, rows.MESSAGE)


@compiled
def _time_marks(start: Int, end: Int, received: Int) -> Int:
    """Bits of what `columns` says of these times; `received` is more than FAR_PAST_NS."""
    latest = max(start, end)
    marks = 0
    if start == _NEVER or end == _NEVER:
        marks = NO_TIME
    elif end < start:
        marks = ENDS_BEFORE_START
    if latest >= np.uint64(received + FAR_FUTURE_NS):
        return marks | FAR_FUTURE
    if latest > _NEVER:
        earliest = min(start, end) if start != _NEVER and end != _NEVER else latest
        if earliest <= np.uint64(received - FAR_PAST_NS):
            marks |= FAR_PAST
    return marks
