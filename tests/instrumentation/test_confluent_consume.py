"""confluent-kafka's consumer over the embedded broker."""

import threading
from typing import Any

import confluent_kafka
import pytest
from confluent_kafka import TopicPartition
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

from blocking_helpers import ConfluentRig, polled, until_now
from headwater_instrumentation import attributes as names
from headwater_instrumentation import current_event, process, process_batch, processor
from headwater_instrumentation.guard import guard
from instrumentation_helpers import attributes, parent_id, span_id


def sent(rig: ConfluentRig, number: int, topic: str = "orders", **more: Any) -> None:
    producer = rig.producer()
    for i in range(number):
        producer.produce(topic, b"%d" % i, **{"partition": 0, **more})
    assert producer.flush(10) == 0


def test_the_body_after_poll_has_the_senders_span_as_parent(confluent: ConfluentRig) -> None:
    sent(confluent, 2)
    consumer = confluent.consumer("orders", client_id="reader")
    producer = confluent.producer()
    for _ in range(2):
        message = until_now(lambda: consumer.poll(0.5))
        event = current_event()
        assert event is not None and (message.partition(), message.offset()) == (
            0,
            len(confluent.spans("process")),
        )
        with confluent.tracer.start_as_current_span("work"):
            producer.produce("invoices", b"x", partition=0)
    assert consumer.poll(0.1) is None
    assert not trace.get_current_span().get_span_context().is_valid
    producer.flush(10)
    bodies, work = confluent.spans("process orders"), confluent.spans("work")
    sends, onward = confluent.spans("send orders"), confluent.spans("send invoices")
    assert [parent_id(body) for body in bodies] == [span_id(send) for send in sends]
    assert [parent_id(one) for one in work] == [span_id(body) for body in bodies]
    assert [parent_id(one) for one in onward] == [span_id(one) for one in work]
    said = attributes(bodies[0])
    assert (said[names.PARTITION], said[names.OFFSET], said[names.GROUP]) == ("0", 0, "g")
    assert said[names.CLIENT_ID] == "reader" and names.RECORD_TS in said
    assert [attributes(one)[names.CAUSE] for one in onward] == ["orders:0:0", "orders:0:1"]
    assert [attributes(one)[names.EVENT_PARENT_ID] for one in onward] == [
        attributes(body)[names.EVENT_ID] for body in bodies
    ]
    assert bodies[0].kind is SpanKind.CONSUMER and len(bodies[0].links) == 1
    assert not guard.errors


def test_nothing_and_the_end_of_a_partition_are_no_messages(confluent: ConfluentRig) -> None:
    sent(confluent, 1)
    consumer = confluent.consumer("orders", enable_partition_eof=True)
    ends, good = 0, 0
    while not (good and ends):
        message = until_now(lambda: consumer.poll(0.5))
        if message.error() is None:
            good += 1
        else:
            ends += 1
            assert current_event() is None
    assert consumer.consume(5, 0.1) is not None
    consumer.close()
    assert len(confluent.spans("process")) == 1
    assert confluent.spans("poll") == []


@pytest.mark.parametrize(
    "value", [None, b"", b"\xff\xfe", b"x" * 10_000], ids=["none", "empty", "bytes", "long"]
)
def test_bad_headers_cost_no_message(confluent: ConfluentRig, value: bytes | None) -> None:
    ours = ("traceparent", "tracestate", "baggage", "headwater-ctx", "headwater-role")
    confluent.instrument({"topics_exclude": "orders"})
    sent(confluent, 1, headers=[(name, value) for name in ours])
    confluent.instrument()
    consumer = confluent.consumer("orders")
    (message,) = polled(consumer, 1)
    assert message.value() == b"0"
    consumer.close()
    assert parent_id(confluent.span("process orders")) is None
    assert not guard.errors


def test_an_error_that_leaves_through_close_is_the_bodys(confluent: ConfluentRig) -> None:
    sent(confluent, 1)
    consumer = confluent.consumer("orders")
    with pytest.raises(ValueError):
        try:
            polled(consumer, 1)
            raise ValueError
        finally:
            consumer.close()
    assert attributes(confluent.span("process orders"))[names.ERROR_TYPE] == "ValueError"


def test_an_error_that_leaves_a_with_block_is_the_bodys(confluent: ConfluentRig) -> None:
    sent(confluent, 1)
    settings = confluent.consuming({})
    with pytest.raises(ValueError), confluent_kafka.Consumer(settings) as consumer:
        consumer.subscribe(["orders"])
        polled(consumer, 1)
        raise ValueError
    assert attributes(confluent.span("process orders"))[names.ERROR_TYPE] == "ValueError"


def test_a_handled_error_is_told_by_the_send_that_answers_it(confluent: ConfluentRig) -> None:
    sent(confluent, 1)
    consumer, producer = confluent.consumer("orders"), confluent.producer()
    (message,) = polled(consumer, 1)
    try:
        raise KeyError
    except KeyError:
        producer.produce("orders.dlq", message.value(), headers=message.headers())
    producer.flush(10)
    consumer.close()
    assert attributes(confluent.span("send orders.dlq"))[names.WHILE_HANDLING] == "KeyError"
    assert attributes(confluent.span("process orders"))[names.HANDLED_ERROR] == "KeyError"


