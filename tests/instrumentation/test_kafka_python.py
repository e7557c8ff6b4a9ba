"""kafka-python over the embedded broker."""

from typing import Any

import kafka
import pytest
from kafka.coordinator.consumer import ConsumerCoordinator
from kafka.serializer import Serializer
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

from blocking_helpers import KafkaPythonRig, until_now
from headwater_instrumentation import KafkaPythonInstrumentor, current_event, process, process_batch
from headwater_instrumentation import attributes as names
from headwater_instrumentation.guard import guard
from instrumentation_helpers import FOREIGN, attributes, identities, parent_id, span_id, traceparent, values


def sent(rig: KafkaPythonRig, number: int, topic: str = "orders", **more: Any) -> Any:
    producer = rig.producer()
    futures = [producer.send(topic, b"%d" % i, **{"partition": 0, **more}) for i in range(number)]
    producer.flush(10)
    assert all(future.succeeded() for future in futures)
    return producer


def test_partition_and_offset_are_the_brokers(kafka_python: KafkaPythonRig) -> None:
    producer = kafka_python.producer(client_id="till")
    futures = [producer.send("orders", b"%d" % i) for i in range(100)]
    found = sorted((future.get(10).partition, future.get(10).offset) for future in futures)
    until_now(lambda: len(kafka_python.spans()) == 100)
    told = [attributes(span) for span in kafka_python.spans("send orders")]
    assert sorted((int(said[names.PARTITION]), said[names.OFFSET]) for said in told) == found
    host, _, port = kafka_python.address.rpartition(":")
    assert (told[0][names.SERVER_ADDRESS], told[0][names.SERVER_PORT]) == (host, int(port))
    assert told[0][names.CLIENT_ID] == "till" and names.RECORD_TS in told[0]
    assert names.CLUSTER_ID in told[-1]
    assert not guard.errors


@pytest.mark.parametrize("form", ["positional", "keyword", "tuple", "generator"])
def test_headers_of_every_form_are_kept_and_the_context_is_added(
    kafka_python: KafkaPythonRig, form: str
) -> None:
    mine = [("mine", b"1")]
    producer = kafka_python.producer()
    if form == "positional":
        producer.send("orders", b"1", b"k", mine)
    else:
        given: Any = {"keyword": mine, "tuple": tuple(mine), "generator": iter(mine)}[form]
        producer.send(topic="orders", value=b"1", headers=given)
    producer.flush(10)
    (record,) = kafka_python.raw("orders", 1)
    assert values(record.headers, "mine") == ["1"] and mine == [("mine", b"1")]
    assert values(record.headers, "traceparent") == [traceparent(kafka_python.span("send orders"))]
    assert len(values(record.headers, "headwater-ctx")) == 1


def test_a_foreign_creation_context_is_kept(kafka_python: KafkaPythonRig) -> None:
    sent(kafka_python, 1, headers=[("traceparent", FOREIGN.encode())])
    span = kafka_python.span("send orders")
    assert span.kind is SpanKind.CLIENT and len(span.links) == 1
    (record,) = kafka_python.raw("orders", 1)
    assert values(record.headers, "traceparent") == [FOREIGN]


def test_sends_that_fail(kafka_python: KafkaPythonRig) -> None:
    """At once, by a serializer called once, by a broker that is gone."""
    called: list[Any] = []

    class Serializing(Serializer):  # type: ignore[misc]
        def serialize(self, topic: str, headers: Any, data: Any) -> bytes:
            called.append(data)
            if data == "bad":
                raise LookupError
            return b"good"

    producer = kafka_python.producer(value_serializer=Serializing(), max_request_size=1000)
    with pytest.raises(TypeError):
        producer.send()
    with pytest.raises(LookupError):
        producer.send("orders", "bad")
    with pytest.raises(kafka.errors.MessageSizeTooLargeError):
        producer.send("orders", "good", headers=[("long", b"x" * 2000)])
    producer.send("orders", "good").get(10)
    until_now(lambda: len(kafka_python.spans("send orders")) == 3)
    spans = kafka_python.spans("send orders")
    kinds = [attributes(span).get(names.ERROR_TYPE) for span in spans]
    assert kinds == ["LookupError", "MessageSizeTooLargeError", None]
    assert spans[0].status.status_code is StatusCode.ERROR
    assert called == ["bad", "good", "good"]


def test_the_body_of_a_loop_has_the_senders_span_as_parent(kafka_python: KafkaPythonRig) -> None:
    sent(kafka_python, 3)
    producer = kafka_python.producer()
    consumer = kafka_python.consumer("orders", consumer_timeout_ms=60_000)
    for record in consumer:
        assert current_event() is not None
        with kafka_python.tracer.start_as_current_span("work"):
            producer.send("invoices", record.value, partition=0)
        if record.offset == 2:
            break
    consumer.close()
    assert not trace.get_current_span().get_span_context().is_valid
    producer.flush(10)
    until_now(lambda: len(kafka_python.spans("send invoices")) == 3)
    bodies, work = kafka_python.spans("process orders"), kafka_python.spans("work")
    assert [parent_id(body) for body in bodies] == [
        span_id(span)
        for span in sorted(kafka_python.spans("send orders"), key=lambda it: attributes(it)[names.OFFSET])
    ]
    assert [parent_id(one) for one in work] == [span_id(body) for body in bodies]
    assert [parent_id(one) for one in kafka_python.spans("send invoices")] == [span_id(one) for one in work]
    assert [attributes(one)[names.CAUSE] for one in kafka_python.spans("send invoices")] == [
        f"orders:0:{offset}" for offset in range(3)
    ]
    assert kafka_python.spans("poll") == []
    assert attributes(bodies[0])[names.GROUP] == "g"
    assert not guard.errors


