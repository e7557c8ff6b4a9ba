"""Which span ids have been seen lately, without an object an id; compiled."""

from __future__ import annotations

import numpy as np

from .memory import Bool, Int, Ints, compiled, entry, load, store

SIZE = 1 << 18
"""Slots of a generation"""
HALF = 100_000
"""Ids of a generation: with the older one, as many as `columns.RecentIds` knows. A table is never half full."""
_COUNT, _NEWER = 2 * SIZE, 2 * SIZE + 1
_SPREAD = np.uint64(0x9E3779B97F4A7C15)


def new_recent() -> Ints:
    """Two generations, the number of ids in the newer one, and which that is."""
    return np.zeros(2 * SIZE + 2, np.int64)


@compiled
def _slot(recent: Int, first: Int, span: Int) -> Int:
    """Where an id lies in the table from `first` on, or would lie."""
    slot = np.int64(np.uint64(span) * _SPREAD >> np.uint64(40)) & (SIZE - 1)
    while load(recent, first + slot) != 0 and load(recent, first + slot) != span:
        slot = (slot + 1) & (SIZE - 1)
    return first + slot


@compiled
def was_seen(recent: Int, span: Int) -> Bool:
    """Whether this id, which is not zero, was here before; remembers it."""
    newer = load(recent, _NEWER) * SIZE
    slot = _slot(recent, newer, span)
    if load(recent, slot) == span:
        return True
    older = SIZE - newer
    if load(recent, _slot(recent, older, span)) == span:
        return True
    store(recent, slot, span)
    count = load(recent, _COUNT) + 1
    if count > HALF:
        count = np.int64(0)
        store(recent, _NEWER, older // SIZE)
        for at in range(older, older + SIZE):
            store(recent, at, 0)
    store(recent, _COUNT, count)
    return False


@entry
def seen(recent: Int, span: Int) -> Bool:
    """`was_seen` for one id at a time."""
    return was_seen(recent, span)
