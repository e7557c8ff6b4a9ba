"""What a send does to the headers of its message."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.cluster import ClusterMetadata
from aiokafka.consumer import fetcher
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.producer import producer as producing
from opentelemetry import baggage, context
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind

from headwater_instrumentation import AIOKafkaInstrumentor
from headwater_instrumentation.guard import guard
from instrumentation_helpers import (
    FOREIGN,
    Rig,
    attributes,
    got,
    identities,
    parent_id,
    provider_of,
    span_id,
    traceparent,
    values,
)


async def test_uninstrument_restores_every_method_itself() -> None:
    owners = (AIOKafkaProducer, AIOKafkaConsumer, GroupCoordinator, ClusterMetadata, fetcher.Fetcher,
              fetcher.PartitionRecords, producing)  # fmt: skip
    before = identities(*owners)
    AIOKafkaInstrumentor().instrument()
    assert all(now != was for now, was in zip(identities(*owners), before, strict=True))
    AIOKafkaInstrumentor().uninstrument()
    assert identities(*owners) == before


async def test_a_producer_made_meanwhile_works_on_after_uninstrument(rig: Rig) -> None:
    producer = await rig.producer()
    await producer.send_and_wait("orders", b"1")
    AIOKafkaInstrumentor().uninstrument()
    await producer.send_and_wait("orders", b"2")
    assert len(rig.spans("send")) == 1


async def test_the_send_span_is_the_traceparent(rig: Rig) -> None:
    producer = await rig.producer()
    with rig.tracer.start_as_current_span("request") as request:
        await producer.send_and_wait("orders", b"1")
    sent = rig.span("send orders")
    assert sent.kind is SpanKind.PRODUCER
    assert parent_id(sent) == request.get_span_context().span_id
    (record,) = await rig.raw("orders")
    assert values(record.headers, "traceparent") == [traceparent(sent)]


async def test_the_callers_list_is_never_written_to(rig: Rig) -> None:
    producer = await rig.producer()
    headers = [("a", b"1")]
    for _ in range(3):
        await producer.send_and_wait("orders", b"1", headers=headers)
    assert headers == [("a", b"1")]
    for record in await rig.raw("orders", 3):
        assert [key for key, _ in record.headers] == ["a", "traceparent", "headwater-ctx"]


def generated() -> Iterator[tuple[str, bytes]]:
    yield "a", b"1"


@pytest.mark.parametrize(
    "headers",
    [None, [], (("a", b"1"),), [("a", b"1")], generated(), {"a": b"1"}],
    ids=["none", "empty", "tuple", "list", "generator", "mapping"],
)
async def test_headers_of_every_form_arrive(rig: Rig, headers: Any) -> None:
    producer = await rig.producer()
    await producer.send_and_wait("orders", b"1", None, 0, None, headers)
    (record,) = await rig.raw("orders")
    assert len(values(record.headers, "traceparent")) == 1
    assert values(record.headers, "a") == (["1"] if headers else [])


async def test_a_generator_is_not_lost_when_the_span_cannot_be_begun(rig: Rig) -> None:
    class Broken:
        def get_tracer(self, *args: Any, **kwargs: Any) -> Any:
            return self

        def start_span(self, *args: Any, **kwargs: Any) -> Any:
            raise RuntimeError("no span today")

    rig.instrument(tracer_provider=Broken())
    producer = await rig.producer()
    await producer.send_and_wait("orders", b"1", headers=generated())
    (record,) = await rig.raw("orders")
    assert record.headers == (("a", b"1"),)
    assert guard.errors["send"] == 1


async def test_forwarded_headers_end_with_one_traceparent_and_the_chain_intact(rig: Rig) -> None:
    producer = await rig.producer()
    await producer.send_and_wait("orders", b"1", headers=[("a", b"1")])
    consumer = await rig.consumer("orders")
    (record,) = await got(consumer, 1)
    await producer.send_and_wait("invoices", b"2", headers=record.headers)
    await consumer.stop()
    first, second = rig.span("send orders"), rig.span("send invoices")
    handled = rig.span("process orders")
    assert parent_id(handled) == span_id(first)
    assert parent_id(second) == span_id(handled)
    (link,) = second.links
    assert link.context.span_id == span_id(first)
    assert dict(link.attributes or {}) == {"headwater.upstream": True}
    (copy,) = await rig.raw("invoices")
    assert values(copy.headers, "traceparent") == [traceparent(second)]
    assert values(copy.headers, "a") == ["1"]
    assert len(values(copy.headers, "headwater-ctx")) == 1


async def test_a_traceparent_of_the_callers_own_is_kept_and_linked(rig: Rig) -> None:
    producer = await rig.producer()
    await producer.send_and_wait("orders", b"1", headers=[("traceparent", FOREIGN.encode())])
    sent = rig.span("send orders")
    assert sent.kind is SpanKind.CLIENT
    assert [f"{link.context.span_id:016x}" for link in sent.links] == [FOREIGN.split("-")[2]]
    (record,) = await rig.raw("orders")
    assert values(record.headers, "traceparent") == [FOREIGN]


NAMES = (
    "traceparent",
    "tracestate",
    "baggage",
    "headwater-ctx",
    "headwater-role",
    "headwater-attempt",
    "ce_id",
)


@pytest.mark.parametrize(
    "value", [None, b"", b"\xff", b"\xb2", b"9" * 19, b"x" * 10_000], ids=lambda v: repr(v)[:12]
)
async def test_odd_values_hurt_nobody(rig: Rig, value: bytes | None) -> None:
    headers = [(name, value) for name in NAMES]
    producer = await rig.producer()
    await producer.send_and_wait("orders", b"sent", headers=headers)
    AIOKafkaInstrumentor().uninstrument()
    await producer.send_and_wait("orders", b"foreign", headers=headers)
    rig.instrument()
    consumer = await rig.consumer("orders")
    assert {record.value for record in await got(consumer, 2)} == {b"sent", b"foreign"}
    await consumer.stop()
    assert guard.errors == {}
    assert len(rig.spans("process orders")) == 2
    for span in rig.spans():
        for number in attributes(span).values():
            assert not isinstance(number, int) or -(2**63) <= number < 2**63


@pytest.mark.parametrize("later", [b"", b"\xff", b"00-zz", b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-01"])
async def test_of_several_traceparents_the_last_valid_one_wins(rig: Rig, later: bytes) -> None:
    AIOKafkaInstrumentor().uninstrument()
    producer = await rig.producer()
    other = FOREIGN.replace("b7ad", "c8be")
    headers = [("traceparent", other.encode()), ("traceparent", FOREIGN.encode()), ("traceparent", later)]
    await producer.send_and_wait("orders", b"1", headers=headers)
    rig.instrument()
    consumer = await rig.consumer("orders")
    await got(consumer, 1)
    await consumer.stop()
    assert f"{parent_id(rig.span('process orders')):016x}" == FOREIGN.split("-")[2]


async def test_baggage_is_visible_in_the_body(rig: Rig) -> None:
    producer = await rig.producer()
    token = context.attach(baggage.set_baggage("tenant", "blue"))
    await producer.send_and_wait("orders", b"1")
    context.detach(token)
    consumer = await rig.consumer("orders")
    await got(consumer, 1)
    assert baggage.get_baggage("tenant") == "blue"
    await consumer.stop()
    assert baggage.get_baggage("tenant") is None


async def test_long_baggage_is_read(rig: Rig) -> None:
    producer = await rig.producer()
    token = context.attach(baggage.set_baggage("tenant", "b" * 3_000))
    await producer.send_and_wait("orders", b"1")
    context.detach(token)
    consumer = await rig.consumer("orders")
    await got(consumer, 1)
    assert baggage.get_baggage("tenant") == "b" * 3_000


async def test_without_an_sdk_headers_are_the_callers(rig: Rig) -> None:
    rig.instrument(tracer_provider=None)
    producer = await rig.producer()
    await producer.send_and_wait("orders", b"1", headers=[("a", b"1")])
    (record,) = await rig.raw("orders")
    assert record.headers == (("a", b"1"),)


async def test_without_an_sdk_a_trace_is_passed_on_and_nothing_of_ours_added(rig: Rig) -> None:
    AIOKafkaInstrumentor().uninstrument()
    producer = await rig.producer()
    await producer.send_and_wait("orders", b"1", headers=[("traceparent", FOREIGN.encode())])
    rig.instrument(tracer_provider=None)
    consumer = await rig.consumer("orders")
    await got(consumer, 1)
    await producer.send_and_wait("invoices", b"2")
    (record,) = await rig.raw("invoices")
    assert record.headers == (("traceparent", FOREIGN.encode()),)


async def test_what_is_sampled_out_still_carries_its_lineage(rig: Rig) -> None:
    rig.instrument(tracer_provider=provider_of(rig.exporter, sampler=ALWAYS_OFF))
    producer = await rig.producer()
    await producer.send_and_wait("orders", b"1")
    (record,) = await rig.raw("orders")
    (header,) = values(record.headers, "traceparent")
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[02]", header)
    assert len(values(record.headers, "headwater-ctx")) == 1
    assert rig.spans() == []


async def test_the_lineage_can_be_switched_off(rig: Rig) -> None:
    rig.instrument({"ctx_header": "off"})
    producer = await rig.producer()
    await producer.send_and_wait("orders", b"1")
    (record,) = await rig.raw("orders")
    assert [key for key, _ in record.headers] == ["traceparent"]
