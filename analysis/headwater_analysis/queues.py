"""Topics and the groups that read them, each with all that one line can say of it; and advice on their consumers."""

from dataclasses import dataclass, replace

from . import format as fmt
from . import lag
from .advice import BUDGET_SECONDS, HEADROOM, Advice, Load, advise
from .rows import select
from .source import Source
from .window import Window

HOT_KEYS_WINDOW = "interval 15 minutes"


@dataclass(frozen=True)
class Mark:
    """What stands beside a status: skewed, burst or backpressure, with its numbers."""

    mark: str
    partition: int | None
    evidence: str


@dataclass(frozen=True)
class HotKey:
    """A key that takes more than its share of a topic."""

    key_hash: str
    partition: int
    messages: int
    share: float
    """Of the topic's messages of the last 15 minutes."""


@dataclass(frozen=True)
class Queue:
    """A topic and a group that reads it. Lag in messages, rates in messages a second; None is unknown."""

    cluster: str | None
    topic: str
    consumer_group: str
    status: str
    evidence: str | None
    since_ns: int | None
    lag: int | None
    lag_seconds: float | None
    lag_method: str | None
    lag_error_seconds: float | None
    in_rate: float | None
    out_rate: float | None
    members: int | None
    partitions: int
    worst_partition: int | None
    drain_partition: int | None
    """The partition that drains last, or not at all."""
    draining: bool | None
    """Whether all partitions with lag drain; None: no lag, or not known yet."""
    drain_seconds: float | None
    """Until the slowest partition has drained."""
    drain_seconds_low: float | None
    drain_seconds_high: float | None
    retention_partition: int | None
    """The partition that retention reaches first."""
    retention_seconds: float | None
    """Until it passes that partition's committed offset; None while it does not move."""
    retention_threatens: bool | None
    """Retention will be there before the partition has drained; None while all is well."""
    hottest_partition: int | None
    hottest_share: float | None
    """Its share of what is produced."""
    marks: tuple[Mark, ...] = ()
    hot_keys: tuple[HotKey, ...] = ()
    """Of the topic, the hottest first; none where keys are not hashed."""
    trend: tuple[float | None, ...] = ()
    """Total lag over the window, in equal steps; None where nothing was sampled."""


_QUEUES = """
from group_health g
left join (
    select cluster, consumer_group, topic,
        bool_and(drain_seconds is not null) filter (drain_rate_low is not null) as draining,
        arg_max({'partition': partition, 'seconds': drain_seconds, 'low': drain_seconds_low,
            'high': drain_seconds_high}, case when drain_rate_low is not null
            then coalesce(drain_seconds, 1e18 - coalesce(drain_rate, 0)) end) as slowest,
        arg_min({'partition': partition, 'seconds': retention_seconds}, retention_seconds) as retention,
        bool_or(retention_seconds < coalesce(drain_seconds, 1e18)) as retention_threatens
    from drain_forecast
    group by all
) d on d.cluster is not distinct from g.cluster and d.consumer_group = g.consumer_group and d.topic = g.topic
left join (
    select cluster, consumer_group, topic, arg_max(partition, in_rate) as hottest,
        max(in_rate) / nullif(sum(in_rate), 0) as share
    from lag
    group by all
) h on h.cluster is not distinct from g.cluster and h.consumer_group = g.consumer_group and h.topic = g.topic
"""
_OF_GROUP = (
    *("cluster", "topic", "consumer_group", "status", "evidence", "lag", "lag_seconds", "lag_method"),
    *("lag_error_seconds", "in_rate", "out_rate", "members", "partitions", "worst_partition"),
)


def queues(source: Source, window: Window) -> tuple[Queue, ...]:
    """Every topic and group, the longest lag time first; the window is that of the trend."""
    rows = select(
        source,
        Queue,
        f"{_QUEUES} order by g.lag_seconds desc nulls last, g.lag desc nulls last, g.topic, g.consumer_group",
        **{name: f"g.{name}" for name in _OF_GROUP},
        since_ns="epoch_ns(g.since)",
        drain_partition="d.slowest.partition",
        draining="d.draining",
        drain_seconds="case when d.draining then d.slowest.seconds end",
        drain_seconds_low="case when d.draining then d.slowest.low end",
        drain_seconds_high="case when d.draining then d.slowest.high end",
        retention_partition="d.retention.partition",
        retention_seconds="d.retention.seconds",
        retention_threatens="case when g.status != 'ok' then d.retention_threatens end",
        hottest_partition="case when h.share > 0 then h.hottest end",
        hottest_share="h.share",
        marks="null",
        hot_keys="null",
        trend="null",
    )
    marks, keys, trends = _marks(source), _hot_keys(source), lag.trends(source, window)
    return tuple(
        replace(
            row,
            marks=marks.get((row.cluster, row.consumer_group, row.topic), ()),
            hot_keys=keys.get(row.topic, ()),
            trend=trends.get((row.consumer_group, row.topic), ()),
        )
        for row in rows
    )


