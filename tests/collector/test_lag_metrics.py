"""GET /metrics: offsets and lag as the alerts and boards of kafka-lag-exporter expect them."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from api_helpers import POLLED, serving
from headwater_collector.store import Writer
from prometheus_text import Samples, parse
from store_helpers import open_store

MEMBER = {"member": 'id-"1"', "client": "worker", "host": "/10.0.0.7", "partitions": [["orders", 0]]}
PLACE = {"cluster_name": "prod", "group": "payments", "topic": "orders"}
OWNED = {"member_host": "/10.0.0.7", "consumer_id": 'id-\\"1\\"', "client_id": "worker"}
UNOWNED = {"member_host": "", "consumer_id": "", "client_id": ""}


def _fill(writer: Writer) -> None:
    writer.append("cluster_rows", [
        {"cluster": "c1", "name": "prod", "state": "degraded", "polled_at": POLLED, "poll_ms": 4.5},
        {"cluster": "c2", "name": "dr", "state": "down", "polled_at": POLLED, "poll_ms": 9000.0},
    ])  # fmt: skip
    group = {"cluster": "c1", "consumer_group": "payments", "topic": "orders", "status": "ok"}
    lag = {**group, "sampled_at": POLLED}
    writer.append("lag_now", [
        {**lag, "partition": 0, "committed": 90, "lag": 12, "lag_seconds": 2.5, "lag_error_seconds": 0.5},
        {**lag, "partition": 1, "committed": 40, "lag": 3, "lag_seconds": 7.25},
        {**lag, "partition": 2},
        {**lag, "partition": 3, "committed": 1, "lag": 999, "status": "unknown"},
        {**lag, "cluster": "c2", "partition": 0, "committed": 1, "lag": 5, "lag_seconds": 1.0},
        {**lag, "cluster": None, "consumer_group": "told", "partition": 0, "committed": 5, "lag": 1},
    ])  # fmt: skip
    writer.append("group_health_now", [{**group, "status": "falling_behind", "lag": 15}])
    sample = {"cluster": "c1", "topic": "orders", "partition": 0}
    earlier = POLLED - timedelta(seconds=5)
    writer.append("offset_samples", [
        {**sample, "sampled_at": earlier, "log_start": 1, "end_offset": 2},
        {**sample, "sampled_at": POLLED, "log_start": 30, "end_offset": 102},
        {**sample, "sampled_at": POLLED, "partition": 1, "log_start": None, "end_offset": 43},
    ])  # fmt: skip
    groups = {"cluster": "c1", "consumer_group": "payments"}
    writer.append("group_samples", [
        {**groups, "sampled_at": earlier, "assignment": "[]"},
        {**groups, "sampled_at": POLLED, "assignment": json.dumps([MEMBER])},
    ])  # fmt: skip


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Samples]:
    store = open_store(tmp_path_factory.mktemp("lag") / "headwater.duckdb")
    store.write(_fill)
    with serving(store) as url, urllib.request.urlopen(f"{url}/metrics") as answer:
        yield parse(answer.read().decode())[0]
    store.close()


def _of(samples: Samples, name: str) -> dict[frozenset[tuple[str, str]], float]:
    return {labels: number for (one, labels), number in samples.items() if one == name}


def _at(**labels: str) -> frozenset[tuple[str, str]]:
    return frozenset(labels.items())


def test_a_partition_has_its_lag_its_owner_and_no_figure_that_is_unknown(samples: Samples) -> None:
    owned, other = _at(**PLACE, partition="0", **OWNED), _at(**PLACE, partition="1", **UNOWNED)
    told = _at(cluster_name="", group="told", topic="orders", partition="0", **UNOWNED)
    assert _of(samples, "kafka_consumergroup_group_lag") == {owned: 12, other: 3, told: 1}
    assert _of(samples, "kafka_consumergroup_group_offset") == {owned: 90, other: 40, told: 5}
    assert _of(samples, "kafka_consumergroup_group_lag_seconds") == {owned: 2.5, other: 7.25}
    assert _of(samples, "headwater_group_lag_seconds_error") == {owned: 0.5}


@pytest.mark.parametrize(
    ("name", "labels", "expected"),
    [
        ("group_max_lag", {"cluster_name": "prod", "group": "payments"}, 12),
        ("group_max_lag_seconds", {"cluster_name": "prod", "group": "payments"}, 7.25),
        ("group_sum_lag", {"cluster_name": "prod", "group": "payments"}, 15),
        ("group_topic_sum_lag", PLACE, 15),
        ("poll_time_ms", {"cluster_name": "prod"}, 4.5),
    ],
)
def test_groups_and_polls(samples: Samples, name: str, labels: dict[str, str], expected: float) -> None:
    found = _of(samples, f"kafka_consumergroup_{name}")
    assert found[_at(**labels)] == expected
    assert not [one for one in found if ("cluster_name", "dr") in one], (
        "a cluster that is down has no figures"
    )


def test_partitions_have_the_offsets_of_the_last_poll(samples: Samples) -> None:
    first, second = (_at(cluster_name="prod", topic="orders", partition=each) for each in "01")
    assert _of(samples, "kafka_partition_latest_offset") == {first: 102, second: 43}
    assert _of(samples, "kafka_partition_earliest_offset") == {first: 30}


def test_the_verdict_is_a_label(samples: Samples) -> None:
    assert _of(samples, "headwater_group_status") == {_at(**PLACE, status="falling_behind"): 1}


def test_what_is_left_out_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headwater_collector.api.lag_metrics.MOST_ROWS", 2)
    store = open_store(tmp_path / "headwater.duckdb")
    store.write(_fill)
    with serving(store) as url, urllib.request.urlopen(f"{url}/metrics") as answer:
        found = parse(answer.read().decode())[0]
    store.close()
    assert len(_of(found, "kafka_consumergroup_group_offset")) == 2
    assert _of(found, "headwater_group_partitions_left_out") == {frozenset(): 2}