def test_a_loop_that_runs_out_leaves_nothing_behind(kafka_python: KafkaPythonRig) -> None:
    sent(kafka_python, 2)
    consumer = kafka_python.consumer("orders", consumer_timeout_ms=1500)
    assert consumer.poll(60_000)
    consumer.seek_to_beginning()
    assert [record.value for record in consumer] == [b"0", b"1"]
    assert not trace.get_current_span().get_span_context().is_valid
    bodies = kafka_python.spans("process orders")[-2:]
    assert [attributes(body)[names.OFFSET] for body in bodies] == [0, 1]


def test_poll_is_one_batch_with_every_offset(kafka_python: KafkaPythonRig) -> None:
    sent(kafka_python, 500)
    consumer = kafka_python.consumer("orders")
    seen: list[Any] = []
    assert consumer.poll(0) == {}
    while len(seen) < 500:
        for records in consumer.poll(60_000, max_records=500).values():
            with process_batch(records):
                seen += records
    consumer.close()
    polls = kafka_python.spans("poll orders")
    assert sum(attributes(span)[names.BATCH_COUNT] for span in polls) == 500
    assert attributes(polls[0])[names.OFFSETS][0].startswith("orders:0:0")
    assert all(len(span.links) == min(attributes(span)[names.BATCH_COUNT], 120) for span in polls)
    assert len(kafka_python.spans("process orders")) == len(polls) < 500


@pytest.mark.parametrize("value", [b"", b"\xff\xfe", b"x" * 10_000], ids=["empty", "bytes", "long"])
def test_bad_headers_cost_no_message(kafka_python: KafkaPythonRig, value: bytes) -> None:
    ours = ("traceparent", "tracestate", "baggage", "headwater-ctx", "headwater-role")
    kafka_python.instrument({"topics_exclude": "orders"})
    sent(kafka_python, 1, headers=[(name, value) for name in ours])
    kafka_python.instrument()
    consumer = kafka_python.consumer("orders")
    assert next(consumer).value == b"0"
    consumer.close()
    assert parent_id(kafka_python.span("process orders")) is None
    assert not guard.errors


def test_errors_of_the_body(kafka_python: KafkaPythonRig) -> None:
    """One that leaves through close(), one in process(), one that is answered by a send."""
    producer = sent(kafka_python, 3)
    consumer = kafka_python.consumer("orders")
    with pytest.raises(ZeroDivisionError), process(next(consumer)):
        raise ZeroDivisionError
    record = next(consumer)
    try:
        raise KeyError
    except KeyError:
        producer.send("orders.dlq", record.value, headers=record.headers).get(10)
    with pytest.raises(ValueError):
        try:
            next(consumer)
            raise ValueError
        finally:
            consumer.close()
    first, second, third = (attributes(span) for span in kafka_python.spans("process orders"))
    assert (first[names.ERROR_TYPE], third[names.ERROR_TYPE]) == ("ZeroDivisionError", "ValueError")
    assert second[names.HANDLED_ERROR] == "KeyError" and names.ERROR_TYPE not in second
    until_now(lambda: kafka_python.spans("send orders.dlq"))
    assert attributes(kafka_python.span("send orders.dlq"))[names.WHILE_HANDLING] == "KeyError"


def test_redelivery_after_a_seek(kafka_python: KafkaPythonRig) -> None:
    sent(kafka_python, 1)
    consumer = kafka_python.consumer("orders")
    next(consumer)
    consumer.seek(kafka.TopicPartition("orders", 0), 0)
    next(consumer)
    consumer.close()
    first, again = (attributes(body) for body in kafka_python.spans("process orders"))
    assert names.REDELIVERED not in first and again[names.REDELIVERED] is True


def test_everything_is_put_back(kafka_python: KafkaPythonRig) -> None:
    owners = (kafka.KafkaProducer, kafka.KafkaConsumer, ConsumerCoordinator)
    KafkaPythonInstrumentor().uninstrument()
    before = identities(*owners)
    KafkaPythonInstrumentor().instrument()
    assert identities(*owners) != before
    KafkaPythonInstrumentor().uninstrument()
    assert identities(*owners) == before


def test_the_hooks_see_span_and_record(kafka_python: KafkaPythonRig) -> None:
    seen: list[Any] = []

    def consumed(span: Any, record: Any) -> None:
        seen.append(record.offset)
        raise ValueError

    kafka_python.instrument(
        produce_hook=lambda span, args, kwargs: span.set_attribute("mine", len(args)), consume_hook=consumed
    )
    sent(kafka_python, 1)
    consumer = kafka_python.consumer("orders")
    next(consumer)
    consumer.close()
    assert seen == [0]
    assert attributes(kafka_python.span("send orders"))["mine"] == 2
