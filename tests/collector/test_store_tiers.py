"""Samples of Kafka grow thinner with age, and are gone after a month."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from headwater_collector.store import Retention, Store, retention
from headwater_collector.store.tiers import KEYS, Thinning
from store_helpers import open_store

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
POLL = 5


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Five days of polls of one group on two partitions."""
    opened = open_store(tmp_path_factory.mktemp("tiers") / "headwater.duckdb")
    start = (NOW - timedelta(days=5)).replace(tzinfo=None)
    polls = f"from range(0, {5 * 86400 // POLL}) p(i), range(0, 2) parts(number)"
    at = f"?::timestamp + to_seconds(i * {POLL}) as sampled_at, 'c1' as cluster"

    def fill(table: str, more: str) -> None:
        opened.write(
            lambda writer: writer.execute(f"insert into {table} by name select {at}, {more} {polls}", [start])
        )

    place = "'orders' as topic, 1 as incarnation, number as partition"
    fill("offset_samples", f"{place}, 0 as log_start, 100 * i as end_offset")
    fill("commit_samples", f"{place}, 'pay' as consumer_group, 100 * i - 7 as committed, 7 as lag")
    fill("group_samples", "'pay' || number as consumer_group, 'stable' as state, number as members")
    at = f"?::timestamp + to_seconds(i * {POLL}) as sampled_at"
    fill("flow_count_rows", "'pay' as service, 'orders' as topic, number as partition, 100 * i as messages")
    assert Thinning().apply(opened, NOW) > 0
    yield opened
    opened.close()


def _gaps(store: Store, table: str, older_than: timedelta, younger_than: timedelta) -> set[int]:
    """Seconds between samples of one thing, of the given age."""
    rows = store.read(
        f"select epoch(sampled_at - lag(sampled_at) over (partition by {KEYS[table]} order by sampled_at)) "
        f"from {table} where sampled_at between ?::timestamp and ?::timestamp",
        [(NOW - older_than).replace(tzinfo=None), (NOW - younger_than).replace(tzinfo=None)],
    )
    return {round(gap) for (gap,) in rows if gap is not None}


@pytest.mark.parametrize("table", KEYS)
@pytest.mark.parametrize(
    ("why", "older_than", "younger_than", "gaps"),
    [
        ("six hours are kept in full", timedelta(hours=6), timedelta(0), {5}),
        ("then one a minute", timedelta(days=3), timedelta(hours=8), {60}),
        ("after three days one in ten minutes", timedelta(days=5), timedelta(days=4), {600}),
    ],
)
def test_tiers(
    store: Store, table: str, why: str, older_than: timedelta, younger_than: timedelta, gaps: set[int]
) -> None:
    assert _gaps(store, table, older_than, younger_than) == gaps, why


def test_the_last_sample_of_a_bucket_stays_as_it_was(store: Store) -> None:
    rows = store.read(
        "select distinct epoch(sampled_at)::bigint % 600, lag, end_offset - committed from commit_samples c "
        "join offset_samples o using (cluster, topic, incarnation, partition, sampled_at) "
        "where sampled_at < ?::timestamp",
        [(NOW - timedelta(days=4)).replace(tzinfo=None)],
    )
    assert rows == [(600 - POLL, 7, 7)]
    asked = "select count(*) from lag_history('pay', 'orders', ?::timestamp) where lag = 7"
    assert store.read(asked, [datetime(2026, 1, 1)]) == store.read("select count(*) from commit_samples")


def test_a_second_look_removes_nothing_and_a_later_one_only_what_grew_old(store: Store) -> None:
    thinning = Thinning()
    assert thinning.apply(store, NOW) == 0
    [(before,)] = store.read("select count(*) from commit_samples")
    assert thinning.apply(store, NOW + timedelta(hours=2)) > 0
    [(after,)] = store.read("select count(*) from commit_samples")
    assert before - after == 2 * (2 * 3600 // POLL - 120)


def test_they_stay_as_long_as_what_is_worth_keeping(tmp_path: Path) -> None:
    opened = open_store(tmp_path / "headwater.duckdb")
    naive = NOW.replace(tzinfo=None)
    rows = [{"sampled_at": naive - timedelta(days=age)} for age in (1, 8, 27, 29)]
    opened.write(lambda writer: [writer.append(table, rows) for table in KEYS])
    retention.apply(opened, Retention(), NOW)
    for table in KEYS:
        assert opened.read(f"select count(*) from {table}") == [(3,)]
    opened.close()
