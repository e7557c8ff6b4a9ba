"""Events, links and text columns of a span; compiled."""

from __future__ import annotations

import numpy as np

from headwater_collector.receivers.columns import MAX_NS

from . import promoted, rows
from .memory import Bool, Int, byte, compiled, load, put_byte, put_word, store, word
from .rows import (
    EVENTS,
    FILLED,
    HAS_ID,
    HAS_TEXT,
    IDS,
    JSON,
    JSON_ENDS,
    LINKS,
    NUMBERS,
    OPERATION,
    PART_MEMORY,
    ROWS,
    SPANS,
    TEXT,
    TEXT_BYTES,
    TEXT_ENDS,
)
from .text import KEEP, copy, hexed
from .values import NAMES_FOUND, attribute, begin, first_number, first_text
from .wire import fixed32, part, skip, tag


def _word(text: bytes) -> np.uint64:
    return np.uint64(int.from_bytes(text, "little"))


_PUBLISH, _SEND, _DELIVER, _PROCESS = map(_word, (b"publish", b"send", b"deliver", b"process"))
_EXCEPTIO = _word(b"exceptio")
_MAX_TIME = np.uint64(MAX_NS)
_MOST_PARTITION, _MOST_OFFSET = np.int64(2**31 - 1), np.int64(2**63 - 1)


@compiled
def put_text(start: Int, length: Int, present: Bool, space: Int, table: Int, column: Int) -> Bool:
    """Write a text, or NULL, into the row that is being filled; returns whether it is UTF-8."""
    row = load(space, FILLED[table])
    filled = FILLED[table] + 2 + column
    put_byte(space + HAS_TEXT[table] + column * ROWS[table] + row, np.int64(present))
    if present:
        if not copy(start, length, space + TEXT[table] + column * TEXT_BYTES + load(space, filled)):
            return False
        store(space, filled, load(space, filled) + length)
    store(space, TEXT_ENDS[table] + column * (ROWS[table] + 1) + row + 1, load(space, filled))
    return True


@compiled
def put_number(space: Int, table: Int, column: Int, value: Int) -> None:
    """Write a number into the row that is being filled."""
    store(space, NUMBERS[table] + column * ROWS[table] + load(space, FILLED[table]), value)


@compiled
def json_start(space: Int, table: Int) -> Int:
    """Where the JSON of the row that is being filled begins."""
    return space + JSON[table] + load(space, FILLED[table] + 1)


@compiled
def end_row(space: Int, table: Int, to: Int) -> None:
    """Close the JSON of a row that ends at `to`, and with it the row."""
    put_byte(to, 125)
    end = to + 1 - space - JSON[table]
    store(space, FILLED[table], load(space, FILLED[table]) + 1)
    store(space, FILLED[table] + 1, end)
    store(space, JSON_ENDS[table] + load(space, FILLED[table]), end)


@compiled
def time_or_zero(time: Int) -> Int:
    """A time that the store can hold; 0, which is unknown, for any other."""
    return np.int64(time) if time <= _MAX_TIME else np.int64(0)


@compiled
def _short_text(start: Int, length: Int) -> Int:
    """Text of up to seven bytes as a word; 0 for a longer one."""
    return word(start) & KEEP[length] if length < 8 else np.uint64(0)


@compiled
def put_promoted(memory: Int, space: Int, table: Int, column: Int, names: Int) -> Bool:
    """Write the text column of a promoted attribute; NULL where the list has no messaging attribute."""
    found = np.int64(-1)
    if load(space, memory + NAMES_FOUND) & promoted.MESSAGING:
        found = first_text(memory, space, names)
    if found < 0:
        return put_text(0, 0, False, space, table, column)
    return put_text(load(space, found), load(space, found + 1), True, space, table, column)


@compiled
def put_operation(memory: Int, space: Int) -> Bool:
    """Write the operation of a span, older words for it replaced."""
    found = first_text(memory, space, promoted.OPERATION)
    if found < 0:
        return put_text(0, 0, False, space, SPANS, OPERATION)
    start, length = load(space, found), load(space, found + 1)
    short = _short_text(start, length)
    if short != _PUBLISH and short != _DELIVER:
        return put_text(start, length, True, space, SPANS, OPERATION)
    put_text(start, length, True, space, SPANS, OPERATION)
    filled = FILLED[SPANS] + 2 + OPERATION
    end = load(space, filled)
    put_word(
        space + TEXT[SPANS] + OPERATION * TEXT_BYTES + end - length, _SEND if short == _PUBLISH else _PROCESS
    )
    if short == _PUBLISH:
        end -= 3  # send is shorter
        store(space, filled, end)
        store(space, TEXT_ENDS[SPANS] + OPERATION * (ROWS[SPANS] + 1) + load(space, FILLED[SPANS]) + 1, end)
    return True


