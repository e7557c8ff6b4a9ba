"""Every internal function is made to raise in turn: messages go through, none lost, doubled or reordered."""

import asyncio
from collections.abc import Callable
from typing import Any

import confluent_kafka
import pytest
from confluent_kafka.aio import AIOConsumer, AIOProducer

from blocking_helpers import ConfluentRig, KafkaPythonRig, until_now
from fault_helpers import MESSAGES, break_function, functions
from headwater_instrumentation import mark_compensation, process, process_batch, processor, record_outcome
from instrumentation_helpers import Rig

OF_CONFLUENT = ("confluent_", "librdkafka")
SHARED = ("records", "consuming", "delivery", "sending", "settling", "shim", "sizes", "schemas")
"""What the blocking clients go through in another way than aiokafka."""

FUNCTIONS = functions(lambda module: not module.startswith((*OF_CONFLUENT, "kafka_python")))
KAFKA_PYTHON = functions(lambda module: module.startswith("kafka_python") or module in SHARED)
ASYNCIO = functions(lambda module: module == "confluent_aio")
CONFLUENT = {
    name: place
    for name, place in functions(lambda module: module.startswith(OF_CONFLUENT) or module in SHARED).items()
    if name not in ASYNCIO
}


async def _through(rig: Rig, topic: str, handle: Callable[[Any], Any]) -> list[bytes]:
    """What a consumer's handlers were given, in order: one by one at first, then in batches."""
    producer = await rig.producer()
    headers = [("headwater-role", b"retry"), ("x-error-type", b"E")]
    futures = [
        await producer.send(topic, b"%d" % i, partition=0, headers=headers if i % 3 == 0 else None)
        for i in range(MESSAGES)
    ]
    await asyncio.gather(*futures)
    consumer = await rig.consumer(topic, group_id=topic)
    seen: list[bytes] = []
    async with asyncio.timeout(30):
        while len(seen) < MESSAGES // 2:
            record = await consumer.getone()
            async with process(record):
                record_outcome("seen")
                await handle(record)
                seen.append(record.value)
                await producer.send_and_wait(
                    f"{topic}-out", record.value, partition=0, headers=mark_compensation(record)
                )
        await consumer.commit()
        while len(seen) < MESSAGES:
            for records in (await consumer.getmany(timeout_ms=500)).values():
                with process_batch(records) as batch:
                    batch.fail(records[0], ValueError())
                    seen.extend(record.value for record in records)
    await consumer.stop()
    await producer.stop()
    return seen