def test_a_batch_is_one_poll_and_one_body(confluent: ConfluentRig) -> None:
    sent(confluent, 500)
    consumer = confluent.consumer("orders", max_poll_interval_ms=300000)
    seen: list[Any] = []
    while len(seen) < 500:
        seen += consumer.consume(500, 1.0)
    consumer.close()
    polls, bodies = confluent.spans("poll orders"), confluent.spans("process orders")
    assert len(polls) == len(bodies) < 500
    assert sum(attributes(span)[names.BATCH_COUNT] for span in polls) == 500
    offsets = [text for span in polls for text in attributes(span)[names.OFFSETS]]
    assert offsets[0].startswith("orders:0:0") and offsets[-1].endswith("499")
    assert all(len(span.links) == min(attributes(span)[names.BATCH_COUNT], 120) for span in polls)
    assert [parent_id(body) for body in bodies] == [None] * len(bodies)


def test_process_takes_over_a_message_and_a_batch(confluent: ConfluentRig) -> None:
    sent(confluent, 3)
    consumer = confluent.consumer("orders")
    (message,) = polled(consumer, 1)
    with process(message):
        pass
    rest: list[Any] = []
    while len(rest) < 2:
        messages = consumer.consume(2, 0.5)
        if messages:
            with process_batch(messages) as batch:
                batch.fail(messages[0], ValueError())
            rest += messages
    consumer.close()
    one, *batches = confluent.spans("process orders")
    assert parent_id(one) == span_id(confluent.spans("send orders")[0])
    assert sum(attributes(span)[names.BATCH_COUNT] for span in batches) == 2
    assert all(attributes(span)[names.ERROR_TYPE] == "ValueError" for span in batches)


def test_a_processor_knows_a_message(confluent: ConfluentRig) -> None:
    sent(confluent, 1)
    consumer = confluent.consumer("orders")

    @processor
    def handle(message: Any) -> None:
        raise LookupError

    (message,) = polled(consumer, 1)
    with pytest.raises(LookupError):
        handle(message)
    consumer.close()
    assert attributes(confluent.span("process orders"))[names.ERROR_TYPE] == "LookupError"


def test_the_next_poll_may_be_on_another_thread(
    confluent: ConfluentRig, caplog: pytest.LogCaptureFixture
) -> None:
    sent(confluent, 2)
    consumer = confluent.consumer("orders")
    polled(consumer, 1)
    first = trace.get_current_span()
    assert first.is_recording()
    left: list[Any] = []

    def elsewhere() -> None:
        polled(consumer, 1)
        consumer.close()
        left.append(trace.get_current_span())

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join(20)
    assert len(confluent.spans("process orders")) == 2
    assert not first.is_recording() and not left[0].get_span_context().is_valid
    second = confluent.spans("process orders")[1]
    assert parent_id(second) == span_id(confluent.spans("send orders")[1])
    assert "detach" not in caplog.text


def test_two_consumers_in_turn_leave_nothing_behind(confluent: ConfluentRig) -> None:
    sent(confluent, 2, "a")
    sent(confluent, 2, "b")
    with confluent.tracer.start_as_current_span("job"):
        one, two = confluent.consumer("a", group_id="one"), confluent.consumer("b", group_id="two")
        for _ in range(2):
            polled(one, 1)
            polled(two, 1)
        one.close()
        two.close()
        assert trace.get_current_span().get_span_context().span_id != 0
    job = confluent.span("job")
    # What the service itself began is the parent.
    assert {parent_id(body) for body in confluent.spans("process")} == {span_id(job)}
    assert len(confluent.spans("process")) == 4


def test_redelivery_after_a_seek_even_of_offset_zero(confluent: ConfluentRig) -> None:
    sent(confluent, 1)
    consumer = confluent.consumer("orders")
    polled(consumer, 1)
    consumer.seek(TopicPartition("orders", 0, 0))
    polled(consumer, 1)
    consumer.close()
    first, again = (attributes(body) for body in confluent.spans("process orders"))
    assert names.REDELIVERED not in first and again[names.REDELIVERED] is True
    assert (again[names.PARTITION], again[names.OFFSET]) == ("0", 0)


def test_a_message_that_cannot_be_read_has_failed(confluent: ConfluentRig) -> None:
    sent(confluent, 1)

    def deserializer(value: bytes, context: Any) -> str:
        raise ValueError("unreadable")

    settings = confluent.consuming({"value.deserializer": deserializer})
    consumer = confluent_kafka.DeserializingConsumer(settings)
    consumer.subscribe(["orders"])
    with pytest.raises(confluent_kafka.error.ValueDeserializationError):
        until_now(lambda: consumer.poll(0.5))
    consumer.close()
    span = confluent.span("process orders")
    assert attributes(span)[names.ERROR_TYPE] == "_VALUE_DESERIALIZATION"
    assert span.status.status_code is StatusCode.ERROR


def test_a_deserializing_consumers_message_is_one_body(confluent: ConfluentRig) -> None:
    sent(confluent, 1)
    settings = confluent.consuming({"value.deserializer": lambda value, context: value.decode()})
    consumer = confluent_kafka.DeserializingConsumer(settings)
    consumer.subscribe(["orders"])
    message = until_now(lambda: consumer.poll(0.5))
    assert message.value() == "0"
    assert current_event() is not None
    consumer.close()
    assert len(confluent.spans("process orders")) == 1


def test_calls_after_close_fail_as_they_did(confluent: ConfluentRig) -> None:
    # Without topics: a close() that meets a join can hang in confluent-kafka 2.16.
    consumer = confluent.consumer()
    consumer.close()
    with pytest.raises(RuntimeError):
        consumer.poll(0.1)
    with pytest.raises(RuntimeError):
        consumer.commit()
    assert confluent.spans("process") == []
