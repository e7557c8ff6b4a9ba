"""The names, bases and asyncio classes of confluent-kafka, instrumented and put back."""

import logging
import sys
from types import ModuleType
from typing import Any

import confluent_kafka
import pytest
from confluent_kafka import Producer, cimpl
from confluent_kafka.aio import AIOConsumer, AIOProducer

from blocking_helpers import ConfluentRig, polled, until_now
from headwater_instrumentation import ConfluentKafkaInstrumentor, current_event
from headwater_instrumentation import attributes as names
from headwater_instrumentation.guard import guard
from instrumentation_helpers import attributes, identities, parent_id, span_id


class OwnProducer(cimpl.Producer):
    """A class of a service's own, made before anything is instrumented."""

    def produce(self, *args: Any, **kwargs: Any) -> Any:
        """Its own way of sending."""
        return super().produce(*args, **kwargs)


@pytest.fixture
def early(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module of a service that took the classes before they were instrumented."""
    module = ModuleType("early_service")
    module.__dict__.update(Producer=cimpl.Producer, Reader=cimpl.Consumer)
    monkeypatch.setitem(sys.modules, "early_service", module)
    return module


def test_early_imports_are_replaced_and_put_back(early: Any) -> None:
    owners = (cimpl, confluent_kafka, confluent_kafka.SerializingProducer, AIOProducer, AIOConsumer, early,
              confluent_kafka.DeserializingConsumer)  # fmt: skip
    before = identities(*owners)
    bases = OwnProducer.__bases__
    ConfluentKafkaInstrumentor().instrument()
    assert early.Producer is confluent_kafka.Producer is not cimpl.Producer
    assert early.Reader is confluent_kafka.Consumer
    ConfluentKafkaInstrumentor().uninstrument()
    assert identities(*owners) == before
    assert OwnProducer.__bases__ == bases


def test_whatever_was_made_with_a_name_is_an_instance_of_it(confluent: ConfluentRig) -> None:
    assert isinstance(confluent.producer(), confluent_kafka.Producer)
    own = OwnProducer(confluent.settings({}))
    assert isinstance(own, Producer) and isinstance(own, confluent_kafka.Producer)
    serializing = confluent_kafka.SerializingProducer(confluent.settings({}))
    assert isinstance(serializing, confluent_kafka.Producer)
    assert issubclass(confluent_kafka.Producer, cimpl.Producer)
    assert issubclass(OwnProducer, confluent_kafka.Producer)
    assert not isinstance(own, confluent_kafka.Consumer)
    assert confluent_kafka.Producer.__name__ == "Producer"


def test_early_names_and_classes_send_with_spans(confluent: ConfluentRig, early: Any) -> None:
    confluent.instrument()
    for made in (early.Producer, OwnProducer):
        producer = made(confluent.settings({}))
        producer.produce("orders", b"1")
        producer.flush(10)
    assert len(confluent.spans("send orders")) == 2
    assert not guard.errors


def test_clients_made_meanwhile_keep_working(confluent: ConfluentRig) -> None:
    producer, consumer = confluent.producer(), confluent.consumer("orders")
    ConfluentKafkaInstrumentor().uninstrument()
    producer.produce("orders", b"1")
    producer.flush(10)
    (message,) = polled(consumer, 1)
    assert message.value() == b"1" and message.headers() is None
    assert confluent.spans() == []


def test_a_class_of_a_service_made_from_the_new_names(confluent: ConfluentRig) -> None:
    class Late(confluent_kafka.Consumer):
        def poll(self, *args: Any, **kwargs: Any) -> Any:
            return super().poll(*args, **kwargs)

    producer = confluent.producer()
    producer.produce("orders", b"1")
    producer.flush(10)
    consumer = Late(confluent.consuming({}))
    consumer.subscribe(["orders"])
    polled(consumer, 1)
    consumer.close()
    assert len(confluent.spans("process orders")) == 1


def test_loggers_and_settings_as_keywords(confluent: ConfluentRig) -> None:
    """Every form in which a client's settings can be given."""
    logger = logging.Logger("client")
    settings = confluent.settings({"client_id": "named"})
    producers = [
        confluent_kafka.Producer(settings, logger=logger),
        confluent_kafka.Producer({**settings, "logger": logger}),
        confluent_kafka.Producer(**settings),
    ]
    for producer in producers:
        producer.produce("orders", b"1")
        producer.flush(10)
    assert [attributes(span)[names.CLIENT_ID] for span in confluent.spans("send")] == ["named"] * 3
    told: list[Any] = []
    given = confluent.consuming({"client_id": "named"})
    consumers: list[Any] = [
        confluent_kafka.Consumer(given, logger=logger),
        confluent_kafka.Consumer(**{**given, "group.id": "h"}),
        confluent_kafka.Consumer(
            {**given, "group.id": "i"}, on_commit=lambda error, places: told.append(places)
        ),
    ]
    for consumer in consumers:
        consumer.subscribe(["orders"])
        (message,) = polled(consumer, 1)
        consumer.commit(message=message, **{"asynchronous": consumer is consumers[-1]})
    until_now(lambda: (consumers[-1].poll(0.1), told)[1])
    for consumer in consumers:
        consumer.close()
    assert {attributes(span)[names.GROUP] for span in confluent.spans("process orders")} == set("ghi")
    assert [attributes(span)[names.GROUP] for span in confluent.spans("commit orders")] == list("ghi")
    assert [place.offset for place in told[0]] == [1]


@pytest.mark.parametrize("name", ["Producer", "Consumer"])
@pytest.mark.parametrize("given", [(), ("text",), ({},), ({"no.such.setting": 1, "group.id": "g"},), (5, 6)])
def test_wrong_settings_are_answered_as_before(confluent: ConfluentRig, name: str, given: Any) -> None:
    def answer(made: Any) -> tuple[type, str]:
        try:
            return type(made(*given)), ""
        except Exception as error:
            return type(error), str(error)

    kind, text = answer(getattr(confluent_kafka, name))
    assert (kind, text) == answer(getattr(cimpl, name)) or issubclass(kind, getattr(cimpl, name))


async def test_the_asyncio_producer_and_consumer(confluent: ConfluentRig) -> None:
    """Threads do the work inside of them; spans, parents and the body's context are the caller's."""
    producer = AIOProducer(confluent.settings({}))
    with confluent.tracer.start_as_current_span("job"):
        report = await producer.produce("orders", b"1", partition=1)
    await producer.flush()
    message = await report
    assert (message.partition(), message.offset()) == (1, 0)
    consumer = AIOConsumer(confluent.consuming({}))
    await consumer.subscribe(["orders"])
    while (found := await consumer.poll(timeout=0.5)) is None:
        pass
    assert found.value() == b"1"
    event = current_event()
    with confluent.tracer.start_as_current_span("work"):
        pass
    await consumer.commit(found, asynchronous=False)
    await consumer.close()
    await producer.close()
    send, body, work = (confluent.span(name) for name in ("send orders", "process orders", "work"))
    assert event is not None
    assert parent_id(send) == span_id(confluent.span("job"))
    assert (attributes(send)[names.PARTITION], attributes(send)[names.OFFSET]) == ("1", 0)
    assert (attributes(body)[names.PARTITION], attributes(body)[names.OFFSET]) == ("1", 0)
    assert parent_id(work) == span_id(body)
    assert attributes(confluent.span("commit orders"))[names.OFFSETS] == ("orders:1:1",)
    assert not guard.errors


async def test_asyncio_batches_and_sends_that_are_refused(confluent: ConfluentRig) -> None:
    producer = AIOProducer(confluent.settings({"message_max_bytes": 1000}))
    reports = [await producer.produce("orders", b"%d" % i, partition=0) for i in range(3)]
    with pytest.raises(NotImplementedError):
        await producer.produce("orders", b"1", headers={"a": b"1"})
    await producer.flush()
    assert [(await report).offset() for report in reports] == [0, 1, 2]
    consumer = AIOConsumer(confluent.consuming({}))
    await consumer.subscribe(["orders"])
    seen: list[Any] = []
    while len(seen) < 3:
        seen += await consumer.consume(3, timeout=0.5)
    await consumer.close()
    await producer.close()
    refused = [span for span in confluent.spans("send orders") if names.ERROR_TYPE in attributes(span)]
    assert [attributes(span)[names.ERROR_TYPE] for span in refused] == ["NotImplementedError"]
    assert len(confluent.spans("send orders")) == 4
    assert sum(attributes(span)[names.BATCH_COUNT] for span in confluent.spans("poll orders")) == 3
