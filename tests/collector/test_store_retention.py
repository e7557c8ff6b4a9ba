"""How much the store keeps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import store_helpers as told
import store_stories as stories
from headwater_collector.store import Retention, Store, retention, schema
from store_helpers import open_store

ARRIVED = datetime.fromtimestamp(told.START_NS / 1e9, UTC)


def test_every_table_either_ages_or_says_that_it_does_not() -> None:
    named = [
        *retention.OF_TRACES,
        *retention.BY_ARRIVAL,
        *retention.NOTABLE,
        *retention.THINNED,
        *retention.BY_SAMPLE,
        *retention.AGGREGATES,
        *retention.KEPT,
    ]
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


def test_flows_with_errors_dead_letters_and_slow_ones_stay_longer(tmp_path: Path) -> None:
    usual = [told.work("shop", f"t{n}", "checkout", n, 5) for n in range(150)]
    slow = told.work("shop", "slow", "checkout", 0, 900)
    failed = [told.work("shop", "failed", "other", 0, 5), told.work("shop", "failed", "x", 1, 2, error="no")]
    dead = [told.send("pay", "dead", "send it", ("orders.DLT", 0, 7), 0, 5)]
    store = told.a_store(
        tmp_path, [*usual, slow, *failed, *dead], [told.work("shop", "new", "checkout", 0, 5)]
    )
    limits = Retention(days=1, notable_days=3)
    assert retention.apply(store, limits, ARRIVED + timedelta(days=1, milliseconds=500)) == 150
    left = [told.trace(name) for name in ("slow", "failed", "dead", "new")]
    assert store.read("select distinct trace_id from spans order by 1") == [(one,) for one in sorted(left)]
    assert store.read("select flow_id from flows order by 1") == [(one,) for one in sorted(left)]
    assert store.read("select count(*) from messages") == [(1,)]
    assert retention.apply(store, limits, ARRIVED + timedelta(days=1, milliseconds=600)) == 0
    assert dict(store.read("select reason, count(*) from kept_traces group by 1")) == {
        "slow": 1, "error": 1, "dead_letter": 1,
    }  # fmt: skip
    assert retention.apply(store, limits, ARRIVED + timedelta(days=3, milliseconds=500)) == 5
    assert (
        store.read("select count(*) from spans") == store.read("select count(*) from kept_traces") == [(0,)]
    )
    store.close()


def test_what_was_sent_again_stays_when_the_first_run_has_gone(tmp_path: Path) -> None:
    spans = stories.replays()
    store = told.a_store(tmp_path, spans[:3], spans[3:])
    limits = Retention(days=1, notable_days=1)
    assert retention.apply(store, limits, ARRIVED + timedelta(days=1, milliseconds=500)) == 3
    asked = "select flow_id, entry_name, spans, total_ms, orphan, replays from flows"
    assert store.read(asked) == [(told.trace("A"), "send again", 4, 45.0, True, 1)]
    told.fill(store, [told.work("pay", "R", "charge", 1025, 5, "try again")])
    assert store.read(asked) == [(told.trace("A"), "send again", 5, 45.0, True, 1)]
    runs = "select run, span_id, spans from flow_runs(?) order by run"
    assert store.read(runs, [told.trace("A")]) == [(0, None, 5), (1, told.span("try at last"), 1)]
    assert store.read("select flow_id from flow_of(?)", [told.span("ship")]) == [(told.trace("A"),)]
    store.close()


def test_pathways_of_what_went_are_remembered_by_the_hour(tmp_path: Path) -> None:
    usual = [told.work("shop", f"t{n}", "checkout", n, 10 if n % 2 else 30) for n in range(20)]
    store = told.a_store(tmp_path, usual)
    assert retention.apply(store, Retention(days=1), ARRIVED + timedelta(days=2)) == 20
    assert store.read(
        "select entry_service, entry_name, flows, errors, total_p50_ms, h.pathway_id = "
        "left(md5(concat('shop', chr(31), 'checkout')), 16) from pathway_history h"
    ) == [("shop", "checkout", 20, 0, 20.0, True)]
    retention.apply(store, Retention(days=1), ARRIVED + timedelta(days=600))
    assert store.read("from pathway_history") == []
    store.close()


def test_the_oldest_go_while_the_store_is_too_big(tmp_path: Path) -> None:
    spans = [[told.work("shop", f"t{n}", f"s{n}", n, 5)] for n in range(5)]
    store = told.a_store(tmp_path, *spans)
    assert store.checkpoint()
    within = Retention(days=10_000, max_bytes=retention.used_bytes(store))
    assert retention.apply(store, within) == 0
    assert retention.apply(store, Retention(days=10_000, max_bytes=0)) == 5
    store.close()


def test_when_room_is_short_what_is_worth_keeping_goes_last(tmp_path: Path) -> None:
    failed = [told.work("shop", "failed", "other", 0, 5, error="no")]
    usual = [[told.work("shop", f"t{n}", "checkout", n, 5)] for n in range(5)]
    store = told.a_store(tmp_path, failed, *usual)
    gone: list[str] = []
    real = retention.used_bytes

    def used(of: Store) -> int:
        left = {name for (name,) in of.read("select trace_id from spans")}
        gone.extend(sorted({told.trace(n) for n in ("failed", "t0", "t4")} - left - set(gone)))
        return real(of) + 1

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(retention, "used_bytes", used)
        assert retention.apply(store, Retention(days=10_000, max_bytes=0)) == 6
    assert gone == [told.trace(name) for name in ("t0", "t4", "failed")]
    store.close()


def test_an_open_store_keeps_to_its_limits_by_itself_and_stops_with_it(tmp_path: Path) -> None:
    told.a_store(tmp_path, stories.chain()).close()
    store = open_store(tmp_path / "headwater.duckdb", retention=Retention(days=0))
    store.close()
    store = open_store(tmp_path / "headwater.duckdb")
    assert store.read("select count(*) from spans") == [(0,)]
    store.close()
