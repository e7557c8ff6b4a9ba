"""kafka-python over Apache Kafka: acknowledgements, commits, transactions."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import kafka as client
import pytest
from kafka import OffsetAndMetadata, TopicPartition

from blocking_helpers import KafkaPythonRig, until_now
from headwater_instrumentation import KafkaPythonInstrumentor
from headwater_instrumentation import attributes as names
from headwater_instrumentation.guard import guard
from instrumentation_helpers import attributes, parent_id, span_id
from kafka_harness import KafkaBroker

pytestmark = pytest.mark.kafka


@pytest.fixture
def topic(kafka: KafkaBroker) -> str:
    """A topic with two partitions that no other test uses."""
    name = f"pure-{uuid4().hex[:8]}"
    kafka.create_topic(name, 2)
    return name


@pytest.fixture
def real(kafka: KafkaBroker) -> Iterator[KafkaPythonRig]:
    made = KafkaPythonRig(kafka.bootstrap)
    made.instrument()
    with made.stack:
        yield made
    KafkaPythonInstrumentor().uninstrument()


def sent(rig: KafkaPythonRig, topic: str) -> None:
    producer = rig.producer()
    for partition in (0, 1):
        producer.send(topic, b"1", partition=partition).get(10)


def test_commits_that_are_asked_for(real: KafkaPythonRig, topic: str, kafka: KafkaBroker) -> None:
    sent(real, topic)
    consumer = real.consumer(topic, group_id=topic)
    next(consumer)
    record = next(consumer)
    place = TopicPartition(topic, record.partition)
    consumer.commit()
    consumer.commit({place: OffsetAndMetadata(1, "", -1)})
    told: list[Any] = []
    consumer.commit_async({place: OffsetAndMetadata(1, "", -1)}, lambda *answer: told.append(answer))
    until_now(lambda: (consumer.poll(50), told and len(real.spans("commit")) == 3)[1])
    consumer.close()
    commits = real.spans(f"commit {topic}")
    one = (f"{topic}:{record.partition}:1",)
    assert [attributes(span)[names.OFFSETS] for span in commits] == [
        (f"{topic}:0:1", f"{topic}:1:1"),
        one,
        one,
    ]
    assert {parent_id(span) for span in commits} == {span_id(real.spans("process")[1])}
    assert not any(names.COMMIT_AUTOMATIC in attributes(span) for span in commits)
    assert {attributes(span)[names.GROUP] for span in commits} == {topic}
    found = kafka.admin().list_topics(timeout=60).cluster_id
    assert {attributes(span)[names.CLUSTER_ID] for span in (*commits, *real.spans("process"))} == {found}
    assert not guard.errors


def test_automatic_commits_are_roots_and_say_so(real: KafkaPythonRig, topic: str) -> None:
    sent(real, topic)
    consumer = real.consumer(topic, group_id=topic, enable_auto_commit=True, auto_commit_interval_ms=100)
    assert {next(consumer).partition for _ in range(2)} == {0, 1}
    until_now(lambda: (consumer.poll(20), real.spans("commit"))[1])
    consumer.close()
    commits = real.spans("commit")
    assert all(parent_id(span) is None for span in commits)
    assert all(attributes(span)[names.COMMIT_AUTOMATIC] is True for span in commits)
    assert (f"{topic}:0:1", f"{topic}:1:1") in [attributes(span)[names.OFFSETS] for span in commits]


def test_a_commit_that_fails_says_so(real: KafkaPythonRig, topic: str) -> None:
    """Offsets for a group that somebody else is a member of."""
    sent(real, topic)
    member = real.consumer(topic, group_id=topic)
    next(member)
    stranger = real.consumer(group_id=topic)
    stranger.assign([TopicPartition(topic, 0)])
    with pytest.raises(client.errors.KafkaError) as caught:
        stranger.commit({TopicPartition(topic, 0): OffsetAndMetadata(1, "", -1)})
    span = real.span(f"commit {topic}")
    assert attributes(span)[names.ERROR_TYPE] == type(caught.value).__name__


def test_a_message_that_the_broker_refuses(real: KafkaPythonRig, kafka: KafkaBroker) -> None:
    name = f"narrow-{uuid4().hex[:8]}"
    kafka.create_topic(name, 1, {"max.message.bytes": "500"})
    future = real.producer().send(name, b"x" * 5000)
    with pytest.raises(client.errors.MessageSizeTooLargeError):
        future.get(20)
    until_now(lambda: real.spans("send"))
    assert attributes(real.span(f"send {name}"))[names.ERROR_TYPE] == "MessageSizeTooLargeError"


@pytest.mark.parametrize("end", ["committed", "aborted"])
def test_a_transaction_with_its_sends_and_offsets(real: KafkaPythonRig, topic: str, end: str) -> None:
    sent(real, topic)
    consumer = real.consumer(topic, group_id=topic)
    next(consumer)
    producer = real.producer(transactional_id=f"t-{topic}-{end}")
    producer.init_transactions()
    real.exporter.clear()
    producer.begin_transaction()
    future = producer.send(topic, b"in it", partition=0)
    producer.send_offsets_to_transaction(
        {TopicPartition(topic, 0): OffsetAndMetadata(1, "", -1)}, consumer.group_metadata()
    )
    future.get(20)
    if end == "committed":
        producer.commit_transaction()
    else:
        producer.abort_transaction()
    until_now(lambda: real.spans("send"))
    whole, send, commit = (real.span(name) for name in ("transaction", f"send {topic}", f"commit {topic}"))
    assert attributes(whole)[names.TRANSACTION_OUTCOME] == end
    assert parent_id(commit) == span_id(whole)
    assert {attributes(span)[names.TRANSACTION_ID] for span in (whole, send, commit)} == {f"t-{topic}-{end}"}
    assert (attributes(commit)[names.GROUP], attributes(commit)[names.OFFSETS]) == (topic, (f"{topic}:0:1",))
    assert not guard.errors
