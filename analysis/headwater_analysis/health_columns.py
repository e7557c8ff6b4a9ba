"""What a history says of all its lines as of the newest poll, in columns."""

from functools import cached_property

import numpy as np
import numpy.typing as npt

from .health_facts import (
    HARDLY_ANY,
    IMPLAUSIBLE_PER_SECOND,
    LEAST_PATIENCE_SECONDS,
    SETTLED_CHANGES,
    UNSETTLED_PATIENCE_SECONDS,
    WINDOW_SECONDS,
    Jump,
    Rewind,
)
from .health_history import MEMBERLESS, NEVER, NONE, OTHER_MEMBERS, POLLED, History
from .rates import Flags, Floats, Integers, Lines, in_blocks, rates, theil_sen

MOST_ENVELOPE_POINTS = 20
LEAST_ENVELOPE_POINTS = 6
_MOST = np.iinfo(np.int64).max


class Columns:
    """Facts by line; of lines that the newest poll did not see, none of them counts."""

    def __init__(self, history: History, poll_seconds: float, empty_tail: Flags) -> None:
        """`empty_tail`: between committed and end offset lies no record (looked up)."""
        self.history, self.poll_seconds, self.empty_tail = history, poll_seconds, empty_tail
        self.now = now = history.at
        times, numbers, polls = history.times, history.numbers, history.polls
        self._recent = slice(int(np.searchsorted(polls.at, now - WINDOW_SECONDS)), None)
        self._at = polls.at[self._recent]
        self._flags = polls.column("flags")[self._recent]
        self._polled = (self._flags & POLLED) != 0
        self._first = self._polled.argmax(axis=0)
        self.seen: Flags = times["last_at"] == now
        self.committed, self.end = numbers["committed"], numbers["end"]
        self.known: Flags = (self.committed != NONE) & (self.end != NONE)
        self.lag: Integers = np.where(empty_tail, 0, self.end - self.committed)
        """Offsets between committed and end, 0 where they hold nothing; counts where both are `known`."""
        self.behind: Flags = self.known & (self.lag > 0)
        settled = numbers["changes"] >= SETTLED_CHANGES
        patience = np.maximum(max(3 * poll_seconds, LEAST_PATIENCE_SECONDS), 3 * history.usual)
        self.patience: Floats = np.where(
            settled, np.minimum(WINDOW_SECONDS, patience), UNSETTLED_PATIENCE_SECONDS
        )
        unsettled = np.maximum(history.usual, UNSETTLED_PATIENCE_SECONDS / SETTLED_CHANGES)
        self._step = np.maximum(np.where(settled, history.usual, unsettled), poll_seconds)
        self._oldest = self._find_oldest()
        self.polled_twice: Flags = times["before_at"] >= self._oldest
        zero_at = np.where(times["zero_at"] >= self._oldest, times["zero_at"], NEVER)
        self._without_lag_at = np.where(self.known & (self.lag == 0), now, zero_at)
        self.caught_up: Flags = now - self._without_lag_at <= self.patience

    def since(self, name: str) -> Floats:
        """For how long something has been so without a gap, as far as samples tell."""
        return self.now - np.maximum(self.history.times[name], self._oldest)

    def recently(self, name: str) -> Flags:
        """Whether something was seen in the window."""
        seen: Flags = self.history.times[name] >= self.now - WINDOW_SECONDS
        return seen

    def _find_oldest(self) -> Floats:
        """The moment of each line's oldest sample that counts."""
        times, polls = self.history.times, self.history.polls
        oldest: Floats = self._at[self._first]
        far = np.flatnonzero(self.seen & (times["start"] < self.now - WINDOW_SECONDS))
        if len(far):
            counts = ((polls.column("flags")[:, far] & POLLED) != 0) & (
                polls.at[:, None] >= times["start"][far]
            )
            oldest[far] = polls.at[counts.argmax(axis=0)]
        return oldest

    def _at_first(self, name: str) -> Integers:
        """A column as the window's first sample saw it."""
        found: Integers = self.history.polls.column(name)[self._recent][
            self._first, np.arange(self.history.lines)
        ]
        return found

    @cached_property
    def in_rate(self) -> Floats:
        """Offsets appended a second over the window."""
        took = self.now - self._at[self._first]
        return np.where(took > 0, (self.end - self._at_first("end")) / np.where(took > 0, took, 1.0), 0.0)

    @cached_property
    def hardly_any_traffic(self) -> Flags:
        """Lag, end and committed offset all moved by less than that in the window."""
        committed = self._at_first("committed")
        unmoved = (
            (self.committed == NONE) | (committed == NONE) | (abs(self.committed - committed) < HARDLY_ANY)
        )
        ended = abs(self.end - self._at_first("end")) < HARDLY_ANY
        found: Flags = self.known & (self.lag < HARDLY_ANY) & ended & unmoved
        return found

    @cached_property
    def growth(self) -> Floats:
        """Low, middle, high by line; NaN where there is no lag, or where too few points tell."""
        growth = np.full((3, self.history.lines), np.nan)
        reach = np.minimum(np.maximum(WINDOW_SECONDS, 8 * self.history.usual), self.now - self._oldest)
        reach = np.minimum(reach, self.now - self._without_lag_at)
        behind, near = self.seen & self.behind, reach <= WINDOW_SECONDS
        for lines in (behind & near, behind & ~near):
            for block in in_blocks(np.flatnonzero(lines)):
                growth[:, block] = self._growth_of(block, reach[block])
        return growth

    def _growth_of(self, lines: Lines, reach: Floats) -> Floats:
        """The lowest lag of each step back from now (so that only the oldest is cut), and the slope of those."""
        polls = self.history.polls
        those = slice(max(0, int(np.searchsorted(polls.at, self.now - reach.max())) - 1), None)
        at, committed = polls.at[those], polls.column("committed")[those, lines]
        counts = ((polls.column("flags")[those, lines] & POLLED) != 0) & (committed != NONE)
        lag = polls.column("end")[those, lines] - committed
        step = np.maximum(self._step[lines], reach / MOST_ENVELOPE_POINTS)
        step[step == 0] = 1.0
        lowest = np.full((len(lines), MOST_ENVELOPE_POINTS + 2), _MOST)
        taken, each = np.zeros(lowest.shape), np.arange(len(lines))
        for poll in range(len(at) - 1, -1, -1):
            back = self.now - at[poll]
            bucket = np.minimum(back / step, MOST_ENVELOPE_POINTS + 1).astype(np.intp)
            lower = each[counts[poll] & (back <= reach) & (lag[poll] < lowest[each, bucket])]
            lowest[lower, bucket[lower]] = lag[poll, lower]
            taken[lower, bucket[lower]] = at[poll]
        growth, known = np.full((3, len(lines)), np.nan), lowest != _MOST
        points = np.count_nonzero(known, axis=1)
        for number in np.unique(points[points >= LEAST_ENVELOPE_POINTS]).tolist():
            which = np.flatnonzero(points == number)
            places = known[which].nonzero()[1].reshape(len(which), number)[:, ::-1]
            value = lowest[which[:, None], places].astype(np.float64)
            moves = (value != value[:, :1]).any(axis=1)
            growth[:, which] = 0.0
            moved = which[moves]
            growth[:, moved] = theil_sen(taken[moved[:, None], places[moves]], value[moves])
        return growth

    @property
    def drain_seconds(self) -> Floats:
        """Where the lag surely shrinks: until it is gone; else NaN."""
        drains = (self.growth[2] < 0) & self.behind & self.polled_twice
        return np.where(drains, self.lag / -np.where(drains, self.growth[1], -1.0), np.nan)

    @property
    def out_rate(self) -> Floats:
        """Offsets committed a second over the window; NaN where unknown."""
        committed = self.history.polls.column("committed")[self._recent]
        found = np.where((self.committed != NONE) & self.polled_twice, 0.0, np.nan)
        lines = np.flatnonzero(self.recently("changed_at") & self.seen)
        known = self._polled[:, lines] & (committed[:, lines] != NONE)
        found[lines] = rates(self._at, committed[:, lines], known)
        return found

    def member_changes(self, lines: Lines) -> list[int]:
        """Polls of the window that saw other members than the one before."""
        changed = (self._flags[:, lines] & OTHER_MEMBERS) != 0
        first = changed[self._first[lines], np.arange(len(lines))]
        found: list[int] = (np.count_nonzero(changed, axis=0) - first).tolist()
        return found

    def rewinds(self, lines: Lines) -> list[Rewind]:
        """The highest committed offset of the window (the latest such), and what came after it."""
        committed = self.history.polls.column("committed")[self._recent][:, lines]
        known, polls = self._polled[:, lines] & (committed != NONE), len(self._at)
        values: Integers = np.where(known, committed, NONE)
        peak = values.max(axis=0)
        top = polls - 1 - (values[::-1] == peak).argmax(axis=0)
        after = known & (np.arange(polls)[:, None] > top)
        fell, each = after.argmax(axis=0), np.arange(len(lines))
        found = zip(peak.tolist(), values[fell, each].tolist(), self._at[fell].tolist(), strict=True)
        return [Rewind(*one) for one in found]

    def jump(self, line: int) -> Jump | None:
        """The first move without members that is far faster than all before it."""
        polled = self._polled[:, line]
        committed: list[int] = self.history.polls.column("committed")[self._recent, line][polled].tolist()
        memberless: list[bool] = ((self._flags[polled, line] & MEMBERLESS) != 0).tolist()
        at: list[float] = self._at[polled].tolist()
        fastest = 0.0
        for after in range(1, len(at)):
            jump = committed[after] - committed[after - 1]
            if jump == 0 or NONE in (committed[after], committed[after - 1]):
                continue
            speed = jump / max(at[after] - at[after - 1], 0.001)
            if (
                memberless[after]
                and memberless[after - 1]
                and speed > max(IMPLAUSIBLE_PER_SECOND, 5 * fastest)
            ):
                return Jump(committed[after - 1], committed[after], at[after])
            fastest = max(fastest, speed)
        return None


def known_or_none(values: npt.NDArray[np.int64]) -> list[int | None]:
    """Offsets as Python has them."""
    return [None if value == NONE else value for value in values.tolist()]


def told_or_none(values: Floats) -> list[float | None]:
    """Figures as Python has them."""
    return [None if value != value else value for value in values.tolist()]
