"""aiokafka's fetcher where a framework asks it by itself, as Faust does: polls without a body, which runs elsewhere."""

import time
import weakref
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from . import consuming
from .guard import AIOKAFKA as guard
from .shim import Shim

CONSUMER = "_headwater_consumer"
inside: ContextVar[bool] = ContextVar("headwater-getmany", default=False)
"""The consumer asks its fetcher for its own caller, who is recorded already."""


class Fetching:
    """The wrappers."""

    def __init__(self, shim: Shim, handed: Callable[[Any], consuming.Handed]) -> None:
        self._shim = shim
        self._handed = handed

    async def start(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """AIOKafkaConsumer.start: makes the fetcher, which does not know its consumer."""
        answer = await wrapped(*args, **kwargs)
        guard.run("fetch", self._note, instance)
        return answer

    def _note(self, consumer: Any) -> None:
        consumer._fetcher.__dict__[CONSUMER] = weakref.ref(consumer)

    async def fetched(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """Fetcher.fetched_records."""
        if inside.get():
            return await wrapped(*args, **kwargs)
        started_ns = time.time_ns()
        batch = await wrapped(*args, **kwargs)
        if batch and guard.settle("fetch", self._shim.active):
            guard.run("fetch", self._many, instance, batch, started_ns)
        return batch

    def _many(self, fetcher: Any, batch: dict[Any, list[Any]], started_ns: int) -> None:
        known = fetcher.__dict__.get(CONSUMER)
        consumer = known() if known is not None else None
        if consumer is not None:
            records = [record for part in batch.values() for record in part]
            consuming.many(consumer, self._handed(consumer), records, started_ns, body_follows=False)
