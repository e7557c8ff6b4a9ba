"""Verdicts over time and over partitions: no flapping, and what a group's topic shows."""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from .health_rules import Verdict

FACTS = frozenset(
    "unknown lost truncated frozen blocked stopped rewound skipped_ahead rebalancing no_commit".split()
)
"""These change at once; all others only when the new verdict has held for two polls."""

WORST_FIRST = (
    *("lost", "truncated", "blocked", "frozen", "stopped", "stalled"),
    *("no_commit", "rewound", "skipped_ahead", "rebalancing", "unknown"),
)
"""The order in which a partition's status is shown for the whole topic; the rest is judged over the sum."""
_WORST = frozenset(WORST_FIRST)


class Standing(NamedTuple):
    """The status that is shown, and since when it has been so."""

    status: str
    evidence: str
    since: float
    """Seconds since the epoch."""


class VerdictKeeper:
    """One group on one partition (or one topic): turns a verdict a poll into the status that is shown."""

    def __init__(self, before: Standing | None = None) -> None:
        """`before`: what stood when it was last judged, perhaps by an earlier run."""
        self._standing: Standing | None = None
        self._before = before
        """What stood before nothing was known: if it is found again, it has stood all along."""
        self._waiting: str | None = None

    def update(self, verdict: Verdict, at: float, *, settled: bool = False) -> Standing:
        """Take the poll's verdict; a standing status keeps its moment and renews its evidence.

        `settled`: the verdict has already been held back elsewhere and counts at once.
        """
        standing = self._standing
        if standing is not None and verdict.status == standing.status:
            self._waiting = None
            self._standing = Standing(standing.status, verdict.evidence, standing.since)
        elif (
            standing is None
            or standing.status == "unknown"
            or settled
            or verdict.status in FACTS
            or self._waiting == verdict.status
        ):
            self._waiting = None
            began = verdict.began if verdict.began is not None else at
            if verdict.status == "unknown":
                self._before = standing or self._before
            elif self._before is not None:
                began = self._before.since if self._before.status == verdict.status else began
                self._before = None
            self._standing = Standing(verdict.status, verdict.evidence, began)
        else:
            self._waiting = verdict.status
        assert self._standing is not None
        return self._standing


class GroupVerdict(NamedTuple):
    """A group on a topic: the verdict, and the partition it is about if it is about one."""

    verdict: Verdict
    worst_partition: int | None


def judge_group(partitions: Mapping[int, Standing], total: Verdict) -> GroupVerdict:
    """The worst partition's status and how many have what; else growth and slowness of the summed lag."""
    statuses = [standing.status for standing in partitions.values()]
    if _WORST.isdisjoint(statuses):
        return GroupVerdict(total, None)
    counts = Counter(statuses)
    status = next(each for each in WORST_FIRST if counts[each])
    number, worst = min(
        ((number, each) for number, each in partitions.items() if each.status == status),
        key=lambda pair: (pair[1].since, pair[0]),
    )
    evidence = f"partition {number}: {worst.evidence}"
    if len(partitions) > 1:
        tally = ", ".join(f"{counts[each]} {each.replace('_', ' ')}" for each in _by_severity(counts))
        evidence = f"{evidence} ({tally} of {len(partitions)} partitions)"
    return GroupVerdict(Verdict(status, evidence, worst.since), number)


def _by_severity(counts: Counter[str]) -> list[str]:
    order = {status: i for i, status in enumerate((*WORST_FIRST, "falling_behind", "slow", "ok"))}
    return sorted(counts, key=lambda status: order.get(status, len(order)))
