"""Retries and dead letters of other frameworks, as a service receives them."""

from typing import Any

import pytest

from headwater_instrumentation import attributes as names
from headwater_instrumentation import current_event, process
from headwater_instrumentation.guard import guard
from instrumentation_helpers import Rig, attributes, got

SPRING_RETRY = [
    ("kafka_original-topic", b"orders"),
    ("kafka_original-partition", b"\x00\x00\x00\x02"),
    ("kafka_original-offset", b"\x00\x00\x00\x00\x00\x00\x00\x4d"),
    ("kafka_exception-fqcn", b"x.Timeout"),
    ("kafka_exception-message", b"card 4111"),
    ("retry_topic-attempts", b"\x00\x00\x00\x03"),
    ("retry_topic-backoff-timestamp", (1_795_489_201_123).to_bytes(6, "big")),
]
CONNECT = [
    ("__connect.errors.topic", b"orders"),
    ("__connect.errors.partition", b"4"),
    ("__connect.errors.offset", b"88"),
    ("__connect.errors.exception.class.name", b"a.DataException"),
]


async def received(rig: Rig, topic: str, headers: list[tuple[str, bytes | None]]) -> dict[str, Any]:
    """Attributes of the process span of a message with these headers, and the attempt its handler is told."""
    producer = await rig.producer()
    await producer.send_and_wait(topic, b"1", headers=headers)
    (record,) = await got(await rig.consumer(topic), 1)
    with process(record):
        event = current_event()
    assert event is not None
    return {**attributes(rig.span(f"process {topic}")), "attempt": event.attempt}


async def test_a_spring_retry_says_where_it_comes_from(rig: Rig) -> None:
    said = await received(rig, "orders-retry-1000", list(SPRING_RETRY))
    assert said[names.RETRY_FAMILY] == "spring-retry"
    assert said[names.ORIGIN] == said[names.RETRY_ORIGIN] == "orders:2:77"
    assert said[names.RETRY_ATTEMPT] == said["attempt"] == 3
    assert said[names.RETRY_DUE_MS] == 1_795_489_201_123
    assert said[names.RETRY_ERROR] == "x.Timeout"
    assert names.DEAD_LETTER not in said and "4111" not in str(said)


async def test_a_connect_dead_letter_has_no_wait_of_its_own(rig: Rig) -> None:
    said = await received(rig, "dlq-sink", list(CONNECT))
    assert said[names.DEAD_LETTER] is True and said[names.TS_INHERITED] is True
    assert said[names.ORIGIN] == "orders:4:88"
    assert names.RETRY_ORIGIN not in said


@pytest.mark.parametrize("value", [None, b"", b"\xff\xfe", b"9" * 30, b"-5", b"x" * 10_000])
async def test_values_that_make_no_sense_stay_unknown(rig: Rig, value: bytes | None) -> None:
    broken = [(name, value) for name, _ in (*SPRING_RETRY, *CONNECT)]
    said = await received(rig, "broken", list(broken))
    assert said[names.TOPIC] == "broken" and names.ORIGIN not in said
    assert not guard.errors
