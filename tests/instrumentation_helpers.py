"""An instrumented aiokafka over the embedded broker, and the spans that come of it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from headwater_instrumentation import AIOKafkaInstrumentor

SERVICE = "shop"
FOREIGN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
"""The example of the W3C recommendation; nothing in the tests makes this id."""


def provider_of(exporter: InMemorySpanExporter, **options: Any) -> TracerProvider:
    """A provider whose spans are in ``exporter`` as soon as they end."""
    provider = TracerProvider(resource=Resource({"service.name": SERVICE}), shutdown_on_exit=False, **options)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider


class Rig:
    """Clients of one broker, stopped at the end; instrumented as often as a test asks for."""

    def __init__(self, address: str, provider: TracerProvider, exporter: InMemorySpanExporter) -> None:
        self.address = address
        self.provider = provider
        self.exporter = exporter
        self.tracer = provider.get_tracer("test")
        self.stack = AsyncExitStack()

    def instrument(self, config: Mapping[str, object] | None = None, **options: Any) -> None:
        """Instruments anew with these options."""
        AIOKafkaInstrumentor().uninstrument()
        AIOKafkaInstrumentor().instrument(**{"tracer_provider": self.provider, "config": config, **options})

    async def producer(self, **options: Any) -> AIOKafkaProducer:
        """A started producer."""
        return await self.stack.enter_async_context(
            AIOKafkaProducer(**{"bootstrap_servers": self.address, **options})
        )

    async def consumer(self, *topics: str, **options: Any) -> AIOKafkaConsumer:
        """A started consumer that reads from the beginning."""
        given = {
            "bootstrap_servers": self.address,
            "group_id": "g",
            "auto_offset_reset": "earliest",
            "enable_auto_commit": False,
            **options,
        }
        return await self.stack.enter_async_context(AIOKafkaConsumer(*topics, **given))

    def spans(self, start: str = "") -> list[ReadableSpan]:
        """Ended spans whose names start so, in the order in which they ended."""
        return [span for span in self.exporter.get_finished_spans() if span.name.startswith(start)]

    def span(self, name: str) -> ReadableSpan:
        """The one ended span of that name."""
        found = [span for span in self.spans() if span.name == name]
        assert len(found) == 1, [span.name for span in self.spans()]
        return found[0]

    async def raw(self, topic: str, number: int = 1) -> list[Any]:
        """What arrived in a topic, as a service without instrumentation reads it."""
        AIOKafkaInstrumentor().uninstrument()
        consumer = await self.consumer(topic, group_id=None)
        return await got(consumer, number)


async def got(consumer: AIOKafkaConsumer, number: int) -> list[Any]:
    """The next records of a consumer."""
    async with asyncio.timeout(20):
        return [await consumer.getone() for _ in range(number)]


async def until(holds: Callable[[], bool]) -> None:
    """Waits for something that another task brings about."""
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.01)


def attributes(span: ReadableSpan) -> Mapping[str, Any]:
    """A span's attributes."""
    return span.attributes or {}


def values(headers: Sequence[tuple[str, bytes]], name: str) -> list[str]:
    """All values of a header."""
    return [value.decode() for key, value in headers if key == name]


def traceparent(span: ReadableSpan) -> str:
    """The header that names a span as the parent."""
    context = span.get_span_context()
    assert context is not None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def parent_id(span: ReadableSpan) -> int | None:
    """The id of a span's parent."""
    return None if span.parent is None else span.parent.span_id


def span_id(span: ReadableSpan) -> int:
    """A span's id."""
    context = span.get_span_context()
    assert context is not None
    return context.span_id


def identities(*owners: Any) -> list[dict[str, int]]:
    """What hangs on classes and modules, by identity: a wrapper equals what it wraps."""
    return [{name: id(value) for name, value in vars(owner).items()} for owner in owners]
