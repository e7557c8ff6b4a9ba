"""Attributes to JSON text in one pass over their bytes; compiled.

Taken: keys and values in their usual order, each once; lists and maps to a bounded depth; keys without
repetition. What is not taken is -1, and the whole span goes to the protobuf path.
"""

from __future__ import annotations

import numpy as np

from .doubles import double
from .memory import Bool, Int, byte, compiled, load, put_byte, store, word
from .promoted import FIRST, NAMES, SYSTEM, decimal, is_number, which
from .rows import MAX_DEPTH, MAX_KEYS, MAX_NAMES
from .text import base64, integer, put_bytes, quoted, same
from .wire import part, varint

_SYSTEM = int(FIRST[SYSTEM])
_NESTED = np.int64(-2)
_LEVELS = MAX_KEYS * 2
_FOUND = _LEVELS + MAX_DEPTH * 4
_COUNT = _FOUND + MAX_NAMES * 2
_HASHES, NAMES_FOUND = _COUNT + 1, _COUNT + 2
"""Places in a memory: (start, length) of each key; (position, end, is it a map, first of its keys) of each list or
map that is open; (start or number, length) of each promoted name; number of keys, bits of their hashes, bits of the
names found."""
assert NAMES <= MAX_NAMES


@compiled
def _store_both(space: Int, place: Int, first: Int, second: Int) -> None:
    store(space, place, first)
    store(space, place + 1, second)


@compiled
def begin(memory: Int, space: Int, to: Int) -> Int:
    """Open a list of attributes at `to`; returns the next position."""
    store(space, memory + _COUNT, 0)
    store(space, memory + _HASHES, 0)
    store(space, memory + NAMES_FOUND, 0)
    put_byte(to, 123)
    return to + 1


@compiled
def attribute(at: Int, end: Int, memory: Int, space: Int, to: Int) -> Int:
    """Write one KeyValue, and note it where it becomes a column; returns the next position or -1."""
    key, key_end, start = _key(at, end)
    if key < 0:
        return np.int64(-1)
    length = key_end - key
    count = load(space, memory + _COUNT)
    last = np.int64(byte(key_end - 1)) if length > 0 else np.int64(0)
    bit = np.int64(1) << ((length * 7 + last) & 63)
    if load(space, memory + _HASHES) & bit and not _is_new(key, length, memory, space, 0):
        return np.int64(-1)
    if count == MAX_KEYS:
        return np.int64(-1)
    store(space, memory + _HASHES, load(space, memory + _HASHES) | bit)
    _store_both(space, memory + count * 2, key, length)
    store(space, memory + _COUNT, count + 1)
    if count > 0:
        put_byte(to, 44)
        to += 1
    to = quoted(key, length, to)
    if to < 0:
        return np.int64(-1)
    put_byte(to, 58)
    number = which(key, length)
    if number >= 0 and not _note(start, end, number, memory, space):
        return np.int64(-1)
    return value(start, end, memory, space, to + 1)


@compiled
def _key(at: Int, end: Int) -> tuple[Int, Int, Int]:
    """(start and end of the key, start of the value) of a KeyValue, the value up to `end`; -1 for any other."""
    key = key_end = at
    if at < end and byte(at) == 0x0A:
        key, key_end = part(at + 1, end)
        if key < 0:
            return key, key, key
        at = key_end
    if at < end:
        if byte(at) != 0x12:
            return np.int64(-1), at, at
        at, stop = part(at + 1, end)
        if stop != end:
            return np.int64(-1), at, at
    return key, key_end, at


@compiled
def _is_new(key: Int, length: Int, memory: Int, space: Int, first: Int) -> Bool:
    for number in range(first, load(space, memory + _COUNT)):
        if load(space, memory + number * 2 + 1) == length and same(
            load(space, memory + number * 2), key, length
        ):
            return False
    return True


@compiled
def _note(start: Int, end: Int, number: Int, memory: Int, space: Int) -> Bool:
    """Note a value that becomes a column; False for one of another type than is usual."""
    store(space, memory + NAMES_FOUND, load(space, memory + NAMES_FOUND) | np.int64(1) << number)
    if number == _SYSTEM:
        return True
    if start == end:
        return False
    found = memory + _FOUND + number * 2
    if byte(start) == 0x0A:
        text, stop = part(start + 1, end)
        if stop != end:
            return False
        _store_both(space, found, text, stop - text)
        if is_number(number):
            store(space, found, decimal(text, stop - text))
            return bool(load(space, found) >= 0)
        return True
    if byte(start) == 0x18 and is_number(number):
        number_given, stop = varint(start + 1, end)
        store(space, found, number_given)
        return bool(stop == end)
    return False


