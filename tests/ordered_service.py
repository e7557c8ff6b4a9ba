"""Instruments every client twice, by ours and by OpenTelemetry's own, in the order that the first argument says."""

import asyncio
import sys
from importlib import import_module

import lone_service
from headwater_instrumentation import (
    AIOKafkaInstrumentor,
    ConfluentKafkaInstrumentor,
    KafkaPythonInstrumentor,
)


def ours() -> None:
    """headwater's."""
    for instrumentor in (AIOKafkaInstrumentor, ConfluentKafkaInstrumentor, KafkaPythonInstrumentor):
        instrumentor().instrument()


def theirs() -> None:
    """OpenTelemetry's own."""
    for module, instrumentor in (
        ("aiokafka", "AIOKafkaInstrumentor"),
        ("confluent_kafka", "ConfluentKafkaInstrumentor"),
        ("kafka", "KafkaInstrumentor"),
    ):
        getattr(import_module(f"opentelemetry.instrumentation.{module}"), instrumentor)().instrument()


if __name__ == "__main__":
    order, bootstrap, destination = sys.argv[1:]
    for name in order.split(","):
        {"ours": ours, "theirs": theirs}[name]()
    asyncio.run(lone_service.aiokafka(bootstrap, f"{destination}-1"))
    lone_service.confluent_kafka(bootstrap, f"{destination}-2")
    lone_service.kafka_python(bootstrap, f"{destination}-3")
