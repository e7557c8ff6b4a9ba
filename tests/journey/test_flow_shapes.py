"""What services do with messages on Apache Kafka is the flow that it should be, edge by edge."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import TopicPartition
from aiokafka.structs import OffsetAndMetadata

from collector_process import CollectorProcess, a_collector
from headwater_instrumentation import mark_dead_letter, mark_retry, process, process_batch
from kafka_harness import KafkaBroker
from shape_services import Edge, Town

pytestmark = pytest.mark.kafka

BATCH, VISITS = 500, 5
LINKS = 120
"""Links of a batch span; its offsets name the other records."""


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    with a_collector(tmp_path_factory.mktemp("shapes")) as running:
        yield running


@pytest.fixture
def town(kafka: KafkaBroker, collector: CollectorProcess) -> Town:
    return Town(kafka, collector, uuid4().hex[:8])


def delivered(sent: str, handling: str, place: str, group: str) -> list[Edge]:
    """A message that one handler got, by coordinates, by its headers, and by the link that the handler keeps."""
    return [
        ("message", sent, handling, place, group, True),
        ("parent", sent, handling, None, None, False),
        ("link", sent, handling, None, group, False),
    ]


def called(caller: str, *callees: str) -> list[Edge]:
    return [("parent", caller, callee, None, None, True) for callee in callees]


def in_order(*edges: list[Edge]) -> list[Edge]:
    return sorted((edge for some in edges for edge in some), key=str)


def whole(**numbers: Any) -> dict[str, Any]:
    """What a flow's row says where nothing went wrong and nothing is missing."""
    fine = {"errors": 0, "dead_letters": 0, "status": "ok", "complete": True, "traces": 1, "replays": 0}
    return {**fine, **numbers}


async def test_a_message_that_three_groups_read_is_one_flow_with_three_branches(town: Town) -> None:
    town.topics("orders", "payments")
    async with town.service("checkout") as checkout:
        producer = await checkout.producer()
        with checkout.tracer.start_as_current_span("POST /checkout"):
            await producer.send_and_wait(town.topic("orders"), b"1")
    for name in ("pay", "mail", "audit"):
        async with town.service(name) as reader:
            producer = await reader.producer()
            consumer = await reader.consumer("orders", group=name)
            record = await consumer.getone()
            async with process(record):
                if name == "pay":
                    await producer.send_and_wait(town.topic("payments"), record.value)
    async with town.service("ship") as ship:
        consumer = await ship.consumer("payments", group="ship")
        async with process(await consumer.getone()):
            pass
    flow_id = town.flow_after("process payments", f"{town.topic('orders')}@0:0")
    sent, paid = "checkout: send orders", "pay: send payments"
    assert town.edges(flow_id) == in_order(
        called("checkout: POST /checkout", sent),
        *(
            delivered(sent, f"{name}: process orders", "orders@0:0", name)
            for name in ("pay", "mail", "audit")
        ),
        called("pay: process orders", paid),
        delivered(paid, "ship: process payments", "payments@0:0", "ship"),
    )
    assert town.flow(flow_id) == whole(spans=7, messages=2)


async def test_a_join_of_two_topics_is_one_flow_where_one_cause_set_both_off(town: Town) -> None:
    town.topics("paid", "packed", "shipments")
    async with town.service("checkout") as checkout:
        producer = await checkout.producer()
        with checkout.tracer.start_as_current_span("POST /checkout"):
            await producer.send_and_wait(town.topic("paid"), b"1")
            await producer.send_and_wait(town.topic("packed"), b"1")
    await joined(town)
    async with town.service("ship") as ship:
        consumer = await ship.consumer("shipments", group="ship")
        async with process(await consumer.getone()):
            pass
    flow_id = town.flow_after("process shipments", f"{town.topic('shipments')}@0:0")
    edges = town.edges(flow_id)
    sends = [f"checkout: send {name}" for name in ("paid", "packed")]
    # A span has one primary cause: of two links, that with the smaller id.
    primary = [edge for edge in edges if edge[0] == "link" and edge[-1]]
    assert len(primary) == 1 and primary[0][2] == "join: process"
    assert [(*edge[:-1], edge[-1] and edge[0] != "link") for edge in edges] == in_order(
        called("checkout: POST /checkout", *sends),
        both(*sends),
        called("join: process", "join: send shipments"),
        delivered("join: send shipments", "ship: process shipments", "shipments@0:0", "ship"),
    )
    assert town.flow(flow_id) == whole(spans=6, messages=3, traces=2)


