"""kafka-python's consumer: what it hands out, one by one or in batches."""

import functools
import sys
import time
from typing import Any

from . import attributes as names
from . import clients, consuming
from .guard import KAFKA_PYTHON as guard
from .shim import Shim, Wrapper

STATE = "_headwater_state"
ITERATING = "_headwater_iterating"
"""The consumer polls for its own iterator: nobody gets that batch."""


class Consuming:
    """The wrappers."""

    def __init__(self, shim: Shim) -> None:
        self._shim = shim

    def wrappers(self) -> dict[str, Wrapper]:
        """The consumer's methods that are wrapped."""
        return {"__next__": self.following, "poll": self.poll, "close": self.close}

    def following(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """KafkaConsumer.__next__, which a loop over it calls."""
        handed = guard.settle("next", self._came_back, instance)
        instance.__dict__[ITERATING] = True
        try:
            record = wrapped(*args, **kwargs)
        finally:
            instance.__dict__.pop(ITERATING, None)
        # From here on nothing of ours may raise: the record has left the client's buffer.
        if handed is not None and guard.settle("next", self._shim.active, record.topic):
            guard.run("next", consuming.one, instance, handed, record)
            if self._shim.consume_hook is not None and handed.delivery is not None:
                self._shim.hook_now(self._shim.consume_hook, handed.delivery.span, record)
        return record

    def poll(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """KafkaConsumer.poll."""
        if ITERATING in instance.__dict__:
            return wrapped(*args, **kwargs)
        handed = guard.settle("poll", self._came_back, instance)
        started_ns = time.time_ns()
        batch = wrapped(*args, **kwargs)
        if handed is not None and batch and guard.settle("poll", self._shim.active):
            guard.run("poll", self._many, instance, handed, batch, started_ns)
        return batch

    def _many(self, consumer: Any, handed: consuming.Handed, batch: Any, started_ns: int) -> None:
        records = [record for part in batch.values() for record in part]
        consuming.many(consumer, handed, records, started_ns)

    def close(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """KafkaConsumer.close: the last body is over, with the error on its way out if there is one."""
        guard.settle("close", self._closed, instance, sys.exc_info()[1])
        return wrapped(*args, **kwargs)

    def _closed(self, consumer: Any, error: BaseException | None) -> None:
        handed = consumer.__dict__.get(STATE)
        if isinstance(handed, consuming.Handed):
            handed.finish(error)

    def _came_back(self, consumer: Any) -> consuming.Handed:
        """Ends what the consumer's caller had in hands; gives the consumer's state."""
        handed = consumer.__dict__.get(STATE)
        if isinstance(handed, consuming.Handed):
            guard.settle("poll", handed.finish)
        if not isinstance(handed, consuming.Handed) or handed.source.config is not self._shim.config:
            base = described(consumer, "process", "process")
            clients.add_isolation(base, consumer.config.get("isolation_level"))
            source = self._shim.source(base, base.get(names.GROUP, ""))
            handed = consumer.__dict__[STATE] = consuming.Handed(source)
            if hasattr(consumer, "_subscription"):
                handed.highwater = functools.partial(_highwater, consumer._subscription)
        if names.CLUSTER_ID not in handed.source.base:
            clients.add_cluster_id(handed.source.base, consumer)
        return handed


def _highwater(subscription: Any, partition: tuple[str, int]) -> int | None:
    state = subscription.assignment.get(partition)
    found = state.highwater if state is not None else None
    return found if isinstance(found, int) and found >= 0 else None


def described(consumer: Any, name: str = "", kind: str | None = None) -> dict[str, Any]:
    """Attributes of a consumer's operation."""
    settings = consumer.config
    base = clients.described(name, kind, settings.get("client_id"), settings.get("bootstrap_servers"))
    if settings.get("group_id"):
        base[names.GROUP] = str(settings["group_id"])
    clients.add_cluster_id(base, consumer)
    return base
