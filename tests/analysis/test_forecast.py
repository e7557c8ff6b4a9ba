"""When a lag will be gone: from samples of five minutes, with an interval that holds what is true."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import store_helpers as told
from headwater_collector.store import Writer
from store_helpers import open_store

NOW = datetime(2026, 11, 27, 12, 0, 0)
POLLS = 61
Way = Callable[[random.Random], list[tuple[int, int]]]
"""Committed and end offset, poll by poll, five seconds apart."""


def steady(arriving: float, read: float, every: int = 1, lag: int = 20_000) -> Way:
    """So many a second on average, counted as chance has it; commits at each `every`th poll."""

    def way(chance: random.Random) -> list[tuple[int, int]]:
        end, done, committed, found = 100_000, 100_000 - lag, 100_000 - lag, []
        for poll in range(POLLS):
            end += round(chance.gauss(arriving * 5, (arriving * 5) ** 0.5))
            done += round(chance.gauss(read * 5, (read * 5) ** 0.5))
            committed = done if poll % every == 0 else committed
            found.append((committed, end))
        return found

    return way


def forecast(
    folder: Path, *ways: Way, log_start: Callable[[int], int] = lambda poll: 0
) -> list[dict[str, Any]]:
    """A partition each; the rows of drain_forecast in order of partition."""
    chance, lag, commits, offsets = random.Random(7), [], [], []
    for partition, way in enumerate(ways):
        place = {"cluster": "c1", "topic": "orders", "incarnation": 1, "partition": partition}
        for poll, (committed, end) in enumerate(way(chance)):
            sampled = {**place, "sampled_at": NOW - timedelta(seconds=5 * (POLLS - 1 - poll))}
            group = {"consumer_group": "pay", "committed": committed, "lag": end - committed}
            commits.append({**sampled, **group})
            offsets.append({**sampled, "log_start": log_start(poll), "end_offset": end, "stable_offset": end})
        lag.append({**commits[-1], "lag_seconds": 90.0, "status": "slow", "log_start": log_start(POLLS - 1)})

    def work(writer: Writer) -> None:
        writer.append("lag_now", lag)
        writer.append("commit_samples", commits)
        writer.append("offset_samples", offsets)

    store = open_store(folder / "headwater.duckdb")
    store.write(work)
    found = told.rows(store, "from drain_forecast order by partition")
    store.close()
    return found


@pytest.mark.parametrize("every", [1, 6])
def test_the_interval_holds_the_truth_nine_times_in_ten_or_nearly(tmp_path: Path, every: int) -> None:
    found = forecast(tmp_path, *[steady(100, 115, every)] * 100)
    held = sum(row["drain_rate_low"] <= 15 <= row["drain_rate_high"] for row in found)
    assert held >= 75
    for row in found:
        assert row["drain_seconds_low"] <= row["drain_seconds"] <= row["drain_seconds_high"]
        assert row["drain_seconds"] == pytest.approx(row["lag"] / 15, rel=0.4)
    assert sum(row["in_rate"] for row in found) / 100 == pytest.approx(100, rel=0.02)
    assert sum(row["out_rate"] for row in found) / 100 == pytest.approx(115, rel=0.02)


def test_what_does_not_surely_drain_has_no_number(tmp_path: Path) -> None:
    level, growing = steady(100, 100), steady(100, 90)
    found = forecast(tmp_path, *[level] * 40, growing)
    assert sum(row["drain_seconds"] is not None for row in found[:40]) <= 6
    assert (found[40]["drain_seconds"], found[40]["drain_rate"] < 0) == (None, True)


def test_a_rewind_begins_a_new_history_and_few_points_give_no_interval(tmp_path: Path) -> None:
    def rewound(at_poll: int) -> Way:
        def way(chance: random.Random) -> list[tuple[int, int]]:
            return [
                (60_000 + 100 * poll - (30_000 if poll >= at_poll else 0), 100_000) for poll in range(POLLS)
            ]

        return way

    longer, shorter = forecast(tmp_path, rewound(20), rewound(POLLS - 4))
    assert longer["drain_rate"] == pytest.approx(20)
    assert longer["drain_seconds"] == pytest.approx(longer["lag"] / 20)
    assert (shorter["drain_rate_low"], shorter["drain_seconds"]) == (None, None)


def test_retention_is_counted_down(tmp_path: Path) -> None:
    [row] = forecast(tmp_path, steady(0, 10), log_start=lambda poll: 70_000 + 100 * (poll // 10))
    assert row["retention_seconds"] == pytest.approx((row["lag"] * -1 + 100_000 - 70_600) / 2, rel=0.01)
    [still] = forecast(tmp_path / "still", steady(0, 10))
    assert still["retention_seconds"] is None
