"""Offsets and lag for Prometheus, under the names and labels of kafka-lag-exporter: its alerts and boards go on
working. What a cluster or group does not tell at present is left out, never 0 and never an old figure.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headwater_collector.store.store import Store

from .exposition import Rows, family

MOST_ROWS = 20_000
"""Groups times partitions told: some 15 MB of text; what is left out is counted."""

_SINCE = "select min(polled_at) from clusters where state != 'down'"
"""Given to the questions about samples as a value, so that only the newest are looked at."""
_LAG = """
select coalesce(c.name, l.cluster, '') as cluster_name, l.cluster, l.consumer_group, l.topic, l.partition,
    l.committed, l.lag, l.lag_seconds, l.lag_error_seconds, count(*) over () as rows
from lag l left join clusters c on c.cluster = l.cluster
where l.status is distinct from 'unknown' and c.state is distinct from 'down'
order by cluster_name, l.consumer_group, l.topic, l.partition limit ?
"""
_ENDS = """
select coalesce(c.name, c.cluster) as cluster_name, o.topic, o.partition, o.end_offset, o.log_start
from clusters c join offset_samples o on o.cluster = c.cluster and o.sampled_at = c.polled_at
where c.state != 'down' and o.sampled_at >= ?::timestamp
order by all limit ?
"""
_MEMBERS = """
select g.cluster, g.consumer_group, g.assignment
from clusters c join group_samples g on g.cluster = c.cluster and g.sampled_at = c.polled_at
where c.state != 'down' and g.sampled_at >= ?::timestamp
"""
_STATUS = """
select coalesce(c.name, h.cluster, '') as cluster_name, h.consumer_group, h.topic, h.status
from group_health h left join clusters c on c.cluster = h.cluster
where h.status is not null order by all limit ?
"""
_POLLS = "select name, poll_ms from clusters where state != 'down' and poll_ms is not null order by name"

Place = tuple[Any, ...]
"""(cluster, group, topic, partition)"""


@dataclass(frozen=True)
class _Row:
    cluster_name: str
    cluster: str | None
    group: str
    topic: str
    partition: int
    committed: int | None
    lag: int | None
    lag_seconds: float | None
    error_seconds: float | None
    rows: int


def lines(store: Store) -> Iterator[str]:
    """Lines of the text format, from what the store holds now."""
    found = [_Row(*row) for row in store.read(_LAG, [MOST_ROWS])]
    [(since,)] = store.read(_SINCE)
    owners = _owners(store.read(_MEMBERS, [since]))
    of_partition = [(_partition_labels(row, owners), row) for row in found]
    for name, text, values in (
        ("group_offset", "Committed offset.", [(labels, row.committed) for labels, row in of_partition]),
        ("group_lag", "End offset minus committed offset.", [(at, row.lag) for at, row in of_partition]),
        (
            "group_lag_seconds",
            "Age of the oldest message not yet committed.",
            [(labels, row.lag_seconds) for labels, row in of_partition],
        ),
    ):
        yield from family(f"kafka_consumergroup_{name}", "gauge", text, values)
    yield from _of_groups(found)
    ends = store.read(_ENDS, [since, MOST_ROWS])
    places = [_labels(cluster_name=name, topic=topic, partition=number) for name, topic, number, _, _ in ends]
    for name, text, column in (("latest", "End offset.", 3), ("earliest", "First offset kept.", 4)):
        values = [(labels, row[column]) for labels, row in zip(places, ends, strict=True)]
        yield from family(f"kafka_partition_{name}_offset", "gauge", text, values)
    polls: Rows = [(_labels(cluster_name=name), milliseconds) for name, milliseconds in store.read(_POLLS)]
    yield from family("kafka_consumergroup_poll_time_ms", "gauge", "How long the last poll took.", polls)
    yield from _own(store, of_partition)


def _of_groups(found: Sequence[_Row]) -> Iterator[str]:
    groups: dict[tuple[str, str], list[_Row]] = defaultdict(list)
    topics: dict[tuple[str, str, str], list[_Row]] = defaultdict(list)
    for row in found:
        groups[row.cluster_name, row.group].append(row)
        topics[row.cluster_name, row.group, row.topic].append(row)
    lags = {place: [row.lag for row in rows if row.lag is not None] for place, rows in groups.items()}
    times = {
        place: [row.lag_seconds for row in rows if row.lag_seconds is not None]
        for place, rows in groups.items()
    }
    for name, text, values in (
        ("max_lag", "Largest lag of a partition.", [(place, max(of)) for place, of in lags.items() if of]),
        ("max_lag_seconds", "Longest lag time.", [(place, max(of)) for place, of in times.items() if of]),
        ("sum_lag", "Lag over all partitions.", [(place, sum(of)) for place, of in lags.items() if of]),
    ):
        rows: Rows = [(_labels(cluster_name=one, group=group), value) for (one, group), value in values]
        yield from family(f"kafka_consumergroup_group_{name}", "gauge", text, rows)
    sums: Rows = [
        (
            _labels(cluster_name=one, group=group, topic=topic),
            sum(row.lag for row in rows if row.lag is not None)
            if any(row.lag is not None for row in rows)
            else None,
        )
        for (one, group, topic), rows in topics.items()
    ]
    text = "Lag over all partitions of a topic."
    yield from family("kafka_consumergroup_group_topic_sum_lag", "gauge", text, sums)


def _own(store: Store, of_partition: Sequence[tuple[Any, _Row]]) -> Iterator[str]:
    """What kafka-lag-exporter has no name for."""
    errors: Rows = [(labels, row.error_seconds) for labels, row in of_partition]
    text = "How far the lag time of the same labels may be wrong."
    yield from family("headwater_group_lag_seconds_error", "gauge", text, errors)
    said: Rows = [
        (_labels(cluster_name=name, group=group, topic=topic, status=status), 1)
        for name, group, topic, status in store.read(_STATUS, [MOST_ROWS])
    ]
    yield from family("headwater_group_status", "gauge", "1 for the verdict on a group and topic.", said)
    left = of_partition[0][1].rows - len(of_partition) if of_partition else 0
    if left:
        text = "Groups times partitions that this page leaves out."
        yield from family("headwater_group_partitions_left_out", "gauge", text, [((), left)])


def _labels(**values: object) -> tuple[tuple[str, str], ...]:
    return tuple((name, str(value)) for name, value in values.items())


def _partition_labels(row: _Row, owners: Mapping[Place, Mapping[str, str]]) -> tuple[tuple[str, str], ...]:
    owner = owners.get((row.cluster, row.group, row.topic, row.partition), {})
    return _labels(
        cluster_name=row.cluster_name,
        group=row.group,
        topic=row.topic,
        partition=row.partition,
        member_host=owner.get("host", ""),
        consumer_id=owner.get("member", ""),
        client_id=owner.get("client", ""),
    )


def _owners(groups: Sequence[tuple[Any, ...]]) -> dict[Place, Mapping[str, str]]:
    """Members by what they were assigned."""
    return {
        (cluster, group, topic, partition): member
        for cluster, group, assignment in groups
        for member in json.loads(assignment or "[]")
        for topic, partition in member["partitions"]
    }
