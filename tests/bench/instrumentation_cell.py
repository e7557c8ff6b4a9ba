"""One cell of the instrumentation's table, in a process of its own: who records, and with which SDK.

The client's own code runs; the network below it is replaced by what is there at once. Prints microseconds by
operation: the least of several rounds, since a loaded machine only ever adds.
"""

import asyncio
import gc
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiokafka
from aiokafka.structs import ConsumerRecord, RecordMetadata, TopicPartition
from opentelemetry import context, metrics, propagate, trace
from opentelemetry.propagators.textmap import Getter, Setter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON
from opentelemetry.trace import Link, SpanKind

MESSAGES, ROUNDS, BATCH = 300, 50, 500
A_TURN = 20
"""Messages between two turns of the event loop, in which acknowledgements come."""
PLACE = TopicPartition("orders", 0)
HEADERS = (
    ("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ("headwater-ctx", b"1;0123456789abcdef;1;mwuu6ggc;9c64381920594dae"),
)
FLOOR_ATTRIBUTES = {f"messaging.attr.{i}": f"v{i}" if i % 2 else i for i in range(10)}


class Nowhere(SpanExporter):
    """Takes every span and does nothing."""

    def export(self, spans: Any) -> SpanExportResult:
        """Done."""
        return SpanExportResult.SUCCESS


def set_up(sdk: str) -> None:
    """The global providers."""
    if sdk == "none":
        return
    provider = TracerProvider(sampler=ALWAYS_OFF if sdk == "off" else ALWAYS_ON, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(Nowhere()))
    trace.set_tracer_provider(provider)
    if sdk == "metrics":
        metrics.set_meter_provider(MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False))


async def clients() -> tuple[Any, Any]:
    """A producer and a consumer whose broker answers at once."""
    loop = asyncio.get_running_loop()
    producer: Any = aiokafka.AIOKafkaProducer(bootstrap_servers="localhost:9092")
    consumer: Any = aiokafka.AIOKafkaConsumer("orders", bootstrap_servers="localhost:9092", group_id="g")
    at = 0

    async def nothing(*args: Any, **kwargs: Any) -> None: ...

    async def stored(*args: Any, **kwargs: Any) -> Any:
        nonlocal at
        at += 1
        future = loop.create_future()
        future.set_result(RecordMetadata("orders", 0, PLACE, at, 1_790_000_000_000, 0, 0))
        return future

    def record() -> Any:
        nonlocal at
        at += 1
        now = 1_790_000_000_000
        return ConsumerRecord("orders", 0, at, now, 0, None, b"x" * 200, None, -1, 200, HEADERS)

    async def one(*args: Any, **kwargs: Any) -> Any:
        return record()

    async def many(*args: Any, **kwargs: Any) -> Any:
        return {PLACE: [record() for _ in range(BATCH)]}

    for client in (producer.client, consumer._client):
        client.cluster.cluster_id = "MkU3OEVBNTcwNTJENDM2Qg"
    consumer._subscription.assign_from_subscribed({PLACE})
    consumer._subscription.subscription.assignment.state_value(PLACE).highwater = 1_000_000_000
    producer.client._wait_on_metadata = nothing
    producer._partition = lambda *args: 0
    producer._message_accumulator.add_message = stored
    consumer._coordinator = type("Coordinator", (), {"check_errors": lambda self: None})()
    consumer._fetcher = type("Fetcher", (), {"next_record": one, "fetched_records": many})()
    return producer, consumer


