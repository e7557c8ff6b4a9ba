"""What a service says itself: batches, handlers, outcomes, breakers, compensations."""

import asyncio
import inspect
from typing import Any

import pytest
from aiokafka import TopicPartition
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.trace import StatusCode

from headwater_instrumentation import attributes as names
from headwater_instrumentation import (
    current_event,
    mark_compensation,
    process,
    process_batch,
    processor,
    record_breaker,
    record_outcome,
)
from instrumentation_helpers import Rig, attributes, got, parent_id, span_id, values


async def batch_of(rig: Rig, number: int, **config: str) -> tuple[Any, list[Any]]:
    """A consumer and so many records of one partition, as one getmany gave them."""
    rig.instrument(config)
    producer = await rig.producer()
    await asyncio.gather(*[await producer.send("orders", b"%d" % i, partition=0) for i in range(number)])
    consumer = await rig.consumer("orders")
    async with asyncio.timeout(20):
        while True:
            batch = await consumer.getmany(timeout_ms=500)
            records = [record for part in batch.values() for record in part]
            if len(records) == number:
                return consumer, records
            consumer.seek(TopicPartition("orders", 0), 0)


async def test_process_batch_takes_over_the_poll_s_own_body(rig: Rig) -> None:
    consumer, records = await batch_of(rig, 3)
    before = len(rig.spans("process"))
    async with process_batch(records) as batch:
        with rig.tracer.start_as_current_span("work"):
            batch.fail(records[1], ValueError("secret"))
    await consumer.stop()
    assert len(rig.spans("process")) == before + 1
    body = rig.spans("process")[-1]
    assert parent_id(rig.span("work")) == span_id(body)
    assert body.status.status_code is StatusCode.ERROR and attributes(body)[names.ERROR_TYPE] == "ValueError"
    (event,) = body.events
    assert event.name == names.FAILED_EVENT and event.attributes is not None
    assert event.attributes[names.OFFSET] == 1 and "secret" not in str(dict(event.attributes))


async def test_a_part_of_a_batch_has_a_span_of_its_own(rig: Rig) -> None:
    consumer, records = await batch_of(rig, 4, process_span="explicit")
    for part in (records[:2], records[2:]):
        with process_batch(part):
            pass
    await consumer.stop()
    bodies = rig.spans("process orders")
    assert [attributes(span)[names.OFFSETS] for span in bodies] == [("orders:0:0-1",), ("orders:0:2-3",)]
    assert [attributes(span)[names.GROUP] for span in bodies] == ["g", "g"]
    assert {link.context.span_id for span in bodies for link in span.links} == {
        span_id(span) for span in rig.spans("send")
    }
    assert all(span.status.status_code is StatusCode.UNSET for span in bodies)


async def test_errors_of_several_kinds_and_the_body_s_own(rig: Rig) -> None:
    consumer, records = await batch_of(rig, 2, process_span="explicit")
    with process_batch(records) as batch:
        batch.fail(records[0], ValueError())
        batch.fail(records[1], LookupError())
    with pytest.raises(KeyError), process_batch(records) as batch:
        batch.fail(records[0], ValueError())
        raise KeyError
    await consumer.stop()
    assert [attributes(s)[names.ERROR_TYPE] for s in rig.spans("process")] == ["multiple", "KeyError"]


@pytest.mark.parametrize("odd", [None, [], [object()], 7])
def test_a_batch_of_something_else_hurts_nobody(odd: Any) -> None:
    with pytest.raises(LookupError), process_batch(odd) as batch:
        batch.fail(object(), ValueError())
        raise LookupError


async def test_processor_covers_functions_methods_and_batches(rig: Rig) -> None:
    consumer, records = await batch_of(rig, 2, process_span="explicit")

    @processor
    async def one(record: Any) -> Any:
        return current_event()

    @processor
    def many(given: list[Any]) -> int:
        return len(given)

    class Handler:
        @processor
        def method(self, record: Any, factor: int) -> int:
            return int(record.offset) * factor

        @processor
        async def named(self, *, message: Any) -> None:
            raise ValueError

    assert inspect.iscoroutinefunction(one) and not inspect.iscoroutinefunction(many)
    event = await one(records[1])
    assert event is not None and event.offset == 1
    assert many(records) == 2
    assert Handler().method(records[1], 5) == 5
    with pytest.raises(ValueError):
        await Handler().named(message=records[0])
    assert many([]) == 0
    await consumer.stop()
    bodies = rig.spans("process orders")
    assert [attributes(span).get(names.OFFSET) for span in bodies] == [1, None, 1, 0]
    assert bodies[3].status.status_code is StatusCode.ERROR
    assert current_event() is None


async def test_outcomes_of_a_record_and_inside_a_batch(rig: Rig) -> None:
    consumer, records = await batch_of(rig, 2, process_span="explicit")
    with process(records[0]):
        record_outcome("deduplicated")
    with process_batch(records):
        record_outcome("skipped", record=records[1])
    record_outcome("nobody hears this")
    await consumer.stop()
    single, batch = rig.spans("process orders")
    assert attributes(single)[names.OUTCOME] == "deduplicated"
    assert names.OUTCOME not in attributes(batch)
    (event,) = batch.events
    assert event.attributes is not None
    assert (event.attributes[names.OFFSET], event.attributes[names.OUTCOME]) == (1, "skipped")


async def test_a_compensation_names_the_event_it_takes_back(rig: Rig) -> None:
    producer = await rig.producer()
    await producer.send_and_wait("orders", b"1")
    (order,) = await got(await rig.consumer("orders"), 1)
    with process(order):
        await producer.send_and_wait("refunds", b"1", headers=mark_compensation(order))
    (refund,) = await got(await rig.consumer("refunds", group_id="r"), 1)
    with process(refund):
        # Headers copied along to a message that merely follows from the refund.
        await producer.send_and_wait("mails", b"1", headers=list(refund.headers))
    sent = attributes(rig.span("send orders"))[names.EVENT_ID]
    assert values(refund.headers, "headwater-compensates") == [sent]
    assert attributes(rig.span("send refunds"))[names.COMPENSATES] == sent
    assert attributes(rig.span("send refunds"))[names.EVENT_ID] != sent
    assert attributes(rig.span("process refunds"))[names.COMPENSATES] == sent
    assert names.COMPENSATES not in attributes(rig.span("send mails"))


@pytest.mark.parametrize("odd", [None, object()])
def test_a_compensation_of_something_else_is_empty(odd: Any) -> None:
    assert mark_compensation(odd) == []


async def test_a_breaker_is_an_event_and_a_count(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    monkeypatch.setattr(metrics, "get_meter", provider.get_meter)
    with rig.tracer.start_as_current_span("work"):
        record_breaker("cards", "open")
        record_breaker("cards", "ajar")
        record_breaker("cards", "half_open")
    record_breaker("cards", "open")
    (work,) = rig.spans("work")
    assert [(event.attributes or {})[names.BREAKER_STATE] for event in work.events] == ["open", "half_open"]
    found = reader.get_metrics_data()
    assert found is not None
    (metric,) = found.resource_metrics[0].scope_metrics[0].metrics
    assert metric.name == "headwater.breaker.changes"
    counts = {(p.attributes or {})[names.BREAKER_STATE]: p.value for p in metric.data.data_points}  # type: ignore[union-attr]
    assert counts == {"open": 2, "half_open": 1}
    provider.shutdown()