async def joined(town: Town) -> None:
    """A service that waits for both halves and sends what it makes of them; it says itself what it handles."""
    async with town.service("join", process_span="explicit") as join:
        producer = await join.producer()
        consumer = await join.consumer("paid", "packed", group="join")
        halves = [await consumer.getone(), await consumer.getone()]
        async with process_batch(halves):
            await producer.send_and_wait(town.topic("shipments"), b"both")


def both(*sends: str) -> list[Edge]:
    """Messages that the joining service handled together."""
    found: list[Edge] = []
    for sent in sends:
        place = f"{sent.rpartition(' ')[2]}@0:0"
        found += [(kind, sent, "join: process", place, "join", False) for kind in ("message", "link")]
    return found


async def test_a_join_of_two_flows_is_shared_and_counts_in_neither(town: Town) -> None:
    town.topics("paid", "packed", "shipments")
    for name in ("paid", "packed"):
        async with town.service(name) as one:
            producer = await one.producer()
            await producer.send_and_wait(town.topic(name), b"1")
    await joined(town)
    for name in ("paid", "packed"):
        flow_id = town.flow_after("send shipments", f"{town.topic(name)}@0:0")
        edges = [(*edge[:-1], edge[-1] and edge[0] != "link") for edge in town.edges(flow_id)]
        assert edges == in_order(
            both(f"{name}: send {name}"), called("join: process", "join: send shipments")
        )
        assert town.flow(flow_id) == whole(spans=1, messages=1)
        assert town.shared(flow_id) == ["join: process", "join: send shipments"]


