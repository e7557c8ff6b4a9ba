"""Lag from what the kafka receiver of an OpenTelemetry collector sends, where no broker can be reached."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from headwater_collector.kafka import received
from headwater_collector.kafka.received import ReceivedWatch
from metric_exports import Collector, Export

SECOND = 10**9


def _scrape(
    at_ns: int, groups: dict[str, tuple[int, int]], members: dict[str, int], **of_cluster: str
) -> Export:
    """Group -> (committed, lag) on orders/3, as the receiver's consumer and topic scrapers tell."""
    named = {f"kafka.cluster.{name}": value for name, value in of_cluster.items()}
    export = Export(at_ns, resource={"service.name": "otelcol", **named})
    where: dict[str, object] = {"topic": "orders", "partition": 3}
    for group, (committed, lag) in groups.items():
        export.number("kafka.consumer_group.offset", committed, {**where, "group": group}, gauge=True)
        export.number("kafka.consumer_group.lag", lag, {**where, "group": group}, gauge=True)
    for group, number in members.items():
        export.number("kafka.consumer_group.members", number, {"group": group}, gauge=True)
    ends = [committed + lag for committed, lag in groups.values() if committed >= 0]
    export.number("kafka.partition.current_offset", max(ends), where, gauge=True)
    return export.number("kafka.partition.oldest_offset", 20, where, gauge=True)


@asynccontextmanager
async def _received(folder: Path, scrapes: list[Export]) -> AsyncIterator[Collector]:
    made = Collector(folder)
    watch = ReceivedWatch(made.store, 0.05)
    try:
        await watch.start()
        for scrape in scrapes:
            await asyncio.to_thread(made.take, scrape.body)
        yield made
    finally:
        await watch.stop()
        await asyncio.to_thread(made.close)


def _rows(made: Collector, columns: str, relation: str = "lag") -> list[tuple[Any, ...]]:
    return made.store.read(f"select {columns} from {relation} order by consumer_group")


