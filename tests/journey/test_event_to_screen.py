"""The main job on Apache Kafka: what happened in the shop is what `headwater sql` and both screens say.

What is right is found without headwater: by reading `orders` with a plain client, and by Kafka's own tools.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from playwright.sync_api import Page, expect, sync_playwright

from headwater_analysis.remote import RemoteSource
from headwater_tui.app import HeadwaterApp
from journey_demo import Demo, running_demo
from kafka_harness import KafkaBroker

pytestmark = pytest.mark.kafka

ORDERS = 70
GROUPS = ("payments", "payments-retry", "inventory", "shipping", "notifications", "auditor")


@pytest.fixture(scope="module")
def kafka(own_kafka: KafkaBroker) -> KafkaBroker:
    """A broker with nothing but the shop on it, so that all groups fit a screen."""
    return own_kafka


@pytest.fixture(scope="module")
def demo(kafka: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The shop on a real broker, all orders taken, and nothing left to do."""
    data = tmp_path_factory.mktemp("journey")
    with running_demo(
        data, f"--kafka=test={kafka.bootstrap}", f"--orders={ORDERS}", "--rate=30", "--seed=42", "--poll=0.5",
        "--fault=poison", "--fault=gateway-timeouts",
    ) as running:  # fmt: skip
        at_rest(running, kafka)
        yield running


def at_rest(demo: Demo, kafka: KafkaBroker) -> None:
    """Waits until each order has become a payment or a dead letter and every group has read everything."""

    def settled() -> bool:
        ends = {
            topic: end_of(kafka, topic) for topic in ("orders", "payments", "orders-dlq", "notifications")
        }
        return (
            ends["orders"] == ORDERS == ends["payments"] + ends["orders-dlq"] and ends["notifications"] >= 1
        )

    demo.until(settled, "the end of the shop's work", 90)

    def read() -> bool:
        rows = demo.rows(
            "select count(*) as n, sum(lag)::bigint as lag from lag where consumer_group = any(?)",
            [list(GROUPS[:-1])],
        )
        return bool(rows[0]["n"] == 6 + 1 + 1 + 4 + 4 + 2 and rows[0]["lag"] == 0)

    demo.until(read, "groups that have read everything", 60)


def end_of(kafka: KafkaBroker, topic: str) -> int:
    """Messages ever written to a topic."""
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": "journey-looks"})
    try:
        found = kafka.admin().list_topics(topic, timeout=60).topics[topic].partitions
        return sum(consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=60)[1] for p in found)
    finally:
        consumer.close()


def messages_of(kafka: KafkaBroker, topic: str) -> list[tuple[int, int, dict[str, Any]]]:
    """(partition, offset, value) of everything in a topic, read with a plain client."""
    consumer = Consumer(
        {"bootstrap.servers": kafka.bootstrap, "group.id": "journey-reads", "enable.auto.commit": False}
    )
    found: list[tuple[int, int, dict[str, Any]]] = []
    try:
        expected = end_of(kafka, topic)
        places = kafka.admin().list_topics(topic, timeout=60).topics[topic].partitions
        consumer.assign([TopicPartition(topic, place, 0) for place in places])
        while len(found) < expected:
            message = consumer.poll(20)
            assert message is not None and message.error() is None
            value = json.loads(message.value() or b"null")
            found.append((message.partition() or 0, message.offset() or 0, value))
    finally:
        consumer.close()
    return found


@pytest.fixture(scope="module")
def orders(demo: Demo, kafka: KafkaBroker) -> list[tuple[int, int, dict[str, Any]]]:
    return messages_of(kafka, "orders")


def poison(order: dict[str, Any]) -> str | None:
    """The error that an order must end in, judged by the order alone."""
    if order["amount"] is None:
        return "ValueError"
    if order["currency"] not in ("EUR", "USD", "GBP"):
        return "UnknownCurrency"
    return None if order["address"] else "InvalidAddress"


@pytest.fixture(scope="module")
def good(demo: Demo, kafka: KafkaBroker, orders: list[tuple[int, int, dict[str, Any]]]) -> str:
    """Coordinates of an order that went through at its first attempt."""
    tried_again = {value["order"] for _, _, value in messages_of(kafka, "orders-retry-1")}
    partition, offset, _ = next(
        one for one in orders if poison(one[2]) is None and one[2]["order"] not in tried_again
    )
    return f"orders@{partition}:{offset}"


