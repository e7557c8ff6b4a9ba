"""What the facts of a group on a partition mean, plainly: one line, one sample after another.

The collector finds them for all lines at once, in columns; `tests/analysis/test_health_columns.py` compares the two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from typing import NamedTuple

from headwater_analysis.health_facts import (
    CHANGES_SECONDS,
    IMPLAUSIBLE_PER_SECOND,
    IN_CHANGE,
    LONGEST_SECONDS,
    WINDOW_SECONDS,
    WITHOUT_MEMBERS,
    Facts,
    Jump,
    Loss,
    Rewind,
)
from headwater_analysis.rates import Slope


class Sample(NamedTuple):
    """One poll's view of one group on one partition; offsets are None where Kafka has none."""

    at: float
    log_start: int | None
    committed: int | None
    end: int
    stable: int | None
    owner: str | None
    state: str = "stable"
    protocol: str = "classic"
    members: int = 0
    """Hash of the group's member set."""
    after_gap: bool = False
    """The first poll after a time that was not polled: silence is counted from here."""

    @property
    def lag(self) -> int | None:
        return None if self.committed is None else self.end - self.committed

    @property
    def in_change(self) -> bool:
        return self.state in IN_CHANGE or (self.state == "unknown" and self.protocol == "consumer")

    @property
    def unowned(self) -> bool:
        return self.owner is None and not self.in_change

    @property
    def memberless(self) -> bool:
        return self.state in WITHOUT_MEMBERS


@dataclass
class Line:
    """The samples that count, oldest first."""

    samples: list[Sample] = field(default_factory=list)
    changes: list[float] = field(default_factory=list)
    committed_since: float = 0.0
    interrupted: bool = False

    def add(self, sample: Sample) -> None:
        last = self.samples[-1] if self.samples else None
        sample = sample._replace(after_gap=sample.after_gap or self.interrupted)
        self.interrupted = False
        if last is None or sample.after_gap or last.committed != sample.committed:
            self.committed_since = sample.at
        if last is not None and last.committed != sample.committed:
            self.changes.append(sample.at)
        self.changes = [each for each in self.changes if each >= sample.at - CHANGES_SECONDS]
        reach = min(LONGEST_SECONDS, max(WINDOW_SECONDS, 8 * self.usual))
        self.samples = [each for each in (*self.samples, sample) if each.at >= sample.at - reach]

    @property
    def usual(self) -> float:
        return max((after - before for before, after in pairwise(self.changes)), default=0.0)

    @property
    def recent(self) -> list[Sample]:
        return [sample for sample in self.samples if sample.at >= self.samples[-1].at - WINDOW_SECONDS]

    def held_for(self, holds: Callable[[Sample], bool]) -> float:
        """Seconds, polled without a gap, for which every sample up to now fulfils `holds`."""
        since = self.samples[-1].at
        for sample in reversed(self.samples):
            if not holds(sample):
                break
            since = sample.at
            if sample.after_gap:
                break
        return self.samples[-1].at - since


def facts(line: Line, poll_seconds: float, empty_tail: bool = False) -> Facts:
    """What the samples tell."""
    now, recent, samples = line.samples[-1], line.recent, line.samples
    lag = 0 if empty_tail else now.lag
    settled = len(line.changes) >= 3
    patience = min(WINDOW_SECONDS, max(3 * poll_seconds, 3 * line.usual, 10.0)) if settled else 60.0
    zero = [sample.at for sample in samples if sample.lag is not None and sample.lag <= 0]
    without_lag_at = now.at if lag == 0 else max(zero, default=None)
    before = samples[-2] if len(samples) > 1 else None
    return Facts(
        at=now.at,
        polled_twice=before is not None,
        committed=now.committed,
        end=now.end,
        stable=now.stable,
        log_start=now.log_start,
        lag=lag,
        empty_tail=empty_tail,
        poll_seconds=poll_seconds,
        patience=patience,
        committed_unmoved=now.at - line.committed_since,
        held_back_for=line.held_for(
            lambda each: each.stable is not None and each.stable == now.stable and each.end > each.stable
        ),
        reads_uncommitted=any(
            None not in (each.committed, each.stable) and (each.committed or 0) > (each.stable or 0)
            for each in recent
        ),
        unowned_twice=now.unowned and before is not None and before.unowned,
        unowned_for=line.held_for(lambda each: each.unowned and (each.lag or 0) > 0),
        assigns_by_hand=sum(one.memberless and two.memberless for one, two in _moves(recent)) >= 2,
        in_change_twice=now.in_change and before is not None and before.in_change,
        member_changes=sum(one.members != two.members for one, two in pairwise(recent)),
        owned_silently_for=line.held_for(lambda each: each.committed is None and each.owner is not None),
        caught_up=without_lag_at is not None and now.at - without_lag_at <= patience,
        hardly_any_traffic=lag is not None and lag < 10 and _moved_little(recent[0], now),
        in_rate=(now.end - recent[0].end) / (now.at - recent[0].at) if len(recent) > 1 else 0.0,
        growth=_growth(line, poll_seconds, without_lag_at) if lag is not None and lag > 0 else None,
        loss=_loss(recent),
        rewind=_rewind(recent),
        jump=_jump(recent),
    )


