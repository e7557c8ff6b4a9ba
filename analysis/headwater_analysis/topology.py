"""Who sends to which topic and who reads it: services and queues as one graph, with what runs over each edge."""

from __future__ import annotations

from dataclasses import dataclass

from .layout.topology import layers
from .rows import select
from .source import Source
from .window import Window

EDGES_AT_MOST = 1000
AGES_MS = (10, 100, 1_000, 10_000, 60_000)
"""Upper bounds of the histogram of how old messages were when they were handled; one more bucket is above them."""


@dataclass(frozen=True)
class Sends:
    """A service sends to a topic. Counts are of spans seen in the window."""

    service: str
    topic: str
    messages: int
    errors: int
    per_second: float


@dataclass(frozen=True)
class Reads:
    """A group reads a topic; ``service`` is None where none of its spans was seen, but Kafka knows the group."""

    topic: str
    consumer_group: str | None
    service: str | None
    messages: int
    errors: int
    per_second: float
    wait_p50_ms: float | None
    wait_p95_ms: float | None
    ages: tuple[int, ...]
    """Deliveries by age: up to 10 ms, 100 ms, 1 s, 10 s, 1 min, and above."""
    lag: int | None
    lag_seconds: float | None
    lag_method: str | None
    lag_error_seconds: float | None
    status: str | None


@dataclass(frozen=True)
class Topology:
    """The graph, its topics from left to right."""

    seconds: float
    """Of the window, from the first message in it."""
    sends: tuple[Sends, ...]
    reads: tuple[Reads, ...]
    layers: tuple[tuple[str, ...], ...]
    """``service NAME``, ``topic NAME`` and, of groups without spans, ``group NAME``, from what starts to what ends."""
    cut: bool
    """There are more edges than were asked for."""


def topology(source: Source, window: Window, now_ns: int) -> Topology:
    """What ran in a window, up to EDGES_AT_MOST edges of each kind; lag and status are those of now."""
    sent, sent_params = window.where("sent_at")
    started, started_params = window.where("started_at")
    ((first_ns,),) = source.query(
        f"""select epoch_ns(min(seen)) from (
            select min(sent_at) as seen from messages where {sent}
            union all select min(started_at) from hops where {started}
        )""",
        [*sent_params, *started_params],
    ).rows
    seconds = max(((window.to_ns or now_ns) - (first_ns or now_ns)) / 1e9, 1.0)
    sends = select(
        source,
        Sends,
        f"""from (
            select service, topic, count(*) as messages, count(*) filter (status = 'error') as errors,
                count(*) / {seconds} as per_second
            from messages where {sent} and service is not null group by all
        ) order by messages desc, service, topic limit {EDGES_AT_MOST}""",
        sent_params,
    )
    reads = select(
        source,
        Reads,
        f"""from (
            with seen as (
                select topic, consumer_group, consumer_service as service, count(*) as messages,
                    count(*) filter (status = 'error') as errors, count(*) / {seconds} as per_second,
                    quantile_cont(wait_ms, 0.5) as wait_p50_ms, quantile_cont(wait_ms, 0.95) as wait_p95_ms,
                    {_histogram()} as ages
                from hops where {started} group by topic, consumer_group, consumer_service
            )
            select coalesce(s.topic, g.topic) as topic, coalesce(s.consumer_group, g.consumer_group) as consumer_group,
                s.service, coalesce(s.messages, 0) as messages, coalesce(s.errors, 0) as errors,
                coalesce(s.per_second, 0) as per_second, s.wait_p50_ms, s.wait_p95_ms,
                coalesce(s.ages, [0, 0, 0, 0, 0, 0]) as ages, g.lag, g.lag_seconds, g.lag_method,
                g.lag_error_seconds, g.status
            from seen s full join group_health g on g.topic = s.topic and g.consumer_group = s.consumer_group
        ) order by messages desc, topic, consumer_group, service limit {EDGES_AT_MOST}""",
        started_params,
    )
    edges = [(f"service {one.service}", f"topic {one.topic}") for one in sends]
    edges += [(f"topic {one.topic}", reader(one)) for one in reads]
    cut = len(sends) == EDGES_AT_MOST or len(reads) == EDGES_AT_MOST
    return Topology(seconds, sends, reads, layers(edges), cut)


def reader(one: Reads) -> str:
    """The node at the end of a read."""
    return f"service {one.service}" if one.service is not None else f"group {one.consumer_group}"


def _histogram() -> str:
    parts = []
    lower: int | None = None
    for upper in (*AGES_MS, None):
        terms = [] if lower is None else [f"wait_ms > {lower}"]
        terms += [] if upper is None else [f"wait_ms <= {upper}"]
        parts.append(f"count(*) filter ({' and '.join(terms)})")
        lower = upper
    return f"[{', '.join(parts)}]"
