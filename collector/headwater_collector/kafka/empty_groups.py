"""Groups without members: whose committed offsets are asked for at a poll, where there are very many of them.

A listing tells that they are empty, so they need not be described. Their offsets move only where somebody commits
without being a member; of more than a poll can ask about, those that moved lately are asked, and the others in turn.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

from .snapshot import Partition

AT_EACH_POLL = 500
"""Each takes a request of its own: about a millisecond of CPU."""
ASKS_UNTIL_IDLE = 6


@dataclass
class _Known:
    offsets: Mapping[Partition, int]
    turn: int
    """When it was asked last."""
    unmoved: int
    """Asks running that gave the same; one that was never seen to move counts as long unmoved."""


class EmptyGroups:
    """What is known of them between polls; bounded by the groups that are listed."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}
        self._turn = 0

    def due(self, empty: Iterable[str]) -> list[str]:
        """Whom to ask now; lets go of those that are not empty any more, or not there."""
        groups = list(empty)
        self._turn += 1
        self._known = {group: self._known[group] for group in groups if group in self._known}
        if len(groups) <= AT_EACH_POLL:
            return groups
        in_turn = sorted(groups, key=self._asked)
        moving = [group for group in in_turn if self._moves(group)][: AT_EACH_POLL * 3 // 4]
        chosen = set(moving)
        others = (group for group in in_turn if group not in chosen)
        return [*moving, *islice(others, AT_EACH_POLL - len(moving))]

    def take(self, group: str, offsets: Mapping[Partition, int]) -> None:
        """What asking gave."""
        known = self._known.get(group)
        if known is None:
            unmoved = ASKS_UNTIL_IDLE
        else:
            unmoved = known.unmoved + 1 if known.offsets == offsets else 0
        self._known[group] = _Known(offsets, self._turn, unmoved)

    def kept(self, groups: Iterable[str]) -> dict[str, Mapping[Partition, int]]:
        """The last offsets of groups that are not asked now; one that never was is left out."""
        return {group: self._known[group].offsets for group in groups if group in self._known}

    def _asked(self, group: str) -> int:
        known = self._known.get(group)
        return 0 if known is None else known.turn

    def _moves(self, group: str) -> bool:
        known = self._known.get(group)
        return known is not None and known.unmoved < ASKS_UNTIL_IDLE


def remark(empty: int, asked: int) -> str | None:
    """That not all were asked; None where they were."""
    if empty <= asked:
        return None
    return (
        f"{empty:,} groups have no members: each poll asks {asked:,} of them for their committed offsets, "
        "those that moved lately and the others in turn"
    )
