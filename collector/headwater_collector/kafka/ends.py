"""What is remembered of partitions: where each ended when, all of it thinned, and the last minutes for the rate."""

from collections.abc import Iterable, Mapping

import numpy as np

from headwater_analysis.health_facts import WINDOW_SECONDS
from headwater_analysis.health_history import NONE
from headwater_analysis.health_polls import Polls
from headwater_analysis.lag_time import EndHistory
from headwater_analysis.rates import Flags, Floats, Integers, Lines, rates

from .snapshot import Partition, Snapshot


class Ends:
    """Partitions numbered in the order in which they were met."""

    def __init__(self) -> None:
        self.partitions: list[Partition] = []
        self.histories: list[EndHistory] = []
        self._numbers: dict[Partition, int] = {}
        self._polls = Polls(end=np.int64, known=np.bool_)
        self.start, self.stable, self.end = (np.empty(0, np.int64) for _ in range(3))
        """As of the newest poll; NONE where it could not read them."""

    def number(self, partition: Partition) -> int:
        """The partition's number; one that was never met gets one."""
        found = self._numbers.get(partition)
        if found is None:
            found = self._numbers[partition] = len(self.partitions)
            self.partitions.append(partition)
            self.histories.append(EndHistory())
        return found

    def fallen(self, end: Mapping[Partition, int]) -> set[str]:
        """Topics of which a partition ends before where it ended last."""
        return {
            partition.topic
            for partition, number in ((each, self._numbers.get(each)) for each in end)
            if number is not None and end[partition] < (self.histories[number].last_end or 0)
        }

    def take(self, snapshot: Snapshot) -> None:
        """A poll, later than all before."""
        numbers = self._numbers_of(snapshot.end)
        self._polls.widen(len(self.partitions))
        ends = np.fromiter(snapshot.end.values(), np.int64, len(numbers))
        self._polls.add(snapshot.at, numbers, {"end": ends, "known": np.ones(len(numbers), bool)})
        self._polls.drop_before(snapshot.at - WINDOW_SECONDS)
        for number, end in zip(numbers.tolist(), ends.tolist(), strict=True):
            self.histories[number].add(snapshot.at, end)
        self.start, self.stable, self.end = map(
            self._by_number, (snapshot.log_start, snapshot.stable, snapshot.end)
        )

    @property
    def readable(self) -> Flags:
        """Partitions of which the newest poll read all there is to read."""
        found: Flags = (self.start != NONE) & (self.stable != NONE) & (self.end != NONE)
        return found

    def rates(self) -> Floats:
        """Offsets produced a second by number; NaN where unknown."""
        end, known = self._polls.column("end"), self._polls.column("known")
        found = np.full(len(self.partitions), np.nan)
        found[: self._polls.lines] = rates(self._polls.at, end, known)
        return found

    def forget(self, topics: Iterable[str]) -> None:
        """Topics that were recreated or cut start a new history."""
        gone = set(topics)
        numbers = [number for number, each in enumerate(self.partitions) if each.topic in gone]
        for number in numbers:
            self.histories[number] = EndHistory()
        self._polls.clear(np.array([each for each in numbers if each < self._polls.lines], np.intp))

    def _numbers_of(self, partitions: Iterable[Partition]) -> Lines:
        return np.fromiter(map(self.number, partitions), np.intp)

    def _by_number(self, offsets: Mapping[Partition, int]) -> Integers:
        numbers = self._numbers_of(offsets)
        found = np.full(len(self.partitions), NONE)
        found[numbers] = np.fromiter(offsets.values(), np.int64, len(numbers))
        return found
