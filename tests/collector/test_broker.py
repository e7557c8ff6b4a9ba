"""The embedded broker, talked to by the clients that people use: aiokafka and librdkafka."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, Producer
from confluent_kafka import TopicPartition as RdPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    NewPartitions,
    NewTopic,
    OffsetSpec,
)

from headwater_collector.demo import broker_log
from headwater_collector.demo.broker import Broker


def at(broker: Broker) -> str:
    return f"{broker.host}:{broker.port}"


async def consumed(consumer: AIOKafkaConsumer, number: int) -> list[Any]:
    async with asyncio.timeout(60):
        return [await consumer.getone() for _ in range(number)]


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.02)


async def test_what_is_sent_is_read_with_headers_offsets_and_times(broker: Broker) -> None:
    async with AIOKafkaProducer(bootstrap_servers=at(broker)) as producer:
        sent = [
            await producer.send_and_wait("orders", b"%d" % i, key=b"k%d" % i, headers=[("h", b"v")])
            for i in range(30)
        ]
    assert {one.partition for one in sent} == {0, 1, 2}
    async with AIOKafkaConsumer(
        "orders", bootstrap_servers=at(broker), group_id="g", auto_offset_reset="earliest"
    ) as consumer:
        read = await consumed(consumer, 30)
        await consumer.commit()
        ends = await consumer.end_offsets([TopicPartition("orders", p) for p in range(3)])
    assert {(r.partition, r.offset) for r in read} == {(m.partition, m.offset) for m in sent}
    assert all(r.headers == (("h", b"v"),) and r.timestamp > 0 for r in read)
    assert {key: value for key, (value, _) in broker.groups["g"].offsets.items()} == {
        (tp.topic, tp.partition): end for tp, end in ends.items()
    }


async def test_two_members_share_the_partitions_and_one_takes_over_when_the_other_leaves(
    broker: Broker,
) -> None:
    broker.topics.create("orders", 4)
    one, two = (AIOKafkaConsumer("orders", bootstrap_servers=at(broker), group_id="g") for _ in range(2))
    await one.start()
    await until(lambda: len(one.assignment()) == 4)
    await two.start()
    await until(lambda: {len(one.assignment()), len(two.assignment())} == {2})
    assert not one.assignment() & two.assignment()
    await two.stop()
    await until(lambda: len(one.assignment()) == 4)
    await one.stop()
    assert broker.groups["g"].state == "Empty"


async def test_a_member_that_falls_silent_is_put_out_after_its_session(broker: Broker) -> None:
    broker.topics.create("orders", 1)
    consumer = AIOKafkaConsumer(
        "orders",
        bootstrap_servers=at(broker),
        group_id="g",
        session_timeout_ms=1000,
        heartbeat_interval_ms=60_000,
    )
    await consumer.start()
    await until(lambda: broker.groups["g"].state == "Stable")
    await until(lambda: broker.groups["g"].state == "Empty")
    await consumer.stop()


async def test_a_partition_forgets_its_oldest_batches_and_says_where_it_starts(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_log, "RETAINED_BYTES", 10_000)
    broker.topics.create("orders", 1)
    place = TopicPartition("orders", 0)
    async with AIOKafkaProducer(bootstrap_servers=at(broker)) as producer:
        for _ in range(30):
            await producer.send_and_wait("orders", b"x" * 1000)
    consumer = AIOKafkaConsumer(bootstrap_servers=at(broker), auto_offset_reset="none")
    await consumer.start()
    start = (await consumer.beginning_offsets([place]))[place]
    assert 15 <= start < 30
    consumer.assign([place])
    consumer.seek(place, 0)
    with pytest.raises(OffsetOutOfRangeError):
        await consumer.getone()
    await consumer.stop()


async def test_an_offset_is_found_by_time(broker: Broker) -> None:
    broker.topics.create("orders", 1)
    place = TopicPartition("orders", 0)
    async with AIOKafkaProducer(bootstrap_servers=at(broker)) as producer:
        for at_ms in (1_000, 2_000, 3_000):
            await producer.send_and_wait("orders", b"x", timestamp_ms=at_ms)
    async with AIOKafkaConsumer(bootstrap_servers=at(broker)) as consumer:
        found = await consumer.offsets_for_times({place: 1_500})
    assert (found[place].offset, found[place].timestamp) == (1, 2_000)


async def test_librdkafka_produces_consumes_and_administers(broker: Broker) -> None:
    def work() -> dict[str, Any]:
        admin = AdminClient({"bootstrap.servers": at(broker)})
        admin.create_topics([NewTopic("made", 2, 1)])["made"].result(60)
        admin.create_partitions([NewPartitions("made", 4)])["made"].result(60)
        producer = Producer({"bootstrap.servers": at(broker)})
        for i in range(20):
            producer.produce("made", b"%d" % i, partition=i % 4)
        assert producer.flush(10) == 0
        consumer = Consumer(
            {"bootstrap.servers": at(broker), "group.id": "rd", "auto.offset.reset": "earliest",
             "enable.auto.commit": False}
        )  # fmt: skip
        consumer.subscribe(["made"])
        read: list[bytes] = []
        while len(read) < 20:
            message = consumer.poll(10)
            assert message is not None and message.error() is None
            read.append(message.value() or b"")
        consumer.commit(asynchronous=False)
        described = admin.describe_consumer_groups(["rd"])["rd"].result(60)
        consumer.close()
        committed = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions("rd")])["rd"].result(60)
        place = RdPartition("made", 0)
        ends = admin.list_offsets({place: OffsetSpec.latest()})  # type: ignore[no-untyped-call]
        return {
            "read": sorted(int(value) for value in read),
            "groups": [group.group_id for group in admin.list_consumer_groups().result(60).valid],
            "assigned": len(described.members[0].assignment.topic_partitions),
            "committed": sorted((one.partition, one.offset) for one in committed.topic_partitions),
            "end": next(iter(ends.values())).result(60).offset,
            "partitions": len(admin.list_topics("made", 10).topics["made"].partitions),
        }

    assert await asyncio.to_thread(work) == {
        "read": list(range(20)),
        "groups": ["rd"],
        "assigned": 4,
        "committed": [(p, 5) for p in range(4)],
        "end": 5,
        "partitions": 4,
    }


async def test_a_transaction_is_refused_and_not_half_done(broker: Broker) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=at(broker), transactional_id="t", request_timeout_ms=2_000)
    with pytest.raises(KafkaError):
        await producer.start()
    await producer.stop()


async def test_bytes_that_are_no_kafka_close_only_their_own_connection(broker: Broker) -> None:
    def knock(data: bytes) -> bytes:
        with socket.create_connection((broker.host, broker.port), timeout=60) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            return connection.recv(100)

    for data in (
        b"GET / HTTP/1.1\r\n\r\n",
        struct.pack(">i", -5),
        struct.pack(">ihhih", 10, 3, 5, 1, -1),
        b"",
    ):
        assert await asyncio.to_thread(knock, data) == b""
    async with AIOKafkaProducer(bootstrap_servers=at(broker)) as producer:
        assert (await producer.send_and_wait("orders", b"still here")).offset == 0


@pytest.mark.parametrize("turns", range(8))
async def test_it_ends_no_matter_how_far_a_connection_has_come(turns: int) -> None:
    broker = Broker()
    await broker.start()
    client = socket.create_connection((broker.host, broker.port), timeout=60)
    for _ in range(turns):
        await asyncio.sleep(0)
    await broker.stop()
    with client, contextlib.suppress(ConnectionResetError):
        assert await asyncio.to_thread(client.recv, 1) == b""