def _hot_keys(source: Source) -> dict[str, tuple[HotKey, ...]]:
    found: dict[str, tuple[HotKey, ...]] = {}
    asked = f"from hot_keys_since(null, ago({HOT_KEYS_WINDOW})) order by topic, messages desc, key_hash"
    for topic, *key in source.query(f"select topic, key_hash, partition, messages, share {asked}").rows:
        found[topic] = (*found.get(topic, ()), HotKey(*key))
    return found


def _marks(source: Source) -> dict[tuple[str | None, str, str], tuple[Mark, ...]]:
    found: dict[tuple[str | None, str, str], tuple[Mark, ...]] = {}
    asked = "select cluster, consumer_group, topic, mark, partition, evidence from queue_marks order by mark"
    for cluster, group, topic, *mark in source.query(asked).rows:
        key = (cluster, group, topic)
        found[key] = (*found.get(key, ()), Mark(*mark))
    return found


def drain(queue: Queue) -> str:
    """When the lag will be gone, in words; a dash where there is none, or nothing to say yet."""
    if queue.draining is None or not queue.lag:
        return fmt.UNKNOWN
    where = f" (partition {queue.drain_partition})" if queue.partitions > 1 else ""
    if not queue.draining:
        return fmt.UNKNOWN if queue.status == "ok" else f"not draining at present{where}"
    low, high = (
        fmt.duration_ms((each or 0) * 1000) for each in (queue.drain_seconds_low, queue.drain_seconds_high)
    )
    return f"{fmt.duration_ms((queue.drain_seconds or 0) * 1000)} ({low} to {high}){where}"


def hot_key(queue: Queue) -> str | None:
    """The key that takes most of the topic, in words; None where none takes more than its share."""
    if not queue.hot_keys:
        return None
    key = queue.hot_keys[0]
    return f"key {key.key_hash} is {fmt.ratio(key.share)} of the topic's messages (partition {key.partition})"


def retention_warning(queue: Queue) -> str | None:
    """That retention will remove messages before they are read; None where it will not."""
    if not queue.retention_threatens or queue.retention_seconds is None:
        return None
    left = fmt.duration_ms(queue.retention_seconds * 1000)
    return f"retention reaches partition {queue.retention_partition} in {left}, before it has drained"


@dataclass(frozen=True)
class Advised:
    """A group on a topic, what advice looked at, and the advice."""

    cluster: str | None
    bootstrap: str | None
    """Where its cluster is."""
    load: Load
    advice: Advice


def advice(
    source: Source, headroom: float = HEADROOM, budget_seconds: float = BUDGET_SECONDS
) -> tuple[Advised, ...]:
    """Advice on every group on every topic, by group and topic."""
    rows = source.query(
        f"""
        select g.cluster, c.bootstrap, g.consumer_group, g.topic, g.status, g.worst_partition,
            case when g.members is not null then p.consumers end as consumers, g.partitions, g.in_rate,
            g.lag_seconds, p.capacity, p.method, p.work_ms, p.handlers,
            (select max(m.evidence) from queue_marks m where m.mark = 'skewed'
                and m.cluster is not distinct from g.cluster and m.consumer_group = g.consumer_group
                and m.topic = g.topic) as skewed,
            (select max({{'share': k.share, 'partition': k.partition, 'key_hash': k.key_hash}})
                from hot_keys_since(null, ago({HOT_KEYS_WINDOW})) k where k.topic = g.topic) as hot_key
        from group_health g
        left join group_capacity p on p.cluster is not distinct from g.cluster
            and p.consumer_group = g.consumer_group and p.topic = g.topic
        left join clusters c on c.cluster = g.cluster
        order by g.consumer_group, g.topic
        """
    ).dicts()
    found = []
    for row in rows:
        cluster, bootstrap, key = row.pop("cluster"), row.pop("bootstrap"), row.pop("hot_key")
        hot = f"key {key['key_hash']} is {fmt.ratio(key['share'])} of its messages" if key else None
        load = Load(**row, hot_key=hot)
        found.append(Advised(cluster, bootstrap, load, advise(load, headroom, budget_seconds)))
    return tuple(found)