@compiled
def value(start: Int, end: Int, memory: Int, space: Int, to: Int) -> Int:
    """Write an AnyValue; returns the next position or -1."""
    keys = load(space, memory + _COUNT)
    depth = 0
    at = start
    while True:
        done = _single(at, end, to)
        if done == _NESTED:
            if depth == MAX_DEPTH or not _open(at, end, memory, depth, space, to):
                break
            depth += 1
            done = to + 1
        if done < 0:
            break
        to = done
        while depth > 0 and _is_at_end(memory, space, depth - 1):
            depth -= 1
            put_byte(to, 125 if load(space, memory + _LEVELS + depth * 4 + 2) else 93)
            to += 1
            store(space, memory + _COUNT, load(space, memory + _LEVELS + depth * 4 + 3))
        if depth == 0:
            store(space, memory + _COUNT, keys)
            return to
        at, end, to = _next(memory, depth - 1, space, to)
        if to < 0:
            break
    store(space, memory + _COUNT, keys)
    return np.int64(-1)


@compiled
def _is_at_end(memory: Int, space: Int, depth: Int) -> Bool:
    level = memory + _LEVELS + depth * 4
    return bool(load(space, level) == load(space, level + 1))


@compiled
def _open(start: Int, end: Int, memory: Int, depth: Int, space: Int, to: Int) -> Bool:
    inner, stop = part(start + 1, end)
    if stop != end:
        return False
    level = memory + _LEVELS + depth * 4
    _store_both(space, level, inner, stop)
    store(space, level + 2, 1 if byte(start) == 0x32 else 0)
    store(space, level + 3, load(space, memory + _COUNT))
    put_byte(to, 123 if load(space, level + 2) else 91)
    return True


@compiled
def _next(memory: Int, depth: Int, space: Int, to: Int) -> tuple[Int, Int, Int]:
    """(start, end) of the next value of a list or map, and the position to write it at; -1 for none to take."""
    level = memory + _LEVELS + depth * 4
    at, end = load(space, level), load(space, level + 1)
    if byte(at) != 0x0A:
        return at, end, np.int64(-1)
    start, stop = part(at + 1, end)
    if start < 0:
        return at, end, np.int64(-1)
    store(space, level, stop)
    if byte(to - 1) != 91 and byte(to - 1) != 123:
        put_byte(to, 44)
        to += 1
    if not load(space, level + 2):
        return start, stop, to
    key, key_end, start = _key(start, stop)
    count = load(space, memory + _COUNT)
    if key < 0 or count == MAX_KEYS or not _is_new(key, key_end - key, memory, space, load(space, level + 3)):
        return at, end, np.int64(-1)
    _store_both(space, memory + count * 2, key, key_end - key)
    store(space, memory + _COUNT, count + 1)
    to = quoted(key, key_end - key, to)
    if to >= 0:
        put_byte(to, 58)
        to += 1
    return start, stop, to


@compiled
def _single(start: Int, end: Int, to: Int) -> Int:
    """Write a value that is no list and no map; -2 for these."""
    if start == end:
        return put_bytes(to, 0x6C6C756E, 4)  # null
    kind = byte(start)
    if kind == 0x0A:
        text, stop = part(start + 1, end)
        return quoted(text, stop - text, to) if stop == end else np.int64(-1)
    if kind == 0x18:
        number, stop = varint(start + 1, end)
        return integer(number, to) if stop == end else np.int64(-1)
    if kind == 0x21:
        return double(word(start + 1), to) if end - start == 9 else np.int64(-1)
    if kind == 0x10:
        number, stop = varint(start + 1, end)
        if stop != end:
            return np.int64(-1)
        if number != 0:
            return put_bytes(to, 0x65757274, 4)  # true
        return put_bytes(to, 0x65736C6166, 5)  # false
    if kind == 0x3A:
        data, stop = part(start + 1, end)
        return base64(data, stop, to) if stop == end else np.int64(-1)
    return _NESTED if kind == 0x2A or kind == 0x32 else np.int64(-1)


@compiled
def first_text(memory: Int, space: Int, column: Int) -> Int:
    """Place of the first name of a column that has a text with something in it: (start, length); -1 for none."""
    for number in range(FIRST[column], FIRST[column + 1]):
        found = memory + _FOUND + number * 2
        if load(space, memory + NAMES_FOUND) >> number & 1 and load(space, found + 1) > 0:
            return np.int64(found)
    return np.int64(-1)


@compiled
def any_text(memory: Int, space: Int, number: Int) -> Int:
    """Place of a name's text, be it empty; -1 where the name was not there."""
    if load(space, memory + NAMES_FOUND) >> number & 1:
        return np.int64(memory + _FOUND + number * 2)
    return np.int64(-1)


@compiled
def first_number(memory: Int, space: Int, column: Int, limit: Int) -> Int:
    """The first number of a column within 0 and `limit`; -1 for none."""
    for number in range(FIRST[column], FIRST[column + 1]):
        value = load(space, memory + _FOUND + number * 2)
        if load(space, memory + NAMES_FOUND) >> number & 1 and 0 <= value <= limit:
            return value
    return np.int64(-1)
