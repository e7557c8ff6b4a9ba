"""The last polls in columns: a poll a row, a line (a group on a partition, a partition) a column."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from .rates import Flags, Floats, Lines

_FIRST_ROOM = 16


class Polls:
    """Grows by polls at its end and by lines at its side; old polls are let go in one piece now and then."""

    def __init__(self, **kinds: npt.DTypeLike) -> None:
        """The columns by name, and what each holds; what was never added is 0."""
        self._at = np.zeros(_FIRST_ROOM)
        self._columns: dict[str, npt.NDArray[Any]] = {
            name: np.zeros((_FIRST_ROOM, 0), kind) for name, kind in kinds.items()
        }
        self._first = self._next = 0
        self.lines = 0

    @property
    def at(self) -> Floats:
        """When each poll was, in seconds since the epoch, oldest first."""
        return self._at[self._first : self._next]

    def column(self, name: str) -> npt.NDArray[Any]:
        """All polls of one column: a view that may be written to."""
        return self._columns[name][self._first : self._next, : self.lines]

    def add(self, at: float, lines: Lines, values: Mapping[str, npt.NDArray[Any]]) -> None:
        """One poll, later than all before, of some of the lines."""
        if self._next == len(self._at):
            self._make_room()
        self._at[self._next] = at
        for name, column in self._columns.items():
            column[self._next] = 0
            column[self._next, lines] = values[name]
        self._next += 1

    def drop_before(self, at: float) -> None:
        """Let polls before that moment go."""
        self._first += int(np.searchsorted(self.at, at))

    def widen(self, lines: int) -> None:
        """More lines, at the end."""
        room = next(iter(self._columns.values())).shape[1]
        if lines > room:
            more = max(lines, room + room // 4) - room
            self._columns = {name: np.pad(each, ((0, 0), (0, more))) for name, each in self._columns.items()}
        self.lines = lines

    def keep(self, kept: Flags) -> None:
        """Only those lines, in their order."""
        self._columns = {name: each[:, : self.lines][:, kept] for name, each in self._columns.items()}
        self.lines = int(np.count_nonzero(kept))

    def clear(self, lines: Lines) -> None:
        """Nothing is known of those lines so far."""
        for each in self._columns.values():
            each[:, lines] = 0

    def _make_room(self) -> None:
        polls = self._next - self._first
        room = max(_FIRST_ROOM, polls + polls // 2)
        at, columns = np.zeros(room), {}
        at[:polls] = self.at
        for name, each in self._columns.items():
            columns[name] = np.zeros((room, each.shape[1]), each.dtype)
            columns[name][:polls] = each[self._first : self._next]
        self._at, self._columns, self._first, self._next = at, columns, 0, polls
