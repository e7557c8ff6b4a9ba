"""Metrics over OTLP: what speaks of messages is stored, the rest is counted, nothing is an error."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format  # type: ignore[import-untyped]

from headwater_collector.errors import Malformed
from headwater_collector.receivers.otlp_decode import Kind
from headwater_collector.receivers.otlp_metrics import read_metrics
from metric_exports import IN, ORDERS, Collector, Export
from store_helpers import rows


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    made = Collector(tmp_path)
    yield made
    made.close()


def test_our_counters_meet_in_one_row_a_key(collector: Collector) -> None:
    export = Export().number("headwater.flow.messages", 40, IN).number("headwater.flow.offset", 17, IN, True)
    for error, number in (("Timeout", 2), ("ValueError", 1)):
        export.number("headwater.flow.errors", number, {**IN, "error.type": error})
    for bucket, number in ((-120, 30), (-110, 10)):
        said = {**IN, "headwater.measured": "wait", "headwater.bucket": bucket}
        export.number("headwater.flow.latency", number, said)
    collector.take(export.body)
    collector.drain()
    (row,) = rows(collector.store, "from flow_counts")
    assert (row["direction"], row["topic"], row["partition"]) == ("in", "orders", 3)
    assert (row["consumer_group"], row["prefix_id"]) == ("payments", "00000000000000aa")
    assert (row["service"], row["instance"], row["server"]) == ("payments", "p-1", "kafka-1:9092")
    assert (row["messages"], row["errors"], row["highest_offset"]) == (40, 3, 17)
    assert row["latencies"] == [
        {"measured": "wait", "bucket": -120, "messages": 30},
        {"measured": "wait", "bucket": -110, "messages": 10},
    ]
    assert collector.counters.row()["metrics_not_kept"] == 0


@pytest.mark.parametrize("kind", [Kind.HTTP_PROTOBUF, Kind.HTTP_JSON, Kind.GRPC_PROTOBUF])
def test_the_conventions_metrics_come_in_every_encoding(collector: Collector, kind: Kind) -> None:
    export = Export().number("messaging.client.sent.messages", 7, ORDERS)
    export.histogram("messaging.process.duration", {**ORDERS, "error.type": "Timeout"})
    body = export.body
    if kind is Kind.HTTP_JSON:
        body = json_format.MessageToJson(export.request).encode()
    collector.take(body, kind)
    collector.drain()
    found = rows(collector.store, "from messaging_metrics order by metric")
    assert [(row["metric"], row["value"], row["count"]) for row in found] == [
        ("messaging.client.sent.messages", 7.0, None),
        ("messaging.process.duration", None, 3),
    ]
    assert (found[1]["bounds"], found[1]["buckets"], found[1]["sum"]) == ([0.1, 1.0], [1, 2, 0], 0.6)
    assert found[1]["error_type"] == "Timeout"


def test_what_handlers_hold_shows_until_the_next_report_says_otherwise(collector: Collector) -> None:
    now = time.time_ns()
    store = collector.store
    shown = "select topic, partition, consumer_group, message_offset, held_seconds > 60 from in_flight"

    def after(export: Export, count: int) -> list[tuple[Any, ...]]:
        collector.take(export.body)
        until = time.monotonic() + 60
        while store.read("select count(*) from flow_counts") != [(count,)]:
            assert time.monotonic() < until
            time.sleep(0.02)
        return store.read(shown)

    def report(ago_s: int) -> Export:
        return Export(now - ago_s * 10**9).number("headwater.flow.messages", 100 - ago_s, IN)

    assert after(report(20).held(482, now / 1e9 - 90), 1) == [("orders", 3, "payments", 482, True)]
    assert after(report(10).held(483, now / 1e9 - 15), 2) == [("orders", 3, "payments", 483, False)]
    assert after(report(15).held(1, 1.0), 3) == [("orders", 3, "payments", 483, False)], (
        "one that was overtaken"
    )
    assert after(report(0), 4) == []


def test_a_report_that_is_not_renewed_is_void(collector: Collector) -> None:
    now = time.time_ns()
    for ago_s in (130, 120):
        collector.take(Export(now - ago_s * 10**9).held(482, 1.79e9).body)
    collector.drain()
    assert collector.store.read("select count(*) from held_rows") == [(1,)]
    assert collector.store.read("from in_flight") == []


def test_what_the_kafka_receiver_says_becomes_samples(collector: Collector) -> None:
    where = {"topic": "orders", "partition": 3}
    export = Export(resource={"service.name": "otelcol", "kafka.cluster.alias": "prod"})
    export.number("kafka.consumer_group.offset", 100, {**where, "group": "payments"}, gauge=True)
    export.number("kafka.consumer_group.lag", 5, {**where, "group": "payments"}, gauge=True)
    export.number("kafka.partition.current_offset", 105, where, gauge=True)
    export.number("kafka.partition.oldest_offset", 20, where, gauge=True)
    export.number("kafka.brokers", 3, {}).number("kafka.topic.partitions", 12, {"topic": "orders"})
    collector.take(export.body)
    collector.drain()
    store = collector.store
    commits = "select cluster, consumer_group, topic, partition, committed, lag from commit_samples"
    assert store.read(commits) == [(None, "payments", "orders", 3, 100, 5)]
    assert store.read("select topic, partition, log_start, end_offset from offset_samples") == [
        ("orders", 3, 20, 105)
    ]
    assert store.read("select metric, topic, value from messaging_metrics order by metric") == [
        ("kafka.brokers", None, 3.0),
        ("kafka.topic.partitions", "orders", 12.0),
    ]


def test_of_a_polled_cluster_nothing_is_stored_twice(collector: Collector) -> None:
    collector.store.write(lambda w: w.append("cluster_rows", [{"cluster": "c1", "name": "prod"}]))
    export = Export(resource={"kafka.cluster.alias": "prod"})
    export.number("kafka.partition.current_offset", 105, {"topic": "orders", "partition": 3}, gauge=True)
    collector.take(export.body)
    collector.drain()
    assert collector.store.read("from offset_samples") == []


def test_other_metrics_are_counted_and_never_an_error(collector: Collector) -> None:
    collector.take(Export().number("http.server.requests", 1, {}).number("system.cpu", 1, {}).body)
    collector.take(Export().number("jvm.memory", 1, {}).number("messaging.client.sent.messages", 1, {}).body)
    collector.take(Export().number("http.server.requests", 1, {"note": "kafka.x"}).body)
    collector.drain()
    assert collector.counters.row()["metrics_not_kept"] == 4
    assert collector.counters.row()["quarantined"] == 0
    assert collector.store.read("select count(*) from messaging_metrics") == [(1,)]


def test_after_a_restart_nothing_is_there_twice(tmp_path: Path) -> None:
    body = Export().number("messaging.client.sent.messages", 1, ORDERS).body
    for _ in range(2):
        made = Collector(tmp_path)
        made.take(body)
        made.drain()
        found = made.store.read("select count(*) from messaging_metrics")
        made.close()
        assert found == [(1,)]


@pytest.mark.parametrize("body", [b"\xff\xff", b"{", b'{"resourceMetrics": 5}', b"[]"])
def test_what_cannot_be_read_is_said_in_a_sentence(body: bytes) -> None:
    with pytest.raises(Malformed, match="Metrics could not be read"):
        read_metrics(body, body[:1] != b"\xff", 0)
