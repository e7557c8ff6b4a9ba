"""What is remembered between polls of topics, partitions and groups."""

from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise

from headwater_analysis.health_rules import Verdict
from headwater_analysis.health_verdicts import Standing, VerdictKeeper
from headwater_analysis.health_window import (
    CHANGES_SECONDS,
    LONGEST_SECONDS,
    WINDOW_SECONDS,
    Sample,
)
from headwater_analysis.lag_time import EndHistory


@dataclass(frozen=True)
class Life:
    """One life of a topic's name."""

    incarnation: int
    topic_id: str | None
    partitions: int
    since: float


@dataclass
class PartitionTrack:
    """A partition's end offsets: all of them thinned, and those of the last minutes for the rate."""

    ends: EndHistory = field(default_factory=EndHistory)
    recent: deque[tuple[float, float]] = field(default_factory=deque)

    def add(self, at: float, end: int) -> None:
        if self.recent and end < self.recent[-1][1]:
            self.recent.clear()
        self.ends.add(at, end)
        self.recent.append((at, float(end)))
        while self.recent[0][0] < at - WINDOW_SECONDS:
            self.recent.popleft()


@dataclass
class GroupTrack:
    """One group on one partition, or on the sum of a topic's partitions."""

    samples: deque[Sample] = field(default_factory=deque)
    changes: deque[float] = field(default_factory=deque)
    committed_since: float = 0.0
    keeper: VerdictKeeper = field(default_factory=VerdictKeeper)
    standing: Standing | None = None
    verdict: Verdict | None = None
    """What the rules said of the last poll."""
    unreadable: str | None = None
    """Why the last poll could not read this; the next sample then counts silence anew."""

    def add(self, sample: Sample) -> None:
        last = self.samples[-1] if self.samples else None
        if self.unreadable is not None:
            sample = sample._replace(after_gap=True)
            self.unreadable = None
        if last is None or sample.after_gap or last.committed != sample.committed:
            self.committed_since = sample.at
        if last is not None and last.committed != sample.committed:
            self.changes.append(sample.at)
        self.samples.append(sample)
        while self.changes and self.changes[0] < sample.at - CHANGES_SECONDS:
            self.changes.popleft()
        longest_gap = max((after - before for before, after in pairwise(self.changes)), default=0.0)
        reach = min(LONGEST_SECONDS, max(WINDOW_SECONDS, 8 * longest_gap))
        while self.samples[0].at < sample.at - reach:
            self.samples.popleft()

    @property
    def quiet(self) -> bool:
        """Caught up a poll ago, and nothing has moved since: every rule says what it said then."""
        if self.verdict is None or self.verdict.status != "ok" or len(self.samples) < 3:
            return False
        before, now = self.samples[-2], self.samples[-1]
        return self.unreadable is None and now.lag == 0 and now[1:] == before[1:]

    def forget(self) -> None:
        """A new history: what lay before says nothing about what comes."""
        self.samples.clear()
        self.changes.clear()
        self.verdict = None
