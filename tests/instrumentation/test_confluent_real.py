"""confluent-kafka over Apache Kafka: acknowledgements, commits, transactions, KIP-848 groups."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import confluent_kafka
import pytest
from confluent_kafka import TopicPartition
from opentelemetry.trace import StatusCode

from blocking_helpers import ConfluentRig, polled, until_now
from headwater_instrumentation import ConfluentKafkaInstrumentor
from headwater_instrumentation import attributes as names
from headwater_instrumentation.guard import guard
from instrumentation_helpers import attributes, parent_id, span_id
from kafka_harness import KafkaBroker

pytestmark = pytest.mark.kafka


@pytest.fixture
def topic(kafka: KafkaBroker) -> str:
    """A topic with two partitions that no other test uses."""
    name = f"librdkafka-{uuid4().hex[:8]}"
    kafka.create_topic(name, 2)
    return name


@pytest.fixture
def real(kafka: KafkaBroker) -> Iterator[ConfluentRig]:
    made = ConfluentRig(kafka.bootstrap)
    made.instrument()
    with made.stack:
        yield made
    ConfluentKafkaInstrumentor().uninstrument()


def sent(rig: ConfluentRig, topic: str) -> Any:
    producer = rig.producer()
    for partition in (0, 1):
        producer.produce(topic, b"1", partition=partition)
    assert producer.flush(10) == 0
    return producer


def test_all_spans_name_the_cluster(real: ConfluentRig, topic: str, kafka: KafkaBroker) -> None:
    producer = sent(real, topic)
    producer.produce(topic, b"2", partition=0)
    producer.flush(10)
    consumer = real.consumer(topic, group_id=topic)
    polled(consumer, 3)
    consumer.commit(asynchronous=False)
    consumer.close()
    found = kafka.admin().list_topics(timeout=60).cluster_id
    last = [real.spans(f"{name} {topic}")[-1] for name in ("send", "process", "commit")]
    assert [attributes(span)[names.CLUSTER_ID] for span in last] == [found] * 3
    assert not guard.errors


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_commits_of_every_kind(real: ConfluentRig, topic: str, protocol: str) -> None:
    """Of one message, of named offsets, of what was handed out; at once or later."""
    sent(real, topic)
    reported: list[Any] = []
    consumer = real.consumer(
        topic,
        group_id=f"{topic}-{protocol}",
        group_protocol=protocol,
        on_commit=lambda error, places: reported.append((error, [place.offset for place in places])),
    )
    messages = polled(consumer, 2)
    body = real.spans(f"send {topic}")
    consumer.commit(messages[1], asynchronous=False)
    consumer.commit(messages[0])
    consumer.commit(offsets=[TopicPartition(topic, 0, 1), TopicPartition(topic, 1, 1)])
    until_now(lambda: consumer.poll(0.1) is None and len(reported) == 2)
    consumer.close()
    commits = real.spans(f"commit {topic}")
    places = [f"{topic}:{message.partition()}:1" for message in (messages[1], messages[0])]
    assert [attributes(span)[names.OFFSETS] for span in commits] == [
        (places[0],),
        (places[1],),
        (f"{topic}:0:1", f"{topic}:1:1"),
    ]
    assert len(body) == 2
    assert {parent_id(span) for span in commits} == {span_id(real.spans("process")[1])}
    assert not any(names.COMMIT_AUTOMATIC in attributes(span) for span in commits)
    assert all(error is None for error, _ in reported)


def test_automatic_commits_are_roots_and_say_so(real: ConfluentRig, topic: str) -> None:
    sent(real, topic)
    consumer = real.consumer(topic, group_id=topic, enable_auto_commit=True, auto_commit_interval_ms=100)
    polled(consumer, 2)
    until_now(lambda: consumer.poll(0.1) is None and real.spans("commit"))
    consumer.close()
    commits = real.spans("commit")
    assert all(parent_id(span) is None for span in commits)
    assert all(attributes(span)[names.COMMIT_AUTOMATIC] is True for span in commits)
    assert {text for span in commits for text in attributes(span)[names.OFFSETS]} >= {f"{topic}:0:1"}


def test_a_commit_that_fails_says_so(real: ConfluentRig, topic: str) -> None:
    """Nothing handed out; a topic that is not there."""
    # Without topics: confluent-kafka 2.16 can hang for ever in a close() that meets a join, whoever records.
    consumer = real.consumer(group_id=topic)
    with pytest.raises(confluent_kafka.KafkaException):
        consumer.commit(asynchronous=False)
    with pytest.raises(confluent_kafka.KafkaException):
        consumer.commit(offsets=[TopicPartition("no-such-topic-here", 0, 1)], asynchronous=False)
    consumer.close()
    kinds = [attributes(span)[names.ERROR_TYPE] for span in real.spans("commit")]
    assert kinds == ["_NO_OFFSET", "UNKNOWN_TOPIC_OR_PART"]


def test_a_message_that_the_broker_refuses(real: ConfluentRig, kafka: KafkaBroker) -> None:
    name = f"narrow-{uuid4().hex[:8]}"
    kafka.create_topic(name, 1, {"max.message.bytes": "500"})
    told: list[str] = []
    producer = real.producer()
    producer.produce(name, b"x" * 5000, callback=lambda error, message: told.append(error.name()))
    producer.flush(10)
    span = real.span(f"send {name}")
    assert told == ["MSG_SIZE_TOO_LARGE"] == [attributes(span)[names.ERROR_TYPE]]
    assert span.status.status_code is StatusCode.ERROR


@pytest.mark.parametrize("end", ["committed", "aborted"])
def test_a_transaction_with_its_sends_and_offsets(real: ConfluentRig, topic: str, end: str) -> None:
    sent(real, topic)
    consumer = real.consumer(topic, group_id=topic)
    polled(consumer, 2)
    producer = real.producer(transactional_id=f"t-{topic}-{end}")
    producer.init_transactions(20)
    real.exporter.clear()
    producer.begin_transaction()
    producer.produce(topic, b"in it", partition=0)
    producer.send_offsets_to_transaction(
        [TopicPartition(topic, 0, 1)], consumer.consumer_group_metadata(), 20
    )
    if end == "committed":
        producer.commit_transaction(20)
    else:
        producer.flush(10)
        producer.abort_transaction(20)
    consumer.close()
    whole, send, commit = (real.span(name) for name in ("transaction", f"send {topic}", f"commit {topic}"))
    assert attributes(whole)[names.TRANSACTION_OUTCOME] == end
    assert {parent_id(send), parent_id(commit)} == {span_id(whole)}
    assert {attributes(span)[names.TRANSACTION_ID] for span in (whole, send, commit)} == {f"t-{topic}-{end}"}
    assert (attributes(commit)[names.GROUP], attributes(commit)[names.OFFSETS]) == (topic, (f"{topic}:0:1",))
    assert not guard.errors
