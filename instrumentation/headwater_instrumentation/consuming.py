"""What a consumer hands out, and the handler's body that follows: one record, or a batch."""

import asyncio
import sys
import time
import weakref
from collections.abc import Callable
from typing import Any

from opentelemetry.trace import Link, SpanKind

from . import attributes as names
from . import batches
from .delivery import Delivery, Source, ambient_context, note, start, unbegun
from .describing import place, way_in
from .guard import guard
from .measuring import Measure
from .records import is_message, view

ENDING_AT_MOST = 10_000
"""Bodies of one consumer that may wait for the tasks they created."""
HINT_EVERY_S = 1.0
"""Seconds after which a body says again how far its partition goes."""


class Handed:
    """The state of one consumer: the delivery in its caller's hands, and how far it has read."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.delivery: Delivery | None = None
        self._watched: weakref.finalize[Any, Any] | None = None
        """Ends what is in hand when the consumer is collected."""
        self._highest: dict[tuple[str, int], int] = {}
        self._ending: list[tuple[Delivery, int]] = []
        """Bodies that are over, and when; their tasks have not run yet."""
        self.highwater: Callable[[tuple[str, int]], int | None] | None = None
        """Where the client knows it: the offset after the last message of a partition."""
        self._hint_at: dict[tuple[str, int], float] = {}
        """When a partition's end is to be written down again."""

    def finish(self, error: BaseException | None = None) -> None:
        """The caller has come back: what was in its hands is done, unless ``process()`` looks after it."""
        delivery = self.delivery
        if delivery is None:
            return
        self.delivery = None
        delivery.leave()
        if delivery.adopted:
            return
        loop = asyncio._get_running_loop()
        if error is not None or loop is None:
            delivery.end(error)
            return
        # As of now, unless a task that the body has just created takes over at its first step.
        self._ending.append((delivery, time.time_ns()))
        if len(self._ending) == 1:
            loop.call_soon(guard.settle, "process", self._wait_for_tasks, loop)
        elif len(self._ending) >= ENDING_AT_MOST:
            self.end_waiting()

    def _wait_for_tasks(self, loop: asyncio.AbstractEventLoop) -> None:
        # Bodies since then have put their tasks in the queue before this.
        loop.call_soon(guard.settle, "process", self.end_waiting)

    def end_waiting(self) -> None:
        """Ends the bodies that are over and that no task has taken over."""
        ending, self._ending = self._ending, []
        for delivery, at_ns in ending:
            try:
                delivery.end_unless_adopted(at_ns)
            except Exception as error:
                guard.note("process", error)

    def begin(self, consumer: Any, delivery: Delivery | None) -> None:
        """Puts a delivery into the caller's hands; one that nobody fetches after ends with its consumer."""
        self.delivery = delivery
        if delivery is not None:
            delivery.enter()
            if self._watched is None:
                self._watched = weakref.finalize(consumer, guard.settle, "collected", _truncated, self)

    def take(self, records: list[Any]) -> list[batches.Run]:
        """Notes for all records of a batch where they came from; gives the runs of consecutive offsets."""
        first, again = unbegun(self.source, False), unbegun(self.source, True)
        runs: list[batches.Run] = []
        run, known = None, -1
        for record in records:
            topic, partition, offset = record.topic, record.partition, record.offset
            if run is not None and offset == run[3] + 1 and partition == run[1] and topic == run[0]:
                run[3] = offset
            else:
                if run is not None:
                    self._highest[run[0], run[1]] = max(known, run[3])
                run = [topic, partition, offset, offset]
                runs.append(run)
                known = self._highest.get((topic, partition), -1)
            note(record, first if offset > known else again)
        if run is not None:
            self._highest[run[0], run[1]] = max(known, run[3])
        return runs

    def end_of(self, partition: tuple[str, int]) -> int | None:
        """The end of a partition, once in a while."""
        if self.highwater is None or (now := time.monotonic()) < self._hint_at.get(partition, 0.0):
            return None
        self._hint_at[partition] = now + HINT_EVERY_S
        return guard.settle("highwater", self.highwater, partition)

    def seen(self, partition: tuple[str, int], offset: int) -> bool:
        """Whether this process was handed the record, or a later one of its partition, before; notes it."""
        if offset > self._highest.get(partition, -1):
            self._highest[partition] = offset
            return False
        return True


