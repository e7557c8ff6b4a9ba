"""Rates that one odd sample cannot bend: the Theil-Sen slope and its interval (Sen 1968)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np

Points = Sequence[tuple[float, float]]

_Z95 = 1.96
_VECTORS_FROM = 12
"""Points from which on arrays are quicker than pairs."""


@dataclass(frozen=True)
class Slope:
    """Units per second."""

    low: float
    """Lower bound of the 95 % interval."""
    middle: float
    high: float


def thin(points: Points, most: int) -> Points:
    """At most `most` of the points, evenly chosen, first and last among them."""
    if len(points) <= most:
        return points
    step = (len(points) - 1) / (most - 1)
    return [points[round(i * step)] for i in range(most)]


def theil_sen(points: Points) -> Slope | None:
    """The median of the slopes between all pairs of (seconds, value); None for fewer than two moments."""
    slopes = _slopes(points)
    if not slopes:
        return None
    count, n = len(slopes), len(points)
    half = count // 2
    middle = slopes[half] if count % 2 else (slopes[half - 1] + slopes[half]) / 2
    spread = float(_Z95 * (n * (n - 1) * (2 * n + 5) / 18) ** 0.5)
    low = slopes[max(0, int((count - spread) / 2) - 1)]
    high = slopes[min(count - 1, int((count + spread) / 2) + 1)]
    return Slope(low, middle, high)


def _slopes(points: Points) -> list[float]:
    """Between all pairs, in order; a line that does not move is told at a glance, since most do not."""
    n, first = len(points), points[0][1] if points else 0.0
    if all(value == first for _, value in points):
        moments = len({at for at, _ in points})
        return [0.0] * (moments * (moments - 1) // 2)
    if n < _VECTORS_FROM:
        return sorted((b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(points, 2) if b[0] > a[0])
    at, value = np.array(points).T
    before, after = _pairs(n)
    apart = at[after] - at[before]
    moved = apart > 0
    found: list[float] = np.sort((value[after] - value[before])[moved] / apart[moved]).tolist()
    return found


@lru_cache(64)
def _pairs(n: int) -> tuple[np.ndarray, np.ndarray]:
    before, after = np.triu_indices(n, 1)
    return before, after


def rate(points: Points, most: int = 12) -> float | None:
    """Units per second over the points, thinned first so that it costs the same for every window."""
    slope = theil_sen(thin(points, most))
    return None if slope is None else slope.middle
