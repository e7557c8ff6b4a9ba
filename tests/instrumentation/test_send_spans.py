"""The span of a send: when it ends, and what it says."""

import asyncio
import time
from typing import Any

import pytest
from aiokafka.errors import MessageSizeTooLargeError, NotLeaderForPartitionError, UnknownError
from opentelemetry.trace import StatusCode

from headwater_collector.demo.broker import Broker
from headwater_instrumentation import attributes as names
from headwater_instrumentation.clients import first_server
from instrumentation_helpers import Rig, attributes, got, traceparent, until, values


async def test_place_and_time_are_the_brokers_for_sends_without_a_key(rig: Rig) -> None:
    producer = await rig.producer()
    sent: dict[str, Any] = {}
    for number in range(100):
        with rig.tracer.start_as_current_span(f"request {number}") as request:
            future = await producer.send("orders", b"%d" % number)
            sent[f"{request.get_span_context().span_id:016x}"] = await future
    assert len(rig.spans("send")) == 100
    for span in rig.spans("send"):
        assert span.parent is not None
        metadata = sent[f"{span.parent.span_id:016x}"]
        assert attributes(span)[names.PARTITION] == str(metadata.partition)
        assert attributes(span)[names.OFFSET] == metadata.offset
        # The producer's clock gave the record's time: the span has it already.
        assert metadata.timestamp_type == 0 and names.RECORD_TS not in attributes(span)
    assert {metadata.partition for metadata in sent.values()} == {0, 1, 2}


async def test_what_a_send_says(rig: Rig, broker: Broker) -> None:
    producer = await rig.producer(client_id="till")
    await producer.send_and_wait("orders", b"secret value", key=b"secret key", partition=0)
    host, _, port = rig.address.rpartition(":")
    said = dict(attributes(rig.span("send orders")))
    assert said[names.OFFSET] == 0 and said[names.PARTITION] == "0"
    assert said[names.SYSTEM] == "kafka" and said[names.TOPIC] == "orders"
    assert said[names.OPERATION_NAME] == said[names.OPERATION_TYPE] == "send"
    assert said[names.CLIENT_ID] == "till"
    assert (said[names.SERVER_ADDRESS], said[names.SERVER_PORT]) == (host, int(port))
    assert said[names.CLUSTER_ID] == broker.cluster_id
    assert names.TOMBSTONE not in said
    assert "secret" not in repr(said)


async def test_the_span_lasts_until_the_acknowledgement(rig: Rig) -> None:
    producer = await rig.producer(linger_ms=100)
    future = await producer.send("orders", b"1")
    returned_ns = time.time_ns()
    assert rig.spans() == []
    await future
    span = rig.span("send orders")
    assert span.end_time is not None and span.end_time > returned_ns
    assert span.status.status_code is StatusCode.UNSET


async def test_a_serializer_that_fails_is_called_once_and_is_the_error(rig: Rig) -> None:
    calls = []

    def fails(value: Any) -> bytes:
        calls.append(value)
        raise TypeError("not this secret")

    producer = await rig.producer(value_serializer=fails)
    with pytest.raises(TypeError):
        await producer.send("orders", 1)
    assert calls == [1]
    span = rig.span("send orders")
    assert span.status.status_code is StatusCode.ERROR
    assert attributes(span)[names.ERROR_TYPE] == "TypeError"
    assert "secret" not in repr(attributes(span)) + repr(span.status.description) and not span.events


async def test_serializers_are_called_once(rig: Rig) -> None:
    calls: list[Any] = []

    def serialized(value: Any) -> bytes:
        calls.append(value)
        return str(value).encode()

    producer = await rig.producer(value_serializer=serialized, key_serializer=serialized)
    await producer.send_and_wait("orders", 1, key="k")
    assert sorted(map(str, calls)) == ["1", "k"]


async def test_a_record_that_is_too_large_is_the_error(rig: Rig) -> None:
    producer = await rig.producer(max_request_size=1_000)
    with pytest.raises(MessageSizeTooLargeError):
        await producer.send("orders", b"x" * 2_000)
    assert attributes(rig.span("send orders"))[names.ERROR_TYPE] == "MessageSizeTooLargeError"


def refuse(producer: Any, *errors: Exception) -> None:
    """The producer's first records are not acknowledged but answered with these errors."""
    add, left = producer._message_accumulator.add_message, list(errors)

    async def added(*args: Any, **kwargs: Any) -> Any:
        if not left:
            return await add(*args, **kwargs)
        future = asyncio.get_running_loop().create_future()
        future.set_exception(left.pop(0))
        return future

    producer._message_accumulator.add_message = added


