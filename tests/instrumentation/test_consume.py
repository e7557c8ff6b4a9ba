"""Records one by one: the span of a handler's body, and what is current in it."""

import asyncio
import copy
import dataclasses
import gc
import pickle
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

from headwater_instrumentation import attributes as names
from headwater_instrumentation import consuming, current_event
from instrumentation_helpers import Rig, attributes, got, parent_id, span_id


async def sent(rig: Rig, number: int = 1, topic: str = "orders") -> None:
    """Messages in one partition, so that their order is known."""
    producer = await rig.producer()
    for i in range(number):
        await producer.send_and_wait(topic, b"%d" % i, partition=0)
    await producer.stop()


def nothing_current() -> bool:
    return not trace.get_current_span().get_span_context().is_valid and current_event() is None


async def test_spans_and_sends_of_the_body_are_children(rig: Rig) -> None:
    await sent(rig, 3)
    producer = await rig.producer()
    consumer = await rig.consumer("orders")
    handled = 0
    async with asyncio.timeout(20):
        async for record in consumer:
            with rig.tracer.start_as_current_span(f"work {record.offset}"):
                await asyncio.sleep(0.01)
            await producer.send_and_wait("invoices", record.value)
            handled += 1
            if handled == 3:
                break
    await consumer.stop()
    assert nothing_current()
    bodies = rig.spans("process orders")
    assert [attributes(body)[names.OFFSET] for body in bodies] == [0, 1, 2]
    for body, origin, out in zip(bodies, rig.spans("send orders"), rig.spans("send invoices"), strict=True):
        offset = attributes(body)[names.OFFSET]
        work = rig.span(f"work {offset}")
        assert body.kind is SpanKind.CONSUMER
        assert parent_id(body) == span_id(origin)
        assert [link.context.span_id for link in body.links] == [span_id(origin)]
        assert parent_id(work) == parent_id(out) == span_id(body)
        assert attributes(out)[names.CAUSE] == f"orders:0:{offset}"
        assert body.start_time is not None and work.start_time is not None
        assert body.end_time is not None and work.end_time is not None
        assert body.start_time <= work.start_time and body.end_time >= work.end_time


async def test_what_a_body_says(rig: Rig) -> None:
    producer = await rig.producer()
    await producer.send_and_wait("orders", b"secret", key=b"\xff secret", partition=0, timestamp_ms=1_000)
    consumer = await rig.consumer("orders", client_id="c")
    await got(consumer, 1)
    await consumer.stop()
    said = dict(attributes(rig.span("process orders")))
    assert said[names.GROUP] == "g" and said[names.CLIENT_ID] == "c"
    assert said[names.PARTITION] == "0" and said[names.OFFSET] == 0
    assert said[names.RECORD_TS] == 1_000
    assert said[names.BODY_SIZE] == 6
    assert names.CLUSTER_ID in said and names.REDELIVERED not in said
    assert "secret" not in repr(said)


@pytest.mark.parametrize("every", [0.0, 3600.0])
async def test_the_end_of_the_partition_is_told_once_in_a_while(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, every: float
) -> None:
    monkeypatch.setattr(consuming, "HINT_EVERY_S", every)
    await sent(rig, 3)
    consumer = await rig.consumer("orders")
    await got(consumer, 3)
    await sent(rig, 2)
    await got(consumer, 2)
    await consumer.stop()
    ends = [attributes(body).get(names.HIGHWATER) for body in rig.spans("process orders")]
    if every:
        assert ends == [3, None, None, None, None]
    else:
        assert ends[:3] == [3, 3, 3] and ends[3] in (4, 5) and ends[4] == 5


async def test_the_last_body_is_over_when_the_consumer_stops(rig: Rig) -> None:
    await sent(rig)
    consumer = await rig.consumer("orders")
    await got(consumer, 1)
    assert not nothing_current() and rig.spans("process") == []
    await consumer.stop()
    assert nothing_current()
    assert rig.span("process orders").status.status_code is StatusCode.UNSET


async def test_an_error_that_leaves_through_stop_is_the_bodys(rig: Rig) -> None:
    await sent(rig)
    consumer = await rig.consumer("orders")
    with pytest.raises(ValueError):
        try:
            async for _ in consumer:
                raise ValueError("secret")
        finally:
            await consumer.stop()
    span = rig.span("process orders")
    assert span.status.status_code is StatusCode.ERROR
    assert attributes(span)[names.ERROR_TYPE] == "ValueError"
    assert span.status.description is None and not span.events
    assert nothing_current()


