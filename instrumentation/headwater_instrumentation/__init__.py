"""Trace context and flow facts for Kafka clients.

Importing this package imports no Kafka client and no SDK.
"""

from typing import TYPE_CHECKING, Any

from .batches import process_batch
from .dead_letters import mark_dead_letter, mark_retry
from .handlers import processor
from .outcomes import mark_compensation, record_breaker, record_outcome
from .process import Event, current_event, process

if TYPE_CHECKING:
    from .aiokafka import AIOKafkaInstrumentor

__all__ = [
    "AIOKafkaInstrumentor",
    "Event",
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


def __getattr__(name: str) -> Any:
    if name == "AIOKafkaInstrumentor":
        from .aiokafka import AIOKafkaInstrumentor

        return AIOKafkaInstrumentor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
