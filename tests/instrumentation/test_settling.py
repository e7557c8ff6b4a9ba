"""Commits, asked for and automatic, and transactions, over Apache Kafka."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, IllegalOperation, IllegalStateError
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from headwater_instrumentation import attributes as names
from headwater_instrumentation import process
from headwater_instrumentation.guard import guard
from instrumentation_helpers import Rig, attributes, got, parent_id, provider_of, span_id, until
from kafka_harness import KafkaBroker

pytestmark = pytest.mark.kafka


@pytest.fixture
def topic(kafka: KafkaBroker) -> str:
    """A topic with two partitions that no other test uses."""
    name = f"settled-{uuid4().hex[:8]}"
    kafka.create_topic(name, 2)
    return name


@pytest.fixture
async def real(kafka: KafkaBroker) -> AsyncIterator[Rig]:
    exporter = InMemorySpanExporter()
    made = Rig(kafka.bootstrap, provider_of(exporter), exporter)
    made.instrument()
    yield made
    await made.stack.aclose()


async def sent(rig: Rig, topic: str) -> None:
    producer = await rig.producer()
    for partition in (0, 1):
        await producer.send_and_wait(topic, b"1", partition=partition)


async def test_a_commit_is_a_child_of_the_handler_with_its_offsets(real: Rig, topic: str) -> None:
    await sent(real, topic)
    consumer = await real.consumer(topic, group_id=topic)
    for record in await got(consumer, 2):
        async with process(record):
            await consumer.commit({TopicPartition(topic, record.partition): record.offset + 1})
    await consumer.commit({TopicPartition(topic, 0): (1, "with metadata"), TopicPartition(topic, 1): 1})
    first, second, last = real.spans("commit")
    bodies = real.spans("process")
    # getone of the second record came before the first's process().
    assert {parent_id(first), parent_id(second)} <= {span_id(body) for body in bodies}
    assert first.name == f"commit {topic}" and first.kind is SpanKind.CLIENT
    said = attributes(last)
    assert said[names.OFFSETS] == (f"{topic}:0:1", f"{topic}:1:1")
    assert said[names.GROUP] == topic and said[names.OPERATION_TYPE] == "settle"
    assert names.CLUSTER_ID in said and names.COMMIT_AUTOMATIC not in said
    assert await consumer.committed(TopicPartition(topic, 0)) == 1
    assert not guard.errors


async def test_automatic_commits_are_roots_and_say_so(real: Rig, topic: str) -> None:
    await sent(real, topic)
    with real.tracer.start_as_current_span("start-up"):
        consumer = await real.consumer(
            topic, group_id=topic, enable_auto_commit=True, auto_commit_interval_ms=100
        )
    await got(consumer, 2)
    await until(
        lambda: any(
            attributes(span)[names.OFFSETS] == (f"{topic}:0:1", f"{topic}:1:1")
            for span in real.spans("commit")
        )
    )
    commits = real.spans("commit")
    assert all(parent_id(span) is None for span in commits)
    assert all(attributes(span)[names.COMMIT_AUTOMATIC] is True for span in commits)


async def test_commits_that_fail_say_so_and_still_fail(real: Rig, topic: str, kafka: KafkaBroker) -> None:
    await sent(real, topic)
    consumer = await real.consumer(topic, group_id=topic)
    await got(consumer, 1)
    with pytest.raises(IllegalStateError):
        await consumer.commit({TopicPartition("not-assigned", 0): 1})
    assert real.spans("commit") == []
    # What a member that was thrown out of its group has in its hands: a generation that is over.
    consumer._coordinator.generation += 7
    with pytest.raises(CommitFailedError):
        await consumer.commit()
    (commit,) = real.spans("commit")
    assert commit.status.status_code is StatusCode.ERROR
    assert attributes(commit)[names.ERROR_TYPE] == "IllegalGenerationError"


async def test_a_transaction_holds_its_sends_and_its_offsets(real: Rig, topic: str) -> None:
    await sent(real, topic)
    consumer = await real.consumer(topic, group_id=topic)
    (record,) = await got(consumer, 1)
    producer = await real.producer(transactional_id=topic)
    async with process(record):
        async with producer.transaction():
            await producer.send_and_wait(topic, b"2", partition=0)
            place = TopicPartition(topic, record.partition)
            await producer.send_offsets_to_transaction({place: record.offset + 1}, topic)
    whole = real.span("transaction")
    inner, commit = real.spans(f"send {topic}")[-1], real.span(f"commit {topic}")
    body = next(span for span in real.spans("process") if span_id(span) == parent_id(whole))
    assert attributes(body)[names.OFFSET] == record.offset
    assert parent_id(inner) == parent_id(commit) == span_id(whole)
    assert attributes(whole)[names.TRANSACTION_OUTCOME] == "committed"
    assert {attributes(span)[names.TRANSACTION_ID] for span in (whole, inner, commit)} == {topic}
    assert attributes(commit)[names.OFFSETS] == (f"{topic}:{record.partition}:{record.offset + 1}",)
    # It is over: what is sent next belongs to nothing.
    plain = await real.producer()
    await plain.send_and_wait(topic, b"3")
    assert parent_id(real.spans(f"send {topic}")[-1]) is None


async def test_an_aborted_transaction_says_so(real: Rig, topic: str) -> None:
    producer = await real.producer(transactional_id=topic)
    with pytest.raises(LookupError):
        async with producer.transaction():
            await producer.send_and_wait(topic, b"1")
            raise LookupError
    whole = real.span("transaction")
    assert attributes(whole)[names.TRANSACTION_OUTCOME] == "aborted"
    assert parent_id(real.span(f"send {topic}")) == span_id(whole)


async def test_handlers_inside_one_transaction_keep_their_own_flows(real: Rig, topic: str) -> None:
    await sent(real, topic)
    consumer = await real.consumer(topic, group_id=topic)
    producer = await real.producer(transactional_id=topic)
    senders = {span_id(span) for span in real.spans("send")}
    await producer.begin_transaction()
    for _ in range(2):
        (record,) = await got(consumer, 1)
        async with process(record):
            await producer.send_and_wait(topic, b"2", partition=0)
    await producer.commit_transaction()
    whole = real.span("transaction")
    bodies = real.spans("process")[:2]
    assert {parent_id(span) for span in bodies} == senders
    inner = real.spans(f"send {topic}")[2:]
    assert {parent_id(span) for span in inner} == {span_id(span) for span in bodies}
    assert [[link.context.span_id for link in span.links] for span in inner] == [[span_id(whole)]] * 2


async def test_ends_that_fail_leave_the_transaction_to_the_abort(real: Rig, topic: str) -> None:
    producer = await real.producer(transactional_id=topic)
    with pytest.raises(IllegalOperation):
        await producer.send_offsets_to_transaction({}, topic)
    await producer.begin_transaction()
    with pytest.raises(ValueError):
        await producer.send_offsets_to_transaction({TopicPartition(topic, 0): 1}, "")
    await producer.abort_transaction()
    # What aiokafka answers where nothing was begun.
    with pytest.raises((IllegalOperation, AssertionError)):
        await producer.commit_transaction()
    assert attributes(real.span("transaction"))[names.TRANSACTION_OUTCOME] == "aborted"
    (commit,) = real.spans("commit")
    assert attributes(commit)[names.ERROR_TYPE] == "ValueError"


async def test_nothing_of_ours_that_fails_hurts_a_commit_or_a_transaction(real: Rig, topic: str) -> None:
    class Broken:
        def get_tracer(self, *args: Any, **kwargs: Any) -> Any:
            return self

        def start_span(self, *args: Any, **kwargs: Any) -> Any:
            raise RuntimeError("no span today")

    real.instrument(tracer_provider=Broken())
    producer = await real.producer(transactional_id=topic)
    consumer = await real.consumer(topic, group_id=topic)
    async with producer.transaction():
        await producer.send_and_wait(topic, b"1", partition=0)
        await producer.send_offsets_to_transaction({TopicPartition(topic, 0): 1}, topic)
    await got(consumer, 1)
    await consumer.commit()
    # The broker shows a transaction's offsets once its marker is written, a moment after the answer.
    async with asyncio.timeout(20):
        while await consumer.committed(TopicPartition(topic, 0)) != 1:
            await asyncio.sleep(0.05)
    assert guard.errors["commit"] and guard.errors["transaction"] >= 1
