"""Differences of two samples with their 95 % intervals: of shares, of quantiles, and of means of batches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Z = 1.959964
"""Two-sided 95 % of the normal distribution."""
_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
      2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045,
      2.042)  # fmt: skip
"""The same of Student's distribution with 1 to 30 degrees of freedom."""
RESAMPLES = 2000
_SEED = 20_260_101
"""The same numbers give the same interval."""


@dataclass(frozen=True)
class Difference:
    """After less before, in the unit of what was measured."""

    value: float
    low: float
    high: float


def of_shares(before: tuple[int, int], after: tuple[int, int]) -> Difference:
    """Of two shares, each as (how many, of how many); Newcombe 1998, method 10 (hybrid score)."""
    (first, first_low, first_high), (second, second_low, second_high) = _wilson(*before), _wilson(*after)
    value = second - first
    low = value - math.hypot(second - second_low, first_high - first)
    high = value + math.hypot(second_high - second, first - first_low)
    return Difference(value, low, high)


def _wilson(count: int, of: int) -> tuple[float, float, float]:
    share = count / of
    middle = (share + Z * Z / (2 * of)) / (1 + Z * Z / of)
    half = Z / (1 + Z * Z / of) * math.sqrt(share * (1 - share) / of + Z * Z / (4 * of * of))
    return share, max(middle - half, 0.0), min(middle + half, 1.0)


def of_quantiles(before: Sequence[float], after: Sequence[float], quantile: float) -> Difference:
    """Of a quantile of two samples; percentile bootstrap, Efron 1979."""
    generator = np.random.default_rng(_SEED)
    first, second = np.asarray(before, float), np.asarray(after, float)
    value = float(np.quantile(second, quantile) - np.quantile(first, quantile))
    drawn = _resampled(generator, second, quantile) - _resampled(generator, first, quantile)
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Difference(value, float(low), float(high))


def _resampled(
    generator: np.random.Generator, sample: NDArray[np.float64], quantile: float
) -> NDArray[np.float64]:
    drawn = sample[generator.integers(0, len(sample), (RESAMPLES, len(sample)))]
    found: NDArray[np.float64] = np.quantile(drawn, quantile, axis=1)
    return found


def of_batches(before: Sequence[float], after: Sequence[float]) -> Difference | None:
    """Of the means of two rows of batches, which neighbours in time do not bias as single values would; Welch 1947.

    None with fewer than two batches on a side.
    """
    if len(before) < 2 or len(after) < 2:
        return None
    (first, first_error), (second, second_error) = _mean(before), _mean(after)
    value, error = second - first, math.hypot(first_error, second_error)
    if error == 0:
        return Difference(value, value, value)
    freedom = error**4 / (first_error**4 / (len(before) - 1) + second_error**4 / (len(after) - 1))
    half = (_T[max(int(freedom), 1) - 1] if freedom < len(_T) else Z) * error
    return Difference(value, value - half, value + half)


def _mean(batches: Sequence[float]) -> tuple[float, float]:
    mean = math.fsum(batches) / len(batches)
    spread = math.fsum((one - mean) ** 2 for one in batches) / (len(batches) - 1)
    return mean, math.sqrt(spread / len(batches))
