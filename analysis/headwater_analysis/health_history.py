"""What is remembered of many groups on many partitions between polls, in columns: a line is one of them.

What a rule needs of the newest samples alone, and since when something has been so, is kept up by each poll; for the
rest (`health_columns`) the samples of the last minutes are kept.
"""

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from .health_facts import CHANGES_SECONDS, IMPLAUSIBLE_PER_SECOND, LONGEST_SECONDS, WINDOW_SECONDS
from .health_polls import Polls
from .rates import Flags, Floats, Integers, Lines

NONE = -1
"""An offset that Kafka does not have."""
NEVER = -np.inf
POLLED, CHANGED, OTHER_MEMBERS, MEMBERLESS = 1, 2, 4, 8
"""Flags of a sample: there is one; its committed offset is another than before; so are its members; it has none."""

_Change = Callable[[npt.NDArray[Any], float], npt.NDArray[Any]]


class Seen:
    """One poll's view of some lines, a value a line."""

    def __init__(
        self,
        lines: Lines,
        *,
        committed: Integers,
        end: Integers,
        log_start: Integers | None = None,
        stable: Integers | None = None,
        owned: Flags | None = None,
        memberless: Flags | None = None,
        in_change: Flags | None = None,
        members: Integers | None = None,
        after_gap: bool = False,
    ) -> None:
        """`members` is a hash of the group's member set; `after_gap` says that silence is counted from here."""
        no, none = np.zeros(len(lines), bool), np.full(len(lines), NONE)
        self.lines, self.committed, self.end, self.after_gap = lines, committed, end, after_gap
        self.log_start = none if log_start is None else log_start
        self.stable = none if stable is None else stable
        self.owned = ~no if owned is None else owned
        self.memberless = no if memberless is None else memberless
        self.in_change = no if in_change is None else in_change
        self.members = np.zeros(len(lines), np.int64) if members is None else members