async def test_an_error_that_leaves_through_async_with_is_the_bodys(rig: Rig) -> None:
    await sent(rig)
    options = {"bootstrap_servers": rig.address, "group_id": "g", "auto_offset_reset": "earliest"}
    with pytest.raises(ValueError):
        async with AIOKafkaConsumer("orders", **options) as consumer:
            async for _ in consumer:
                raise ValueError
    assert attributes(rig.span("process orders"))[names.ERROR_TYPE] == "ValueError"


async def test_a_send_while_an_error_is_handled_says_so(rig: Rig) -> None:
    await sent(rig)
    producer = await rig.producer()
    consumer = await rig.consumer("orders")
    for record in await got(consumer, 1):
        try:
            raise KeyError(record.offset)
        except KeyError:
            await producer.send_and_wait("orders-failed", record.value, headers=record.headers)
    await consumer.stop()
    assert attributes(rig.span("send orders-failed"))[names.WHILE_HANDLING] == "KeyError"
    body = rig.span("process orders")
    assert attributes(body)[names.HANDLED_ERROR] == "KeyError"
    assert body.status.status_code is StatusCode.UNSET


async def test_two_consumers_in_one_task_leave_nothing_behind(rig: Rig) -> None:
    await sent(rig, 3, "a")
    await sent(rig, 3, "b")
    one, two = await rig.consumer("a"), await rig.consumer("b", group_id="h")
    for _ in range(3):
        await got(one, 1)
        await got(two, 1)
    await one.stop()
    await two.stop()
    assert nothing_current()
    origins = {span_id(span) for span in rig.spans("send")}
    assert {parent_id(span) for span in rig.spans("process")} == origins
    assert len(rig.spans("process")) == 6


async def test_a_span_of_the_hosts_own_is_the_parent_and_the_sender_a_link(rig: Rig) -> None:
    await sent(rig)
    consumer = await rig.consumer("orders")
    with rig.tracer.start_as_current_span("loop") as loop:
        await got(consumer, 1)
        await consumer.stop()
        assert trace.get_current_span() is loop
    body = rig.span("process orders")
    assert parent_id(body) == loop.get_span_context().span_id
    assert [link.context.span_id for link in body.links] == [span_id(rig.span("send orders"))]


async def test_a_frameworks_span_for_the_same_record_is_enough(rig: Rig) -> None:
    await sent(rig, 2)
    consumer = await rig.consumer("orders")
    said: dict[str, str | int] = {names.SYSTEM: "kafka", names.TOPIC: "orders", names.OFFSET: 0}
    with rig.tracer.start_as_current_span("theirs", kind=SpanKind.CONSUMER, attributes=said):
        await got(consumer, 1)
    assert rig.spans("process") == []
    await got(consumer, 1)
    await consumer.stop()
    assert attributes(rig.span("process orders"))[names.OFFSET] == 1


async def test_a_record_read_again_after_a_seek_says_so(rig: Rig) -> None:
    await sent(rig, 2)
    consumer = await rig.consumer("orders")
    await got(consumer, 2)
    consumer.seek(TopicPartition("orders", 0), 0)
    await got(consumer, 1)
    await consumer.stop()
    again = [attributes(span).get(names.REDELIVERED, False) for span in rig.spans("process")]
    assert again == [False, False, True]


async def test_records_are_as_they_were(rig: Rig) -> None:
    await sent(rig)
    consumer = await rig.consumer("orders")
    (record,) = await got(consumer, 1)
    (plain,) = await rig.raw("orders")
    assert record == plain and repr(record) == repr(plain)
    assert dataclasses.asdict(record) == dataclasses.asdict(plain)
    for again in (pickle.loads(pickle.dumps(record)), copy.deepcopy(record), copy.copy(record)):
        assert again == record
    await consumer.stop()


async def test_a_consumer_that_is_dropped_ends_its_span(rig: Rig) -> None:
    await sent(rig)
    consumer: Any = await rig.consumer("orders")
    await got(consumer, 1)
    finaliser = consumer._headwater_state._watched
    gc.collect()
    assert rig.spans("process") == []
    finaliser()
    assert attributes(rig.span("process orders"))[names.TRUNCATED] is True
    await consumer.stop()
    assert len(rig.spans("process")) == 1


@pytest.mark.parametrize("config", [{"process_span": "off"}, {"topics_exclude": "orders, b"}])
async def test_what_is_switched_off_makes_no_span(rig: Rig, config: dict[str, object]) -> None:
    await sent(rig)
    rig.instrument(config)
    consumer = await rig.consumer("orders")
    await got(consumer, 1)
    assert nothing_current()
    await consumer.stop()
    assert rig.spans("process") == []
