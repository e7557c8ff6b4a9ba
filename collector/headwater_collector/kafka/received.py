"""Lag where brokers cannot be reached: from the metrics of the OpenTelemetry collector's kafka receiver.

Each of its scrapes is judged like a poll. What it does not tell stays unknown: who owns which partition, the last
stable offset, the topic's id. Its rows are of the cluster that its resource names by `kafka.cluster.id` or
`kafka.cluster.alias` (the receiver's setting `cluster_alias`), else of none: receivers of several clusters must differ
in that, since their groups could not be told apart.
"""

import asyncio
import contextlib
import logging
import statistics
import time
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from headwater_collector.store import Store, Writer

from .answers import Answers, answer, moment
from .hands import Hands
from .poll_writer import ENDS_REMEMBERED_SECONDS, unknown_now
from .snapshot import GroupSeen, Member, Partition, Snapshot
from .tracker import Tracker

USUAL_SECONDS = 60.0
"""Between two scrapes, unless they tell otherwise: the receiver's own default."""
SILENT_INTERVALS = 3
REACH_SECONDS = 1200.0
"""Of commits read again at a start."""
_NOT_TOLD = ["incarnation", "member", "stable_offset", "readable_lag"]
_RELATIONS = ("lag", "group_health")

_COMMITS = """
select sampled_at, consumer_group, topic, partition, committed, lag from commit_samples
where cluster is not distinct from ? and sampled_at > ?::timestamp and consumer_group is not null
    and topic is not null and partition is not null and incarnation is null
order by sampled_at
"""
_ENDS = """
select topic, partition, epoch(sampled_at), end_offset from offset_samples
where cluster is not distinct from ? and sampled_at >= ?::timestamp and end_offset is not null
    and partition is not null
order by sampled_at
"""
_STARTS = """
select topic, partition, arg_max(log_start, sampled_at) from offset_samples
where cluster is not distinct from ? and sampled_at >= ?::timestamp and partition is not null
group by topic, partition
"""
_MEMBERS = """
select consumer_group, arg_max(value, sampled_at)::integer from metric_rows
where metric = 'kafka.consumer_group.members' and server is not distinct from ? and sampled_at >= ?::timestamp
group by consumer_group
"""
_CLUSTERS = """
select distinct cluster from commit_samples
where sampled_at > ?::timestamp and cluster not in (select cluster from cluster_rows where cluster is not null)
    and incarnation is null
limit ?
"""
"""Only polls know the incarnation of a topic: what has one was polled."""
_JUDGED = """
select distinct cluster from group_health_now
where cluster not in (select cluster from cluster_rows where cluster is not null)
limit ?
"""
"""By an earlier run."""
_POLLED = """
select distinct consumer_group, topic from lag_now
where ?::varchar is null and cluster in (select cluster from cluster_rows)
"""
"""Of a receiver that names no cluster, nobody knows whether it is one that is polled."""
MOST_CLUSTERS = 100

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Scrape:
    at: datetime
    commits: list[tuple[str, Partition, int | None, int | None]]
    """Group, partition, committed offset, lag."""


