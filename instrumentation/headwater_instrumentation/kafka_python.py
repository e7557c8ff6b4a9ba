"""Instruments kafka-python: sends until the acknowledgement, what a consumer hands out, commits, transactions."""

from importlib import import_module
from typing import Any

from .instrumentor import ClientInstrumentor
from .kafka_python_committing import Commits
from .kafka_python_consuming import Consuming
from .kafka_python_producing import Producing
from .shim import Shim


class KafkaPythonInstrumentor(ClientInstrumentor):
    """``KafkaPythonInstrumentor().instrument()``, or the entry point that ``opentelemetry-instrument`` loads."""

    distribution = "kafka-python"
    least, below = (2, 0), (4, 0)

    def _install(self, options: dict[str, Any]) -> None:
        client, coordinator = import_module("kafka"), import_module("kafka.coordinator.consumer")
        shim = Shim("kafka_python", options)
        commits = Commits(shim)
        for owner, wrappers in (
            (client.KafkaProducer, Producing(shim).wrappers()),
            (client.KafkaConsumer, Consuming(shim).wrappers()),
            (client.KafkaConsumer, commits.asked()),
            (coordinator.ConsumerCoordinator, commits.made()),
        ):
            for name, wrapper in wrappers.items():
                # Transactions came with 2.1.
                if hasattr(owner, name):
                    self._wrap(owner, name, wrapper)
