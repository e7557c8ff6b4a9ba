"""Batches that a service builds itself with aiokafka: one span, whose context every message carries."""

import asyncio
import functools
from typing import Any

from opentelemetry import trace

from . import attributes as names
from . import clients, propagation
from . import context as ctx
from . import headers as hdr
from .delivery import current
from .guard import AIOKAFKA as guard
from .senders import Sender
from .sending import Send
from .shim import Shim

STATE = "_headwater_batch"


class Batches:
    """The wrappers around ``create_batch`` and ``send_batch``."""

    def __init__(self, shim: Shim) -> None:
        self._shim = shim

    def create(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """AIOKafkaProducer.create_batch: its ``append`` writes the context."""
        builder = wrapped(*args, **kwargs)
        if guard.settle("create_batch", self._shim.active):
            guard.run("create_batch", self._prepare, instance, builder)
        return builder

    def _prepare(self, producer: Any, builder: Any) -> None:
        # On the instance only: the producer's own batches, of single sends, are of the same class.
        builder.append = functools.partial(self.append, producer, builder, builder.append)

    def append(self, producer: Any, builder: Any, original: Any, /, *args: Any, **kwargs: Any) -> Any:
        """BatchBuilder.append."""
        headers = guard.run("append", self._headers, producer, builder, kwargs.get("headers"))
        return original(*args, **(kwargs if headers is None else {**kwargs, "headers": headers}))

    def _headers(self, producer: Any, builder: Any, given: Any) -> hdr.Headers | None:
        if self._shim.without_sdk() or not self._shim.active():
            return None
        span = builder.__dict__.get(STATE)
        if span is None:
            span = builder.__dict__[STATE] = self._begin(producer)
        around = trace.set_span_in_context(span)
        return propagation.inject(span, span.get_span_context(), around, hdr.copied(given))

    def _begin(self, producer: Any) -> trace.Span:
        values = clients.base(producer.client, "send", "send")
        delivery = current()
        if delivery is not None and delivery.cause is not None:
            values[names.CAUSE] = delivery.cause
        return self._shim.tracer.start_span("send", kind=trace.SpanKind.PRODUCER, attributes=values)

    async def send(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """AIOKafkaProducer.send_batch(batch, topic, partition=…)."""
        begun = guard.run("send_batch", self._sent, instance, args, kwargs)
        try:
            future = await wrapped(*args, **kwargs)
        except BaseException as error:
            if begun is not None:
                guard.settle("send_batch", begun[0].fail, error)
            raise
        if begun is not None:
            if hasattr(future, "add_done_callback"):
                future.add_done_callback(functools.partial(guard.settle, "send_batch", self._stored, *begun))
            else:
                guard.settle("send_batch", begun[0].end)
        return future

    def _sent(self, producer: Any, args: Any, kwargs: Any) -> "tuple[BatchSend, int] | None":
        given = {**dict(zip(("batch", "topic", "partition"), args, strict=False)), **kwargs}
        span = given["batch"].__dict__.pop(STATE, None)
        topic = given["topic"]
        if span is None or not self._shim.active(topic):
            return None
        number = given["batch"].record_count()
        span.update_name(f"send {topic}")
        delivery = current()
        before = (delivery.pathway if delivery is not None else None) or ctx.START
        pathway = ctx.prefix(before, self._shim.service, "send", "out", topic, "")
        span.set_attributes({names.TOPIC: topic, names.BATCH_COUNT: number})
        sender = Sender(*clients.settings(producer.client))
        clients.add_cluster_id(sender.base, producer.client)
        return BatchSend(span, [], topic, sender, pathway, self._shim), number

    def _stored(self, send: "BatchSend", number: int, future: Any) -> None:
        error = None if future.cancelled() else getattr(future, "_exception", None)
        if future.cancelled() or error is not None:
            send.fail(error if error is not None else asyncio.CancelledError())
            return
        send.stored_many(future.result(), number)


class BatchSend(Send):
    """The send of a batch."""

    def stored_many(self, found: Any, number: int) -> None:
        """Where the broker put the batch: the first offset is told."""
        last = found.offset + number - 1
        try:
            self.span.set_attributes(
                {
                    names.PARTITION: str(found.partition),
                    names.OFFSETS: [f"{self.topic}:{found.partition}:{found.offset}-{last}"],
                }
            )
            for offset in range(found.offset, last + 1):
                self._count(found.partition, offset, None)
        finally:
            self.span.end()
