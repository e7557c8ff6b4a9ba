"""Attributes that become columns: known by their bytes, noted while a list is read; compiled.

The names and their order are those of `attributes.py`; here is how they are found without an object.
"""

from __future__ import annotations

import numpy as np

from headwater_collector.receivers import attributes as names

from .memory import Bool, Int, Ints, Words, byte, compiled, word
from .text import KEEP

TOPIC, PARTITION, OFFSET, GROUP, OPERATION, CLUSTER, EVENT, ERROR, EXCEPTION, SYSTEM = range(10)
_COLUMNS = (
    names.TOPIC,
    names.PARTITION,
    names.OFFSET,
    names.GROUP,
    names.OPERATION,
    names.CLUSTER,
    (names.EVENT_ID,),
    (names.ERROR_TYPE,),
    (names.EXCEPTION_TYPE,),
    (names.SYSTEM,),
)
_ALL = tuple(name.encode() for column in _COLUMNS for name in column)
NAMES = len(_ALL)
FIRST: Ints = np.cumsum([0, *map(len, _COLUMNS)]).astype(np.int64)
"""Where a column's names begin among all of them, the one that counts first in front."""
MESSAGING = np.int64(sum(1 << at for at, name in enumerate(_ALL) if name.decode() in names.MESSAGING))
"""Bits of the names without which nothing is promoted."""

_SLOTS = 1024
_WORDS = 5
_LENGTHS: Ints = np.array([len(name) for name in _ALL], np.int64)
_TEXTS: Words = np.array([np.frombuffer(name.ljust(_WORDS * 8, b"\0"), "<u8") for name in _ALL], np.uint64)


def _slot_of(length: Int, middle: Int, later: Int, last: Int) -> Int:
    return (length * 61 + middle * 13 + later * 5 + last) & (_SLOTS - 1)


def _slots() -> Ints:
    slots = np.full(_SLOTS, -1, np.int64)
    for number, name in enumerate(_ALL):
        slot = _slot_of(len(name), name[len(name) // 2], name[len(name) * 3 // 4], name[-1])
        if slots[slot] >= 0:
            raise AssertionError(f"{name!r} needs another hash")
        slots[slot] = number
    return slots


_BY_SLOT = _slots()
_slot = compiled(_slot_of)
_FIRST_NUMBER, _LAST_NUMBER = int(FIRST[PARTITION]), int(FIRST[OFFSET + 1])


@compiled
def which(start: Int, length: Int) -> Int:
    """Number of the name at `start`; -1 for any other."""
    if length == 0 or length > _WORDS * 8:
        return np.int64(-1)
    number = _BY_SLOT[
        _slot(
            length,
            byte(start + length // 2),
            byte(start + length * 3 // 4),
            byte(start + length - 1),
        )
    ]
    if number < 0 or _LENGTHS[number] != length:
        return np.int64(-1)
    words = length // 8
    for number_of_word in range(words):
        if word(start + number_of_word * 8) != _TEXTS[number, number_of_word]:
            return np.int64(-1)
    rest = length - words * 8
    if rest > 0 and word(start + words * 8) & KEEP[rest] != _TEXTS[number, words]:
        return np.int64(-1)
    return number


@compiled
def is_number(number: Int) -> Bool:
    """Whether the name stands for a whole number."""
    return _FIRST_NUMBER <= number < _LAST_NUMBER


@compiled
def decimal(start: Int, length: Int) -> Int:
    """The number that up to 18 digits say; -1 for any other text."""
    if length == 0 or length > 18:
        return np.int64(-1)
    value = np.int64(0)
    for at in range(start, start + length):
        digit = byte(at) - 48
        if digit < 0 or digit > 9:
            return np.int64(-1)
        value = value * 10 + digit
    return value