@processor
async def _handle(record: Any) -> None:
    await asyncio.sleep(0)


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
async def test_a_function_that_fails_costs_no_message(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    break_function(monkeypatch, *FUNCTIONS[function])
    rig.instrument()
    expected = [b"%d" % i for i in range(MESSAGES)]
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, said: complaints.append(said))
    assert await _through(rig, "orders", _handle) == expected
    sent = await rig.raw("orders", MESSAGES)
    assert [record.value for record in sent] == expected
    passed_on = await rig.raw("orders-out", MESSAGES // 2)
    assert [record.value for record in passed_on] == expected[: MESSAGES // 2]
    assert complaints == []


def _through_confluent(rig: ConfluentRig) -> list[bytes]:
    """The same with confluent-kafka."""
    producer = rig.producer()
    reports: list[Any] = []
    headers = [("headwater-role", b"retry"), ("x-error-type", b"E")]
    for i in range(MESSAGES):
        given = headers if i % 3 == 0 else None
        producer.produce(
            "orders", b"%d" % i, partition=0, headers=given, on_delivery=lambda *it: reports.append(it)
        )
    assert producer.flush(20) == 0 and len(reports) == MESSAGES
    consumer = rig.consumer("orders", enable_auto_commit=True, auto_commit_interval_ms=50)
    seen: list[bytes] = []
    while len(seen) < MESSAGES // 2:
        message = until_now(lambda: consumer.poll(0.5))
        with process(message):
            record_outcome("seen")
            seen.append(message.value())
            producer.produce("orders-out", message.value(), partition=0, headers=mark_compensation(message))
    consumer.commit(message)
    consumer.commit(message, asynchronous=False)
    while len(seen) < MESSAGES:
        messages = consumer.consume(50, 0.5)
        with process_batch(messages) as batch:
            for message in messages:
                batch.fail(message, ValueError())
            seen.extend(message.value() for message in messages)
    consumer.close()
    assert producer.flush(20) == 0
    return seen


@pytest.mark.parametrize("function", sorted(CONFLUENT))
def test_a_function_that_fails_costs_confluent_kafka_no_message(
    confluent: ConfluentRig, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    break_function(monkeypatch, *CONFLUENT[function])
    confluent.instrument()
    expected = [b"%d" % i for i in range(MESSAGES)]
    assert _through_confluent(confluent) == expected
    sent = confluent.raw("orders", MESSAGES)
    assert [message.value() for message in sent] == expected
    passed_on = confluent.raw("orders-out", MESSAGES // 2)
    assert [message.value() for message in passed_on] == expected[: MESSAGES // 2]
    # The names are the client's own again.
    assert confluent_kafka.Producer is confluent_kafka.cimpl.Producer


@pytest.mark.parametrize("function", sorted(ASYNCIO))
async def test_a_function_that_fails_costs_confluents_asyncio_classes_no_message(
    confluent: ConfluentRig, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    break_function(monkeypatch, *ASYNCIO[function])
    confluent.instrument()
    expected = [b"%d" % i for i in range(MESSAGES)]
    producer = AIOProducer(confluent.settings({}))
    reports = [await producer.produce("orders", value, partition=0) for value in expected]
    await producer.flush()
    assert [(await report).offset() for report in reports] == list(range(MESSAGES))
    consumer = AIOConsumer(confluent.consuming({}))
    await consumer.subscribe(["orders"])
    seen: list[bytes] = []
    while len(seen) < MESSAGES // 2:
        if (message := await consumer.poll(timeout=0.5)) is not None:
            seen.append(message.value())
    while len(seen) < MESSAGES:
        seen += [message.value() for message in await consumer.consume(50, timeout=0.5)]
    await consumer.close()
    await producer.close()
    assert seen == expected


def _through_kafka_python(rig: KafkaPythonRig) -> list[bytes]:
    """The same with kafka-python."""
    producer = rig.producer()
    headers = [("headwater-role", b"retry"), ("x-error-type", b"E")]
    futures = [
        producer.send("orders", b"%d" % i, partition=0, headers=headers if i % 3 == 0 else None)
        for i in range(MESSAGES)
    ]
    assert [future.get(20).offset for future in futures] == list(range(MESSAGES))
    consumer = rig.consumer("orders", enable_auto_commit=True, auto_commit_interval_ms=20)
    seen: list[bytes] = []
    while len(seen) < MESSAGES // 2:
        with process(record := next(consumer)):
            record_outcome("seen")
            seen.append(record.value)
            producer.send("orders-out", record.value, partition=0, headers=mark_compensation(record))
    consumer.commit_async()
    consumer.commit()
    while len(seen) < MESSAGES:
        for records in consumer.poll(60_000, max_records=50).values():
            with process_batch(records) as batch:
                for record in records:
                    batch.fail(record, ValueError())
                seen.extend(record.value for record in records)
    consumer.close()
    producer.flush(20)
    return seen


@pytest.mark.parametrize("function", sorted(KAFKA_PYTHON))
def test_a_function_that_fails_costs_kafka_python_no_message(
    kafka_python: KafkaPythonRig, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    break_function(monkeypatch, *KAFKA_PYTHON[function])
    kafka_python.instrument()
    expected = [b"%d" % i for i in range(MESSAGES)]
    assert _through_kafka_python(kafka_python) == expected
    assert [record.value for record in kafka_python.raw("orders", MESSAGES)] == expected
    passed_on = kafka_python.raw("orders-out", MESSAGES // 2)
    assert [record.value for record in passed_on] == expected[: MESSAGES // 2]


def test_it_is_enough() -> None:
    assert len(FUNCTIONS) * MESSAGES > 10_000
    assert len(CONFLUENT) * MESSAGES > 10_000
    assert len(KAFKA_PYTHON) * MESSAGES > 10_000
