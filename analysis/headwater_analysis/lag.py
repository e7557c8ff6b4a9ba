"""How far consumer groups are behind, in messages and seconds, and whether that is healthy."""

from collections.abc import Iterable
from dataclasses import dataclass

from .rows import select
from .source import Source
from .window import Window

HISTORY_LIMIT = 20_000
"""Points of one history: 400 a partition for 50 partitions."""
SHARE_GROUPS_SHOWN = 10


@dataclass(frozen=True)
class GroupRow:
    """A consumer group on a topic, now. Lag in messages, lag time in seconds; None is unknown."""

    cluster: str | None
    consumer_group: str
    topic: str
    status: str
    evidence: str | None
    since_ns: int | None
    lag: int | None
    lag_seconds: float | None
    lag_method: str | None
    lag_error_seconds: float | None
    partitions: int
    worst_partition: int | None
    state: str | None
    """What the group coordinator says: Stable, Empty, …"""
    members: int | None
    in_rate: float | None
    """Messages a second produced."""
    out_rate: float | None
    """Messages a second committed."""
    sampled_ns: int


@dataclass(frozen=True)
class PartitionRow:
    """A consumer group on one partition, now."""

    cluster: str | None
    consumer_group: str
    topic: str
    incarnation: int | None
    partition: int
    lag: int | None
    readable_lag: int | None
    lag_seconds: float | None
    lag_method: str | None
    lag_error_seconds: float | None
    status: str
    evidence: str | None
    since_ns: int | None
    in_rate: float | None
    out_rate: float | None
    drain_seconds: float | None
    log_start: int | None
    end_offset: int | None
    stable_offset: int | None
    committed: int | None
    member: str | None
    sampled_ns: int


@dataclass(frozen=True)
class LagPoint:
    """One poll of one partition."""

    sampled_ns: int
    partition: int
    lag: int | None
    lag_seconds: float | None
    committed: int | None
    end_offset: int | None


@dataclass(frozen=True)
class ClusterRow:
    """A Kafka cluster that is watched, and whether it answers."""

    cluster: str | None
    name: str
    bootstrap: str
    state: str
    """up, degraded or down."""
    reason: str | None
    brokers: int | None
    polled_ns: int | None
    poll_ms: float | None
    share_groups: tuple[str, ...] | None
    """Their names; None while they are unknown."""


def groups(source: Source) -> tuple[GroupRow, ...]:
    """Every group on every topic, the longest lag time first."""
    return select(
        source,
        GroupRow,
        "from group_health order by lag_seconds desc nulls last, lag desc nulls last, consumer_group, topic",
        since_ns="epoch_ns(since)",
    )


def partitions(
    source: Source, group: str, topic: str, cluster: str | None = None
) -> tuple[PartitionRow, ...]:
    """The partitions of one group on one topic, in order; of one cluster where it is named."""
    return select(
        source,
        PartitionRow,
        "from lag where consumer_group = ? and topic = ? and (? is null or cluster = ?) "
        "order by cluster, partition",
        [group, topic, cluster, cluster],
        since_ns="epoch_ns(since)",
    )


def all_partitions(source: Source) -> tuple[PartitionRow, ...]:
    """Every group on every partition."""
    return select(
        source, PartitionRow, "from lag order by cluster, consumer_group, topic, partition",
        since_ns="epoch_ns(since)",
    )  # fmt: skip


def history(source: Source, group: str, topic: str, window: Window) -> tuple[LagPoint, ...]:
    """Lag of one group on one topic over the window, in order of time and partition."""
    since = window.from_ns or 0
    in_window, params = window.where("sampled_at")
    return select(
        source,
        LagPoint,
        f"from lag_history(?, ?, make_timestamp_ns(?)::timestamp) where {in_window} "
        "order by sampled_at, partition limit ?",
        [group, topic, since, *params, HISTORY_LIMIT],
    )


def trends(
    source: Source, window: Window, points: int = 40
) -> dict[tuple[str, str], tuple[float | None, ...]]:
    """Total lag of every group on every topic in ``points`` equal steps of the window, for sparklines.

    The key is (consumer group, topic); a step without a sample is None.
    """
    bounds = source.query(
        "select epoch_ns(max(sampled_at)), epoch_ns(min(sampled_at)) from commit_samples"
    ).rows
    if not bounds or bounds[0][0] is None:
        return {}
    newest, oldest = bounds[0]
    start = max(window.from_ns or oldest, oldest)
    step = max((newest - start) // points, 1)
    rows = source.query(
        """
        with polls as (
            select consumer_group, topic, sampled_at, sum(lag) as lag
            from commit_samples where sampled_at >= make_timestamp_ns(?)::timestamp group by all
        )
        select consumer_group, topic, least((epoch_ns(sampled_at) - ?) // ?, ? - 1)::integer as step,
               avg(lag) as lag
        from polls group by all
        """,
        [start, start, step, points],
    ).rows
    result: dict[tuple[str, str], list[float | None]] = {}
    for group, topic, at, value in rows:
        line = result.setdefault((group, topic), [None] * points)
        if 0 <= at < points:
            line[at] = value
    return {key: tuple(line) for key, line in result.items()}


def clusters(source: Source) -> tuple[ClusterRow, ...]:
    """The clusters that are watched."""
    return select(source, ClusterRow, "from clusters order by name")


def share_groups_line(known: Iterable[ClusterRow]) -> str | None:
    """The share groups of each cluster in words, some by name; None where there are none, or none is known."""
    found = [(one.name, one.share_groups) for one in known if one.share_groups]
    if not found:
        return None
    said = [
        (f"{cluster}: " if len(found) > 1 else "")
        + ", ".join(names[:SHARE_GROUPS_SHOWN])
        + (f" and {more:,} more" if (more := len(names) - SHARE_GROUPS_SHOWN) > 0 else "")
        for cluster, names in found
    ]
    return f"share groups, whose lag cannot be asked for: {'; '.join(said)}"
