"""A time axis that can fold idle stretches away, so that a flow which mostly waits still shows its work.

An axis maps nanoseconds to 0..1 and back, piecewise linear and strictly monotone. Idle is a stretch in
which no span runs; an idle stretch that is folded becomes a gap of fixed width, labelled with its length.
"""

from bisect import bisect_right
from collections.abc import Collection, Iterable
from dataclasses import dataclass

IDLE_SHARE = 0.5
"""A flow that idles for more of its time than this is shown elastic unless the reader says otherwise."""
GAP_WIDTH = 0.12
"""Width of one folded gap; less when several would take up more than GAPS_AT_MOST together."""
GAPS_AT_MOST = 0.48
"""Share of the axis that all gaps together may take."""
FOLD_FROM = 0.08
"""An idle stretch shorter than this share of the whole stays as it is."""


@dataclass(frozen=True)
class Gap:
    """A folded idle stretch: its time, and where it is drawn (shares of the axis)."""

    from_ns: int
    to_ns: int
    x0: float
    x1: float


@dataclass(frozen=True)
class Axis:
    """Knots of a piecewise linear map: times in nanoseconds, strictly rising, and their places in 0..1."""

    times: tuple[int, ...]
    places: tuple[float, ...]
    gaps: tuple[Gap, ...] = ()

    @classmethod
    def linear(cls, t0: int, t1: int) -> "Axis":
        """From t0 to t1 evenly; an empty stretch is widened to one nanosecond."""
        return cls((t0, max(t1, t0 + 1)), (0.0, 1.0))

    @classmethod
    def elastic(
        cls, intervals: Iterable[tuple[int, int]], t0: int, t1: int, opened: Collection[int] = ()
    ) -> "Axis":
        """Fold the idle stretches between the intervals (start, end in ns) within t0..t1.

        ``opened`` holds the starts of gaps that the reader has opened; they stay at full length.
        """
        t1 = max(t1, t0 + 1)
        whole = t1 - t0
        idle = [
            (start, end)
            for start, end in idle_stretches(intervals, t0, t1)
            if end - start > FOLD_FROM * whole and start not in opened
        ]
        if not idle:
            return cls.linear(t0, t1)
        width = min(GAP_WIDTH, GAPS_AT_MOST / len(idle))
        running = whole - sum(end - start for start, end in idle)
        if running <= 0:
            return cls.linear(t0, t1)
        scale = (1 - width * len(idle)) / running
        times, places, gaps = [t0], [0.0], []
        for start, end in idle:
            before = places[-1] + (start - times[-1]) * scale
            if start > times[-1]:
                times.append(start)
                places.append(before)
            gaps.append(Gap(start, end, before, before + width))
            times.append(end)
            places.append(before + width)
        if times[-1] < t1:
            times.append(t1)
            places.append(1.0)
        else:
            places[-1] = 1.0
        return cls(tuple(times), tuple(places), tuple(gaps))

    def position(self, ns: int) -> float:
        """Where a time lies on the axis; times outside it lie at its ends."""
        if ns <= self.times[0]:
            return 0.0
        if ns >= self.times[-1]:
            return 1.0
        i = bisect_right(self.times, ns) - 1
        share = (ns - self.times[i]) / (self.times[i + 1] - self.times[i])
        return self.places[i] + share * (self.places[i + 1] - self.places[i])

    def time(self, position: float) -> int:
        """Which time lies at a place; the inverse of ``position`` to the nearest nanosecond."""
        if position <= 0:
            return self.times[0]
        if position >= 1:
            return self.times[-1]
        i = min(bisect_right(self.places, position), len(self.places) - 1) - 1
        share = (position - self.places[i]) / (self.places[i + 1] - self.places[i])
        return self.times[i] + round(share * (self.times[i + 1] - self.times[i]))


def idle_stretches(intervals: Iterable[tuple[int, int]], t0: int, t1: int) -> list[tuple[int, int]]:
    """The stretches of t0..t1 that no interval covers, in order."""
    idle: list[tuple[int, int]] = []
    reached = t0
    for start, end in sorted(intervals):
        if start >= t1:
            break
        if start > reached:
            idle.append((reached, start))
        reached = max(reached, end)
    if reached < t1:
        idle.append((reached, t1))
    return idle


def mostly_idle(intervals: Iterable[tuple[int, int]], t0: int, t1: int) -> bool:
    """Whether the elastic axis is the better first picture."""
    whole = max(t1 - t0, 1)
    return sum(end - start for start, end in idle_stretches(intervals, t0, t1)) > IDLE_SHARE * whole
