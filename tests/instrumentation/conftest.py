"""Fixtures: embedded brokers, spans in memory, and a guard that has seen nothing yet."""

from collections.abc import AsyncIterator, Iterator

import pytest
from opentelemetry import context as otel_context
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from blocking_helpers import ConfluentRig, KafkaPythonRig, broker_in_a_thread
from headwater_collector.demo.broker import Broker
from headwater_instrumentation import (
    AIOKafkaInstrumentor,
    ConfluentKafkaInstrumentor,
    KafkaPythonInstrumentor,
)
from headwater_instrumentation.guard import guard
from instrumentation_helpers import Rig, provider_of


@pytest.fixture(autouse=True)
def fresh_guard() -> Iterator[None]:
    """Each test begins with a closed circuit, no context, and leaves the clients as they were."""
    guard.forget()
    otel_context.attach(otel_context.Context())
    yield
    AIOKafkaInstrumentor().uninstrument()
    ConfluentKafkaInstrumentor().uninstrument()
    KafkaPythonInstrumentor().uninstrument()
    guard.forget()


@pytest.fixture
async def rig(broker: Broker) -> AsyncIterator[Rig]:
    exporter = InMemorySpanExporter()
    made = Rig(f"{broker.host}:{broker.port}", provider_of(exporter), exporter)
    made.instrument()
    yield made
    await made.stack.aclose()


@pytest.fixture
def confluent() -> Iterator[ConfluentRig]:
    """confluent-kafka over an embedded broker, instrumented."""
    with broker_in_a_thread() as address:
        made = ConfluentRig(address)
        made.instrument()
        with made.stack:
            yield made


@pytest.fixture
def kafka_python() -> Iterator[KafkaPythonRig]:
    """kafka-python over an embedded broker, instrumented."""
    with broker_in_a_thread() as address:
        made = KafkaPythonRig(address)
        made.instrument()
        with made.stack:
            yield made