class History:
    """Lines are numbered from 0; `widen` adds some, `keep` leaves some."""

    _TIMES: ClassVar = (
        *("last_at", "before_at", "start", "changed_at", "lost_at", "ahead_at", "zero_at", "fell_at"),
        *("memberless_at", "other_members_at", "by_hand_after", "by_hand_after_before", "leapt_at"),
        *("committed_since", "held_since", "unowned_since", "silent_since"),
    )
    _NUMBERS: ClassVar = (
        *(
            "committed",
            "end",
            "log_start",
            "stable",
            "known_committed",
            "lost_committed",
            "lost_start",
            "members",
        ),
        *("changes", "held_polls"),
    )
    _MARKS: ClassVar = (
        *("interrupted", "owned", "memberless", "in_change", "unowned_before", "in_change_before"),
        *("unowned", "silent"),
    )

    def __init__(self) -> None:
        self.polls = Polls(committed=np.int64, end=np.int64, flags=np.uint8)
        self.lines = 0
        self.times: dict[str, Floats] = {name: np.empty(0) for name in self._TIMES}
        """When something was seen last, or since when it has been so; NEVER where it was not."""
        self.numbers: dict[str, Integers] = {name: np.empty(0, np.int64) for name in self._NUMBERS}
        """Of the newest sample, and counts."""
        self.marks: dict[str, Flags] = {name: np.empty(0, bool) for name in self._MARKS}
        self.usual = np.empty(0)
        """The longest gap between two changes of the committed offset in ten minutes; 0 while there are none."""

    @property
    def at(self) -> float:
        """The newest poll."""
        return float(self.polls.at[-1])

    def widen(self, lines: int) -> None:
        """So many lines from now on; the new ones know nothing."""
        more = lines - self.lines
        self._each(lambda values, nothing: np.concatenate((values, np.full(more, nothing, values.dtype))))
        self.polls.widen(lines)
        self.lines = lines

    def keep(self, kept: Flags) -> None:
        """Only those lines, in their order."""
        self._each(lambda values, _: values[kept])
        self.polls.keep(kept)
        self.lines = self.polls.lines

    def forget(self, lines: Lines) -> None:
        """A new history: what lay before says nothing about what comes."""
        interrupted = self.marks["interrupted"][lines]

        def emptied(values: npt.NDArray[Any], nothing: float) -> npt.NDArray[Any]:
            values[lines] = nothing
            return values

        self._each(emptied)
        self.marks["interrupted"][lines] = interrupted
        self.polls.clear(lines)

    def interrupt(self, lines: Lines | slice) -> None:
        """Those could not be read: the next sample counts silence anew."""
        self.marks["interrupted"][lines] = True

    def _each(self, change: _Change) -> None:
        self.times = {name: change(values, NEVER) for name, values in self.times.items()}
        self.numbers = {
            name: change(values, 0 if name in ("changes", "held_polls", "members") else NONE)
            for name, values in self.numbers.items()
        }
        self.marks = {name: change(values, False) for name, values in self.marks.items()}
        self.usual = change(self.usual, 0.0)

    def add(self, at: float, seen: Seen) -> None:
        """A poll, later than all before."""
        lines, times, numbers, marks = seen.lines, self.times, self.numbers, self.marks
        before = {name: values[lines] for name, values in numbers.items()}
        was = {name: values[lines] for name, values in marks.items()}
        last_at = times["last_at"][lines]
        had, gap = last_at > NEVER, was["interrupted"] | seen.after_gap
        changed = had & (before["committed"] != seen.committed)
        both_known = had & (before["committed"] != NONE) & (seen.committed != NONE)
        by_hand = changed & both_known & was["memberless"] & seen.memberless
        speed = (seen.committed - before["committed"]) / np.maximum(np.where(had, at - last_at, 1.0), 0.001)
        held = (seen.stable != NONE) & (seen.end > seen.stable)
        held_still = held & had & (before["end"] > before["stable"]) & (before["stable"] == seen.stable)
        behind = (seen.committed != NONE) & (seen.end > seen.committed)
        unowned = ~seen.owned & ~seen.in_change
        unowned_behind, silent = unowned & behind, (seen.committed == NONE) & seen.owned
        waits = (seen.committed != NONE) & (seen.committed == seen.stable) & held
        waited = (before["committed"] == before["stable"]) & held_still
        known = before["known_committed"]

        def note(name: str, which: Flags) -> None:
            times[name][lines[which]] = at

        times["by_hand_after_before"][lines[by_hand]] = times["by_hand_after"][lines[by_hand]]
        times["by_hand_after"][lines[by_hand]] = last_at[by_hand]
        note("leapt_at", by_hand & (speed > IMPLAUSIBLE_PER_SECOND))
        note("committed_since", ~had | gap | changed)
        note("fell_at", (known != NONE) & (seen.committed != NONE) & (seen.committed < known))
        lost = (seen.committed != NONE) & (seen.log_start != NONE) & (seen.committed < seen.log_start)
        note("lost_at", lost)
        note("ahead_at", (seen.committed != NONE) & (seen.stable != NONE) & (seen.committed > seen.stable))
        note("zero_at", (seen.committed != NONE) & (seen.end != NONE) & ~behind)
        note("memberless_at", seen.memberless)
        other_members = had & (before["members"] != seen.members)
        note("other_members_at", other_members)
        note("held_since", ~held_still | gap)
        note("unowned_since", ~(unowned_behind & was["unowned"]) | gap)
        note("silent_since", ~(silent & was["silent"]) | gap)
        numbers["lost_committed"][lines[lost]] = seen.committed[lost]
        numbers["lost_start"][lines[lost]] = seen.log_start[lost]
        numbers["known_committed"][lines] = np.where(seen.committed != NONE, seen.committed, known)
        numbers["held_polls"][lines] = np.where(waits, np.where(waited, before["held_polls"] + 1, 1), 0)
        for name in ("committed", "end", "log_start", "stable", "members"):
            numbers[name][lines] = getattr(seen, name)
        marks["unowned_before"][lines] = had & ~was["owned"] & ~was["in_change"]
        marks["in_change_before"][lines] = had & was["in_change"]
        for name, values in (("unowned", unowned_behind), ("silent", silent), ("interrupted", False)):
            marks[name][lines] = values
        for name in ("owned", "memberless", "in_change"):
            marks[name][lines] = getattr(seen, name)
        times["before_at"][lines], times["last_at"][lines] = last_at, at
        flags = POLLED + CHANGED * changed + OTHER_MEMBERS * other_members + MEMBERLESS * seen.memberless
        self.polls.add(at, lines, {"committed": seen.committed, "end": seen.end, "flags": flags})
        self._settle(at, lines, changed)

    def _settle(self, at: float, lines: Lines, changed: Flags) -> None:
        """The usual gap between changes, and from when on samples count: longer where commits are far apart."""
        note = self.times["changed_at"]
        note[lines[changed]] = at
        self._find_usual(at, lines[changed | (self.numbers["changes"][lines] > 0)])
        reach = np.clip(8 * self.usual[lines], WINDOW_SECONDS, LONGEST_SECONDS)
        start = self.times["start"]
        start[lines] = np.maximum(start[lines], at - reach)
        oldest = start[start > NEVER].min(initial=at - CHANGES_SECONDS)
        self.polls.drop_before(max(at - LONGEST_SECONDS, oldest))

    def _find_usual(self, at: float, lines: Lines) -> None:
        first = int(np.searchsorted(self.polls.at, at - CHANGES_SECONDS))
        polled = self.polls.at[first:]
        changed = (self.polls.column("flags")[first:, lines] & CHANGED) != 0
        last = np.full(len(lines), NEVER)
        longest = np.zeros(len(lines))
        for moment, those in zip(polled, changed, strict=True):
            np.maximum(longest, moment - last, out=longest, where=those & (last > NEVER))
            last[those] = moment
        self.usual[lines] = longest
        self.numbers["changes"][lines] = np.count_nonzero(changed, axis=0)
