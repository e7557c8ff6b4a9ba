"""Which events the stored messages are of, in memory: a copy of a message is looked for only where there may be one.

Nearly every message is of an event of its own, and asking the store whether an id stood on another message would cost
more than storing it. So a Bloom filter answers "on none", or "perhaps on one that arrived between these two times";
the store then tells, and is read only there.
"""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]
Times = npt.NDArray[np.int64]

IDS = 1 << 18
"""In one segment: some thousand of the store's rows are read for a hit in it."""
SEGMENTS = 64
"""At most: 64 MiB. Of more messages than sixteen million the oldest have no copies any more."""
_BITS = 1 << 23
"""Of a segment, 32 an id: with 8 of them set, six of a million ids seem seen that were not."""
_SET = 8


@dataclass
class _Segment:
    """Ids of messages that arrived one after the other."""

    bits: npt.NDArray[np.uint8] = field(default_factory=lambda: np.zeros(_BITS // 8, np.uint8))
    ids: int = 0
    since: int = 2**63 - 1
    until: int = -(2**63)

    def add(self, hashes: Hashes, times: Times) -> None:
        for at in _positions(hashes):
            np.bitwise_or.at(self.bits, at >> 3, np.left_shift(1, at & 7).astype(np.uint8))
        self.ids += len(hashes)
        self.since, self.until = min(self.since, int(times.min())), max(self.until, int(times.max()))

    def holds(self, hashes: Hashes) -> npt.NDArray[np.bool_]:
        perhaps = np.arange(len(hashes))
        for number in range(_SET):
            at = _position(hashes[perhaps], number)
            perhaps = perhaps[(self.bits[at >> 3] >> (at & 7).astype(np.uint8)) & 1 == 1]
            if not len(perhaps):
                break
        found = np.zeros(len(hashes), np.bool_)
        found[perhaps] = True
        return found


def _position(hashes: Hashes, number: int) -> npt.NDArray[np.int64]:
    """The bit that an id sets as its first, second, …"""
    step = (hashes >> np.uint64(23)) | np.uint64(1)
    return ((hashes + np.uint64(number) * step) & np.uint64(_BITS - 1)).astype(np.int64)


def _positions(hashes: Hashes) -> Iterator[npt.NDArray[np.int64]]:
    return (_position(hashes, number) for number in range(_SET))


class SeenEvents:
    """Used by the writer's thread, and until it is filled by whoever fills it.

    What a transaction added stays when it is rolled back: that only costs.
    """

    def __init__(self) -> None:
        self._segments = [_Segment()]
        self._filling = threading.Lock()
        self.filled = False
        """What the store held when it was opened is in here."""

    def fill(self, rows: Iterable[tuple[Hashes, Times]]) -> None:
        """Takes in what was stored before, once; who comes while another does so waits, and reads no rows."""
        with self._filling:
            if self.filled:
                return
            self._segments = [_Segment()]
            for hashes, times in rows:
                self.add(hashes, times)
            self.filled = True

    def add(self, hashes: Hashes, times: Times) -> None:
        """Notes ids of messages with their times of arrival."""
        while len(hashes):
            if self._segments[-1].ids >= IDS:
                self._segments = [*self._segments[1 - SEGMENTS :], _Segment()]
            room = IDS - self._segments[-1].ids
            self._segments[-1].add(hashes[:room], times[:room])
            hashes, times = hashes[room:], times[room:]

    def where(self, hashes: Hashes) -> tuple[npt.NDArray[np.bool_], list[tuple[int, int]]]:
        """Which of the ids may have been seen, and between which times those messages arrived."""
        seen, between = np.zeros(len(hashes), np.bool_), []
        for segment in self._segments if len(hashes) else ():
            found = segment.holds(hashes)
            if found.any():
                seen |= found
                between.append((segment.since, segment.until))
        return seen, between
