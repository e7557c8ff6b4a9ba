"""Headers of ours never make a message too large that fits without them."""

from typing import Any

import pytest
from aiokafka.errors import MessageSizeTooLargeError
from opentelemetry import baggage, context

from blocking_helpers import ConfluentRig, KafkaPythonRig
from headwater_instrumentation.guard import guard
from instrumentation_helpers import Rig

MOST = 2000
ALL = ["mine", "traceparent", "baggage", "headwater-ctx"]
BAGGAGE = 400
"""Bytes of it."""
ROOM = {
    # Bytes that the value leaves for headers, and the headers that fit.
    900: ALL,
    590: ["mine", "traceparent", "baggage"],
    300: ["mine", "traceparent"],
    125: ["mine"],
}
"""Sizes are an upper bound: each step is far from where a header just fits."""


def bag() -> Any:
    return context.attach(baggage.set_baggage("bag", "b" * BAGGAGE))


@pytest.mark.parametrize("room", ROOM)
@pytest.mark.parametrize("serializer", [None, lambda value: bytes(value)], ids=["bytes", "serializer"])
async def test_aiokafka(rig: Rig, room: int, serializer: Any) -> None:
    producer = await rig.producer(max_request_size=MOST, value_serializer=serializer)
    token = bag()
    value = b"x" * (MOST - room)
    await producer.send_and_wait(
        "orders", value if serializer is None else bytearray(value), headers=[("mine", b"1")]
    )
    with pytest.raises(MessageSizeTooLargeError):
        await producer.send("orders", b"x" * MOST)
    context.detach(token)
    (record,) = await rig.raw("orders")
    assert [name for name, _ in record.headers] == ROOM[room]
    assert not guard.errors


def test_confluent_kafka(confluent: ConfluentRig) -> None:
    producer = confluent.producer(message_max_bytes=MOST)
    token = bag()
    for room in ROOM:
        producer.produce("orders", b"x" * (MOST - room), partition=0, headers=[("mine", b"1")])
    context.detach(token)
    assert producer.flush(10) == 0
    found = [[name for name, _ in message.headers()] for message in confluent.raw("orders", len(ROOM))]
    # What the client takes beside value and headers is reckoned generously: more is left out than need be.
    assert found[0] == ALL and found[-1] == ["mine"]
    assert all(set(now) <= set(before) for before, now in zip(found, found[1:], strict=False))
    assert not guard.errors


def test_kafka_python(kafka_python: KafkaPythonRig) -> None:
    producer = kafka_python.producer(max_request_size=MOST)
    token = bag()
    for room in ROOM:
        producer.send("orders", b"x" * (MOST - room), partition=0, headers=[("mine", b"1")]).get(10)
    context.detach(token)
    found = [[name for name, _ in record.headers] for record in kafka_python.raw("orders", len(ROOM))]
    assert found == list(ROOM.values())
    assert not guard.errors
