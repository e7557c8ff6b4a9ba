"""Instruments kafka-python: sends until the acknowledgement, what a consumer hands out, commits, transactions."""

from importlib import import_module
from typing import Any

from . import schemas
from .instrumentor import ClientInstrumentor
from .kafka_python_committing import Commits, of_coordinator
from .kafka_python_consuming import Consuming, described
from .kafka_python_producing import Producing
from .rebalancing import Rebalances, Steering
from .shim import Shim, Wrapper


class KafkaPythonInstrumentor(ClientInstrumentor):
    """``KafkaPythonInstrumentor().instrument()``, or the entry point that ``opentelemetry-instrument`` loads."""

    distribution = "kafka-python"
    least, below = (2, 0), (4, 0)

    def _install(self, options: dict[str, Any]) -> None:
        client, coordinator = import_module("kafka"), import_module("kafka.coordinator.consumer")
        shim = Shim("kafka_python", options)
        self._undone.append(shim.close)
        commits = Commits(shim)
        groups = Rebalances(shim, of_coordinator)
        joins: dict[str, Wrapper] = {
            "_on_join_prepare_async": groups.prepare,
            "_on_join_complete_async": groups.complete,
            "_on_join_prepare": groups.prepare_now,
            "_on_join_complete": groups.complete_now,
        }
        fetcher = import_module("kafka.consumer.fetcher")
        for owner, wrappers in (
            (client.KafkaProducer, Producing(shim).wrappers()),
            (client.KafkaConsumer, Consuming(shim).wrappers()),
            (client.KafkaConsumer, commits.asked()),
            (client.KafkaConsumer, Steering(shim, described).wrappers()),
            (coordinator.ConsumerCoordinator, commits.made()),
            (coordinator.ConsumerCoordinator, joins),
            (
                getattr(fetcher.Fetcher, "PartitionRecords", None),
                {"_unpack_records": schemas.kafka_python_partition},
            ),
        ):
            for name, wrapper in wrappers.items():
                # Transactions and PartitionRecords came with 2.1, joins that are async with 3.0.
                if hasattr(owner, name):
                    self._wrap(owner, name, wrapper)