def test_an_orders_flow_has_every_service_and_topic_in_the_right_order(demo: Demo, good: str) -> None:
    (found,) = demo.until(
        lambda: demo.sql(
            f"select f.* from flows f join flow_of('{good}') o using (flow_id) where f.complete"
        ),
        "the order's flow",
    )
    assert found["topics"] == ["orders", "payments", "notifications"]
    assert found["services"][:2] == ["checkout", "payments"]
    assert sorted(found["services"][2:]) == ["inventory", "notifications", "shipping"]
    assert found["services"].index("shipping") < found["services"].index("notifications")
    assert (found["entry_service"], found["entry_name"], found["status"]) == (
        "checkout",
        "POST /checkout",
        "ok",
    )
    hops = demo.sql(
        "select producer_service, topic, consumer_service, consumer_group, wait_ms, work_ms "
        f"from flow_hops('{found['flow_id']}') order by sent_at, consumer_service"
    )
    assert [(h["producer_service"], h["topic"], h["consumer_service"]) for h in hops] == [
        ("checkout", "orders", "payments"),
        ("payments", "payments", "inventory"),
        ("payments", "payments", "shipping"),
        ("shipping", "notifications", "notifications"),
    ]
    assert all(h["wait_ms"] >= 0 and h["work_ms"] > 0 for h in hops)
    assert [h["consumer_group"] for h in hops] == [h["consumer_service"] for h in hops]


def test_every_order_is_one_flow(demo: Demo) -> None:
    def all_there() -> bool:
        rows = demo.sql("select count(*) as n from flows where entry_name = 'POST /checkout' and complete")
        return bool(rows[0]["n"] == ORDERS)

    demo.until(all_there, "a complete flow of each order")
    assert demo.sql("select count(*) as n from flows")[0]["n"] == ORDERS


def test_lag_is_what_kafkas_own_tool_says(demo: Demo, kafka: KafkaBroker) -> None:
    # A group that has read some: at rest the shop's own are all at 0, and 0 alone proves little.
    auditor = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": "auditor"})
    auditor.commit(
        offsets=[TopicPartition("orders", 0, 1), TopicPartition("payments", 1, 0)], asynchronous=False
    )
    auditor.close()
    demo.until(
        lambda: demo.rows("select 1 from lag where consumer_group = 'auditor' and lag > 0"),
        "the auditor's lag",
    )
    oracle = kafka.consumer_groups(*(word for word in GROUPS))
    expected = {key: said.lag for key, said in oracle.items() if said.lag is not None}
    assert sum(lag or 0 for lag in expected.values()) > 0
    rows = demo.sql("select consumer_group, topic, partition, lag from lag where lag is not null")
    found = {(r["consumer_group"], r["topic"], r["partition"]): r["lag"] for r in rows}
    assert {key: lag for key, lag in found.items() if key[0] in GROUPS} == expected


def test_each_poison_message_is_found_once_with_its_origin_and_error(
    demo: Demo, kafka: KafkaBroker, orders: list[tuple[int, int, dict[str, Any]]]
) -> None:
    expected = sorted(
        ("orders", partition, offset, "payments", error)
        for partition, offset, order in orders
        if (error := poison(order)) is not None
    )
    assert len({one[-1] for one in expected}) == 3, "the seed has a poison message of each kind"
    dead = end_of(kafka, "orders-dlq")
    demo.until(
        lambda: (
            demo.rows("select count(*) as n from dead_letters where topic = 'orders-dlq'")[0]["n"] == dead
        ),
        "all dead letters",
    )
    rows = demo.sql(
        "select origin_topic, origin_partition, origin_offset, origin_group, error_type from dead_letters "
        "where topic = 'orders-dlq' and error_type <> 'CardGatewayTimeout'"
    )
    assert sorted(tuple(row.values()) for row in rows) == expected
    grouped = demo.sql(
        "select error_type, messages from failure_groups "
        "where error_type <> 'CardGatewayTimeout' and origin_topic = 'orders'"
    )
    kinds = [one[-1] for one in expected]
    assert {row["error_type"]: row["messages"] for row in grouped} == {
        kind: kinds.count(kind) for kind in kinds
    }


def expected_lag(demo: Demo) -> dict[tuple[str, str], int]:
    rows = demo.rows("select consumer_group, topic, sum(lag)::bigint as lag from lag group by all")
    return {
        (row["consumer_group"], row["topic"]): row["lag"] for row in rows if row["consumer_group"] in GROUPS
    }


