"""What one poll of a cluster saw."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Partition(NamedTuple):
    """A partition of a topic, as a key."""

    topic: str
    partition: int


@dataclass(frozen=True)
class Member:
    """A member of a consumer group."""

    member_id: str
    client_id: str
    host: str
    partitions: tuple[Partition, ...]


class GroupSeen(NamedTuple):
    """A consumer group as the coordinator describes it."""

    group: str
    state: str
    """stable | empty | dead | preparing | completing | unknown"""
    protocol: str
    """classic | consumer"""
    members: tuple[Member, ...]


@dataclass(frozen=True)
class Snapshot:
    """One poll. Offsets that could not be read are absent, and `refusals` says why."""

    at: float
    """Seconds since the epoch, when the end offsets were read."""
    cluster: str
    """The cluster id."""
    brokers: int
    topics: Mapping[str, int]
    """Topic -> number of partitions, internal topics left out unless a group reads them."""
    topic_ids: Mapping[str, str]
    """Empty where the broker gives none."""
    groups: Mapping[str, GroupSeen]
    committed: Mapping[str, Mapping[Partition, int]]
    """Group -> committed offsets; a group whose offsets could not be read is absent."""
    log_start: Mapping[Partition, int]
    stable: Mapping[Partition, int]
    end: Mapping[Partition, int]
    group_refusals: Mapping[str, str]
    """Group -> why its offsets or its members could not be read; such a group gets no verdict."""
    groups_complete: bool
    """False when a coordinator did not list its groups: one that is missing may still be there."""
    refusals: tuple[str, ...]
    """What could not be read and why, one sentence each."""
    poll_ms: float
    unasked: frozenset[str] = frozenset()
    """Groups without members whose committed offsets are those of an earlier poll."""
    retention_seconds: Mapping[str, float] = field(default_factory=dict)
    """Topic -> for how long its configuration keeps messages, of topics that were asked at this poll."""
    share_groups: tuple[str, ...] | None = None
    """Their names, at most a thousand; None is unknown."""
    remark: str | None = None
    """What else is to be known of this poll, though nothing failed."""
