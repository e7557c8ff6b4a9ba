"""Writes polls to the store: samples, lives of topics, the present answers, the state of the cluster."""

import json
import time
from collections.abc import Container

import pyarrow as pa
import pyarrow.compute as pc

from headwater_analysis.health_verdicts import Standing
from headwater_collector.store import Store, Writer

from .answers import Answers, Row, moment
from .cluster_config import ClusterConfig
from .lives import Life, NewLives
from .snapshot import Partition, Snapshot
from .tracker import Tracker

ENDS_REMEMBERED_SECONDS = 3 * 3600.0
_OWN = {
    "lag_now": "lag readable_lag lag_seconds lag_method lag_error_seconds in_rate out_rate drain_seconds",
    "group_health_now": "lag lag_seconds lag_method lag_error_seconds in_rate out_rate",
}
"""Tables of the present answers, and what of them nobody knows while the cluster is away; offsets stay as the last
that were seen, at `sampled_at`."""


def write_poll(
    store: Store, config: ClusterConfig, tracker: Tracker, answers: Answers, new_lives: NewLives
) -> None:
    """One poll, in one transaction."""
    snapshot = tracker.snapshot
    assert snapshot is not None
    lives = [_life_row(snapshot.cluster, topic, tracker.lives[topic]) for topic in new_lives.changed]
    offsets, commits, groups = (
        _offset_rows(tracker, snapshot),
        _commit_rows(answers, snapshot),
        _group_rows(snapshot),
    )

    left = _left_rows(tracker, snapshot)
    groups += _gone_rows(tracker, snapshot)

    def work(writer: Writer) -> None:
        for life in lives:
            key = {name: life[name] for name in ("cluster", "topic", "incarnation")}
            writer.replace("topic_lives", [life], **key)
        for topic in new_lives.recreated:  # its dead letters start again at their log start
            writer.delete("dead_letter_positions", cluster=snapshot.cluster, topic=topic)
        writer.append("offset_samples", offsets)
        writer.append("commit_samples", commits)
        writer.append("group_samples", groups)
        writer.append("commit_samples", left)
        writer.append("metric_rows", _retention_rows(snapshot))
        writer.replace("lag_now", answers.lag, cluster=snapshot.cluster)
        writer.replace("group_health_now", answers.group_health, cluster=snapshot.cluster)
        said = "SELECT cluster FROM cluster_rows WHERE name = ? AND cluster != ?"
        for (other,) in writer.execute(said, [config.name, snapshot.cluster]):
            _forget(writer, other)  # the name leads to another cluster now
        writer.replace("cluster_rows", [_cluster_row(config, snapshot)], name=config.name)
        at = int(snapshot.at * 1e9)
        for relation in (
            "lag",
            "group_health",
            "clusters",
            "offset_samples",
            "commit_samples",
            "group_samples",
        ):
            writer.changed(relation, at, at)

    store.write(work)


def write_down(store: Store, config: ClusterConfig, cluster: str | None, reason: str, poll_ms: float) -> None:
    """The cluster gave no answer: its state with the reason; what was known of its groups is now unknown."""
    now = time.time()
    row: Row = {
        "cluster": cluster,
        "name": config.name,
        "bootstrap": config.bootstrap,
        "state": "down",
        "reason": reason,
        "brokers": None,
        "polled_at": moment(now),
        "poll_ms": poll_ms,
        "share_groups": None,
    }

    def work(writer: Writer) -> None:
        writer.replace("cluster_rows", [row], name=config.name)
        if cluster is not None:
            unknown_now(writer, cluster, f"the cluster could not be read: {reason}")
        writer.changed("clusters", int(now * 1e9), int(now * 1e9))

    store.write(work)


def unknown_now(writer: Writer, cluster: str | None, evidence: str) -> None:
    """Nothing is heard of a cluster's groups: their numbers are unknown, and not what they were."""
    now = time.time()
    for table, unknown in _OWN.items():
        nothing = ", ".join(f"{column} = NULL" for column in unknown.split())
        writer.execute(
            f"UPDATE {table} SET since = CASE WHEN status = 'unknown' THEN since ELSE ? END, "
            f"status = 'unknown', evidence = ?, {nothing} WHERE cluster IS NOT DISTINCT FROM ?",
            [moment(now), evidence, cluster],
        )
    for relation in ("lag", "group_health"):
        writer.changed(relation, int(now * 1e9), int(now * 1e9))


def forget_unwatched(store: Store, names: Container[str]) -> None:
    """Clusters that an earlier run polled and this one does not: nobody knows any more what their groups do."""

    def work(writer: Writer) -> None:
        known = writer.execute("SELECT name, cluster FROM cluster_rows")
        watched = {cluster for name, cluster in known if name in names}
        for name, cluster in known:
            if name not in names:
                writer.delete("cluster_rows", name=name)
                if cluster is not None and cluster not in watched:
                    _forget(writer, cluster)

    store.write(work)


def _forget(writer: Writer, cluster: str) -> None:
    for table in _OWN:
        writer.delete(table, cluster=cluster)


def known_cluster(store: Store, name: str) -> str | None:
    """The id that the cluster of this name had when it was last seen."""
    rows = store.read("SELECT cluster FROM cluster_rows WHERE name = ? AND cluster IS NOT NULL", [name])
    return str(rows[0][0]) if rows else None