async def test_a_batch_of_five_hundred_belongs_to_the_flows_of_its_messages(town: Town) -> None:
    town.topics("clicks")
    async with town.service("web") as web:
        producer = await web.producer(linger_ms=5)
        for number in range(VISITS):
            with web.tracer.start_as_current_span(f"visit {number}"):
                futures = [await producer.send(town.topic("clicks"), b"x") for _ in range(BATCH // VISITS)]
            await asyncio.gather(*futures)
    async with town.service("count") as count:
        consumer = await count.consumer("clicks", group="count")
        sizes: list[int] = []
        while sum(sizes) < BATCH:
            records = await consumer.getmany(timeout_ms=1000, max_records=BATCH)
            sizes += [sum(map(len, records.values()))] if records else []
    assert sizes == [BATCH]
    linked = 0
    for number in range(VISITS):
        first = number * BATCH // VISITS
        flow_id = town.flow_after("process clicks", f"{town.topic('clicks')}@0:{first}")
        edges = town.edges(flow_id)
        mine = range(first, first + BATCH // VISITS)
        assert [edge for edge in edges if edge[0] == "message"] == in_order(
            [
                ("message", "web: send clicks", "count: process clicks", f"clicks@0:{n}", "count", False)
                for n in mine
            ]
        )
        assert [edge for edge in edges if edge[0] == "parent"] == called(
            f"web: visit {number}", *["web: send clicks"] * len(mine)
        )
        linked += sum(edge[0] == "link" and edge[2] == "count: process clicks" for edge in edges)
        assert town.flow(flow_id) == whole(spans=1 + len(mine), messages=len(mine))
        assert "count: process clicks" in town.shared(flow_id)
    assert linked == LINKS


async def test_three_attempts_end_in_a_dead_letter_whose_replay_is_a_run_of_its_own(town: Town) -> None:
    town.topics("orders", "orders-retry", "orders-dlq")
    async with town.service("checkout") as checkout:
        producer = await checkout.producer()
        await producer.send_and_wait(town.topic("orders"), b"1")
    async with town.service("pay") as pay:
        producer = await pay.producer()
        consumer = await pay.consumer("orders", "orders-retry", group="pay")
        for attempt in (1, 2, 3):
            record = await consumer.getone()
            with contextlib.suppress(ValueError):
                async with process(record):
                    error = ValueError("no money")
                    if attempt < 3:
                        target, headers = "orders-retry", mark_retry(record, delay=0.05, error=error)
                    else:
                        target, headers = "orders-dlq", mark_dead_letter(record, error)
                    await producer.send_and_wait(town.topic(target), record.value, headers=headers)
                    raise error
        await consumer.commit()
    async with town.service("operator") as operator:
        reader = await operator.consumer("orders-dlq", group="operator")
        letter = await reader.getone()
        await reader.stop()
        kept = [(n, v) for n, v in letter.headers if n.startswith(("headwater-origin", "headwater-ctx"))]
        replay = [("headwater-role", b"replay"), ("headwater-replay", b"r1;1")]
        producer = await operator.producer()
        await producer.send_and_wait(town.topic("orders"), letter.value, headers=[*kept, *replay])
    async with town.service("pay") as pay:
        consumer = await pay.consumer("orders", group="pay")
        async with process(await consumer.getone()):
            pass
    flow_id = town.flow_after("process orders", f"{town.topic('orders')}@0:1", number=2)
    assert flow_id == town.flow_of(f"{town.topic('orders')}@0:0")
    first, retry, given_up, again = (
        "checkout: send orders", "pay: send orders-retry", "pay: send orders-dlq", "operator: send orders",
    )  # fmt: skip
    trying, retrying = "pay: process orders", "pay: process orders-retry"
    assert town.edges(flow_id) == in_order(
        delivered(first, trying, "orders@0:0", "pay"),
        called(trying, retry),
        called(retrying, retry, given_up),
        delivered(retry, retrying, "orders-retry@0:0", "pay"),
        delivered(retry, retrying, "orders-retry@0:1", "pay"),
        delivered(given_up, "operator: process orders-dlq", "orders-dlq@0:0", "operator"),
        delivered(again, trying, "orders@0:1", "pay"),
        [
            ("attempt", trying, retrying, "orders-retry@0:0", "pay", False),
            ("attempt", retrying, retrying, "orders-retry@0:1", "pay", False),
            ("origin", first, retry, "orders-retry@0:0", None, False),
            ("origin", first, retry, "orders-retry@0:1", None, False),
            ("origin", first, given_up, "orders-dlq@0:0", None, False),
            ("origin", first, again, "orders@0:1", None, True),
        ],
    )
    assert town.flow(flow_id) == whole(
        spans=8, messages=4, errors=3, dead_letters=1, status="error", replays=1
    )
    own, run = town.runs(flow_id)
    assert (own["spans"], own["errors"], run["spans"], run["messages"], run["errors"]) == (8, 3, 2, 1, 0)
    assert own["ended_at"] <= run["started_at"]


async def test_a_transaction_that_aborts_takes_its_message_back(town: Town) -> None:
    town.topics("orders", "payments")
    async with town.service("checkout") as checkout:
        producer = await checkout.producer()
        await producer.send_and_wait(town.topic("orders"), b"1")
    async with town.service("pay") as pay:
        producer = await pay.producer(transactional_id=town.topic("pay"))
        consumer = await pay.consumer("orders", group="pay")
        place = TopicPartition(town.topic("orders"), 0)
        for outcome in ("aborted", "committed"):
            record = await consumer.getone()
            async with process(record):
                await producer.begin_transaction()
                await producer.send_and_wait(town.topic("payments"), outcome.encode())
                await producer.send_offsets_to_transaction({place: OffsetAndMetadata(1, "")}, "pay")
                if outcome == "aborted":
                    await producer.abort_transaction()
                    consumer.seek(place, 0)
                else:
                    await producer.commit_transaction()
    async with town.service("ship") as ship:
        consumer = await ship.consumer("payments", group="ship", isolation_level="read_committed")
        record = await consumer.getone()
        async with process(record):
            assert record.value == b"committed"
    flow_id = town.flow_after("process payments", f"{town.topic('orders')}@0:0")
    sent, trying, paid = "checkout: send orders", "pay: process orders", "pay: send payments"
    one_try = [
        called(trying, "pay: transaction"),
        called("pay: transaction", paid, "pay: commit orders"),
        delivered(sent, trying, "orders@0:0", "pay"),
    ]
    assert town.edges(flow_id) == in_order(
        *one_try,
        *one_try,
        called(trying, "pay: seek orders"),
        [("attempt", trying, trying, "orders@0:0", "pay", False)],
        delivered(paid, "ship: process payments", f"payments@0:{record.offset}", "ship"),
    )
    assert town.flow(flow_id) == whole(spans=11, messages=2)
    ends = town.rows("select ended_at from flow_spans(?) where name = 'transaction' order by all", [flow_id])
    messages = town.rows(
        "select transaction_outcome, available_at = ? as at_the_end from messages where topic = ? "
        "order by message_offset",
        [ends[1]["ended_at"], town.topic("payments")],
    )
    assert [list(one.values()) for one in messages] == [["aborted", False], ["committed", True]]
    [hop] = town.rows(
        "select wait_method, txn_wait_ms > 0 as held, round(send_ms + txn_wait_ms + wait_ms + work_ms - total_ms, 3) "
        "as lost from flow_hops(?) where topic = ?",
        [flow_id, town.topic("payments")],
    )
    assert hop == {"wait_method": "committed", "held": True, "lost": 0}