def _moved_little(first: Sample, now: Sample) -> bool:
    unknown = None in (first.committed, now.committed)
    return abs(now.end - first.end) < 10 and (
        unknown or abs((now.committed or 0) - (first.committed or 0)) < 10
    )


def _loss(recent: Sequence[Sample]) -> Loss | None:
    for sample in reversed(recent):
        if None not in (sample.committed, sample.log_start):
            assert sample.committed is not None and sample.log_start is not None
            if sample.committed < sample.log_start:
                return Loss(sample.committed, sample.log_start)
    return None


def _rewind(recent: Sequence[Sample]) -> Rewind | None:
    known = [(sample.at, sample.committed) for sample in recent if sample.committed is not None]
    now = recent[-1].committed
    if now is None:
        return None
    peak_at, peak = max(known, key=lambda each: (each[1], each[0]))
    if now >= peak:
        return None
    fell_at, fell_to = next(each for each in known if each[0] > peak_at)
    return Rewind(peak, fell_to, fell_at)


def _jump(recent: Sequence[Sample]) -> Jump | None:
    fastest = 0.0
    for before, after in _moves(recent):
        assert before.committed is not None and after.committed is not None
        speed = (after.committed - before.committed) / max(after.at - before.at, 0.001)
        memberless = before.memberless and after.memberless
        if memberless and speed > max(IMPLAUSIBLE_PER_SECOND, 5 * fastest):
            return Jump(before.committed, after.committed, after.at)
        fastest = max(fastest, speed)
    return None


def _moves(recent: Sequence[Sample]) -> list[tuple[Sample, Sample]]:
    """Polls between which the committed offset changed, both known."""
    return [
        (before, after)
        for before, after in pairwise(recent)
        if None not in (before.committed, after.committed) and before.committed != after.committed
    ]


def _growth(line: Line, poll_seconds: float, without_lag_at: float | None) -> Slope | None:
    """Slope of the lag's lower envelope."""
    now = line.samples[-1].at
    reach = min(max(WINDOW_SECONDS, 8 * line.usual), now - line.samples[0].at)
    if without_lag_at is not None:
        reach = min(reach, now - without_lag_at)
    usual = line.usual if len(line.changes) >= 3 else max(line.usual, 20.0)
    step = max(usual, poll_seconds, reach / 20)
    lowest: dict[int, tuple[float, float]] = {}
    for sample in reversed(line.samples):
        if now - sample.at <= reach and sample.lag is not None:
            bucket = int((now - sample.at) / step)
            if bucket not in lowest or sample.lag < lowest[bucket][1]:
                lowest[bucket] = (sample.at, float(sample.lag))
    return theil_sen(sorted(lowest.values())) if len(lowest) >= 6 else None


def theil_sen(points: Sequence[tuple[float, float]]) -> Slope | None:
    """The median of the slopes between all pairs of (seconds, value), and its 95 % interval."""
    slopes = sorted((two[1] - one[1]) / (two[0] - one[0]) for one, two in combinations(points, 2))
    if not slopes:
        return None
    count, n, half = len(slopes), len(points), len(slopes) // 2
    middle = slopes[half] if count % 2 else (slopes[half - 1] + slopes[half]) / 2
    spread = float(1.96 * (n * (n - 1) * (2 * n + 5) / 18) ** 0.5)
    low, high = max(0, int((count - spread) / 2) - 1), min(count - 1, int((count + spread) / 2) + 1)
    return Slope(slopes[low], middle, slopes[high])


def rate(points: Sequence[tuple[float, float]]) -> float | None:
    """Units per second over at most twelve of the points, evenly chosen."""
    if len(points) > 12:
        points = [points[round(i * (len(points) - 1) / 11)] for i in range(12)]
    slope = theil_sen(points)
    return None if slope is None else slope.middle
