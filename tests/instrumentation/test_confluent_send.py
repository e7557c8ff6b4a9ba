"""confluent-kafka's producer over the embedded broker."""

from collections.abc import Callable
from typing import Any

import confluent_kafka
import pytest
from confluent_kafka.serialization import StringSerializer
from opentelemetry.trace import SpanKind, StatusCode

from blocking_helpers import ConfluentRig, until_now
from headwater_instrumentation import attributes as names
from headwater_instrumentation.guard import guard
from instrumentation_helpers import FOREIGN, attributes, parent_id, span_id, traceparent, values

Send = Callable[[Any], None]


def test_a_send_lasts_until_its_report_with_partition_and_offset(confluent: ConfluentRig) -> None:
    producer = confluent.producer(client_id="till", sticky_partitioning_linger_ms=0)
    reports: list[tuple[Any, int, int]] = []
    for i in range(100):
        producer.produce("orders", b"%d" % i, on_delivery=lambda error, message: reports.append(
            (error, message.partition(), message.offset())))  # fmt: skip
    assert confluent.spans() == []
    assert producer.flush(10) == 0
    told = [attributes(span) for span in confluent.spans()]
    assert [(None, int(said[names.PARTITION]), said[names.OFFSET]) for said in told] == reports
    assert len({said[names.PARTITION] for said in told}) == 3
    said = told[0]
    assert (said[names.CLIENT_ID], said[names.TOPIC], said[names.OPERATION_NAME]) == (
        "till",
        "orders",
        "send",
    )
    host, _, port = confluent.address.rpartition(":")
    assert (said[names.SERVER_ADDRESS], said[names.SERVER_PORT]) == (host, int(port))
    assert names.RECORD_TS not in said
    assert confluent.spans()[0].kind is SpanKind.PRODUCER
    assert not guard.errors


@pytest.mark.parametrize(
    "send",
    [
        lambda producer: producer.produce("orders", b"1", b"k", -1, None, None, 0, [("mine", b"1")]),
        lambda producer: producer.produce("orders", value=b"1", headers={"mine": b"1"}),
        lambda producer: producer.produce(topic="orders", value=b"1", headers=[("mine", "1")]),
    ],
    ids=["positional", "dict", "text"],
)
def test_headers_of_every_form_are_kept_and_the_context_is_added(confluent: ConfluentRig, send: Send) -> None:
    producer = confluent.producer()
    send(producer)
    producer.flush(10)
    span = confluent.span("send orders")
    (message,) = confluent.raw("orders", 1)
    assert values(message.headers(), "mine") == ["1"]
    assert values(message.headers(), "traceparent") == [traceparent(span)]
    assert len(values(message.headers(), "headwater-ctx")) == 1


def test_what_the_client_refuses_stays_refused(confluent: ConfluentRig) -> None:
    """The same errors as without instrumentation, on a span."""
    producer = confluent.producer(message_max_bytes=1000)
    with pytest.raises(TypeError):
        producer.produce("orders", 5)
    with pytest.raises(TypeError):
        producer.produce()
    with pytest.raises(confluent_kafka.KafkaException):
        producer.produce("orders", b"x" * 2000)
    kinds = [attributes(span)[names.ERROR_TYPE] for span in confluent.spans("send")]
    assert kinds == ["TypeError", "MSG_SIZE_TOO_LARGE"]
    assert all(span.status.status_code is StatusCode.ERROR for span in confluent.spans("send"))


def test_the_callers_headers_stay_as_they_are(confluent: ConfluentRig) -> None:
    producer = confluent.producer()
    given, by_name = [("mine", b"1")], {"mine": b"1"}
    for headers in (given, given, given, by_name):
        producer.produce("orders", b"1", headers=headers)
    producer.flush(10)
    assert (given, by_name) == ([("mine", b"1")], {"mine": b"1"})
    for message in confluent.raw("orders", 4):
        assert len(values(message.headers(), "traceparent")) == 1


def test_a_foreign_creation_context_is_kept(confluent: ConfluentRig) -> None:
    producer = confluent.producer()
    producer.produce("orders", b"1", headers={"traceparent": FOREIGN})
    producer.flush(10)
    span = confluent.span("send orders")
    assert span.kind is SpanKind.CLIENT
    assert [f"{link.context.trace_id:032x}" for link in span.links] == [FOREIGN.split("-")[1]]
    (message,) = confluent.raw("orders", 1)
    assert values(message.headers(), "traceparent") == [FOREIGN]


def test_callbacks_are_called_once_wherever_they_were_given(confluent: ConfluentRig) -> None:
    calls: list[str] = []

    def called(name: str) -> Callable[[Any, Any], None]:
        return lambda error, message: calls.append(f"{name} {message.value().decode()}")

    producer = confluent.producer(on_delivery=called("default"))
    producer.produce("orders", b"1")
    producer.produce("orders", b"2", callback=called("callback"))
    producer.produce("orders", b"3", on_delivery=called("on_delivery"))
    producer.flush(10)
    assert sorted(calls) == ["callback 2", "default 1", "on_delivery 3"]
    assert len(confluent.spans("send orders")) == 3