def restore(store: Store, cluster: str, poll_seconds: float) -> Tracker:
    """A tracker that knows lives of topics, end offsets of the last three hours, and what stood when it ended."""
    lives = {
        topic: Life(incarnation, topic_id, partitions, since)
        for topic, incarnation, topic_id, partitions, since in store.read(
            "SELECT topic, incarnation, topic_id, partitions, epoch(since) FROM topic_lives "
            "WHERE cluster = ? ORDER BY incarnation",
            [cluster],
        )
    }
    tracker = Tracker(poll_seconds, lives)
    samples = store.read(
        "SELECT topic, incarnation, partition, epoch(sampled_at), end_offset FROM offset_samples "
        "WHERE cluster = ? AND epoch(sampled_at) >= ? AND end_offset IS NOT NULL ORDER BY sampled_at",
        [cluster, time.time() - ENDS_REMEMBERED_SECONDS],
    )
    for topic, incarnation, partition, at, end in samples:
        if incarnation == tracker.lives.incarnation(topic):
            tracker.remember_end(Partition(topic, partition), at, end)
    said = "SELECT consumer_group, topic, {}, status, evidence, epoch(since) FROM {} WHERE cluster = ?"
    for columns in (("partition", "lag_now"), ("NULL", "group_health_now")):
        for group, topic, number, status, evidence, since in store.read(said.format(*columns), [cluster]):
            if status != "unknown" and since is not None:
                tracker.remember_standing(group, topic, number, Standing(status, evidence, since))
    return tracker


def state_of(snapshot: Snapshot) -> tuple[str, str | None]:
    """Of the cluster after a poll that had an answer: up or degraded, and why or what else is to be known."""
    reason = "; ".join((*snapshot.refusals, *([snapshot.remark] if snapshot.remark else ())))
    return "degraded" if snapshot.refusals else "up", reason or None


def _cluster_row(config: ClusterConfig, snapshot: Snapshot) -> Row:
    state, reason = state_of(snapshot)
    return {
        "cluster": snapshot.cluster,
        "name": config.name,
        "bootstrap": config.bootstrap,
        "state": state,
        "reason": reason,
        "brokers": snapshot.brokers,
        "polled_at": moment(snapshot.at),
        "poll_ms": snapshot.poll_ms,
        "share_groups": snapshot.share_groups,
    }


def _life_row(cluster: str, topic: str, life: Life) -> Row:
    return {
        "cluster": cluster,
        "topic": topic,
        "incarnation": life.incarnation,
        "topic_id": life.topic_id,
        "partitions": life.partitions,
        "since": moment(life.since),
    }


def _offset_rows(tracker: Tracker, snapshot: Snapshot) -> list[Row]:
    at = moment(snapshot.at)
    return [
        {
            "sampled_at": at,
            "cluster": snapshot.cluster,
            "topic": partition.topic,
            "incarnation": tracker.lives.incarnation(partition.topic),
            "partition": partition.partition,
            "log_start": snapshot.log_start.get(partition),
            "end_offset": end,
            "stable_offset": snapshot.stable.get(partition),
        }
        for partition, end in snapshot.end.items()
    ]


_COMMIT_COLUMNS = (
    *("sampled_at", "cluster", "consumer_group", "topic", "incarnation", "partition"),
    *("committed", "lag", "lag_seconds", "lag_method"),
)


def _commit_rows(answers: Answers, snapshot: Snapshot) -> pa.Table:
    """One row a group and partition read by this poll."""
    read = pc.and_(
        pc.equal(answers.lag["sampled_at"], moment(snapshot.at)), pc.is_valid(answers.lag["end_offset"])
    )
    if snapshot.unasked:
        read = pc.and_not(read, pc.is_in(answers.lag["consumer_group"], pa.array(sorted(snapshot.unasked))))
    return answers.lag.select(_COMMIT_COLUMNS).filter(read)


def _left_rows(tracker: Tracker, snapshot: Snapshot) -> list[Row]:
    """A group's history on a partition ends with a sample that knows nothing, not with its last numbers."""
    return [
        {
            "sampled_at": moment(snapshot.at),
            "cluster": snapshot.cluster,
            "consumer_group": group,
            "topic": partition.topic,
            "incarnation": tracker.lives.incarnation(partition.topic),
            "partition": partition.partition,
        }
        for group, partition in tracker.left
    ]


def _gone_rows(tracker: Tracker, snapshot: Snapshot) -> list[Row]:
    """A group that is not there any more is dead, as its coordinator would say."""
    said = {"sampled_at": moment(snapshot.at), "cluster": snapshot.cluster, "state": "dead", "members": 0}
    gone = {group for group, _ in tracker.left}.difference(snapshot.groups, snapshot.committed)
    return [{**said, "consumer_group": group, "assignment": "[]"} for group in sorted(gone)]


def _retention_rows(snapshot: Snapshot) -> list[Row]:
    """Under the name that the OpenTelemetry collector's kafka receiver has for it: one meaning, whoever tells it."""
    said = {
        "sampled_at": moment(snapshot.at),
        "service": "headwater",
        "server": snapshot.cluster,
        "unit": "s",
    }
    return [
        {**said, "metric": "kafka.topic.log_retention_period", "topic": topic, "value": seconds}
        for topic, seconds in snapshot.retention_seconds.items()
    ]


def _group_rows(snapshot: Snapshot) -> list[Row]:
    return [
        {
            "sampled_at": moment(snapshot.at),
            "cluster": snapshot.cluster,
            "consumer_group": group.group,
            "state": group.state,
            "protocol": group.protocol,
            "members": len(group.members),
            "assignment": json.dumps(
                [
                    {
                        "member": member.member_id,
                        "client": member.client_id,
                        "host": member.host,
                        "partitions": [list(each) for each in member.partitions],
                    }
                    for member in group.members
                ]
            ),
        }
        for group in snapshot.groups.values()
        if group.group not in snapshot.unasked
    ]