def expected_causes(demo: Demo) -> dict[str, int]:
    return {
        row["error_type"]: row["messages"]
        for row in demo.rows("select error_type, messages from failure_groups where origin_topic = 'orders'")
    }


async def test_the_terminal_shows_the_flow_the_lag_and_the_dead_letters(demo: Demo, good: str) -> None:
    with contextlib.closing(RemoteSource(demo.api)) as source:
        app = HeadwaterApp(source, f"/flow/{good}", tick=0.1)
        async with app.run_test(size=(160, 45)) as pilot:

            async def screen(*words: str) -> str:
                """The screen as text, once it holds the words."""
                end = time.monotonic() + 60
                while True:
                    await pilot.pause(0.1)
                    text = "\n".join(strip.text for strip in app.screen._compositor.render_strips())
                    if all(word in text for word in words):
                        return text
                    assert time.monotonic() < end, f"{words} not on screen:\n{text}"

            flow = await screen("process notifications", "UPDATE")
            services = "checkout|payments|inventory|shipping|notifications"
            found = re.findall(rf"(POST /checkout|process \w+) +({services})\b", flow)
            assert found[:2] == [("POST /checkout", "checkout"), ("process orders", "payments")]
            assert sorted(found[2:]) == [
                ("process notifications", "notifications"),
                ("process payments", "inventory"),
                ("process payments", "shipping"),
            ]
            shipping = found.index(("process payments", "shipping"))
            assert found.index(("process notifications", "notifications")) > shipping

            await pilot.press("5")
            queues = await screen("auditor", "shipping")
            for (group, topic), lag in expected_lag(demo).items():
                assert re.search(rf"^ *{group} +{topic} +\S [a-z ]+? +{lag} ", queues, re.M), (
                    group,
                    topic,
                    lag,
                    queues,
                )

            await pilot.press("6")
            causes = expected_causes(demo)
            dead = await screen(*causes)
            for error, messages in causes.items():
                line = next(line for line in dead.splitlines() if error in line and " orders " in line)
                assert str(messages) in re.findall(r"\d+", line), (error, messages, line)


@pytest.mark.browser
def test_the_browser_shows_the_flow_the_lag_and_the_dead_letters(
    demo: Demo, good: str, chromium: Path
) -> None:
    def table(page: Page, label: str) -> list[dict[str, str]]:
        found = page.get_by_role("table", name=label, exact=True)
        found.wait_for(timeout=120_000)
        names = found.locator("thead th").all_inner_texts()
        rows = found.locator("tbody tr").all()
        return [dict(zip(names, row.locator("td").all_inner_texts(), strict=True)) for row in rows]

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(chromium), args=["--no-sandbox"])
        page = browser.new_page()
        try:
            page.goto(f"http://{demo.addresses['web']}/flow/{good}")
            rows = page.get_by_role("treegrid").get_by_role("row")
            expect(rows.filter(has_text="notifications: process notifications")).to_have_count(
                1, timeout=120_000
            )
            path = page.locator("#flow-path").inner_text().split(" → ")
            assert path[:3] == ["checkout", "orders", "payments"]
            assert {"inventory", "shipping", "notifications"} <= set(path)
            found = [text.split(",")[0] for text in rows.all_inner_texts()]
            shown = [text for text in found if "process" in text or "POST /checkout" in text]
            assert shown[:2] == ["checkout: POST /checkout", "payments: process orders"]
            assert sorted(shown[2:]) == [
                "inventory: process payments",
                "notifications: process notifications",
                "shipping: process payments",
            ]
            assert shown.index("shipping: process payments") < shown.index(sorted(shown[2:])[1])

            page.goto(f"http://{demo.addresses['web']}/queues")
            queues = table(page, "consumer groups on topics")
            # The broker has served other tests too; their groups are none of the shop's.
            shown_lag = {
                (row["group"], row["topic"]): int(row["lag"].replace(",", ""))
                for row in queues
                if row["group"] in GROUPS
            }
            assert shown_lag == expected_lag(demo)

            page.goto(f"http://{demo.addresses['web']}/dead-letters")
            causes = {
                row["error"]: int(row["messages"])
                for row in table(page, "failure groups")
                if row["origin"] == "orders"
            }
            assert causes == expected_causes(demo)
        finally:
            browser.close()
