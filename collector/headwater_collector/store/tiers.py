"""Samples of Kafka and services' running totals grow thinner with age: all for six hours, one a minute for three
days, then one in ten minutes.

Of each minute the last sample stays, as it was. What is thinned is rewritten a block of time at a time, behind the
newest rows, since DuckDB gives room back by whole row groups.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .store import Store
    from .writer import Writer

KEYS = {
    "offset_samples": "cluster, topic, incarnation, partition",
    "commit_samples": "cluster, consumer_group, topic, incarnation, partition",
    "group_samples": "cluster, consumer_group",
    "flow_count_rows": "service, instance, counted_since, server, direction, topic, partition, consumer_group, "
    "prefix_id",
}
"""Tables that are thinned, and what a sample is of."""


@dataclass(frozen=True)
class Tier:
    """How thin samples are from some age on."""

    after: timedelta
    bucket: timedelta
    """One sample in each."""
    block: timedelta
    """Rewritten at a time, once its end is old enough: of a thousand partitions about a row group is left."""


TIERS = (
    Tier(timedelta(days=3), timedelta(minutes=10), timedelta(days=1)),
    Tier(timedelta(hours=6), timedelta(minutes=1), timedelta(hours=2)),
)
"""The oldest first, so that a store that was away for long is thinned once."""


class Thinning:
    """Thins a store's samples; remembers how far it came, so that each block is looked at once a run."""

    def __init__(self) -> None:
        self._done: dict[tuple[str, Tier], datetime] = {}

    def apply(self, store: Store, now: datetime) -> int:
        """Thin what has grown old enough by ``now``; gives the number of samples removed."""
        removed = 0
        naive = now.astimezone(UTC).replace(tzinfo=None)
        for table, keys in KEYS.items():
            [(oldest,)] = store.read(f"select min(sampled_at) from {table}")
            start: datetime | None = oldest
            for tier in TIERS:
                end = _floor(naive - tier.after, tier.block)
                if start is None or start >= end:
                    continue
                done = self._done.get((table, tier), _floor(start, tier.block))
                for first in _blocks(max(done, _floor(start, tier.block)), end, tier.block):
                    removed += _thin(store, table, keys, tier, first)
                self._done[table, tier] = start = end
        return removed


def _floor(moment: datetime, block: timedelta) -> datetime:
    since = moment - datetime(1970, 1, 1)
    return moment - since % block


def _blocks(start: datetime, end: datetime, block: timedelta) -> Iterator[datetime]:
    while start < end:
        yield start
        start += block


def _thin(store: Store, table: str, keys: str, tier: Tier, first: datetime) -> int:
    bounds = [first, first + tier.block]
    where = "sampled_at >= ?::timestamp and sampled_at < ?::timestamp"
    buckets = f"{keys}, time_bucket(interval '{int(tier.bucket.total_seconds())} seconds', sampled_at)"
    [(rows, left)] = store.read(
        f"select coalesce(sum(n), 0), count(*) from (select count(*) as n from {table} where {where} "
        f"group by {buckets})",
        bounds,
    )
    if rows == left:
        return 0

    def work(writer: Writer) -> int:
        writer.execute(
            f"create or replace temp table thinned as "
            f"select unnest(arg_max(t, t.sampled_at)) from {table} t where {where} group by {buckets}",
            bounds,
        )
        [(gone,)] = writer.execute(f"delete from {table} where {where}", bounds)
        [(back,)] = writer.execute(f"insert into {table} by name from thinned")
        writer.execute("drop table thinned")
        return int(gone) - int(back)

    return store.write(work)
