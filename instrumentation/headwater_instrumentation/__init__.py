"""Trace context and flow facts for Kafka clients.

Importing this package imports no Kafka client and no SDK.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .batches import process_batch
from .dead_letters import mark_dead_letter, mark_retry
from .handlers import processor
from .outcomes import mark_compensation, record_breaker, record_outcome
from .process import Event, current_event, process

if TYPE_CHECKING:
    from .aiokafka import AIOKafkaInstrumentor
    from .confluent_kafka import ConfluentKafkaInstrumentor
    from .kafka_python import KafkaPythonInstrumentor

__all__ = [
    "AIOKafkaInstrumentor",
    "ConfluentKafkaInstrumentor",
    "Event",
    "KafkaPythonInstrumentor",
    "current_event",
    "mark_compensation",
    "mark_dead_letter",
    "mark_retry",
    "process",
    "process_batch",
    "processor",
    "record_breaker",
    "record_outcome",
]


_INSTRUMENTORS = {
    "AIOKafkaInstrumentor": "aiokafka",
    "ConfluentKafkaInstrumentor": "confluent_kafka",
    "KafkaPythonInstrumentor": "kafka_python",
}


def __getattr__(name: str) -> Any:
    if name in _INSTRUMENTORS:
        return getattr(import_module(f".{_INSTRUMENTORS[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
