"""When groups were rebalanced: who came and went, who holds what, and what it cost."""

import json
from dataclasses import dataclass

from .rows import select
from .source import Source
from .window import Window


@dataclass(frozen=True)
class Rebalance:
    """One rebalance of a group, between two polls that saw it settled. None is unknown."""

    cluster: str | None
    consumer_group: str
    started_ns: int
    """The last poll that saw it as it was."""
    ended_ns: int
    """The first poll that saw it settled again."""
    members_before: int
    members_after: int
    members_joined: tuple[str, ...]
    """Member ids."""
    members_left: tuple[str, ...]
    partitions_moved: int
    assignment_before: str
    """JSON: a list of member, client, host, partitions."""
    assignment_after: str
    silent_seconds: float | None
    """How long nothing was read, by its commits."""
    lag_before: int | None
    lag_after: int | None
    """The highest, up to a minute after."""
    handled_again: int
    """Messages begun before and again after."""
    reported_by: int | None
    """Instrumented consumers that report it."""
    longest_ms: float | None
    generation: int | None
    """Of the group, after it; None where no instrumented consumer tells it."""


def rebalances(
    source: Source, window: Window, group: str | None = None, limit: int = 50
) -> tuple[Rebalance, ...]:
    """Those of every group, or of one, in the window; the newest first."""
    return select(
        source,
        Rebalance,
        "from rebalances_since(make_timestamp_ns(?)) where ? is null or consumer_group = ? "
        "order by ended_at desc, consumer_group limit ?",
        [window.from_ns or 0, group, group, limit],
        assignment_before="assignment_before::varchar",
        assignment_after="assignment_after::varchar",
    )


def held(assignment: str) -> dict[str, tuple[str, ...]]:
    """Member → its partitions as ``topic/partition``; a member goes by its client's name where that is its own."""
    members = json.loads(assignment)
    clients = [member["client"] for member in members]
    return {
        (
            member["client"]
            if member["client"] and clients.count(member["client"]) == 1
            else member["member"]
        ): tuple(f"{topic}/{number}" for topic, number in sorted(map(tuple, member["partitions"])))
        for member in members
    }
