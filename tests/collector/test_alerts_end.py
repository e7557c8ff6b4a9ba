"""How an alert on a group ends when what it was about is there no more: resolved, and told so."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from headwater_collector.alerts import AlertWatch, alert_settings
from headwater_collector.alerts.settings import AlertSettings
from headwater_collector.demo.broker import Broker
from headwater_collector.kafka.watch import KafkaWatch
from headwater_collector.store import Store
from kafka_watching import POLL_SECONDS, client_options, commit, produce, watching
from store_helpers import open_store
from webhook_receiver import Receiver, a_receiver

RULES = {"stopped": "status = 'stopped'", "not well": "status != 'ok'", "behind": "lag > 0"}
FIRING = sorted(("firing", f"{name}: payments on orders") for name in RULES)
RESOLVED = sorted(("resolved", f"{name}: payments on orders") for name in RULES)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with a_receiver() as running:
        yield running


@pytest.fixture
async def broker() -> AsyncIterator[Broker]:
    """Five messages, of which the group payments has read two and nobody reads on."""
    running = Broker(partitions=1)
    try:
        address = await running.start()
        await asyncio.to_thread(produce, address, "orders", ["x"] * 5)
        await asyncio.to_thread(commit, address, "payments", "orders", {0: 2})
        yield running
    finally:
        await running.stop()


def _address(broker: Broker) -> str:
    return f"{broker.host}:{broker.port}"


@contextlib.asynccontextmanager
async def _alerting(store: Store, receiver: Receiver) -> AsyncIterator[None]:
    rules = [
        {
            "name": name,
            "sql": f"select consumer_group, topic from group_health where {where}",
            "labels": ["consumer_group", "topic"],
            "summary": f"{name}: {{consumer_group}} on {{topic}}",
            "for": "0s",
        }
        for name, where in RULES.items()
    ]
    read = alert_settings({"rules": rules, "webhooks": {"team": {"url": receiver.url}}})
    settings = AlertSettings(read.rules, read.webhooks, every_seconds=0.05)
    alerts = AlertWatch(store, store.path.parent, settings, settling_seconds=0, first_wait_seconds=0.01)
    try:
        await alerts.start()
        yield
    finally:
        await alerts.stop()


def _ended(receiver: Receiver) -> bool:
    """Every alert fired once, and then was over."""
    told = receiver.told()
    return (
        len(told) == 2 * len(RULES) and sorted(told[: len(RULES)]) == FIRING and sorted(told[3:]) == RESOLVED
    )


async def _fired(broker: Broker, receiver: Receiver, path: Path) -> None:
    """A run in which the alerts fire, and are told."""
    async with watching(path, _address(broker)) as watched:
        await watched.status("payments", "stopped")
        async with _alerting(watched.store, receiver):
            await watched.until(lambda: sorted(receiver.told()) == FIRING, "the alerts")


async def test_a_group_that_is_deleted(broker: Broker, receiver: Receiver, tmp_path: Path) -> None:
    async with watching(tmp_path / "s.duckdb", _address(broker)) as watched:
        await watched.status("payments", "stopped")
        async with _alerting(watched.store, receiver):
            await watched.until(lambda: sorted(receiver.told()) == FIRING, "the alerts")
            admin = AdminClient(client_options(_address(broker)))
            deleted = admin.delete_consumer_groups(["payments"])["payments"]
            await asyncio.to_thread(deleted.result, 60)
            await watched.until(lambda: _ended(receiver), "their end")


async def test_a_group_of_a_cluster_that_is_another_one_now(
    broker: Broker, receiver: Receiver, tmp_path: Path
) -> None:
    await _fired(broker, receiver, tmp_path / "s.duckdb")
    other = Broker(partitions=1)
    try:
        async with watching(tmp_path / "s.duckdb", await other.start()) as watched:
            async with _alerting(watched.store, receiver):
                await watched.until(lambda: _ended(receiver), "their end")
            assert watched.rows("group_health") == watched.rows("lag") == []
    finally:
        await other.stop()


async def test_a_group_of_a_cluster_that_is_watched_no_more(
    broker: Broker, receiver: Receiver, tmp_path: Path
) -> None:
    await _fired(broker, receiver, tmp_path / "s.duckdb")
    store = await asyncio.to_thread(open_store, tmp_path / "s.duckdb")
    watch = KafkaWatch(store, [], poll_seconds=POLL_SECONDS)
    try:
        await watch.start()
        for relation in ("clusters", "group_health", "lag"):
            assert store.read(f"from {relation}") == []
        async with _alerting(store, receiver):
            async with asyncio.timeout(60):
                while not _ended(receiver):
                    await asyncio.sleep(0.02)
    finally:
        await watch.stop()
        await asyncio.to_thread(store.close)
