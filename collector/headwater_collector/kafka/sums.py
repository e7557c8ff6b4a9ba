"""The sum of each group's lag on each topic, poll by poll: what is judged where no single partition stands out."""

from collections.abc import Container

import numpy as np

from headwater_analysis.health_history import NONE, History, Seen
from headwater_analysis.health_verdicts import Standing, VerdictKeeper
from headwater_analysis.rates import Flags, Integers

Place = tuple[str, str]
"""(group, topic)"""


class Sums:
    """A line a group on a topic."""

    def __init__(self) -> None:
        self.history = History()
        self.places: list[Place] = []
        self.keepers: list[VerdictKeeper] = []
        self._numbers: dict[Place, int] = {}
        self._before: dict[Place, Standing] = {}

    def remember(self, place: Place, before: Standing) -> None:
        """What an earlier run said of it."""
        self._before[place] = before

    def number(self, place: Place) -> int:
        """The line of the place; one that was never met gets one."""
        found = self._numbers.get(place)
        if found is None:
            found = self._numbers[place] = len(self.places)
            self.places.append(place)
            self.keepers.append(VerdictKeeper(self._before.pop(place, None)))
        return found

    def keep(self, kept: Flags) -> None:
        """Only those lines, in their order."""
        self.history.widen(len(self.places))
        self.history.keep(kept)
        self.places = [place for place, stays in zip(self.places, kept.tolist(), strict=True) if stays]
        self.keepers = [keeper for keeper, stays in zip(self.keepers, kept.tolist(), strict=True) if stays]
        self._numbers = {place: number for number, place in enumerate(self.places)}

    def forget(self, topics: Container[str]) -> None:
        """Topics that were recreated or cut start a new history."""
        self.history.widen(len(self.places))
        numbers = [number for number, (_, topic) in enumerate(self.places) if topic in topics]
        self.history.forget(np.array(numbers, np.intp))

    def add(self, at: float, of: Integers, committed: Integers, end: Integers, other: Flags) -> None:
        """A poll: each summed line's place, committed and end offset; `other` places sum other lines than before."""
        count = len(self.places)
        self.history.widen(count)
        self.history.forget(np.flatnonzero(other))
        sums = np.zeros((2, count), np.int64)
        np.add.at(sums[0], of, committed)
        np.add.at(sums[1], of, end)
        nothing = np.bincount(of, minlength=count) == 0
        sums[0][nothing] = NONE
        self.history.add(at, Seen(np.arange(count), committed=sums[0], end=sums[1]))