def _truncated(handed: Handed) -> None:
    handed.end_waiting()
    delivery = handed.delivery
    if delivery is not None and not delivery.adopted and not delivery.ended:
        delivery.span.set_attribute(names.TRUNCATED, True)
        delivery.end()


def one(consumer: Any, handed: Handed, record: Any) -> None:
    """The caller of getone or poll gets ``record``, which has a record's fields; its body begins now."""
    partition = (record.topic, record.partition)
    redelivered = handed.seen(partition, record.offset)
    source = handed.source
    config = source.config
    if config.receive_span == "always":
        _poll(source, record)
    if config.process_span == "auto":
        delivery = start(record, source, redelivered, handed.end_of(partition))
        if source.measure is not None:
            guard.settle("metrics", _count, source, record, delivery)
        handed.begin(consumer, delivery)
        return
    guard.settle("metrics", _count, source, record, None)
    note(record, unbegun(source, redelivered))


def _poll(source: Source, record: Any) -> None:
    """The span of a call that fetched one record; when it was called nobody needs to know."""
    values = {**source.base, **place(record)}
    _poll_span(source, values, batches.links([record], 1, values), None)


def _poll_span(source: Source, values: dict[str, Any], links: list[Link], started_ns: int | None) -> None:
    told = {**values, names.OPERATION_NAME: "poll", names.OPERATION_TYPE: "receive"}
    name = batches.span_name("poll", values)
    tracer = source.tracer
    tracer.start_span(name, ambient_context(), SpanKind.CLIENT, told, links, start_time=started_ns).end()


def _count(source: Source, record: Any, delivery: Delivery | None) -> None:
    measure = delivery.measure if delivery is not None else source.counting()
    if measure is None:
        return
    way, wait = way_in(record, source)
    if delivery is not None and delivery.pathway is not None:
        way = delivery.pathway
    measure.handed(source.base, source.group, ((record.topic, record.partition, record.offset, way, wait),))


def _count_many(source: Source, measure: Measure, records: list[Any], started_ns: int) -> None:
    measure.polled(source.base, max(time.time_ns() - started_ns, 0) / 1e9)
    measure.handed(
        source.base,
        source.group,
        [(record.topic, record.partition, record.offset, *way_in(record, source)) for record in records],
    )


def many(
    consumer: Any, handed: Handed, records: list[Any], started_ns: int, body_follows: bool = True
) -> None:
    """The caller of getmany, consume or poll gets a batch: a poll span that is over, and a body that begins now."""
    source, config = handed.source, handed.source.config
    if records and is_message(records[0]):
        records = [view(record) for record in records]
    if config.topics_exclude:
        records = [record for record in records if record.topic not in config.topics_exclude]
    if not records:
        return
    runs = handed.take(records)
    if (measure := source.counting()) is not None:
        guard.settle("metrics", _count_many, source, measure, records, started_ns)
    ambient = ambient_context()
    batch_values = batches.values(records, source, runs)
    links = batches.links(records, config.links_max, batch_values)
    handled = config.process_span == "auto" and body_follows
    if config.receive_span != "off":
        # The coordinates are on the links of the body; both would cost as much as all the rest.
        bare = [Link(link.context) for link in links] if handled else links
        _poll_span(source, batch_values, bare, started_ns)
    if handled:
        delivery = batches.start(records, source, batch_values, links, ambient)
        handed.begin(consumer, delivery)


def stopped(handed: Handed) -> None:
    """The consumer is stopped; an error may be on its way out through the ``finally`` or ``except`` around it."""
    handed.finish(sys.exc_info()[1])