class ReceivedWatch:
    """Looks for new scrapes in the store every few seconds; construct without I/O."""

    def __init__(self, store: Store, look_seconds: float) -> None:
        self._store = store
        self._look_seconds = min(look_seconds, 5.0)
        self._clusters: dict[str | None, ReceivedCluster] = {}
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        judged = await asyncio.to_thread(self._store.read, _JUDGED, [MOST_CLUSTERS])
        for cluster in (None, *(cluster for (cluster,) in judged)):
            self._clusters[cluster] = ReceivedCluster(self._store, cluster)
        self._task = asyncio.create_task(self._run(), name="received lag")

    async def stop(self) -> None:
        """Returns when the last write is done."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            try:
                look = asyncio.create_task(asyncio.to_thread(self._look))
                try:
                    await asyncio.shield(look)
                except asyncio.CancelledError:
                    await asyncio.wait([look])
                    raise
            except Exception:  # whatever it is, the next look may do better
                _log.exception("lag could not be told from received metrics")
            await asyncio.sleep(self._look_seconds)

    def _look(self) -> None:
        since = moment(time.time() - REACH_SECONDS)
        for (cluster,) in self._store.read(_CLUSTERS, [since, MOST_CLUSTERS]):
            if cluster not in self._clusters and len(self._clusters) <= MOST_CLUSTERS:
                self._clusters[cluster] = ReceivedCluster(self._store, cluster)
        for each in self._clusters.values():
            each.look()


class ReceivedCluster:
    """What the receivers of one cluster send, judged; `cluster` is None where they do not name it."""

    def __init__(self, store: Store, cluster: str | None) -> None:
        self._store = store
        self._cluster = cluster
        self._hands = Hands(store)
        self._tracker: Tracker | None = None
        self._newest: datetime | None = None
        self._heard = time.time()
        self._seen = 0
        self._starts: dict[Partition, int] = {}
        self._gaps: deque[float] = deque(maxlen=5)
        self._silent = False

    def look(self) -> None:
        """Judge the scrapes that have come since the last look."""
        since = self._newest or moment(time.time() - REACH_SECONDS)
        rows = self._store.read(_COMMITS, [self._cluster, since])
        if len(rows) != self._seen:  # a scrape may come in several requests
            self._seen = len(rows)
            return
        if not rows:
            self._say_if_silent()
            return
        self._seen = 0
        for scrape in _scrapes(rows):
            self._take(scrape)
        self._heard, self._silent = time.time(), False
        self._write()

    def _take(self, scrape: _Scrape) -> None:
        at = _seconds(scrape.at)
        if self._tracker is None:
            self._tracker = Tracker(USUAL_SECONDS)
            for topic, partition, sampled, end in self._store.read(
                _ENDS, [self._cluster, moment(time.time() - ENDS_REMEMBERED_SECONDS)]
            ):
                if sampled < at:
                    self._tracker.remember_end(Partition(topic, partition), sampled, end)
        if self._newest is not None:
            self._gaps.append(at - _seconds(self._newest))
            self._tracker.poll_seconds = self._interval
        self._newest = scrape.at
        self._tracker.take(self._snapshot(scrape, at))
        self._tracker.settle()

    @property
    def _interval(self) -> float:
        return max(1.0, statistics.median(self._gaps)) if self._gaps else USUAL_SECONDS

    def _snapshot(self, scrape: _Scrape, at: float) -> Snapshot:
        recent = moment(at - SILENT_INTERVALS * self._interval)
        self._starts = {
            Partition(topic, number): start
            for topic, number, start in self._store.read(_STARTS, [self._cluster, recent])
            if start is not None
        }
        members = dict(self._store.read(_MEMBERS, [self._cluster, recent]))
        committed: dict[str, dict[Partition, int]] = defaultdict(dict)
        end: dict[Partition, int] = {}
        for group, partition, offset, lag in scrape.commits:
            committed[group]
            if offset is not None:
                committed[group][partition] = offset
                if lag is not None:
                    end[partition] = max(end.get(partition, 0), offset + lag)
        topics: dict[str, int] = defaultdict(int)
        for partition in end:
            topics[partition.topic] = max(topics[partition.topic], partition.partition + 1)
        return Snapshot(
            at=at,
            cluster=self._cluster or "",
            brokers=0,
            topics=topics,
            topic_ids={},
            groups={
                group: _group(group, members.get(group), offsets) for group, offsets in committed.items()
            },
            committed=committed,
            log_start={partition: self._starts.get(partition, 0) for partition in end},
            stable=end,
            end=end,
            group_refusals={},
            groups_complete=True,
            refusals=(),
            poll_ms=0.0,
        )

    def _write(self) -> None:
        """What a cluster that is polled tells of the same group and topic is better, and enough."""
        assert self._tracker is not None
        polled = set(self._store.read(_POLLED, [self._cluster]))
        self._tracker.hands = self._hands.read(self._cluster)
        said = answer(self._tracker)
        self._replace(Answers(self._lag(said.lag, polled), self._not_polled(said.group_health, polled)))

    def _lag(self, lag: pa.Table, polled: set[tuple[str, str]]) -> pa.Table:
        """Without what stands in for what the receiver does not tell."""
        topics, numbers = lag["topic"].to_pylist(), lag["partition"].to_pylist()
        starts = [self._starts.get(Partition(*place)) for place in zip(topics, numbers, strict=True)]
        place = lag.column_names.index("log_start")
        told = lag.set_column(place, "log_start", pa.array(starts, pa.int64()))
        return self._not_polled(told.drop_columns(_NOT_TOLD), polled)

    def _not_polled(self, rows: pa.Table, polled: set[tuple[str, str]]) -> pa.Table:
        """Under the cluster's name, if it has one."""
        places = zip(rows["consumer_group"].to_pylist(), rows["topic"].to_pylist(), strict=True)
        own = rows if self._cluster is not None else rows.drop_columns(["cluster"])
        return own.filter(pa.array([place not in polled for place in places], pa.bool_()))

    def _replace(self, answers: Answers) -> None:
        now = time.time_ns()

        def work(writer: Writer) -> None:
            writer.replace("lag_now", answers.lag, cluster=self._cluster)
            writer.replace("group_health_now", answers.group_health, cluster=self._cluster)
            for relation in _RELATIONS:
                writer.changed(relation, now, now)

        self._store.write(work)

    def _say_if_silent(self) -> None:
        if self._silent or time.time() - self._heard <= SILENT_INTERVALS * self._interval:
            return
        self._silent = True
        since = self._newest or moment(self._heard)
        reason = f"the kafka receiver has sent nothing since {since:%H:%M:%S} UTC"
        self._store.write(lambda writer: unknown_now(writer, self._cluster, reason))


def _seconds(moment_utc: datetime) -> float:
    return moment_utc.replace(tzinfo=UTC).timestamp()


def _scrapes(rows: Sequence[tuple[Any, ...]]) -> list[_Scrape]:
    found: dict[datetime, _Scrape] = {}
    for at, group, topic, partition, committed, lag in rows:
        scrape = found.setdefault(at, _Scrape(at, []))
        scrape.commits.append((group, Partition(topic, partition), committed, lag))
    return list(found.values())


def _group(group: str, members: int | None, offsets: dict[Partition, int]) -> GroupSeen:
    """Only the number of members is told: whether anybody reads, not who."""
    if members == 0:
        return GroupSeen(group, "empty", "classic", ())
    somebody = "the group" if members is None else f"one of {members} members"
    return GroupSeen(group, "unknown", "classic", (Member(somebody, "", "", tuple(offsets)),))