async def measured(work: Callable[[int], Awaitable[None]], number: int, per: int = 1) -> float:
    """Microseconds of CPU of the cheapest round, by message; the exporter's thread counts, other processes do not."""
    best = float("inf")
    await work(max(number // 10, 1))
    for _ in range(ROUNDS):
        gc.collect()
        started = time.process_time()
        await work(number)
        best = min(best, time.process_time() - started)
    return best / number / per * 1e6


async def operations() -> dict[str, float]:
    """Send, one record, and a batch."""
    producer, consumer = await clients()
    value, key = b"x" * 200, b"some-key"

    async def send(number: int) -> None:
        for at_turn in range(number):
            await producer.send("orders", value)
            if at_turn % A_TURN == 0:
                await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def keyed(number: int) -> None:
        for at_turn in range(number):
            await producer.send("orders", value, key)
            if at_turn % A_TURN == 0:
                await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def getone(number: int) -> None:
        for at_turn in range(number):
            await consumer.getone()
            if at_turn % A_TURN == 0:
                await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def getmany(number: int) -> None:
        for _ in range(number):
            await consumer.getmany()
        await asyncio.sleep(0)

    return {
        "send": await measured(send, MESSAGES),
        "send, key": await measured(keyed, MESSAGES),
        "getone": await measured(getone, MESSAGES),
        "getmany": await measured(getmany, max(MESSAGES // BATCH, 1) * 4, BATCH),
    }


class Headers(Setter[Any], Getter[Any]):
    """Record headers, as a propagator writes and reads them."""

    def set(self, carrier: Any, key: str, value: str) -> None:
        """Adds a header."""
        carrier.append((key, value.encode()))

    def get(self, carrier: Any, key: str) -> list[str] | None:
        """The first value."""
        for name, value in carrier:
            if name == key:
                return [value.decode()]
        return None

    def keys(self, carrier: Any) -> list[str]:
        """The names."""
        return [name for name, _ in carrier]


async def floor() -> dict[str, float]:
    """What the SDK alone takes for the spans of a send and of a process, context in and out included.

    By itself in a loop, where the processor's caches hold nothing else, and beside the client's own call, whose time
    is to be taken off.
    """
    tracer, headers = trace.get_tracer("floor"), Headers()
    producer, consumer = await clients()
    value = b"x" * 200

    async def send(number: int) -> None:
        for _ in range(number):
            span = tracer.start_span("send orders", kind=SpanKind.PRODUCER, attributes=FLOOR_ATTRIBUTES)
            propagate.inject([], context=trace.set_span_in_context(span), setter=headers)
            span.end()

    async def process(number: int) -> None:
        for _ in range(number):
            around = propagate.extract(HEADERS, getter=headers)
            sender = trace.get_current_span(around).get_span_context()
            span = tracer.start_span(
                "process orders", around, SpanKind.CONSUMER, FLOOR_ATTRIBUTES, [Link(sender)]
            )
            context.detach(context.attach(trace.set_span_in_context(span, around)))
            span.end()

    async def send_beside(number: int) -> None:
        for at_turn in range(number):
            span = tracer.start_span("send orders", kind=SpanKind.PRODUCER, attributes=FLOOR_ATTRIBUTES)
            propagate.inject([], context=trace.set_span_in_context(span), setter=headers)
            await producer.send("orders", value)
            span.end()
            if at_turn % A_TURN == 0:
                await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def process_beside(number: int) -> None:
        for at_turn in range(number):
            record = await consumer.getone()
            around = propagate.extract(record.headers, getter=headers)
            sender = trace.get_current_span(around).get_span_context()
            span = tracer.start_span(
                "process orders", around, SpanKind.CONSUMER, FLOOR_ATTRIBUTES, [Link(sender)]
            )
            context.detach(context.attach(trace.set_span_in_context(span, around)))
            span.end()
            if at_turn % A_TURN == 0:
                await asyncio.sleep(0)
        await asyncio.sleep(0)

    works = {"send": send, "process": process, "send beside": send_beside, "process beside": process_beside}
    return {name: await measured(work, MESSAGES) for name, work in works.items()}


def main(who: str, sdk: str) -> None:
    """Prints the cell."""
    set_up(sdk)
    if who == "contrib":
        from opentelemetry.instrumentation.aiokafka import (  # type: ignore[import-not-found]
            AIOKafkaInstrumentor as Contrib,
        )

        Contrib().instrument()
    elif who == "headwater":
        from headwater_instrumentation import AIOKafkaInstrumentor

        AIOKafkaInstrumentor().instrument()
    found = asyncio.run(floor() if who == "floor" else operations())
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