@compiled
def put_partition_and_offset(memory: Int, space: Int, table: Int, partition: Int, offset: Int) -> None:
    """Write both numbers; -1 where they are not known."""
    known = load(space, memory + NAMES_FOUND) & promoted.MESSAGING != 0
    unknown = np.int64(-1)
    most = _MOST_PARTITION
    put_number(
        space,
        table,
        partition,
        first_number(memory, space, promoted.PARTITION, most) if known else unknown,
    )
    most = _MOST_OFFSET
    put_number(space, table, offset, first_number(memory, space, promoted.OFFSET, most) if known else unknown)


@compiled
def put_id(start: Int, length: Int, size: Int, space: Int, table: Int, column: Int) -> Bool:
    """Write an id into the row that is being filled; False, and NULL, where it is none."""
    row = load(space, FILLED[table])
    good = False
    if length == size:
        good = hexed(start, size, space + IDS[table] + column * ROWS[table] * 32 + row * size * 2)
    put_byte(space + HAS_ID[table] + column * ROWS[table] + row, np.int64(good))
    return good


@compiled
def put_row_and_position(space: Int, table: Int, row: Int) -> None:
    """Write which span an event or link is of, and which one of it."""
    filled = load(space, FILLED[table])
    position = np.int64(0)
    if filled > 0 and load(space, NUMBERS[table] + rows.ROW * ROWS[table] + filled - 1) == row:
        position = load(space, NUMBERS[table] + rows.POSITION * ROWS[table] + filled - 1) + 1
    put_number(space, table, rows.ROW, row)
    put_number(space, table, rows.POSITION, position)


@compiled
def put_event(at: Int, end: Int, row: Int, space: Int) -> tuple[Int, Int]:
    """Write an event of the span in this row; returns (start, length) of an exception's type.

    The start is -1 where it says none, the length -1 where the event is not taken.
    """
    time = np.uint64(0)
    name = name_size = np.int64(0)
    to = begin(PART_MEMORY, space, json_start(space, EVENTS))
    while at < end:
        key, at = tag(at, end)
        if at < 0:
            return np.int64(-1), np.int64(-1)
        if key == 0x09 and end - at >= 8:
            time = word(at)
            at += 8
        elif key == 0x12:
            name, stop = part(at, end)
            name_size, at = stop - name, stop
        elif key == 0x1A:
            start, at = part(at, end)
            if at >= 0:
                to = attribute(start, at, PART_MEMORY, space, to)
        else:
            at = skip(at, end, key & 7)
        if at < 0 or to < 0:
            return np.int64(-1), np.int64(-1)
    put_row_and_position(space, EVENTS, row)
    put_number(space, EVENTS, rows.OCCURRED, time_or_zero(time))
    if not put_text(name, name_size, True, space, EVENTS, 0):
        return np.int64(-1), np.int64(-1)
    end_row(space, EVENTS, to)
    found = first_text(PART_MEMORY, space, promoted.EXCEPTION)
    if found < 0 or name_size != 9 or word(name) != _EXCEPTIO or byte(name + 8) != 110:
        return np.int64(-1), np.int64(0)
    return load(space, found), load(space, found + 1)


@compiled
def put_link(at: Int, end: Int, row: Int, space: Int) -> Bool:
    """Write a link of the span in this row; returns whether it is taken."""
    trace = trace_size = span = span_size = state = state_size = flags = np.int64(0)
    to = begin(PART_MEMORY, space, json_start(space, LINKS))
    while at < end:
        key, at = tag(at, end)
        if at < 0:
            return False
        if key == 0x0A:
            trace, stop = part(at, end)
            trace_size, at = stop - trace, stop
        elif key == 0x12:
            span, stop = part(at, end)
            span_size, at = stop - span, stop
        elif key == 0x1A:
            state, stop = part(at, end)
            state_size, at = stop - state, stop
        elif key == 0x22:
            start, at = part(at, end)
            if at >= 0:
                to = attribute(start, at, PART_MEMORY, space, to)
        elif key == 0x35 and end - at >= 4:
            flags = fixed32(at)
            at += 4
        else:
            at = skip(at, end, key & 7)
        if at < 0 or to < 0:
            return False
    put_row_and_position(space, LINKS, row)
    put_number(space, LINKS, rows.LINK_FLAGS, flags)
    put_partition_and_offset(PART_MEMORY, space, LINKS, rows.LINK_PARTITION, rows.LINK_OFFSET)
    put_id(trace, trace_size, 16, space, LINKS, 0)
    put_id(span, span_size, 8, space, LINKS, 1)
    if not (
        put_text(state, state_size, state_size > 0, space, LINKS, 0)
        and put_promoted(PART_MEMORY, space, LINKS, 1, promoted.CLUSTER)
        and put_promoted(PART_MEMORY, space, LINKS, 2, promoted.TOPIC)
    ):
        return False
    end_row(space, LINKS, to)
    return True
