"""A line for each group on each partition, and what a poll says of each, in columns."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import compress

import numpy as np

from headwater_analysis.health_facts import IN_CHANGE, WITHOUT_MEMBERS
from headwater_analysis.health_history import NONE
from headwater_analysis.health_verdicts import Standing, VerdictKeeper
from headwater_analysis.rates import Flags, Integers, Lines

from .ends import Ends
from .snapshot import GroupSeen, Partition, Snapshot
from .sums import Sums

Key = tuple[str, Partition]
"""(group, partition)"""


_NOBODY = hash(frozenset[str]())


@dataclass(frozen=True)
class Reading:
    """What a poll says of the lines that it met: those with a committed offset or an owner."""

    lines: Lines
    committed: Integers
    owned: Flags
    memberless: Flags
    in_change: Flags
    members: Integers
    """A hash of the group's member set."""
    refused: Flags
    """The group was refused, in part at least."""
    owners: dict[int, str]

    def renumbered(self, numbers: Lines) -> "Reading":
        """The same where other lines are gone; `numbers` gives each line's number by its old one."""
        owners = {int(numbers[line]): owner for line, owner in self.owners.items()}
        return replace(self, lines=numbers[self.lines], owners=owners)


class KnownLines:
    """Lines in the order in which they were met."""

    def __init__(self, ends: Ends, sums: Sums) -> None:
        self.keys: list[Key] = []
        self.keepers: list[VerdictKeeper] = []
        self.of_partition = np.empty(0, np.intp)
        """By line: the number of its partition in `ends`."""
        self.of_sum = np.empty(0, np.intp)
        """By line: the line of `sums` that it is part of."""
        self._ends, self._sums = ends, sums
        self._numbers: dict[str, dict[Partition, int]] = {}
        self._before: dict[Key, Standing] = {}

    def remember(self, key: Key, before: Standing) -> None:
        """What an earlier run said of it."""
        self._before[key] = before

    @property
    def groups(self) -> Iterable[str]:
        return self._numbers

    def number(self, key: Key) -> int | None:
        return self._numbers.get(key[0], {}).get(key[1])

    def read(self, snapshot: Snapshot) -> Reading:
        """A poll's columns; a group on a partition that was never met gets a line."""
        lines: list[int] = []
        committed: list[int] = []
        owners: dict[int, str] = {}
        groups: list[tuple[bool, bool, int, bool]] = []
        counts: list[int] = []
        for group, offsets in snapshot.committed.items():
            known = self._numbers.setdefault(group, {})
            found = [known.get(partition, NONE) for partition in offsets]
            if NONE in found:
                found = [self._line(group, known, partition) for partition in offsets]
            values = list(offsets.values())
            seen = snapshot.groups.get(group)
            for partition, owner in _owners(seen):
                line = self._line(group, known, partition)
                owners[line] = owner
                if partition not in offsets:
                    found.append(line)
                    values.append(NONE)
            lines += found
            committed += values
            counts.append(len(found))
            groups.append((*_state(seen), group in snapshot.group_refusals))
        self._widen()
        numbers = np.array(lines, np.intp)
        owned = np.zeros(len(self.keys), bool)
        owned[list(owners)] = True
        memberless, in_change, members, refused = zip(*groups, strict=True) if groups else ((),) * 4
        return Reading(
            numbers,
            np.array(committed, np.int64),
            owned[numbers],
            np.repeat(np.array(memberless, bool), counts),
            np.repeat(np.array(in_change, bool), counts),
            np.repeat(np.array(members, np.int64), counts),
            np.repeat(np.array(refused, bool), counts),
            owners,
        )

    def keep(self, kept: Flags) -> Lines:
        """Only those lines, in their order; gives the new number of each, by the old one."""
        chosen = kept.tolist()
        self.keys, self.keepers = list(compress(self.keys, chosen)), list(compress(self.keepers, chosen))
        self._numbers = {}
        for line, (group, partition) in enumerate(self.keys):
            self._numbers.setdefault(group, {})[partition] = line
        self.of_partition = self.of_partition[kept]
        places = np.zeros(len(self._sums.places), bool)
        places[self.of_sum[kept]] = True
        self._sums.keep(places)
        self.of_sum = (np.cumsum(places) - 1)[self.of_sum[kept]]
        numbers: Lines = np.cumsum(kept) - 1
        return numbers

    def _line(self, group: str, known: dict[Partition, int], partition: Partition) -> int:
        line = known.get(partition)
        if line is None:
            line = known[partition] = len(self.keys)
            key = (group, partition)
            self.keys.append(key)
            self.keepers.append(VerdictKeeper(self._before.pop(key, None)))
        return line

    def _widen(self) -> None:
        new = self.keys[len(self.of_partition) :]
        partitions = [self._ends.number(partition) for _, partition in new]
        sums = [self._sums.number((group, partition.topic)) for group, partition in new]
        self.of_partition = np.concatenate((self.of_partition, np.array(partitions, np.intp)))
        self.of_sum = np.concatenate((self.of_sum, np.array(sums, np.intp)))


def _owners(seen: GroupSeen | None) -> "list[tuple[Partition, str]]":
    """Who has each partition: by client id where that tells the members apart, else by member id."""
    if seen is None or not seen.members:
        return []
    telling = len({member.client_id for member in seen.members}) == len(seen.members)
    return [
        (partition, member.client_id if telling and member.client_id else member.member_id)
        for member in seen.members
        for partition in member.partitions
    ]


def _state(seen: GroupSeen | None) -> tuple[bool, bool, int]:
    """Whether the group has no members, whether it is in change, and a hash of its member set.

    A new-protocol group in change is reported as unknown by librdkafka.
    """
    if seen is None:
        return False, False, 0
    in_change = seen.state in IN_CHANGE or (seen.state == "unknown" and seen.protocol == "consumer")
    members = hash(frozenset(member.member_id for member in seen.members)) if seen.members else _NOBODY
    return seen.state in WITHOUT_MEMBERS, in_change, members


def unreadable(snapshot: Snapshot, key: Key) -> str:
    """Why a poll could not read a group on a partition that it met."""
    group, partition = key
    if group in snapshot.group_refusals:
        return snapshot.group_refusals[group]
    refused = next((each for each in snapshot.refusals if f"topic {partition.topic}:" in each), None)
    if partition.topic not in snapshot.topics:
        return refused or f"topic {partition.topic} does not exist (any more)"
    if partition.partition >= snapshot.topics[partition.topic]:
        return f"topic {partition.topic} has no partition {partition.partition}"
    return refused or "the broker gave no offsets for this partition"


def missing(snapshot: Snapshot, group: str) -> str | None:
    """Why a poll did not meet a group's line; None: it is gone."""
    reason = snapshot.group_refusals.get(group)
    if reason is None and not snapshot.groups_complete:
        return "the group was not listed: not every coordinator answers"
    return reason
