"""confluent-kafka's asyncio classes: threads do the work, so the handler's body is around the call, not in it."""

import asyncio
import functools
import sys
import time
from typing import Any

from .confluent_consuming import Consuming, State
from .confluent_producing import Producing
from .guard import CONFLUENT_KAFKA as guard
from .records import time_of
from .sending import Send
from .shim import Shim


class Aio:
    """The wrappers. The client inside is told to record nothing itself."""

    def __init__(self, shim: Shim, producing: Producing, consuming: Consuming) -> None:
        self._shim = shim
        self._producing = producing
        self._consuming = consuming

    async def produce(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """AIOProducer.produce: it sends in batches and refuses headers; the coordinates tell where it went."""
        send = guard.run("produce", self._begin, instance, args, kwargs)
        try:
            future = await wrapped(*args, **kwargs)
        except BaseException as error:
            if send is not None:
                guard.settle("produce", send.fail, error)
            raise
        if send is not None:
            if hasattr(future, "add_done_callback"):
                future.add_done_callback(functools.partial(guard.settle, "produce", self._done, send))
            else:
                guard.settle("produce", send.end)
        return future

    def _begin(self, producer: Any, args: Any, kwargs: Any) -> Send | None:
        inner = producer._producer
        topic = args[0] if args else kwargs["topic"]
        if not self._shim.active(topic):
            return None
        self._producing.state(inner).passive = True
        value = args[1] if len(args) > 1 else kwargs.get("value")
        key = args[2] if len(args) > 2 else kwargs.get("key")
        return self._producing.begin(inner, topic, value, key, None, write=False)

    def _done(self, send: Send, future: Any) -> None:
        if future.cancelled():
            send.fail(asyncio.CancelledError())
            return
        error = getattr(future, "_exception", None)
        if error is not None:
            send.fail(error)
            return
        message = future.result()
        send.stored(message.partition(), message.offset(), *time_of(message))

    async def poll(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """AIOConsumer.poll."""
        state = guard.settle("poll", self._came_back, instance)
        message = await wrapped(*args, **kwargs)
        if state is not None and message is not None:
            guard.run("poll", self._consuming.one, instance._consumer, state, message)
        return message

    async def consume(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """AIOConsumer.consume."""
        state = guard.settle("consume", self._came_back, instance)
        started_ns = time.time_ns()
        messages = await wrapped(*args, **kwargs)
        if state is not None and messages:
            guard.run("consume", self._consuming.many, instance._consumer, state, messages, started_ns)
        return messages

    def _came_back(self, consumer: Any) -> State:
        state = self._consuming.state(consumer._consumer)
        state.passive = True
        guard.settle("poll", state.handed.finish)
        return state

    async def close(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """AIOConsumer.close."""
        guard.settle("close", self._closed, instance, sys.exc_info()[1])
        return await wrapped(*args, **kwargs)

    def _closed(self, consumer: Any, error: BaseException | None) -> None:
        self._consuming.state(consumer._consumer).handed.finish(error)
