"""How much the store keeps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import store_helpers as told
import store_stories as stories
from headwater_collector.store import Retention, Store, retention, schema

ARRIVED = datetime.fromtimestamp(told.START_NS / 1e9, UTC)


def test_every_table_either_ages_or_says_that_it_does_not() -> None:
    named = [*retention.BY_ARRIVAL, *retention.BY_SAMPLE, *retention.KEPT]
    assert sorted(named) == sorted(item.name for item in schema.table_objects())


def test_rows_go_by_time_of_arrival_oldest_first(tmp_path: Path) -> None:
    old, new = stories.chain(), [told.work("shop", "later", "checkout later", 0, 5)]
    store = told.a_store(tmp_path, old, new)
    limits = Retention(days=1)
    assert retention.apply(store, limits, ARRIVED + timedelta(hours=23)) == 0
    assert retention.apply(store, limits, ARRIVED + timedelta(days=1, milliseconds=500)) == len(old)
    assert store.read("select name from spans") == [("checkout later",)]
    assert store.read("select flow_id from flows") == [(told.trace("later"),)]
    assert store.read("select count(*) from hops") == [(0,)]
    store.close()


def test_the_oldest_go_while_the_store_is_too_big(tmp_path: Path) -> None:
    spans = [[told.work("shop", f"t{n}", f"s{n}", n, 5)] for n in range(5)]
    store = told.a_store(tmp_path, *spans)
    assert store.checkpoint()
    within = Retention(days=10_000, max_bytes=retention.used_bytes(store))
    assert retention.apply(store, within) == 0
    assert retention.apply(store, Retention(days=10_000, max_bytes=0)) == 5
    store.close()


def test_an_open_store_keeps_to_its_limits_by_itself_and_stops_with_it(tmp_path: Path) -> None:
    told.a_store(tmp_path, stories.chain()).close()
    store = Store.open(tmp_path / "headwater.duckdb", retention=Retention(days=0))
    store.close()
    store = Store.open(tmp_path / "headwater.duckdb")
    assert store.read("select count(*) from spans") == [(0,)]
    store.close()