def test_an_error_in_a_callback_leaves_flush_as_before(confluent: ConfluentRig) -> None:
    producer = confluent.producer()

    def fails(error: Any, message: Any) -> None:
        raise ValueError("theirs")

    producer.produce("orders", b"1", callback=fails)
    with pytest.raises(ValueError, match="theirs"):
        producer.flush(10)
    assert attributes(confluent.span("send orders"))[names.OFFSET] == 0


def test_a_delivery_that_fails_is_an_error(confluent: ConfluentRig) -> None:
    """Nobody listens at the address: the message's time runs out."""
    producer = confluent_kafka.Producer(
        {"bootstrap.servers": "127.0.0.1:1", "message.timeout.ms": 200, "logger": _silent()}
    )
    reported: list[Any] = []
    producer.produce("orders", b"1", callback=lambda *report: reported.extend(report))
    until_now(lambda: producer.flush(1) == 0 and reported)
    assert reported[0].name() == "_MSG_TIMED_OUT"
    span = confluent.span("send orders")
    assert attributes(span)[names.ERROR_TYPE] == "_MSG_TIMED_OUT"
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, None)
    assert names.OFFSET not in attributes(span)


def _silent() -> Any:
    import logging

    logger = logging.Logger("librdkafka")
    logger.addHandler(logging.NullHandler())
    return logger


def test_tombstones_and_text_keys(confluent: ConfluentRig) -> None:
    producer = confluent.producer()
    producer.produce("orders", None, key=b"\xff\xfe")
    producer.flush(10)
    said = attributes(confluent.span("send orders"))
    assert said[names.TOMBSTONE] is True
    assert not any("key" in name for name in said)


def test_only_errors_reported_means_a_span_without_a_place(confluent: ConfluentRig) -> None:
    producer = confluent.producer(delivery_report_only_error=True)
    producer.produce("orders", b"1")
    span = confluent.span("send orders")
    producer.flush(10)
    assert names.OFFSET not in attributes(span)


def test_a_serializing_producer_sends_once_and_its_errors_are_seen(confluent: ConfluentRig) -> None:
    called: list[str] = []

    def serializer(value: str, context: Any) -> bytes | None:
        called.append(value)
        if value == "bad":
            raise ValueError(value)
        return StringSerializer()(value, context)

    settings = confluent.settings({"value.serializer": serializer})
    producer = confluent_kafka.SerializingProducer(settings)
    producer.produce("orders", value="good", headers={"a": b"1"})
    with pytest.raises(confluent_kafka.error.ValueSerializationError):
        producer.produce("orders", value="bad")
    producer.flush(10)
    failed, good = confluent.spans("send orders")
    assert called == ["good", "bad"]
    assert attributes(failed)[names.ERROR_TYPE] == "_VALUE_SERIALIZATION"
    assert attributes(good)[names.OFFSET] == 0
    (message,) = confluent.raw("orders", 1)
    assert values(message.headers(), "traceparent") == [traceparent(good)]


def test_a_batch_has_a_span_for_each_message(confluent: ConfluentRig) -> None:
    producer = confluent.producer()
    if not hasattr(producer, "produce_batch"):
        pytest.fail("The pinned client has no produce_batch.")
    told: list[int] = []
    batch: list[dict[str, Any]] = [
        {"value": b"1"},
        {"value": b"2", "callback": lambda error, message: told.append(message.offset())},
    ]
    with confluent.tracer.start_as_current_span("job"):
        assert producer.produce_batch("orders", batch, partition=1) == 2
    producer.flush(10)
    first, second = confluent.spans("send orders")
    assert [attributes(span)[names.OFFSET] for span in (first, second)] == [0, 1]
    assert {parent_id(first), parent_id(second)} == {span_id(confluent.span("job"))}
    assert told == [1]
    assert list(batch[0]) == ["value"]


def test_sending_is_left_alone_where_it_is_switched_off(confluent: ConfluentRig) -> None:
    confluent.instrument({"topics_exclude": "orders"})
    producer = confluent.producer()
    producer.produce("orders", b"1")
    producer.flush(10)
    assert confluent.spans() == []
    (message,) = confluent.raw("orders", 1)
    assert message.headers() is None


def test_the_hook_sees_span_and_arguments_and_its_error_goes_no_further(confluent: ConfluentRig) -> None:
    seen: list[Any] = []

    def hook(span: Any, args: Any, kwargs: Any) -> None:
        seen.append((args, kwargs))
        span.set_attribute("mine", 1)
        raise ValueError

    confluent.instrument(produce_hook=hook)
    producer = confluent.producer()
    producer.produce("orders", value=b"1")
    producer.flush(10)
    assert seen == [(("orders",), {"value": b"1"})]
    assert attributes(confluent.span("send orders"))["mine"] == 1
