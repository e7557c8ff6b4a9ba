"""Latency against throughput: what flows of a pathway, or messages of a group, take at the rates there were.

Queues answer to rate slowly until they are nearly full, and then at once. Where waiting begins to grow is the knee; it
is looked for, and named only where what follows shows it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from .flows import NotFound
from .pathways import PathwayRow, pathway
from .quantiles import quantile
from .rows import select
from .source import Source
from .window import Window

STRETCHES = 60
"""Into how many stretches the time is cut; each is one point."""
SHORTEST_NS = 1_000_000_000
LEAST_POINTS = 8
"""Fewer show no knee."""
LEAST_SPREAD = 1.5
"""How many times the lowest rate the highest must be: at one rate nothing can be said of others."""
LEAST_GROWTH = 2.0
"""How many times the waiting before the knee that at the highest rates must be."""
LEAST_FIT = 0.5
"""Share of the differences in waiting that a knee must explain beyond one straight line from the beginning."""


@dataclass(frozen=True)
class Point:
    """One stretch of time. Durations in milliseconds; None where nothing is known."""

    started_ns: int
    count: int
    rate: float
    """Per second."""
    total_p50_ms: float | None
    total_p95_ms: float | None
    wait_p50_ms: float | None
    wait_p95_ms: float | None


@dataclass(frozen=True)
class Knee:
    """Where waiting begins to grow."""

    rate: float
    """Per second."""
    wait_before_ms: float
    """Median of the waiting (p95) at lower rates."""
    wait_after_ms: float
    """The same at higher ones."""


@dataclass(frozen=True)
class Throughput:
    """The points in order of rate, and the knee where there is one."""

    pathway: PathwayRow | None
    consumer_group: str | None
    topic: str | None
    stretch_seconds: float
    points: tuple[Point, ...]
    knee: Knee | None
    evidence: str
    """What the knee, or that there is none, rests on."""


def of_pathway(source: Source, wanted: str, window: Window) -> Throughput:
    """Flows of a pathway, named by its id or the beginning of it; raises NotFound."""
    found = pathway(source, wanted)
    return _measured(
        source, "flows", "pathway_id = ?", [found.pathway_id], window, f"The pathway {found.pathway_id}", "flows",
        found, None, None,
    )  # fmt: skip


def of_group(source: Source, group: str, window: Window, topic: str | None = None) -> Throughput:
    """Messages that a group handled, of one topic or of all; raises NotFound."""
    condition, params = "consumer_group = ?", [group]
    if topic is not None:
        condition, params = f"{condition} and topic = ?", [group, topic]
    return _measured(
        source, "hops", condition, params, window, f"The group {group}", "messages", None, group, topic
    )


def _measured(
    source: Source,
    relation: str,
    condition: str,
    params: Sequence[object],
    window: Window,
    who: str,
    what: str,
    of: PathwayRow | None,
    group: str | None,
    topic: str | None,
) -> Throughput:
    # A group that is full handles no more than it can: its rate is that at which messages come.
    moment = "epoch_ns(started_at)" if group is None else "epoch_ns(coalesce(available_at, started_at))"
    in_window, more = window.where("started_at")
    where = f"from {relation} where {condition} and {in_window}"
    given = [*params, *more]
    [(first, last, count)] = source.query(
        f"select min({moment}), max({moment}), count(*) {where}", given
    ).rows
    if not count:
        raise NotFound(f"{who} has no {what} in this time; --last looks further back, such as --last 7d.")
    stretch = max((last - first) // STRETCHES + 1, SHORTEST_NS)
    seconds = stretch / 1e9
    points = select(
        source, Point,
        f"from (select ({moment} - ?) // ? as stretch, count(*) as count, "
        "quantile_cont(total_ms, [0.5, 0.95]) as total, quantile_cont(wait_ms, [0.5, 0.95]) as wait "
        f"{where} group by 1) order by rate, stretch",
        [first, stretch, seconds, first, stretch, *given],
        started_ns="? + stretch * ?", rate="count / ?", total_p50_ms="total[1]", total_p95_ms="total[2]",
        wait_p50_ms="wait[1]", wait_p95_ms="wait[2]",
    )  # fmt: skip
    # The last stretch is seldom whole: its rate would be too low.
    whole = tuple(point for point in points if point.started_ns + stretch <= last) or points
    found, evidence = knee(whole, what)
    return Throughput(of, group, topic, seconds, whole, found, evidence)


def knee(points: Sequence[Point], what: str = "flows") -> tuple[Knee | None, str]:
    """Where waiting begins to grow with the rate: level up to there, and rising in a straight line from there on.

    Of all rates that one is taken from which on a rising line leaves the least unexplained; it is a knee where it
    explains much more than a line that rises from the beginning, and where the waiting becomes much longer.
    """
    known = sorted((point.rate, point.wait_p95_ms) for point in points if point.wait_p95_ms is not None)
    if len(known) < LEAST_POINTS:
        return (
            None,
            f"Too little to tell: {len(known)} stretches of time with known waits, {LEAST_POINTS} are needed.",
        )
    lowest, highest = known[0][0], known[-1][0]
    if highest < LEAST_SPREAD * lowest:
        return None, (
            f"The rate hardly changed ({lowest:.3g} to {highest:.3g} {what} a second); where waiting would begin to "
            "grow cannot be told."
        )
    flat = _unexplained(known, lowest)
    # On both sides there must be enough to judge by.
    edge = max(len(known) // 8, 2)
    best, at = min((_unexplained(known, rate), rate) for rate, _ in known[edge:-edge])
    before = [wait for rate, wait in known if rate <= at]
    after = [wait for rate, wait in known if rate > at]
    # What stands furthest right is what the line leads to.
    low, high = quantile(before, 0.5) or 0.0, quantile(after[len(after) // 2 :], 0.5) or 0.0
    if best > (1 - LEAST_FIT) * flat or high < LEAST_GROWTH * low or high - low < 1.0:
        return None, f"Waiting did not begin to grow at any rate up to {highest:.3g} {what} a second."
    return Knee(at, low, high), (
        f"Up to {at:.3g} {what} a second the wait stayed at about {low:.3g} ms (p95); above, it rose to {high:.3g} ms, "
        f"over {len(known)} stretches of time."
    )


def _unexplained(known: Sequence[tuple[float, float]], at: float) -> float:
    """Squares that a line leaves which is level up to a rate and straight from there on, by least squares."""
    xs = [max(rate - at, 0.0) for rate, _ in known]
    ys = [wait for _, wait in known]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - mean_x) ** 2 for x in xs)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / spread if spread else 0.0
    slope = max(slope, 0.0)
    return sum((y - mean_y - slope * (x - mean_x)) ** 2 for x, y in zip(xs, ys, strict=True))
