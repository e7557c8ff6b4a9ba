"""Where the compiled decoder writes rows: one stretch of memory that is used again and again, copied out when full.

Everything lies at a fixed place in it, integers in front: so one address is all that compiled functions need.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .memory import Bytes, Ints
from .text import ROOM, ROOM_PER_BYTE

MAX_SPAN = 128 * 1024
"""Bytes of a span that is taken here: any such one has room in empty rows. The protobuf path takes larger ones."""
TEXT_BYTES = 4 << 20

SPANS, EVENTS, LINKS = map(np.int64, range(3))
"""Tables. Not Python's integers, for each of which a function would be compiled anew; likewise below."""
ROWS = (16_384, MAX_SPAN // 2, MAX_SPAN // 2)
"""Events and links: each needs two bytes of a span at least."""
JSON_BYTES = (24 << 20, 4 << 20, 4 << 20)
assert min(TEXT_BYTES, *JSON_BYTES) >= MAX_SPAN * ROOM_PER_BYTE + ROOM

RECEIVED, STARTED, ENDED, MESSAGE_OFFSET, PARTITION, FLAGS, GROUP, KIND, STATUS, MARKS = range(10)
DROPPED_ATTRIBUTES, DROPPED_EVENTS, DROPPED_LINKS = range(10, 13)
ROW, POSITION, OCCURRED = range(3)
LINK_FLAGS, LINK_PARTITION, LINK_OFFSET = range(2, 5)
_NUMBERS = (13, 3, 5)
"""Columns of numbers; -1 is NULL of offset and partition, 0 of times."""

SPAN_TEXTS = (
    "name",
    "trace_state",
    "status_message",
    "error_type",
    "cluster",
    "topic",
    "consumer_group",
    "operation",
    "event_id",
)
NAME, TRACE_STATE, MESSAGE, ERROR_TYPE, CLUSTER, TOPIC, CONSUMER_GROUP, OPERATION, EVENT_ID = range(9)
LINK_TEXTS = ("trace_state", "cluster", "topic")
TEXTS = (len(SPAN_TEXTS), 1, len(LINK_TEXTS))
"""Columns of text"""
_IDS = (3, 0, 2)
"""Columns of ids, 32 bytes of hex at most"""

MAX_KEYS = 128
"""Keys of one list of attributes: each is compared to those before it."""
MAX_DEPTH = 16
"""Levels of lists and maps within one value; the protobuf path reads deeper."""
MAX_NAMES = 32
"""Names of `promoted`, at most"""


def _laid(sizes: list[int]) -> tuple[tuple[int, ...], int]:
    ends = np.cumsum([0, *sizes]).tolist()
    return tuple(ends[:-1]), ends[-1]


_TABLES = (SPANS, EVENTS, LINKS)
_starts, _INTS = _laid(
    [
        *(ROWS[t] * _NUMBERS[t] for t in _TABLES),
        *((ROWS[t] + 1) * TEXTS[t] for t in _TABLES),
        *(ROWS[t] + 1 for t in _TABLES),
        *(2 + TEXTS[t] for t in _TABLES),
        *(2 + TEXTS[t] for t in _TABLES),
        *(MAX_KEYS * 2 + MAX_DEPTH * 4 + MAX_NAMES * 2 + 3 for _ in range(2)),
    ]
)
NUMBERS, TEXT_ENDS, JSON_ENDS, FILLED, KEPT = (_starts[at : at + 3] for at in range(0, 15, 3))
"""Integers from the beginning: numbers column by column; where texts and JSON end, that of row 0 at 1; how many rows,
bytes of JSON and bytes of each text column there are; the same after the last span that was taken whole."""
MEMORY, PART_MEMORY = map(np.int64, _starts[15:])
"""Likewise, of what `values` remembers of one list: of a span, and of an event or link."""
_starts, _BYTES = _laid(
    [
        *(ROWS[t] * 32 * _IDS[t] for t in _TABLES),
        *(ROWS[t] * _IDS[t] for t in _TABLES),
        *(ROWS[t] * TEXTS[t] for t in _TABLES),
        *(TEXT_BYTES * TEXTS[t] for t in _TABLES),
        *JSON_BYTES,
    ]
)
IDS, HAS_ID, HAS_TEXT, TEXT, JSON = (
    tuple(_INTS * 8 + start for start in _starts[at : at + 3]) for at in range(0, 15, 3)
)
"""Bytes from the beginning: hex of ids, whether each is there, whether each text is, texts, JSON."""


class Space:
    """Room for rows of all three tables; memory that is never written to is never taken."""

    def __init__(self) -> None:
        self.bytes: Bytes = np.zeros(_INTS * 8 + _BYTES, np.uint8)
        self.ints: Ints = self.bytes[: _INTS * 8].view(np.int64)
        self.address = self.bytes.ctypes.data

    def empty(self) -> None:
        """Begin anew."""
        for t in _TABLES:
            self.ints[FILLED[t] : FILLED[t] + 2 + TEXTS[t]] = 0
            self.ints[KEPT[t] : KEPT[t] + 2 + TEXTS[t]] = 0


@dataclass(frozen=True)
class Filled:
    """The rows of one table, for Python to look at."""

    space: Space
    table: np.int64

    @property
    def count(self) -> int:
        """Rows"""
        return int(self.space.ints[FILLED[self.table]])

    def numbers(self, column: int) -> Ints:
        """A column of numbers"""
        start = NUMBERS[self.table] + column * ROWS[self.table]
        return self.space.ints[start : start + self.count]

    def text(self, column: int) -> tuple[Ints, Bytes, Bytes]:
        """(start and ends, bytes, which rows have one) of a column of text"""
        ends = TEXT_ENDS[self.table] + column * (ROWS[self.table] + 1)
        has = HAS_TEXT[self.table] + column * ROWS[self.table]
        return (
            self.space.ints[ends : ends + self.count + 1],
            self.space.bytes[TEXT[self.table] + column * TEXT_BYTES :],
            self.space.bytes[has : has + self.count],
        )

    def json(self) -> tuple[Ints, Bytes]:
        """(start and ends, bytes) of the attributes"""
        ends = JSON_ENDS[self.table]
        return self.space.ints[ends : ends + self.count + 1], self.space.bytes[JSON[self.table] :]

    def ids(self, column: int) -> tuple[Bytes, Bytes]:
        """(bytes, which rows have one) of a column of ids"""
        has = HAS_ID[self.table] + column * ROWS[self.table]
        return self.space.bytes[IDS[self.table] + column * ROWS[self.table] * 32 :], self.space.bytes[
            has : has + self.count
        ]
