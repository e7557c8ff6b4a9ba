"""A broker in a thread of its own, and blocking clients of it that are closed at the end."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import confluent_kafka
import kafka as kafka_python
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from headwater_collector.demo.broker import Broker
from headwater_instrumentation import ConfluentKafkaInstrumentor, KafkaPythonInstrumentor
from instrumentation_helpers import provider_of

WITHIN_S = 60
AS_THEY_ARE = ("on_delivery", "on_commit", "logger")
"""Settings of confluent-kafka whose names have no dots."""


@contextmanager
def broker_in_a_thread(broker: Broker | None = None) -> Iterator[str]:
    """The address of an embedded broker that blocking clients cannot block."""
    broker = broker or Broker(partitions=3)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def there(work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(WITHIN_S)

    there(broker.start())
    try:
        yield f"{broker.host}:{broker.port}"
    finally:
        there(broker.stop())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(WITHIN_S)
        loop.close()


def until_now(holds: Callable[[], Any]) -> Any:
    """The first answer that is one, of a question asked again and again."""
    end = time.monotonic() + WITHIN_S
    while time.monotonic() < end:
        if found := holds():
            return found
        time.sleep(0.01)
    raise AssertionError("It did not come about.")


class BlockingRig:
    """Clients of one broker with the spans that come of them."""

    instrumentor: type[BaseInstrumentor]

    def __init__(self, address: str) -> None:
        self.address = address
        self.exporter = InMemorySpanExporter()
        self.provider = provider_of(self.exporter)
        self.tracer = self.provider.get_tracer("test")
        self.stack = ExitStack()

    def instrument(self, config: Mapping[str, object] | None = None, **options: Any) -> None:
        """Instruments anew with these options."""
        self.instrumentor().uninstrument()
        self.instrumentor().instrument(**{"tracer_provider": self.provider, "config": config, **options})

    def spans(self, start: str = "") -> list[ReadableSpan]:
        """Ended spans whose names start so, in the order in which they ended."""
        return [span for span in self.exporter.get_finished_spans() if span.name.startswith(start)]

    def span(self, name: str) -> ReadableSpan:
        """The one ended span of that name."""
        found = [span for span in self.spans() if span.name == name]
        assert len(found) == 1, [span.name for span in self.spans()]
        return found[0]


class ConfluentRig(BlockingRig):
    """With confluent-kafka."""

    instrumentor = ConfluentKafkaInstrumentor

    def producer(self, **settings: Any) -> Any:
        """A producer; ``a_b`` stands for the setting ``a.b``."""
        made = confluent_kafka.Producer(self.settings(settings))
        self.stack.callback(made.flush, 5)
        return made

    def consumer(self, *topics: str, **settings: Any) -> Any:
        """A consumer that reads from the beginning and commits nothing by itself."""
        made = confluent_kafka.Consumer(self.consuming(settings))
        self.stack.callback(made.close)
        if topics:
            made.subscribe(list(topics))
        return made

    def settings(self, more: Mapping[str, Any]) -> dict[str, Any]:
        """What a client of the broker is made with."""
        return {
            "bootstrap.servers": self.address,
            # A broker that is gone before its clients is the end of a test, and no news.
            "log_level": 2,
            # Nothing here is worth waiting for.
            "fetch.wait.max.ms": 20,
            "topic.metadata.refresh.fast.interval.ms": 20,
            **{name if name in AS_THEY_ARE else name.replace("_", "."): it for name, it in more.items()},
        }

    def consuming(self, more: Mapping[str, Any]) -> dict[str, Any]:
        """The same for a consumer."""
        given = {"group_id": "g", "auto_offset_reset": "earliest", "enable_auto_commit": False, **more}
        return self.settings(given)

    def raw(self, topic: str, number: int) -> list[Any]:
        """What arrived in a topic, as a service without instrumentation reads it."""
        ConfluentKafkaInstrumentor().uninstrument()
        consumer = confluent_kafka.Consumer(self.consuming({"group_id": "raw"}))
        self.stack.callback(consumer.close)
        consumer.assign([confluent_kafka.TopicPartition(topic, partition, 0) for partition in range(3)])
        return polled(consumer, number)


def polled(consumer: Any, number: int) -> list[Any]:
    """The next messages of a confluent-kafka consumer; that a topic is not there yet is none."""

    def message() -> Any:
        found = consumer.poll(0.5)
        return found if found is not None and found.error() is None else None

    return [until_now(message) for _ in range(number)]


class KafkaPythonRig(BlockingRig):
    """With kafka-python."""

    instrumentor = KafkaPythonInstrumentor

    def producer(self, **settings: Any) -> Any:
        """A producer."""
        made = kafka_python.KafkaProducer(**{"bootstrap_servers": self.address, **settings})
        self.stack.callback(made.close, 5)
        return made

    def consumer(self, *topics: str, **settings: Any) -> Any:
        """A consumer that reads from the beginning and commits nothing by itself."""
        given = {
            "bootstrap_servers": self.address,
            "group_id": "g",
            "auto_offset_reset": "earliest",
            "enable_auto_commit": False,
            **settings,
        }
        made = kafka_python.KafkaConsumer(*topics, **given)
        self.stack.callback(made.close)
        return made

    def raw(self, topic: str, number: int) -> list[Any]:
        """What arrived in a topic, as a service without instrumentation reads it."""
        KafkaPythonInstrumentor().uninstrument()
        consumer = self.consumer(group_id=None)
        consumer.assign([kafka_python.TopicPartition(topic, partition) for partition in range(3)])
        return [next(consumer) for _ in range(number)]
