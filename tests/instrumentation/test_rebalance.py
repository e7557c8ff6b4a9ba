"""Rebalances of a group over Apache Kafka, and seek, pause and resume."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import confluent_kafka
import kafka as pure
import pytest
from aiokafka import TopicPartition
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from blocking_helpers import WITHIN_S, BlockingRig, ConfluentRig, KafkaPythonRig, polled, until_now
from headwater_instrumentation import ConfluentKafkaInstrumentor, KafkaPythonInstrumentor
from headwater_instrumentation import attributes as names
from headwater_instrumentation.guard import guard
from instrumentation_helpers import Rig, attributes, got, parent_id, provider_of, until
from kafka_harness import KafkaBroker


@pytest.fixture
def topic(kafka: KafkaBroker) -> str:
    """A topic with two partitions that no other test uses."""
    name = f"shared-{uuid4().hex[:8]}"
    kafka.create_topic(name, 2)
    return name


def halved(spans: list[ReadableSpan], topic: str) -> bool:
    """Whether a consumer had both partitions, and then another one took one of them."""
    both, seen = (f"{topic}:0", f"{topic}:1"), False
    for span in spans:
        said = attributes(span)
        seen = seen or said[names.ASSIGNED] == both
        if seen and len(said[names.REVOKED]) in (1, 2) and said[names.ASSIGNED] != both:
            return True
    return False


def judge(spans: list[ReadableSpan], group: str) -> None:
    assert all(parent_id(span) is None for span in spans)
    assert {attributes(span)[names.GROUP] for span in spans} == {group}
    assert not guard.errors


@pytest.mark.kafka
async def test_aiokafka_tells_what_is_given_and_taken(kafka: KafkaBroker, topic: str) -> None:
    exporter = InMemorySpanExporter()
    rig = Rig(kafka.bootstrap, provider_of(exporter), exporter)
    rig.instrument()
    async with rig.stack:
        first = await rig.consumer(topic, group_id=topic, heartbeat_interval_ms=200)
        await until(lambda: len(first.assignment()) == 2)
        await rig.consumer(topic, group_id=topic, heartbeat_interval_ms=200)
        await until(lambda: halved(rig.spans("rebalance"), topic))
        assert all(attributes(span)[names.GENERATION] > 0 for span in rig.spans("rebalance"))
    judge(rig.spans("rebalance"), topic)


def given_both(spans: list[ReadableSpan], topic: str) -> bool:
    """Whether a consumer had both partitions."""
    return any(attributes(span)[names.ASSIGNED] == (f"{topic}:0", f"{topic}:1") for span in spans)


def in_two_threads(
    rig: BlockingRig, topic: str, make: Callable[[], Any], poll: Callable[[Any], Any], wake: Callable[[], Any]
) -> None:
    """Polls a first consumer until it was given everything, then a second one beside it, until one is taken over.

    ``wake`` ends a poll that still waits when both are to stop.
    """
    over = threading.Event()

    def consume() -> None:
        consumer = make()
        while not over.is_set():
            poll(consumer)

    threads = [threading.Thread(target=consume) for _ in range(2)]
    try:
        threads[0].start()
        until_now(lambda: given_both(rig.spans("rebalance"), topic))
        threads[1].start()
        until_now(lambda: halved(rig.spans("rebalance"), topic))
    finally:
        over.set()
        wake()
        for thread in threads:
            if thread.ident is not None:
                thread.join(WITHIN_S)


@pytest.mark.kafka
@pytest.mark.parametrize("strategy", ["range", "cooperative-sticky", "decided by the broker"])
def test_confluent_kafka_tells_what_is_given_and_taken(kafka: KafkaBroker, topic: str, strategy: str) -> None:
    """By both protocols of members, and by that of KIP-848, where the broker decides."""
    rig = ConfluentRig(kafka.bootstrap)
    rig.instrument()
    classic = {
        "partition_assignment_strategy": strategy,
        "heartbeat_interval_ms": 200,
        "session_timeout_ms": 6000,
    }
    settings = {"group_id": topic, **({"group_protocol": "consumer"} if " " in strategy else classic)}
    with rig.stack:
        in_two_threads(
            rig,
            topic,
            lambda: rig.consumer(topic, **settings),
            lambda consumer: consumer.poll(0.1),
            lambda: None,
        )
    ConfluentKafkaInstrumentor().uninstrument()
    judge(rig.spans("rebalance"), topic)


@pytest.mark.kafka
def test_kafka_python_tells_what_is_given_and_taken(kafka: KafkaBroker, topic: str) -> None:
    """With polls that last until a message is there: kafka-python 3.0.12 forgets a join during which one ends."""
    rig = KafkaPythonRig(kafka.bootstrap)
    rig.instrument()

    def fill() -> None:
        producer = rig.producer()
        for partition in range(2):
            producer.send(topic, b"1", partition=partition).get(WITHIN_S)

    with rig.stack:
        in_two_threads(
            rig,
            topic,
            lambda: rig.consumer(topic, group_id=topic, heartbeat_interval_ms=200),
            lambda consumer: consumer.poll(1000 * WITHIN_S),
            fill,
        )
    KafkaPythonInstrumentor().uninstrument()
    judge(rig.spans("rebalance"), topic)


def test_callbacks_of_the_service_are_called_as_before(confluent: ConfluentRig) -> None:
    told: list[str] = []
    consumer = confluent_kafka.Consumer(confluent.consuming({}))
    consumer.subscribe(
        ["orders"],
        on_assign=lambda client, places: told.append(f"assign {len(places)}"),
        on_revoke=lambda client, places: told.append(f"revoke {len(places)}"),
    )
    producer = confluent.producer()
    producer.produce("orders", b"1")
    producer.flush(10)
    polled(consumer, 1)
    consumer.close()
    assert told == ["assign 3", "revoke 3"]
    given, taken = (attributes(span) for span in confluent.spans("rebalance"))
    assert given[names.ASSIGNED] == taken[names.REVOKED] == ("orders:0", "orders:1", "orders:2")
    assert given[names.REVOKED] == taken[names.ASSIGNED] == ()


def judge_steering(spans: list[ReadableSpan]) -> None:
    assert [span.name for span in spans] == ["seek orders", "pause orders", "resume orders"]
    seek, pause, resume = (attributes(span) for span in spans)
    assert (seek[names.PARTITION], seek[names.OFFSETS]) == ("0", ("orders:0:0",))
    assert pause[names.PARTITIONS] == resume[names.PARTITIONS] == ("orders:0",)
    assert {said[names.GROUP] for said in (seek, pause, resume)} == {"g"}


def steered(rig: Any) -> list[ReadableSpan]:
    return [span for span in rig.spans() if span.name.split()[0] in ("seek", "pause", "resume")]


async def test_aiokafka_is_steered(rig: Rig) -> None:
    producer = await rig.producer()
    await producer.send_and_wait("orders", b"1", partition=0)
    consumer = await rig.consumer("orders")
    await got(consumer, 1)
    place = TopicPartition("orders", 0)
    consumer.seek(place, 0)
    consumer.pause(place)
    consumer.resume(place)
    await got(consumer, 1)
    judge_steering(steered(rig))
    with pytest.raises(ValueError):
        consumer.seek(place, -1)
    assert attributes(rig.spans("seek")[-1])[names.ERROR_TYPE] == "ValueError"


def test_confluent_kafka_is_steered(confluent: ConfluentRig) -> None:
    producer = confluent.producer()
    producer.produce("orders", b"1", partition=0)
    producer.flush(10)
    consumer = confluent.consumer("orders")
    polled(consumer, 1)
    place = confluent_kafka.TopicPartition("orders", 0, 0)
    consumer.seek(place)
    consumer.pause([place])
    consumer.resume([place])
    judge_steering(steered(confluent))


def test_kafka_python_is_steered(kafka_python: KafkaPythonRig) -> None:
    kafka_python.producer().send("orders", b"1", partition=0).get(10)
    consumer = kafka_python.consumer("orders")
    next(consumer)
    place = pure.TopicPartition("orders", 0)
    consumer.seek(place, 0)
    consumer.pause(place)
    consumer.resume(place)
    judge_steering(steered(kafka_python))


async def test_a_batch_of_a_service_is_one_span_that_every_message_names(rig: Rig) -> None:
    producer = await rig.producer()
    given = [("mine", b"1")]
    with rig.tracer.start_as_current_span("job"):
        batch = producer.create_batch()
        for i in range(5):
            assert batch.append(timestamp=None, key=None, value=b"%d" % i, headers=given) is not None
        future = await producer.send_batch(batch, "orders", partition=1)
    assert rig.spans("send") == []
    stored = await future
    await asyncio.sleep(0)
    span = rig.span("send orders")
    said = attributes(span)
    assert said[names.BATCH_COUNT] == 5 and said[names.PARTITION] == "1"
    assert said[names.OFFSETS] == (f"orders:1:{stored.offset}-{stored.offset + 4}",)
    consumer = await rig.consumer("orders")
    records = await got(consumer, 5)
    await consumer.stop()
    bodies = rig.spans("process orders")
    assert given == [("mine", b"1")]
    assert [record.value for record in records] == [b"%d" % i for i in range(5)]
    context = span.get_span_context()
    assert context is not None
    assert {parent_id(body) for body in bodies} == {context.span_id} and len(bodies) == 5
    assert not guard.errors


async def test_a_batch_that_cannot_be_sent_is_a_failed_send(rig: Rig) -> None:
    producer = await rig.producer()
    batch = producer.create_batch()
    batch.append(timestamp=None, key=None, value=b"1")
    with pytest.raises(AssertionError):
        await producer.send_batch(batch, "orders", partition=99)
    span = rig.span("send orders")
    assert attributes(span)[names.ERROR_TYPE] == "AssertionError"
