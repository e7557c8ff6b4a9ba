"""Quantiles of values in hand, by the rule that the store's own answers follow."""

from collections.abc import Sequence


def quantile(values: Sequence[float], share: float) -> float | None:
    """The quantile, between neighbours in proportion as DuckDB's quantile_cont; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    place = (len(ordered) - 1) * share
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)
