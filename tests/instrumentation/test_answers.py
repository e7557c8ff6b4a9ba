"""What the instrumentation asks a broker (nothing), and what it makes of a broker that cannot store headers."""

import logging
from collections.abc import Iterator
from typing import Any

import confluent_kafka
import pytest
from aiokafka.errors import KafkaError, UnknownError
from kafka.errors import UnknownError as PureUnknownError
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from blocking_helpers import ConfluentRig, KafkaPythonRig, broker_in_a_thread, polled, until_now
from headwater_instrumentation import attributes as names
from headwater_instrumentation.guard import guard
from instrumentation_helpers import Rig, attributes, got, provider_of, until
from watched_broker import METADATA, PRODUCE, WatchedBroker

MINE = [("a", b"1")]


@pytest.fixture
def watched() -> Iterator[tuple[WatchedBroker, str]]:
    broker = WatchedBroker()
    with broker_in_a_thread(broker) as address:
        yield broker, address


async def test_aiokafka_sends_no_more_headers_to_a_broker_that_cannot_store_them(
    watched: tuple[WatchedBroker, str],
) -> None:
    broker, address = watched
    exporter = InMemorySpanExporter()
    rig = Rig(address, provider_of(exporter), exporter)
    rig.instrument()
    async with rig.stack:
        producer = await rig.producer()
        broker.refused = 1
        with pytest.raises(UnknownError):
            await producer.send_and_wait("orders", b"1")
        await until(lambda: bool(rig.spans()))
        await producer.send_and_wait("orders", b"2", headers=MINE)
        (record,) = await rig.raw("orders")
    assert list(record.headers) == MINE
    assert [attributes(span).get(names.ERROR_TYPE) for span in rig.spans("send")] == ["UnknownError", None]


def test_confluent_kafka_sends_no_more_headers_to_a_broker_that_cannot_store_them(
    watched: tuple[WatchedBroker, str],
) -> None:
    broker, address = watched
    rig = ConfluentRig(address)
    rig.instrument()
    with rig.stack:
        producer = rig.producer(retries=0)
        broker.refused = 1
        producer.produce("orders", b"1", partition=0)
        producer.flush(10)
        producer.produce("orders", b"2", partition=0, headers=MINE)
        producer.flush(10)
        (message,) = rig.raw("orders", 1)
    assert message.headers() == MINE
    assert [attributes(span).get(names.ERROR_TYPE) for span in rig.spans("send")] == ["UNKNOWN", None]


def test_kafka_python_sends_no_more_headers_to_a_broker_that_cannot_store_them(
    watched: tuple[WatchedBroker, str],
) -> None:
    broker, address = watched
    rig = KafkaPythonRig(address)
    rig.instrument()
    with rig.stack:
        producer = rig.producer(retries=0, enable_idempotence=False)
        broker.refused = 1
        with pytest.raises(PureUnknownError):
            producer.send("orders", b"1", partition=0).get(10)
        until_now(lambda: rig.spans("send"))
        producer.send("orders", b"2", partition=0, headers=MINE).get(10)
        (record,) = rig.raw("orders", 1)
    assert list(record.headers) == MINE


@pytest.mark.parametrize("instrumented", [False, True])
async def test_no_request_is_added_to_sending_and_reading(
    watched: tuple[WatchedBroker, str], instrumented: bool
) -> None:
    broker, address = watched
    exporter = InMemorySpanExporter()
    rig = Rig(address, provider_of(exporter), exporter)
    if instrumented:
        rig.instrument()
    async with rig.stack:
        producer = await rig.producer()
        for i in range(5):
            await producer.send_and_wait("orders", b"%d" % i, partition=0)
        sent = dict(broker.requests)
        # One at the start, one for the topic; and one for each message that is awaited.
        assert (sent[METADATA], sent[PRODUCE]) == (2, 5)
        consumer = await rig.consumer("orders", group_id=None)
        await got(consumer, 5)
        await consumer.stop()
        assert set(broker.requests) <= {0, 1, 2, METADATA, 18}
    assert len(rig.spans("process")) == (5 if instrumented else 0)


async def test_a_send_asks_for_metadata_once_and_waits_for_nothing_else(rig: Rig) -> None:
    producer = await rig.producer(request_timeout_ms=1500)
    asked: list[str] = []
    ask = producer.client._wait_on_metadata

    async def counted(topic: str) -> Any:
        asked.append(topic)
        return await ask(topic)

    producer.client._wait_on_metadata = counted
    with pytest.raises(KafkaError):
        await producer.send("no such topic", b"1")
    assert asked == ["no such topic"]
    await producer.send_and_wait("orders", b"1")
    # The metadata is there: a coroutine that waits for nothing is over at its first step.
    sending = producer.send("orders", b"2")
    with pytest.raises(StopIteration) as over:
        sending.send(None)
    await over.value.value
    assert len(rig.spans("send")) == 3


def test_the_clusters_id_is_known_without_asking_a_consumer_for_topics(
    confluent: ConfluentRig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def forbidden(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("It can crash the process.")

    monkeypatch.setattr(confluent_kafka.Consumer, "list_topics", forbidden, raising=False)
    producer = confluent.producer()
    for _ in range(2):
        producer.produce("orders", b"1", partition=0)
        producer.flush(10)
    consumer = confluent.consumer("orders")
    polled(consumer, 2)
    consumer.commit(asynchronous=False)
    consumer.close()
    last = [confluent.spans(f"{name} orders")[-1] for name in ("send", "process")]
    assert all(names.CLUSTER_ID in attributes(span) for span in last)
    assert not guard.errors and not [one for one in caplog.records if one.levelno >= logging.ERROR]
