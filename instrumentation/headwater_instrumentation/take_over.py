"""One instrumentation for each client: OpenTelemetry's own of the same client is put out of action."""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from .guard import logger

OTHERS = {
    "aiokafka": ("opentelemetry.instrumentation.aiokafka", "AIOKafkaInstrumentor"),
    "confluent-kafka": ("opentelemetry.instrumentation.confluent_kafka", "ConfluentKafkaInstrumentor"),
    "kafka-python": ("opentelemetry.instrumentation.kafka", "KafkaInstrumentor"),
}
"""Module and class, by the client's distribution."""
_ACTIVE = "_is_instrumented_by_opentelemetry"
"""Where ``BaseInstrumentor`` notes that it has done its work; while it is set, ``instrument()`` does nothing."""


def take_over(distribution: str) -> Callable[[], None] | None:
    """Uninstruments the other instrumentation of a client and keeps it from starting.

    Before ours is in place only: each takes off whatever wrapper is outermost. Gives what sets it free again; None
    where there is no other.
    """
    other = _other(distribution)
    if other is None:
        return None
    if getattr(other, _ACTIVE, False):
        other.uninstrument()
    setattr(other, _ACTIVE, True)
    module = OTHERS[distribution][0]
    logger.info(
        "headwater records %s in place of %s; HEADWATER_KAFKA_TAKE_OVER=0 keeps both.", distribution, module
    )
    return lambda: setattr(other, _ACTIVE, False)


def _other(distribution: str) -> Any:
    module, name = OTHERS[distribution]
    if find_spec(module) is None:
        return None
    return getattr(import_module(module), name)()
