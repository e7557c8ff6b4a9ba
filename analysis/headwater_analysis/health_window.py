"""What the health rules look at: the last minutes of one group on one partition."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from .health_hand import Hand
from .rates import Slope, theil_sen

WINDOW_SECONDS = 300.0
CHANGES_SECONDS = 600.0
LONGEST_SECONDS = 1200.0  # samples kept at most, for consumers whose commits are minutes apart
UNSETTLED_PATIENCE_SECONDS = 60.0
LEAST_PATIENCE_SECONDS = 10.0
_MOST_ENVELOPE_POINTS = 20

IN_CHANGE = frozenset({"preparing", "completing", "assigning", "reconciling"})
WITHOUT_MEMBERS = frozenset({"empty", "dead"})


class Sample(NamedTuple):
    """One poll's view of one group on one partition; offsets are None where Kafka has none."""

    at: float
    """Seconds since the epoch."""
    log_start: int | None
    committed: int | None
    end: int | None
    stable: int | None
    """Last stable offset."""
    owner: str | None
    """The member that has the partition."""
    state: str = "stable"
    """stable | empty | dead | preparing | completing | unknown"""
    protocol: str = "classic"
    """classic | consumer"""
    members: int = 0
    """Hash of the group's member set."""
    after_gap: bool = False
    """True for the first poll after a time that was not polled: silence is counted from here."""

    @property
    def lag(self) -> int | None:
        return None if self.committed is None or self.end is None else self.end - self.committed

    @property
    def in_change(self) -> bool:
        """A new-protocol group in change is reported as unknown by librdkafka."""
        return self.state in IN_CHANGE or (self.state == "unknown" and self.protocol == "consumer")


@dataclass(frozen=True)
class Window:
    """Samples oldest first, the last one is now; and what the samples alone do not tell."""

    samples: Sequence[Sample]
    changes: Sequence[float] = ()
    """When the committed offset changed, in the last ten minutes, oldest first."""
    poll_seconds: float = 5.0
    budget_seconds: float = 60.0
    """The lag time above which a group counts as slow."""
    lag_seconds: float | None = None
    empty_tail: bool = False
    """True: between committed and end offset lies no record (looked up)."""
    readable: bool | None = None
    """Whether a record lies between committed and last stable offset; None: not looked up."""
    others_moving: tuple[int, int] | None = None
    """(partitions of the group on this topic that moved, all others of it)."""
    unreadable: str | None = None
    """Why this partition could not be read, if so."""
    committed_since: float | None = None
    """Since when the committed offset has its value; None: as far as the samples tell."""
    hands: Sequence[Hand] = ()
    """What the group's services say of messages of this partition that they hold or fail at."""

    @property
    def now(self) -> Sample:
        return self.samples[-1]

    @cached_property
    def recent(self) -> Sequence[Sample]:
        """The samples of the last five minutes."""
        first = self.now.at - WINDOW_SECONDS
        if not self.samples or self.samples[0].at >= first:
            return self.samples
        return [sample for sample in self.samples if sample.at >= first]

    @cached_property
    def lag(self) -> int | None:
        """Offsets between committed and end; 0 where they are known to hold nothing."""
        return 0 if self.empty_tail else self.now.lag

    @cached_property
    def usual(self) -> float:
        """The longest gap between two changes of the committed offset; 0 while there are none."""
        return max((b - a for a, b in zip(self.changes, self.changes[1:], strict=False)), default=0.0)

    @cached_property
    def patience(self) -> float:
        """Seconds for which nothing may happen before silence means something."""
        if len(self.changes) < 3:
            return UNSETTLED_PATIENCE_SECONDS
        return min(WINDOW_SECONDS, max(3 * self.poll_seconds, 3 * self.usual, LEAST_PATIENCE_SECONDS))

    @cached_property
    def committed_unmoved(self) -> float:
        """Seconds, polled without a gap, for which the committed offset has had its present value."""
        if self.committed_since is not None:
            return self.now.at - self.committed_since
        return self.held_for(lambda sample: sample.committed == self.now.committed)

    @cached_property
    def held_back_for(self) -> float:
        """Seconds for which the last stable offset has stood still below the end."""
        stable = self.now.stable
        return self.held_for(lambda sample: sample.stable == stable and (sample.end or 0) > (stable or 0))

    def held_for(self, holds: Callable[[Sample], bool]) -> float:
        """Seconds, polled without a gap, for which every sample up to now fulfils `holds`."""
        since = self.now.at
        for sample in reversed(self.samples):
            if not holds(sample):
                break
            since = sample.at
            if sample.after_gap:
                break
        return self.now.at - since

    @cached_property
    def without_lag_at(self) -> float | None:
        """The last moment of lag 0."""
        if self.lag == 0:
            return self.now.at
        for sample in reversed(self.samples):
            if sample.committed is not None and sample.end is not None and sample.committed >= sample.end:
                return sample.at
        return None

    @cached_property
    def ever_without_members(self) -> bool:
        return any(sample.state in WITHOUT_MEMBERS for sample in self.recent)

    @property
    def caught_up(self) -> bool:
        """Lag was 0 within patience."""
        return self.without_lag_at is not None and self.now.at - self.without_lag_at <= self.patience

    @cached_property
    def growth(self) -> Slope | None:
        """Slope of the lag's lower envelope, so that the sawtooth of batch commits is not growth."""
        reach = min(max(WINDOW_SECONDS, 8 * self.usual), self.now.at - self.samples[0].at)
        if self.without_lag_at is not None:
            reach = min(reach, self.now.at - self.without_lag_at)
        usual = self.usual if len(self.changes) >= 3 else max(self.usual, UNSETTLED_PATIENCE_SECONDS / 3)
        step = max(usual, self.poll_seconds, reach / _MOST_ENVELOPE_POINTS)
        lowest: dict[int, tuple[float, float]] = {}
        now = self.now.at
        for at, _, committed, end, *_ in reversed(self.samples):
            if now - at > reach:
                break
            if committed is not None and end is not None:
                bucket = int((now - at) / step)  # counted back from now: only the oldest bucket is cut
                lag = end - committed
                if bucket not in lowest or lag < lowest[bucket][1]:
                    lowest[bucket] = (at, float(lag))
        return theil_sen(sorted(lowest.values())) if len(lowest) >= 6 else None

    @cached_property
    def in_rate(self) -> float:
        """Offsets appended a second over the window, for comparison only."""
        known = [(sample.at, sample.end) for sample in self.recent if sample.end is not None]
        if len(known) < 2 or known[-1][0] <= known[0][0]:
            return 0.0
        return (known[-1][1] - known[0][1]) / (known[-1][0] - known[0][0])

    @cached_property
    def hardly_any_traffic(self) -> bool:
        """Lag, end and committed offset all moved by fewer than 10 in the window."""
        first, now = self.recent[0], self.now
        if self.lag is None or self.lag >= 10:
            return False
        return _moved(first.end, now.end) < 10 and _moved(first.committed, now.committed) < 10


def _moved(before: int | None, after: int | None) -> int:
    return 0 if before is None or after is None else abs(after - before)