@pytest.mark.parametrize("errors", ["class", "message"])
async def test_an_error_of_the_broker_ends_the_span(rig: Rig, errors: str) -> None:
    rig.instrument({"errors": errors})
    producer = await rig.producer()
    refuse(producer, NotLeaderForPartitionError("moved"))
    with pytest.raises(NotLeaderForPartitionError):
        await producer.send_and_wait("orders", b"1")
    await until(lambda: bool(rig.spans()))
    span = rig.span("send orders")
    assert span.status.status_code is StatusCode.ERROR
    assert attributes(span)[names.ERROR_TYPE] == "NotLeaderForPartitionError"
    assert ("moved" in (span.status.description or "")) is (errors == "message")


async def test_an_error_that_nobody_asks_for_is_still_complained_of(rig: Rig) -> None:
    complaints: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, said: complaints.append(said["message"]))
    producer = await rig.producer()
    refuse(producer, NotLeaderForPartitionError("moved"))
    future = await producer.send("orders", b"1")
    await until(lambda: bool(rig.spans("send")))
    assert future.done() and complaints == []
    del future
    await until(lambda: bool(complaints))
    assert complaints == ["Future exception was never retrieved"]


async def test_a_cancelled_send_ends_the_span(rig: Rig) -> None:
    producer = await rig.producer(linger_ms=300)
    future = await producer.send("orders", b"1")
    future.cancel()
    await until(lambda: bool(rig.spans()))
    assert attributes(rig.span("send orders"))[names.ERROR_TYPE] == "CancelledError"
    assert rig.span("send orders").status.status_code is StatusCode.ERROR


async def test_a_broker_that_cannot_store_headers_gets_none_of_ours(rig: Rig) -> None:
    producer = await rig.producer()
    refuse(producer, UnknownError())
    with pytest.raises(UnknownError):
        await producer.send_and_wait("orders", b"1")
    await until(lambda: bool(rig.spans()))
    await producer.send_and_wait("orders", b"2", headers=[("a", b"1")])
    (record,) = await rig.raw("orders")
    assert record.headers == (("a", b"1"),)


async def test_one_unknown_error_later_does_not_stop_the_context(rig: Rig) -> None:
    producer = await rig.producer()
    await producer.send_and_wait("orders", b"1", partition=0)
    refuse(producer, UnknownError())
    with pytest.raises(UnknownError):
        await producer.send_and_wait("orders", b"2", partition=0)
    await until(lambda: len(rig.spans()) == 2)
    await producer.send_and_wait("orders", b"3", partition=0)
    last = (await rig.raw("orders", 2))[-1]
    assert values(last.headers, "traceparent") == [traceparent(rig.spans("send")[-1])]


async def test_a_client_that_gives_no_future_is_tolerated(rig: Rig) -> None:
    from aiokafka import AIOKafkaProducer

    class Mocked(AIOKafkaProducer):  # type: ignore[misc]
        async def _wait_on_metadata(self, topic: str) -> None:
            return None

    rig.instrument()
    producer = Mocked(bootstrap_servers=rig.address)
    await producer.start()

    async def added(*args: Any, **kwargs: Any) -> str:
        return "mocked"

    producer._message_accumulator.add_message = added
    assert await producer.send("orders", b"1", partition=0) == "mocked"
    assert len(rig.spans("send")) == 1
    await producer.stop()


async def test_a_tombstone_says_so(rig: Rig) -> None:
    producer = await rig.producer()
    await producer.send_and_wait("orders", None, key=b"k")
    await got(consumer := await rig.consumer("orders"), 1)
    await consumer.stop()
    assert attributes(rig.span("send orders"))[names.TOMBSTONE] is True
    assert attributes(rig.span("process orders"))[names.TOMBSTONE] is True


@pytest.mark.parametrize(
    ("servers", "first"),
    [
        ("kafka:9093", ("kafka", 9093)),
        ("kafka", ("kafka", 9092)),
        (" one:1 , two:2", ("one", 1)),
        (["one:1", "two:2"], ("one", 1)),
        (("10.0.0.1:29092",), ("10.0.0.1", 29092)),
        ("[::1]:9093", ("::1", 9093)),
        (["[fe80::2]"], ("fe80::2", 9092)),
        ("::1", ("::1", 9092)),
        (None, ("", 9092)),
        ([], ("", 9092)),
    ],
)
def test_the_server_is_read_from_every_form(servers: Any, first: tuple[str, int]) -> None:
    assert first_server(servers) == first
