"""Share groups are listed by name beside the polls; where nobody can say, they are unknown and not what they were."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.group import JoinGroupRequest

from headwater_collector.demo.broker import Broker
from headwater_collector.demo.broker_answers import Answers, Fields
from headwater_collector.kafka.share_groups import MOST_NAMES, ShareGroups, listing
from headwater_collector.kafka.watch import ClusterConfig
from kafka_watching import Watching, produce, watching

LIST_GROUPS, COORDINATOR_LOAD_IN_PROGRESS = 16, 14


async def _joined(address: str, group: str, kind: str) -> None:
    """A member of a kind of group; it goes without a word, and the group stays."""
    client = AIOKafkaAdminClient(bootstrap_servers=address)
    await client.start()
    try:
        join = JoinGroupRequest(group, 10_000, 10_000, "", None, kind, [("any", b"")])
        await client._send_request(join)
    finally:
        await client.close()


@contextlib.asynccontextmanager
async def _broker() -> AsyncIterator[Broker]:
    broker = Broker(partitions=1)
    try:
        yield broker
    finally:
        await broker.stop()


def _share_groups(watched: Watching) -> object:
    rows = watched.rows("clusters", name="main")
    return rows[0]["share_groups"] if rows else "no row yet"


async def test_share_groups_and_no_others_are_listed_until_the_broker_is_away(tmp_path: Path) -> None:
    async with _broker() as broker:
        address = await broker.start()
        await asyncio.to_thread(produce, address, "orders", ["x"])
        for group, kind in (("b", "share"), ("a", "share"), ("workers", "connect"), ("tables", "streams")):
            await _joined(address, group, kind)
        async with watching(tmp_path / "s.duckdb", address) as watched:
            await watched.until(lambda: _share_groups(watched) == ["a", "b"], "the share groups")
            await broker.stop()
            await watched.until(lambda: watched.rows("clusters", state="down"), "the state down")
            assert _share_groups(watched) is None


async def test_a_cluster_without_share_groups_says_so(tmp_path: Path) -> None:
    async with _broker() as broker:
        address = await broker.start()
        async with watching(tmp_path / "s.duckdb", address) as watched:
            await watched.until(lambda: _share_groups(watched) == [], "that there are none")


class _Loading(Answers):
    """Lists no groups, as a coordinator that has just started."""

    async def answer(self, key: int, request: Any, client: str, peer: str) -> Fields | None:
        if key == LIST_GROUPS:
            return 0, COORDINATOR_LOAD_IN_PROGRESS, []
        return await super().answer(key, request, client, peer)


async def test_a_broker_that_does_not_list_groups_is_named_and_everything_else_is_polled(
    tmp_path: Path,
) -> None:
    async with _broker() as broker:
        broker._answers = _Loading(broker)
        address = await broker.start()
        await asyncio.to_thread(produce, address, "orders", ["x"])
        async with watching(tmp_path / "s.duckdb", address) as watched:

            def said() -> bool:
                rows = watched.rows("clusters", share_groups=None)
                return any("share groups cannot be listed: " in str(row["reason"]) for row in rows)

            await watched.until(said, "the reason")
            assert watched.rows("offset_samples", topic="orders", end_offset=1)


async def test_options_without_a_counterpart_are_the_reason() -> None:
    options = {"security.protocol": "SASL_SSL", "sasl.mechanism": "OAUTHBEARER"}
    groups = ShareGroups(ClusterConfig("main", "127.0.0.1:1", options))
    groups.ask_if_due()
    async with asyncio.timeout(60):
        while groups.listed().remark is None:
            await asyncio.sleep(0.02)
    assert groups.listed().names is None
    assert str(groups.listed().remark).startswith(
        "share groups cannot be listed: sasl.mechanism OAUTHBEARER is"
    )


class _Silent:
    """A port that takes connections and never answers."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"

    def close(self) -> None:
        self._socket.close()


def _threads() -> int:
    return sum(each.name == "headwater share groups silent" for each in threading.enumerate())


async def test_a_broker_that_never_answers_holds_nothing_up_and_piles_nothing_up() -> None:
    silent = _Silent()
    groups = ShareGroups(ClusterConfig("silent", silent.address))
    try:
        for _ in range(3):
            groups.ask_if_due()
            groups.forget()  # as after a poll that failed: it may be asked at once
        assert _threads() <= 1
        assert groups.listed().names is None
    finally:
        groups.close()
        silent.close()
    async with asyncio.timeout(60):
        while _threads():
            await asyncio.sleep(0.02)
    assert groups.listed() == (None, None)


def test_more_names_than_are_kept_are_counted() -> None:
    names, remark = listing((f"g-{number:05d}", "share") for number in range(MOST_NAMES + 5))
    assert (len(names or ()), remark) == (MOST_NAMES, "of 1,005 share groups 1,000 are named")
