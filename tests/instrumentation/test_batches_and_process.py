"""Batches of getmany, and the body said explicitly with ``process()``."""

import asyncio
import re
from typing import Any

import pytest
from aiokafka import TopicPartition
from opentelemetry import trace
from opentelemetry.trace import StatusCode

from headwater_instrumentation import attributes as names
from headwater_instrumentation import current_event, process
from instrumentation_helpers import Rig, attributes, got, parent_id, span_id, until


async def sent(rig: Rig, number: int = 1) -> None:
    producer = await rig.producer()
    await asyncio.gather(*[await producer.send("orders", b"%d" % i, partition=i % 2) for i in range(number)])


async def fetched(consumer: Any, number: int) -> list[Any]:
    """One batch of exactly so many records: asked for until that many are buffered."""
    places = [TopicPartition("orders", partition) for partition in (0, 1)]
    async with asyncio.timeout(20):
        while True:
            batch = await consumer.getmany(timeout_ms=500)
            if sum(map(len, batch.values())) == number:
                return [record for part in batch.values() for record in part]
            consumer.seek(places[0], 0)
            consumer.seek(places[1], 0)


async def test_a_batch_has_a_poll_a_body_and_every_offset(rig: Rig) -> None:
    await sent(rig, 300)
    consumer = await rig.consumer("orders")
    records = await fetched(consumer, 300)
    with rig.tracer.start_as_current_span("work"):
        pass
    await consumer.stop()
    poll, body = rig.spans("poll orders")[-1], rig.spans("process orders")[-1]
    assert parent_id(rig.span("work")) == span_id(body)
    assert len(rig.spans("poll")) == len(rig.spans("process"))
    for span in (poll, body):
        said = attributes(span)
        assert said[names.BATCH_COUNT] == 300 and said[names.TOPIC] == "orders"
        assert 0 < len(span.links) <= 120
        read = set()
        for text in said[names.OFFSETS]:
            match = re.fullmatch(r"orders:(\d+):(\d+)-(\d+)", text)
            assert match is not None
            partition, first, last = map(int, match.groups())
            read |= {(partition, offset) for offset in range(first, last + 1)}
        assert read == {(record.partition, record.offset) for record in records}
    assert attributes(poll)[names.OPERATION_TYPE] == "receive"
    assert not trace.get_current_span().get_span_context().is_valid


async def test_an_empty_poll_makes_no_span(rig: Rig) -> None:
    consumer = await rig.consumer("orders")
    assert await consumer.getmany(timeout_ms=10) == {}
    await consumer.stop()
    # It has joined its group meanwhile; nothing else.
    assert {span.name for span in rig.spans()} <= {"rebalance"}


async def test_process_in_a_batch_knows_the_consumer_and_the_record(rig: Rig) -> None:
    await sent(rig, 2)
    consumer = await rig.consumer("orders")
    for record in await fetched(consumer, 2):
        with process(record):
            event = current_event()
            assert event is not None and (event.topic, event.offset) == ("orders", 0)
            assert event.partition == record.partition
    await consumer.stop()
    ones = [span for span in rig.spans("process") if names.BATCH_COUNT not in attributes(span)]
    assert {parent_id(span) for span in ones} == {span_id(span) for span in rig.spans("send")}
    assert all(attributes(span)[names.GROUP] == "g" for span in ones)


@pytest.mark.parametrize("mode", ["auto", "explicit"])
async def test_process_takes_over_the_body_and_records_its_error(rig: Rig, mode: str) -> None:
    rig.instrument({"process_span": mode})
    await sent(rig)
    consumer = await rig.consumer("orders")
    (record,) = await got(consumer, 1)
    with pytest.raises(ValueError, match="secret"):
        async with process(record):
            with rig.tracer.start_as_current_span("work"):
                raise ValueError("secret")
    body = rig.span("process orders")
    await consumer.stop()
    assert len(rig.spans("process")) == 1
    assert body.status.status_code is StatusCode.ERROR and body.status.description is None
    assert attributes(body)[names.ERROR_TYPE] == "ValueError"
    assert attributes(body)[names.GROUP] == "g"
    assert parent_id(rig.span("work")) == span_id(body)
    assert parent_id(body) == span_id(rig.span("send orders"))
    assert current_event() is None


async def test_process_without_async_takes_over_too(rig: Rig) -> None:
    await sent(rig)
    consumer = await rig.consumer("orders")
    (record,) = await got(consumer, 1)
    with process(record):
        assert current_event() is not None
    assert len(rig.spans("process")) == 1
    await consumer.stop()
    assert len(rig.spans("process")) == 1


async def test_records_handed_to_tasks_have_one_span_each(rig: Rig) -> None:
    await sent(rig, 4)
    consumer = await rig.consumer("orders")
    gate = asyncio.Event()

    async def handle(record: Any) -> None:
        with process(record):
            await gate.wait()
            with rig.tracer.start_as_current_span("work"):
                pass

    tasks = []
    for _ in range(4):
        (record,) = await got(consumer, 1)
        tasks.append(asyncio.create_task(handle(record)))
    await consumer.stop()
    gate.set()
    await asyncio.gather(*tasks)
    bodies = {span_id(span) for span in rig.spans("process")}
    assert len(rig.spans("process")) == len(bodies) == 4
    assert {parent_id(span) for span in rig.spans("work")} == bodies
    assert {parent_id(span) for span in rig.spans("process")} == {span_id(s) for s in rig.spans("send")}


@pytest.mark.parametrize("odd", [None, {}, object()])
def test_process_of_something_else_hurts_nobody(odd: Any) -> None:
    with pytest.raises(LookupError), process(odd):
        raise LookupError


async def test_the_next_fetch_may_be_in_another_task(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    await sent(rig, 3)
    consumer = await rig.consumer("orders")
    left: list[Any] = []

    async def one() -> None:
        await got(consumer, 1)
        left.append(trace.get_current_span())

    for _ in range(2):
        await asyncio.create_task(one())
    assert not trace.get_current_span().get_span_context().is_valid
    await got(consumer, 1)
    await until(lambda: not any(span.is_recording() for span in left))
    await consumer.stop()
    bodies = rig.spans("process orders")
    # What the task before had in its hands is nobody's parent.
    assert sorted(parent_id(body) or 0 for body in bodies) == sorted(span_id(s) for s in rig.spans("send"))
    assert not trace.get_current_span().get_span_context().is_valid and "detach" not in caplog.text


async def test_two_tasks_with_a_consumer_each_do_not_see_each_other(rig: Rig) -> None:
    await sent(rig, 6)

    async def read(group: str) -> None:
        consumer = await rig.consumer("orders", group_id=group)
        for _ in range(6):
            (record,) = await got(consumer, 1)
            await asyncio.sleep(0)
            event = current_event()
            assert event is not None and (event.partition, event.offset) == (record.partition, record.offset)
            with rig.tracer.start_as_current_span(f"work {group}"):
                await asyncio.sleep(0)
        await consumer.stop()

    await asyncio.gather(read("left"), read("right"))
    for group in ("left", "right"):
        bodies = [span for span in rig.spans("process") if attributes(span)[names.GROUP] == group]
        assert [parent_id(span) for span in rig.spans(f"work {group}")] == [span_id(body) for body in bodies]
