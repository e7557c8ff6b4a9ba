"""``headwater-ctx``: who an event is, over hops, retries and dead letters."""

import json
from pathlib import Path
from typing import Any

import pytest

from headwater_instrumentation import attributes as names
from headwater_instrumentation import context as ctx
from headwater_instrumentation import current_event, mark_dead_letter, mark_retry
from headwater_instrumentation import headers as hdr
from instrumentation_helpers import SERVICE, Rig, attributes, got, values

VECTORS = json.loads(Path(__file__).with_name("pathway_vectors.json").read_text())


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["id"])
def test_prefix_ids_are_the_agreed_ones(vector: dict[str, str]) -> None:
    hop = (vector[k] for k in ("before", "service", "operation", "direction", "topic", "group"))
    assert ctx.prefix(*hop) == vector["id"]


def test_the_header_is_read_as_it_is_written() -> None:
    lineage = ctx.Lineage("0123456789abcdef", 3, 1_795_000_000_000, "fedcba9876543210")
    assert ctx.written(*lineage) == "1;0123456789abcdef;3;mwm0nk74;fedcba9876543210"
    assert ctx.parse(ctx.written(*lineage)) == lineage


@pytest.mark.parametrize(
    "text",
    [None, "", "1", "2;0123456789abcdef;3;a;fedcba9876543210", "1;0123;3;a;fedcba9876543210"]
    + [f"1;0123456789abcdef;{hop};a;fedcba9876543210" for hop in ("", "x", "-1", "1234567", "\xb2")]
    + [f"1;0123456789abcdef;1;{root};fedcba9876543210" for root in ("", "-1", "1_0", "A", "z" * 11)],
)  # fmt: skip
def test_what_is_not_of_the_form_is_nothing(text: str | None) -> None:
    assert ctx.parse(text) is None


async def lineages(rig: Rig, topic: str) -> ctx.Lineage:
    (record,) = await rig.raw(topic)
    (text,) = values(record.headers, "headwater-ctx")
    found = ctx.parse(text)
    assert found is not None and len(text) <= ctx.LONGEST
    rig.instrument()
    return found


async def one(rig: Rig, topic: str) -> tuple[Any, Any]:
    consumer = await rig.consumer(topic)
    (record,) = await got(consumer, 1)
    return consumer, record


async def test_a_forwarded_copy_is_an_event_of_its_own(rig: Rig) -> None:
    producer = await rig.producer()
    await producer.send_and_wait("orders", b"1", headers=[("ce_id", b"order-7")])
    first = await lineages(rig, "orders")
    consumer, record = await one(rig, "orders")
    event = current_event()
    await producer.send_and_wait("invoices", b"2", headers=record.headers)
    await consumer.stop()
    second = await lineages(rig, "invoices")
    assert event is not None and event.event_id == first.event_id and event.attempt == 1
    assert second.event_id != first.event_id
    assert (first.hop, second.hop) == (1, 2) and first.root_ms == second.root_ms
    said = attributes(rig.span("send invoices"))
    assert said[names.EVENT_ID] == second.event_id and said[names.EVENT_PARENT_ID] == first.event_id
    sending = ctx.prefix(ctx.START, SERVICE, "send", "out", "orders", "")
    handling = ctx.prefix(sending, SERVICE, "process", "in", "orders", "g")
    assert first.pathway == sending
    assert second.pathway == ctx.prefix(handling, SERVICE, "send", "out", "invoices", "")


async def test_retry_and_dead_letter_are_the_event_itself(rig: Rig) -> None:
    producer = await rig.producer()
    await producer.send_and_wait("orders", b"1", partition=2, headers=[("a", b"1")])
    first = await lineages(rig, "orders")
    consumer, record = await one(rig, "orders")
    marked = mark_retry(record, delay=5, error=ValueError("secret"))
    await producer.send_and_wait("orders-retry", record.value, headers=marked)
    await consumer.stop()
    consumer, record = await one(rig, "orders-retry")
    event = current_event()
    assert event is not None and (event.attempt, event.event_id) == (2, first.event_id)
    marked = mark_dead_letter(record, KeyError("secret"))
    await producer.send_and_wait("orders-dlq", record.value, headers=marked)
    await consumer.stop()
    assert await lineages(rig, "orders-retry") == first == await lineages(rig, "orders-dlq")
    retried, dead = attributes(rig.span("send orders-retry")), attributes(rig.span("send orders-dlq"))
    assert retried[names.RETRY_ATTEMPT] == 2 and retried[names.RETRY_ORIGIN] == "orders:2:0"
    assert retried[names.RETRY_DUE_MS] > first.root_ms
    assert dead[names.DEAD_LETTER] is True and dead[names.ORIGIN] == "orders:2:0"
    assert dead[names.ORIGIN_GROUP] == "g" and dead[names.EVENT_ID] == first.event_id
    assert names.EVENT_PARENT_ID not in dead
    (letter,) = await rig.raw("orders-dlq")
    for name, text in {
        hdr.ROLE: "dead-letter", hdr.ORIGIN_TOPIC: "orders", hdr.ORIGIN_PARTITION: "2", hdr.ORIGIN_OFFSET: "0",
        hdr.ORIGIN_GROUP: "g", hdr.ATTEMPT: "2", hdr.ERROR_TYPE: "KeyError", "a": "1",
    }.items():  # fmt: skip
        assert values(letter.headers, name) == [text]
    assert values(letter.headers, hdr.DUE_MS) == [] and b"secret" not in b"".join(
        v for _, v in letter.headers
    )
    assert len(values(letter.headers, "traceparent")) == 1


async def test_the_text_of_an_error_is_written_only_if_asked(rig: Rig) -> None:
    producer = await rig.producer()
    await producer.send_and_wait("orders", b"1")
    consumer, record = await one(rig, "orders")
    assert (hdr.ERROR_MESSAGE, b"why") in mark_dead_letter(record, ValueError("why"), message=True)
    assert (hdr.ORIGIN_GROUP, b"other") in mark_dead_letter(record, group="other")
    await consumer.stop()
