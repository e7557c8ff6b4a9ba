"""Rates that one odd sample cannot bend: the Theil-Sen slope and its interval (Sen 1968), of many lines at once."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Lines = npt.NDArray[np.intp]

MOST_POINTS = 12
"""Points that a rate rests on: evenly chosen from more, so that it costs the same for every window."""
_Z95 = 1.96
_BLOCK = 2000


class Slope(NamedTuple):
    """Units per second."""

    low: float
    """Lower bound of the 95 % interval."""
    middle: float
    high: float


def theil_sen(at: Floats, value: Floats) -> Floats:
    """The median of the slopes between all pairs of moments, and its interval: low, middle, high by line.

    A line a row, with as many moments in each, at least two, and no moment twice.
    """
    n = at.shape[1]
    before, after = _pairs(n)
    slopes = (value[:, after] - value[:, before]) / (at[:, after] - at[:, before])
    slopes.sort(axis=1)
    count = slopes.shape[1]
    spread = float(_Z95 * (n * (n - 1) * (2 * n + 5) / 18) ** 0.5)
    low = slopes[:, max(0, int((count - spread) / 2) - 1)]
    high = slopes[:, min(count - 1, int((count + spread) / 2) + 1)]
    return np.stack((low, (slopes[:, (count - 1) // 2] + slopes[:, count // 2]) / 2, high))


def rates(at: Floats, values: Integers, known: Flags) -> Floats:
    """Units a second; a moment a row, a line a column; NaN where fewer than two values are known."""
    found = np.full(values.shape[1], np.nan)
    counts = np.count_nonzero(known, axis=0)
    for count in np.unique(counts[counts >= 2]).tolist():
        chosen = _evenly(count)
        for lines in in_blocks(np.flatnonzero(counts == count)):
            places = known[:, lines].T.nonzero()[1].reshape(len(lines), count)[:, chosen]
            value = values[places, lines[:, None]].astype(np.float64)
            moves = (value != value[:, :1]).any(axis=1)
            found[lines] = 0.0
            found[lines[moves]] = theil_sen(at[places[moves]], value[moves])[1]
    return found


def in_blocks(lines: Lines) -> list[Lines]:
    """So many at a time that their pairs stay small in memory."""
    return [lines[first : first + _BLOCK] for first in range(0, len(lines), _BLOCK)]


def _evenly(count: int) -> list[int]:
    """Which of so many points are taken, first and last among them."""
    if count <= MOST_POINTS:
        return list(range(count))
    step = (count - 1) / (MOST_POINTS - 1)
    return [round(i * step) for i in range(MOST_POINTS)]


@lru_cache(64)
def _pairs(n: int) -> tuple[Lines, Lines]:
    before, after = np.triu_indices(n, 1)
    return before, after