async def _until(ready: Callable[[], object], what: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not ready():
        assert time.monotonic() < end, what()
        await asyncio.sleep(0.05)


def _four_minutes(until: int) -> list[Export]:
    """Sixty offsets a minute are produced; one group follows, one has no members, one has never committed."""
    return [
        _scrape(
            until - (4 - minute) * 60 * SECOND,
            {"follows": (100 + 60 * minute, 60), "gone": (130, 60 * minute + 30), "never": (-1, -1)},
            {"follows": 2, "gone": 0},
        )
        for minute in range(5)
    ]


async def test_lag_is_judged_with_its_method_and_bound(tmp_path: Path) -> None:
    now = time.time_ns()
    async with _received(tmp_path, _four_minutes(now)) as made:
        shown = "consumer_group, lag, committed, end_offset, lag_method, status"
        expected = [
            ("follows", 60, 340, 400, "interpolated", "ok"),
            ("gone", 270, 130, 400, "at_least", "stopped"),
        ]
        await _until(lambda: _rows(made, shown) == expected, lambda: _rows(made, shown + ", evidence"))
        [follows, gone] = made.store.read("select * from lag order by consumer_group")
        names = [row[0] for row in made.store.read("select column_name from (describe lag)")]
        row = dict(zip(names, follows, strict=True))
        assert (row["cluster"], row["incarnation"], row["member"], row["stable_offset"]) == (None,) * 4
        assert row["log_start"] == 20
        assert abs(row["lag_seconds"] - 60) <= row["lag_error_seconds"] <= 60
        gone_row = dict(zip(names, gone, strict=True))
        assert "no members" in gone_row["evidence"]
        assert gone_row["lag_seconds"] >= 240
        health = "consumer_group, status, lag"
        assert _rows(made, health, "group_health") == [("follows", "ok", 60), ("gone", "stopped", 270)]
        commits = "select distinct committed, lag from commit_samples where consumer_group = 'never'"
        assert made.store.read(commits) == [(None, None)]


async def test_a_receiver_that_falls_silent_leaves_no_old_numbers(tmp_path: Path) -> None:
    now = time.time_ns()
    scrapes = [_scrape(now - (2 - each) * SECOND // 4, {"follows": (100 + each, 1)}, {}) for each in range(3)]
    async with _received(tmp_path, scrapes) as made:
        shown = "status, lag, lag_seconds"
        await _until(lambda: _rows(made, shown) == [("unknown", None, None)], lambda: _rows(made, shown))
        [(evidence,)] = _rows(made, "evidence")
        assert "the kafka receiver has sent nothing since" in evidence
        await asyncio.to_thread(made.take, _scrape(time.time_ns(), {"follows": (109, 2)}, {}).body)
        await _until(lambda: _rows(made, "lag") == [(2,)], lambda: _rows(made, shown))


async def test_a_receiver_that_was_silent_over_a_restart_leaves_no_old_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of what it sent is recent enough to be read again."""
    monkeypatch.setattr(received, "USUAL_SECONDS", 0.1)
    made = Collector(tmp_path)
    said = {"cluster": "east", "consumer_group": "gone", "topic": "orders", "status": "stopped", "lag": 7}
    made.store.write(lambda writer: writer.append("lag_now", [said]))
    made.store.write(lambda writer: writer.append("group_health_now", [said]))
    made.close()
    async with _received(tmp_path, []) as again:
        unknown = [("east", "unknown", None)]
        asked = partial(_rows, again, "cluster, status, lag")
        await _until(lambda: asked("lag") == asked("group_health") == unknown, lambda: asked("lag"))


async def test_what_a_polled_cluster_tells_is_enough(tmp_path: Path) -> None:
    made = Collector(tmp_path)
    polled = {"cluster": "c1", "consumer_group": "follows", "topic": "orders", "partition": 3, "lag": 7}
    made.store.write(lambda writer: writer.append("lag_now", [polled]))
    made.store.write(lambda writer: writer.append("cluster_rows", [{"cluster": "c1", "name": "prod"}]))
    made.close()
    async with _received(tmp_path, _four_minutes(time.time_ns())) as again:
        shown, expected = "consumer_group, cluster, lag", [("follows", "c1", 7), ("gone", None, 270)]
        await _until(lambda: _rows(again, shown) == expected, lambda: _rows(again, shown))


async def test_receivers_of_several_clusters_are_told_apart_by_what_they_name(tmp_path: Path) -> None:
    now, scrapes = time.time_ns(), []
    for minute in range(3):
        at = now - (2 - minute) * 60 * SECOND
        of_east, of_west = {"payments": (100 + minute, 1)}, {"payments": (50, 10 + minute)}
        scrapes.append(_scrape(at, of_east, {"payments": 2}, alias="east"))
        scrapes.append(_scrape(at, of_west, {"payments": 0}, id="k-west"))
    async with _received(tmp_path, scrapes) as made:
        shown = "cluster, committed, lag, status"
        expected = [("east", 102, 1, "ok"), ("k-west", 50, 12, "stopped")]
        await _until(lambda: sorted(_rows(made, shown)) == expected, lambda: _rows(made, shown))
        health = "select cluster, status from group_health order by cluster"
        assert made.store.read(health) == [("east", "ok"), ("k-west", "stopped")]


async def test_what_services_hold_blocks_a_group_that_no_poll_sees(tmp_path: Path) -> None:
    now = time.time_ns()
    reports = [Export(now - 10 * SECOND).held(338, now / 1e9 - 300), Export(now).held(338, now / 1e9 - 300)]
    scrapes = [
        _scrape(now - (4 - minute) * 60 * SECOND, {"payments": (100 + 60 * minute, 60)}, {})
        for minute in range(5)
    ]
    async with _received(tmp_path, [*reports, *scrapes]) as made:
        shown = "status, committed"
        await _until(lambda: _rows(made, shown) == [("blocked", 340)], lambda: _rows(made, shown))
        [blocker] = _rows(made, "cluster, message_offset, assumed, committed, service", "blockers")
        assert blocker == (None, 338, False, 340, "payments")
