"""Two windows of time side by side, pathway by pathway and group by group: before and after a deploy or a fault."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from headwater_analysis.errors import UsageError
from headwater_analysis.quantiles import quantile
from headwater_analysis.source import Source
from headwater_analysis.window import Window

from .statistics import Difference, of_batches, of_quantiles, of_shares

BATCHES = 10
"""Parts of a window whose means are compared."""
SAMPLE_AT_MOST = 1000
"""Flows of a pathway and window whose totals are compared; drawn by their ids."""
FLOWS_AT_LEAST = 20
PATHWAYS_AT_MOST = 200


@dataclass(frozen=True)
class Comparison:
    """One measure of one pathway, or of one group on one topic."""

    what: str
    """Entry of a pathway, or group and topic."""
    measure: str
    """throughput (flows a minute), total_p50 and total_p95 (ms), errors (share), lag (seconds)."""
    before: float | None
    after: float | None
    difference: float | None
    low: float | None
    high: float | None
    """Bounds of the difference's 95 % interval."""
    verdict: str
    """steady, better, worse, or unknown where too little was seen in a window."""


@dataclass
class _Side:
    flows: int = 0
    errors: int = 0
    totals: tuple[float, ...] = ()
    batches: tuple[float, ...] = (0.0,) * BATCHES


def compare(source: Source, before: Window, after: Window, tolerance: float) -> tuple[Comparison, ...]:
    """Every measure of all pathways and groups that either window has seen.

    ``tolerance``: a difference that is a smaller share of the value before is steady, however certain it is.
    Raises UsageError for windows that are open or empty.
    """
    for window in (before, after):
        if window.from_ns is None or window.to_ns is None or window.from_ns >= window.to_ns:
            raise UsageError(
                "A window of a comparison has a start and a later end; write for example 40m..30m."
            )
    found: list[Comparison] = []
    sides = [_flows(source, window) for window in (before, after)]
    for what in sorted({*sides[0], *sides[1]}):
        first, second = (side.get(what, _Side()) for side in sides)
        found += _of_pathway(what, (first, _minutes(before)), (second, _minutes(after)), tolerance)
    lags = [_lags(source, window) for window in (before, after)]
    for what in sorted({*lags[0], *lags[1]}):
        first_lags, second_lags = (side.get(what, ()) for side in lags)
        found.append(
            _judged(
                what,
                "lag",
                _average(first_lags),
                _average(second_lags),
                of_batches(first_lags, second_lags),
                tolerance,
            )
        )
    return tuple(found)


def _of_pathway(
    what: str, before: tuple[_Side, float], after: tuple[_Side, float], tolerance: float
) -> Iterable[Comparison]:
    (first, first_minutes), (second, second_minutes) = before, after
    rates = [tuple(count * BATCHES / minutes for count in side.batches) for side, minutes in (before, after)]
    yield _judged(
        what, "throughput", first.flows / first_minutes, second.flows / second_minutes,
        of_batches(*rates), tolerance, more_is_better=True,
    )  # fmt: skip
    enough = min(first.flows, second.flows) >= FLOWS_AT_LEAST
    for name, at in (("total_p50", 0.5), ("total_p95", 0.95)):
        difference = of_quantiles(first.totals, second.totals, at) if enough else None
        values = quantile(first.totals, at), quantile(second.totals, at)
        yield _judged(what, name, *values, difference, tolerance)
    shares = [side.errors / side.flows if side.flows else None for side in (first, second)]
    counted = (first.errors, first.flows), (second.errors, second.flows)
    yield _judged(what, "errors", shares[0], shares[1], of_shares(*counted) if enough else None, tolerance)


def _judged(
    what: str,
    measure: str,
    before: float | None,
    after: float | None,
    difference: Difference | None,
    tolerance: float,
    more_is_better: bool = False,
) -> Comparison:
    if difference is None:
        return Comparison(what, measure, before, after, None, None, None, "unknown")
    certain = difference.low > 0 or difference.high < 0
    large = abs(difference.value) > tolerance * abs(before or 0.0)
    verdict = "steady"
    if certain and large:
        verdict = "better" if (difference.value > 0) == more_is_better else "worse"
    return Comparison(
        what, measure, before, after, difference.value, difference.low, difference.high, verdict
    )


def _flows(source: Source, window: Window) -> dict[str, _Side]:
    relation, params = window.flows()
    span = _length_ns(window)
    rows: list[tuple[Any, ...]] = source.query(
        f"""with chosen as (
            select concat(entry_service, ' ', entry_name) as what, flow_id, total_ms, status,
                least(((epoch_ns(started_at) - ?) * {BATCHES} // ?)::integer, {BATCHES - 1}) as batch
            from {relation}
        ), counted as (select what, batch, count(*) as flows from chosen group by all)
        select what, count(*), count(*) filter (status = 'error'),
            list(total_ms order by md5(flow_id))[1:{SAMPLE_AT_MOST}],
            (select list([c.batch, c.flows]) from counted c where c.what = chosen.what)
        from chosen group by what order by count(*) desc, what limit {PATHWAYS_AT_MOST}""",
        [window.from_ns, span, *params],
    ).rows
    found = {}
    for what, flows, errors, totals, batches in rows:
        counts = [0.0] * BATCHES
        for batch, number in batches:
            counts[batch] = float(number)
        found[str(what)] = _Side(int(flows), int(errors), tuple(totals), tuple(counts))
    return found


def _lags(source: Source, window: Window) -> dict[str, tuple[float, ...]]:
    term, params = window.where("sampled_at")
    span = _length_ns(window)
    rows = source.query(
        f"""with polled as (
            select concat(consumer_group, ' on ', topic) as what, sampled_at, max(lag_seconds) as lag
            from commit_samples where {term} and lag_seconds is not null group by all
        ), batched as (
            select what, least((epoch_ns(sampled_at) - ?) * {BATCHES} // ?, {BATCHES - 1}) as batch, avg(lag) as lag
            from polled group by all
        )
        select what, list(lag order by batch) from batched group by what limit {PATHWAYS_AT_MOST}""",
        [*params, window.from_ns, span],
    ).rows
    return {str(what): tuple(lags) for what, lags in rows}


def _length_ns(window: Window) -> int:
    """Of a window that ``compare`` has looked at, which is closed."""
    return (window.to_ns or 0) - (window.from_ns or 0)


def _minutes(window: Window) -> float:
    return _length_ns(window) / 60e9


def _average(values: tuple[float, ...]) -> float | None:
    return sum(values) / len(values) if values else None
