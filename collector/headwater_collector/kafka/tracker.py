"""The memory of one cluster between polls: every partition's ends, every group's way, records looked up.

What is known of a group on a partition is a line; lines are columns of arrays, so that a poll costs little however
many there are.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from headwater_analysis.health_hand import Hand
from headwater_analysis.health_history import NONE, History, Seen
from headwater_analysis.health_verdicts import Standing
from headwater_analysis.lag_time import RecordTime, SentTimes
from headwater_analysis.rates import Flags, Integers

from .ends import Ends
from .lines import Key, KnownLines, Reading, missing, unreadable
from .lives import Life, Lives, NewLives
from .record_fetcher import Place
from .snapshot import Partition, Snapshot
from .sums import Sums

GAP_POLLS = 5
GAP_SECONDS = 30.0  # a machine that slept
ISOLATION_POLLS = 3
LOG_APPEND_TIME = 1


@dataclass(frozen=True)
class Nothing:
    """No record was found from the committed offset up to this last stable offset."""

    stable: int


Found = RecordTime | Nothing


class Tracker:
    """Feed it snapshots in order: `take`, look up what is `wanted`, `give`, `settle`. Not thread-safe."""

    def __init__(self, poll_seconds: float, lives: Mapping[str, Life] | None = None) -> None:
        self.poll_seconds = poll_seconds
        self.lives = Lives(lives)
        self.ends = Ends()
        self.sums = Sums()
        self.lines = KnownLines(self.ends, self.sums)
        self.history = History()
        """Of the lines."""
        self.snapshot: Snapshot | None = None
        self.owners: dict[int, str] = {}
        """By line, as are the following."""
        self.unreadable: dict[int, str] = {}
        """Why the newest poll could not read it, where it could not."""
        self.records: dict[int, RecordTime] = {}
        """The first unread record, where it was looked up."""
        self.nothing_readable = np.empty(0, bool)
        """No record lies between committed and last stable offset."""
        self.hands: Mapping[Key, Sequence[Hand]] = {}
        """What services say of the messages that they hold or fail at, as of now."""
        self.sent: Mapping[tuple[Partition, int], SentTimes] = {}
        """When the first unread messages were sent, where records may not be read; as of now."""
        self.left: tuple[Key, ...] = ()
        """Those that the newest poll found gone: deleted, commits expired, or given up without a commit."""
        self._isolation: dict[str, bool] = {}
        self._found: dict[tuple[Partition, int], Found] = {}
        self._summed = np.empty(0, bool)
        self._other_sums: set[tuple[str, str]] = set()

    def remember_end(self, partition: Partition, at: float, end: int) -> None:
        """An end offset from an earlier run; call in order of time, before the first poll."""
        self.ends.histories[self.ends.number(partition)].add(at, end)

    def remember_standing(self, group: str, topic: str, partition: int | None, before: Standing) -> None:
        """What an earlier run said of a group on a partition, or (None) on the topic."""
        if partition is None:
            self.sums.remember((group, topic), before)
        else:
            self.lines.remember((group, Partition(topic, partition)), before)

    def miss(self) -> None:
        """A poll failed as a whole: silence is counted anew."""
        self.history.interrupt(slice(None))

    def take(self, snapshot: Snapshot) -> NewLives:
        """Take a poll; returns what it says of lives."""
        before, self.snapshot = self.snapshot, snapshot
        fell = self.ends.fallen(snapshot.end)
        lives = self.lives.take(snapshot, fell.__contains__)
        if before is not None and snapshot.at <= before.at:
            # The clock was set back: how long ago anything was can no longer be told.
            fell = {each.topic for each in self.ends.partitions}
        self._forget({*lives.recreated, *fell})
        reading = self.lines.read(snapshot)  # may meet partitions that have no ends
        self.ends.take(snapshot)
        slept = before is not None and (snapshot.at - before.at > GAP_POLLS * self.poll_seconds + GAP_SECONDS)
        self._take_groups(snapshot, reading, slept)
        self._infer_isolation()
        return lives

    def wanted(self) -> Iterator[Place]:
        """Look-ups that would help, the longest silent first; each (partition, offset) once."""
        numbers, since = self.history.numbers, self.history.times["committed_since"]
        committed, stable = numbers["committed"], numbers["stable"]
        unread = np.flatnonzero(
            self._seen & (committed != NONE) & (committed < np.minimum(stable, numbers["end"]))
        )
        asked: set[tuple[Partition, int]] = set()
        for line in unread[since[unread].argsort(kind="stable")].tolist():
            place = (self.lines.keys[line][1], int(committed[line]))
            found = self._found.get(place)
            if place in asked or isinstance(found, RecordTime):
                continue
            if found is None or found.stable != stable[line]:
                asked.add(place)
                yield Place(*place, int(stable[line]))

    def give(self, records: Mapping[Place, Any]) -> None:
        """Take the answers of look-ups; those nobody stands at any more are let go."""
        for place, record in records.items():
            self._found[place.partition, place.offset] = (
                Nothing(place.stable)
                if record is None
                else RecordTime(
                    record.offset, record.timestamp / 1000, record.timestamp_type == LOG_APPEND_TIME
                )
            )
        if self._found:
            offsets = self.history.numbers["committed"].tolist()
            keys = self.lines.keys
            current = {(partition, offset) for (_, partition), offset in zip(keys, offsets, strict=True)}
            self._found = {place: each for place, each in self._found.items() if place in current}

    def settle(self) -> None:
        """After the look-ups: what they found by line, and this poll's sums over each group's partitions of a topic."""
        assert self.snapshot is not None
        self._look_up()
        numbers = self.history.numbers
        committed, end = np.where(self.empty_tail, numbers["end"], numbers["committed"]), numbers["end"]
        summed = self._seen & (committed != NONE)
        other = np.array([place in self._other_sums for place in self.sums.places], bool)
        other[self.lines.of_sum[summed != self._summed]] = True
        self._summed, self._other_sums = summed, set()
        places = self.lines.of_sum[summed]
        self.sums.add(self.snapshot.at, places, committed[summed], end[summed], other)

    @property
    def empty_tail(self) -> Flags:
        """By line: between committed and end offset lies no record."""
        numbers = self.history.numbers
        found: Flags = self.nothing_readable & (numbers["stable"] == numbers["end"])
        return found

    def reads_committed(self, group: str) -> bool | None:
        """The group's isolation as far as its offsets give it away."""
        return self._isolation.get(group)

    @property
    def _seen(self) -> Flags:
        """By line: whether the newest poll read it."""
        found: Flags = self.history.times["last_at"] == self.history.at
        return found

    def _look_up(self) -> None:
        numbers = self.history.numbers
        committed, stable = numbers["committed"], numbers["stable"]
        self.nothing_readable, self.records = np.zeros(self.history.lines, bool), {}
        if not self._found:
            return
        for line in np.flatnonzero((committed != NONE) & (committed < stable)).tolist():
            found = self._found.get((self.lines.keys[line][1], int(committed[line])))
            if isinstance(found, RecordTime):
                self.records[line] = found
            elif found is not None:
                self.nothing_readable[line] = found.stable == stable[line]

    def _forget(self, topics: set[str]) -> None:
        """Topics that were recreated or cut start a new history."""
        if not topics:
            return
        self.ends.forget(topics)
        self.sums.forget(topics)
        lines = [line for line, (_, partition) in enumerate(self.lines.keys) if partition.topic in topics]
        self.history.forget(np.array(lines, np.intp))
        self._found = {place: found for place, found in self._found.items() if place[0].topic not in topics}

    def _take_groups(self, snapshot: Snapshot, reading: Reading, after_gap: bool) -> None:
        reading = self._leave(snapshot, reading)
        self.owners = reading.owners
        of = self.lines.of_partition[reading.lines]
        read = self.ends.readable[of] & ~reading.refused

        def ended(offsets: Integers) -> Integers:
            return offsets[of][read]

        seen = Seen(
            reading.lines[read],
            committed=reading.committed[read],
            end=ended(self.ends.end),
            log_start=ended(self.ends.start),
            stable=ended(self.ends.stable),
            owned=reading.owned[read],
            memberless=reading.memberless[read],
            in_change=reading.in_change[read],
            members=reading.members[read],
            after_gap=after_gap,
        )
        self.history.add(snapshot.at, seen)
        for line in reading.lines[~read].tolist():
            self.unreadable[line] = unreadable(snapshot, self.lines.keys[line])
        self.history.interrupt(np.array(list(self.unreadable), np.intp))

    def _leave(self, snapshot: Snapshot, reading: Reading) -> Reading:
        """Lets lines go that are gone."""
        keys = self.lines.keys
        self.history.widen(len(keys))
        self._summed = np.concatenate((self._summed, np.zeros(len(keys) - len(self._summed), bool)))
        met = np.zeros(len(keys), bool)
        met[reading.lines] = True
        silent = {line: missing(snapshot, keys[line][0]) for line in np.flatnonzero(~met).tolist()}
        self.unreadable = {line: reason for line, reason in silent.items() if reason is not None}
        gone = np.array([line for line, reason in silent.items() if reason is None], np.intp)
        self.left = tuple(keys[line] for line in gone.tolist())
        if not self.left:
            return reading
        kept = np.ones(len(keys), bool)
        kept[gone] = False
        self._other_sums |= {
            (keys[line][0], keys[line][1].topic) for line in gone.tolist() if self._summed[line]
        }
        numbers = self.lines.keep(kept)
        self.history.keep(kept)
        self._summed = self._summed[kept]
        self.unreadable = {int(numbers[line]): reason for line, reason in self.unreadable.items()}
        return reading.renumbered(numbers)

    def _infer_isolation(self) -> None:
        """Committed stands at a last stable offset below the end on three polls: read_committed."""
        numbers, keys = self.history.numbers, self.lines.keys
        committed, stable, end = numbers["committed"], numbers["stable"], numbers["end"]
        uncommitted = self._seen & (committed != NONE) & (stable < committed) & (committed <= end)
        held_back = self._seen & (numbers["held_polls"] >= ISOLATION_POLLS)
        for lines, reads_committed in ((held_back, True), (uncommitted, False)):
            for line in np.flatnonzero(lines).tolist():
                self._isolation[keys[line][0]] = reads_committed
