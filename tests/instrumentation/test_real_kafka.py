"""What only Apache Kafka can show: acknowledgements, its clock, its refusals, and what comes again after a restart."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import MessageSizeTooLargeError, TopicAuthorizationFailedError
from confluent_kafka import KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)
from kafka.errors import TopicAuthorizationFailedError as PureTopicAuthorizationFailedError
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from blocking_helpers import ConfluentRig, KafkaPythonRig, polled, until_now
from headwater_instrumentation import AIOKafkaInstrumentor
from headwater_instrumentation import attributes as names
from headwater_instrumentation.guard import guard
from instrumentation_helpers import Rig, attributes, got, parent_id, provider_of, span_id, until
from kafka_harness import KafkaBroker

pytestmark = pytest.mark.kafka


@pytest.fixture
def topic() -> str:
    """A name that no other test uses."""
    return f"real-{uuid4().hex[:8]}"


@pytest.fixture
async def real(kafka: KafkaBroker) -> AsyncIterator[Rig]:
    exporter = InMemorySpanExporter()
    made = Rig(kafka.bootstrap, provider_of(exporter), exporter)
    made.instrument()
    yield made
    await made.stack.aclose()


@pytest.fixture
def librdkafka(kafka: KafkaBroker) -> Iterator[ConfluentRig]:
    made = ConfluentRig(kafka.bootstrap)
    made.instrument()
    with made.stack:
        yield made


@pytest.fixture
def pure(kafka: KafkaBroker) -> Iterator[KafkaPythonRig]:
    made = KafkaPythonRig(kafka.bootstrap)
    made.instrument()
    with made.stack:
        yield made


async def test_a_chain(real: Rig, kafka: KafkaBroker, topic: str) -> None:
    kafka.create_topic(topic, 1)
    kafka.create_topic(f"{topic}-next", 1)
    producer = await real.producer()
    sent = await producer.send_and_wait(topic, b"1")
    consumer = await real.consumer(topic, group_id=topic)
    (record,) = await got(consumer, 1)
    await producer.send_and_wait(f"{topic}-next", b"2", headers=record.headers)
    await consumer.stop()
    first, body, second = (
        real.span(name) for name in (f"send {topic}", f"process {topic}", f"send {topic}-next")
    )
    assert attributes(first)[names.OFFSET] == sent.offset == attributes(body)[names.OFFSET]
    assert attributes(first)[names.CLUSTER_ID] == attributes(body)[names.CLUSTER_ID]
    assert (parent_id(body), parent_id(second)) == (span_id(first), span_id(body))


@pytest.mark.parametrize("acks", [0, 1, "all"])
async def test_acknowledgements_as_the_service_wants_them(
    real: Rig, librdkafka: ConfluentRig, pure: KafkaPythonRig, kafka: KafkaBroker, topic: str, acks: Any
) -> None:
    kafka.create_topic(topic, 1)
    producer = await real.producer(acks=acks)
    answer = await producer.send_and_wait(topic, b"1")
    assert (answer is None) is (acks == 0)
    sending = librdkafka.producer(acks=str(acks))
    sending.produce(topic, b"2")
    assert sending.flush(10) == 0
    future = pure.producer(acks=acks, **({"enable_idempotence": False} if acks != "all" else {})).send(
        topic, b"3"
    )
    future.get(10)
    until_now(lambda: pure.spans("send"))
    spans = [rig.span(f"send {topic}") for rig in (real, librdkafka, pure)]
    # Without acknowledgement nobody knows the offset, and 0 would be a wrong one.
    assert [attributes(span).get(names.OFFSET) for span in spans] == ([None] * 3 if acks == 0 else [0, 1, 2])
    assert all(span.status.status_code is StatusCode.UNSET for span in spans)
    assert not guard.errors


async def test_the_brokers_clock(
    real: Rig, librdkafka: ConfluentRig, pure: KafkaPythonRig, kafka: KafkaBroker, topic: str
) -> None:
    kafka.create_topic(topic, 1, {"message.timestamp.type": "LogAppendTime"})
    producer = await real.producer()
    sent = await producer.send_and_wait(topic, b"1", timestamp_ms=1_000)
    (record,) = await got(await real.consumer(topic, group_id=None), 1)
    await real.stack.aclose()
    sending = librdkafka.producer()
    sending.produce(topic, b"2", timestamp=1_000)
    sending.flush(10)
    consumer = librdkafka.consumer(topic, group_id=topic)
    polled(consumer, 2)
    consumer.close()
    reader = pure.consumer(topic, group_id=f"{topic}-pure")
    next(reader)
    reader.close()
    # A body that may have handed its record to a task ends a moment later.
    await until(lambda: all(rig.spans("process") for rig in (real, librdkafka, pure)))
    assert sent.timestamp == record.timestamp > 1_000
    (send,) = real.spans("send")
    bodies = [rig.spans("process")[0] for rig in (real, librdkafka, pure)]
    for span in (send, *bodies):
        assert attributes(span)[names.RECORD_TS_TYPE] == 1
        assert attributes(span)[names.RECORD_TS] == sent.timestamp
    # librdkafka's report has the producer's clock until the broker's is known to it.
    assert attributes(librdkafka.spans("send")[0])[names.RECORD_TS_TYPE] in (0, 1)
    assert not guard.errors


async def test_sends_that_the_broker_refuses(
    real: Rig, librdkafka: ConfluentRig, pure: KafkaPythonRig, kafka: KafkaBroker, topic: str
) -> None:
    """No permission (29), no possible name, too large for the topic."""
    forbidden, illegal, narrow = (f"{topic}-{name}" for name in ("forbidden", "ille gal", "narrow"))
    kafka.create_topic(forbidden, 1)
    kafka.create_topic(narrow, 1, {"max.message.bytes": "500"})
    with denied(kafka, forbidden):
        producer = await real.producer(request_timeout_ms=3000, acks="all")
        with pytest.raises(TopicAuthorizationFailedError):
            await producer.send_and_wait(forbidden, b"1")
        with pytest.raises(MessageSizeTooLargeError):
            await producer.send_and_wait(narrow, b"x" * 5000)
        await until(lambda: len(real.spans("send")) == 2)
        sending = librdkafka.producer(acks="all", retries=0, message_timeout_ms=10_000)
        with contextlib.suppress(KafkaException):
            # Raised at once where the client has heard of it by now, else told by the report.
            sending.produce(forbidden, b"1")
        sending.produce(illegal, b"1")
        sending.produce(narrow, b"x" * 5000)
        assert sending.flush(20) == 0
        with pytest.raises(PureTopicAuthorizationFailedError):
            pure.producer(enable_idempotence=False).send(forbidden, b"1").get(20)
        until_now(lambda: pure.spans("send"))
    kinds = [
        {
            span.name.removeprefix(f"send {topic}-"): attributes(span)[names.ERROR_TYPE]
            for span in rig.spans("send")
        }
        for rig in (real, librdkafka, pure)
    ]
    assert kinds == [
        {"forbidden": "TopicAuthorizationFailedError", "narrow": "MessageSizeTooLargeError"},
        {
            "forbidden": "TOPIC_AUTHORIZATION_FAILED",
            "ille gal": "TOPIC_EXCEPTION",
            "narrow": "MSG_SIZE_TOO_LARGE",
        },
        {"forbidden": "TopicAuthorizationFailedError"},
    ]
    assert all(
        span.status.status_code is StatusCode.ERROR
        for rig in (real, librdkafka, pure)
        for span in rig.spans("send")
    )


class denied:  # noqa: N801 - used like a function
    """Writing to a topic is forbidden to everybody."""

    def __init__(self, kafka: KafkaBroker, name: str) -> None:
        self._admin = kafka.admin()
        self._rule = (
            ResourceType.TOPIC,
            name,
            ResourcePatternType.LITERAL,
            "User:*",
            "*",
            AclOperation.WRITE,
        )

    def __enter__(self) -> None:
        for done in self._admin.create_acls([AclBinding(*self._rule, AclPermissionType.DENY)]).values():
            done.result(60)

    def __exit__(self, *_: object) -> None:
        pass


async def test_what_was_not_committed_comes_again_after_a_restart(
    real: Rig, kafka: KafkaBroker, topic: str
) -> None:
    """Read is not committed: counters say what was read, commits what was committed, spans both deliveries."""
    kafka.create_topic(topic, 1)
    reader = InMemoryMetricReader()
    meters = MeterProvider([reader], shutdown_on_exit=False)
    real.instrument(meter_provider=meters)
    producer = await real.producer()
    for i in range(3):
        await producer.send_and_wait(topic, b"%d" % i)
    place = TopicPartition(topic, 0)
    consumer = await real.consumer(topic, group_id=topic)
    await got(consumer, 3)
    await consumer.commit({place: 1})
    await consumer.stop()
    assert highest_read(reader) == 2
    assert attributes(real.span(f"commit {topic}"))[names.OFFSETS] == (f"{topic}:0:1",)
    again = await real.consumer(topic, group_id=topic)
    assert [record.offset for record in await got(again, 2)] == [1, 2]
    await again.stop()
    bodies = real.spans("process")
    assert [attributes(body)[names.OFFSET] for body in bodies] == [0, 1, 2, 1, 2]
    # The new consumer was handed nothing before: the coordinates say that it came twice.
    assert not any(names.REDELIVERED in attributes(body) for body in bodies)
    senders = [span_id(span) for span in real.spans("send")]
    assert [parent_id(body) for body in bodies] == [*senders, *senders[1:]]
    assert attributes(bodies[0])[names.HIGHWATER] == 3
    meters.shutdown()


def highest_read(reader: InMemoryMetricReader) -> Any:
    data = reader.get_metrics_data()
    assert data is not None
    return max(
        point.value  # type: ignore[union-attr]
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == names.FLOW_OFFSET
        for point in metric.data.data_points
        if (point.attributes or {})[names.DIRECTION] == "in"
    )


async def test_seeks_that_are_awaited(real: Rig, kafka: KafkaBroker, topic: str) -> None:
    kafka.create_topic(topic, 1)
    producer = await real.producer()
    await producer.send_and_wait(topic, b"1")
    consumer = await real.consumer(topic, group_id=topic)
    await got(consumer, 1)
    await consumer.commit()
    place = TopicPartition(topic, 0)
    await consumer.seek_to_beginning(place)
    await consumer.seek_to_end()
    assert await consumer.seek_to_committed(place) == {place: 1}
    with pytest.raises(TypeError):
        await consumer.seek_to_end("nowhere")
    await consumer.stop()
    spans = real.spans("seek")
    assert [span.name for span in spans] == [
        f"seek_to_beginning {topic}",
        "seek_to_end",
        f"seek_to_committed {topic}",
        "seek_to_end",
    ]
    assert attributes(spans[0])[names.PARTITIONS] == (f"{topic}:0",)
    assert [attributes(span).get(names.ERROR_TYPE) for span in spans] == [None, None, None, "TypeError"]
    AIOKafkaInstrumentor().uninstrument()
