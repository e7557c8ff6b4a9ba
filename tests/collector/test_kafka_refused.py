"""A broker that refuses one call: the state says which and why, and everything else works on."""

import asyncio
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer

from headwater_collector.demo import broker_protocol
from headwater_collector.demo.broker import Broker
from kafka_watching import Watching, produce, watching

DESCRIBE_GROUPS, OFFSET_FETCH = (15, 1), (9, 3)


async def _produced(broker: Broker) -> str:
    address = await broker.start()
    await asyncio.to_thread(produce, address, "orders", ["x"] * 10)
    consumer = AIOKafkaConsumer(
        "orders", bootstrap_servers=address, group_id="payments", auto_offset_reset="earliest"
    )
    await consumer.start()
    await consumer.getone()
    await consumer.stop()  # commits, and leaves a group without members
    return address


@pytest.mark.parametrize(
    ("refused", "reason"),
    [(DESCRIBE_GROUPS, "members of group payments"), (OFFSET_FETCH, "committed offsets of group payments")],
)
async def test_a_refused_call_is_named(
    refused: tuple[int, int], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = Broker(partitions=1)
    try:
        address = await _produced(broker)
        monkeypatch.delitem(broker_protocol.REQUESTS, refused)
        async with watching(tmp_path / "s.duckdb", address) as watched:
            await watched.polled(3)
            [cluster] = watched.rows("cluster_rows")
            assert cluster["state"] == "degraded"
            assert reason in cluster["reason"]
            assert "not supported" in cluster["reason"].lower()
            samples = watched.rows("offset_samples", topic="orders")
            assert {row["end_offset"] for row in samples} == {10}
            _says_unknown_or_nothing(watched, reason)
    finally:
        await broker.stop()


def _says_unknown_or_nothing(watched: Watching, reason: str) -> None:
    """A group that could not be read whole has no verdict, least of all a good one."""
    for row in watched.rows("lag_now", consumer_group="payments"):
        assert (row["status"], reason in row["evidence"]) == ("unknown", True)


async def test_the_embedded_broker_is_watched_like_any_other(tmp_path: Path) -> None:
    broker = Broker(partitions=1)
    try:
        address = await _produced(broker)
        async with watching(tmp_path / "s.duckdb", address) as watched:
            row = await watched.status("payments", "stopped")
            assert (row["lag"], row["committed"], row["end_offset"]) == (9, 1, 10)
            assert watched.rows("topic_lives")[0]["topic_id"] is None
            assert watched.rows("cluster_rows")[0]["state"] == "up"
    finally:
        await broker.stop()
