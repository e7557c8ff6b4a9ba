"""The delivery that is being handled: its span, its context, and what sends inside it inherit."""

import re
import time
import weakref
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, SpanKind, Tracer

from . import attributes as names
from . import context as ctx
from . import headers as hdr
from . import propagation, schemas
from .config import Config
from .counting import Held
from .describing import note_headers, note_record
from .failing import failed, kind_of
from .guard import guard
from .measuring import Measure, collected
from .records import memory

KEY = otel_context.create_key("headwater-delivery")
CONSUMER = SpanKind.CONSUMER
"""Looked up once: an enumeration's members cost as much as a small function."""
Place = tuple[str, int, int]
"""Topic, partition and offset."""
ON_RECORD = "_headwater_delivery"
"""Where a delivery hangs on its record; no declared field, so equality and copies are not affected."""


def _never() -> bool:
    return False


@dataclass(frozen=True)
class Source:
    """Where records are handed out, and how their handling is recorded."""

    tracer: Tracer
    base: dict[str, Any]
    """Attributes of every process span."""
    group: str
    service: str
    config: Config
    measure: Measure | None = None
    silent: Callable[[], bool] = _never
    """Whether there is no SDK."""

    def counting(self) -> Measure | None:
        """The counters, where anybody collects what they count."""
        return collected(self.measure)

    def of_group(self, group: str) -> "Source":
        """The same for another consumer group."""
        return replace(self, group=group, base={**self.base, names.GROUP: group})


class Delivery:
    """One handing of a record (or a batch) to a handler's body.

    It hangs on its record and in contexts, and holds neither, so that they are freed without the garbage collector.
    """

    # Defaults of the class, since most deliveries never change them.
    redelivered = False
    place: Place | None = None
    """Of the record; None for a batch."""
    headers: Any = ()
    """The record's."""
    size = 1
    """Records in it."""
    said: re.Match[str] | None = None
    """What its headers say of the event, taken apart."""
    origin_topic = ""
    """Where its event was sent to first: a retry goes the way of what it repeats."""
    span: trace.Span = trace.INVALID_SPAN
    adopted = False
    """``process()`` has taken over and will end it."""
    ended = False
    measure: Measure | None = None
    """Where it is counted."""
    held: Sequence[Held] = ()
    """Partitions that it is reported to hold records of."""

    def __init__(self, record: Any, source: Source, ambient: Context, redelivered: bool = False) -> None:
        if record is not None:
            self.place = (record.topic, record.partition, record.offset)
            self.headers = record.headers or ()
        self.source = source
        if redelivered:
            self.redelivered = True
        self.ambient = ambient
        """The context around the handler, without any delivery of ours; restored afterwards."""
        self.extracted = ambient
        """The ambient context with what the sender's headers brought."""
        self.started = time.perf_counter()

    def __reduce__(self) -> tuple[Any, ...]:
        # A record may be pickled to another process; its span stays here.
        return (_nothing, ())

    def __deepcopy__(self, memo: Any) -> None:
        return None

    @property
    def cause(self) -> str | None:
        """Coordinates of the record being handled."""
        place = self.place
        return None if place is None else f"{place[0]}:{place[1]}:{place[2]}"

    @property
    def lineage(self) -> ctx.Lineage | None:
        """Who the event is; asked for by what is sent, and most that is received sends nothing."""
        return ctx.lineage(self.said)

    @property
    def pathway(self) -> str | None:
        """The way up to and including this consumer; None for a batch."""
        if self.place is None:
            return None
        before = ctx.START if self.said is None else self.said[4]
        source = self.source
        return ctx.prefix(before, source.service, "process", "in", self.origin_topic, source.group)

    @property
    def context(self) -> Context:
        """What is current in the body."""
        return Context({**self.extracted, propagation.SPAN_KEY: self.span, KEY: self})

    def enter(self) -> None:
        """Makes its context the current one."""
        otel_context.attach(self.context)

    def leave(self) -> None:
        """Puts the ambient context back where ours is still current; another task's context is not touched."""
        if otel_context.get_current().get(KEY) is self:
            otel_context.attach(self.ambient)

    def end(self, error: BaseException | None = None, at_ns: int | None = None) -> None:
        """Ends the span once, with the error that left the body."""
        if self.ended:
            return
        self.ended = True
        if error is not None:
            failed(self.span, error, self.source.config)
        if self.measure is not None:
            guard.settle("metrics", self._count, self.measure, error, at_ns)
        self.span.end(at_ns)

    def hold(self, measure: Measure, first: Iterable[Any]) -> None:
        """Counts it, and reports the first records of its partitions as in hand."""
        self.measure = measure
        self.held = measure.hold(self.source.base, self.source.group, self, first)

    def _count(self, measure: Measure, error: BaseException | None, at_ns: int | None) -> None:
        measure.counts.release(self, self.held)
        # Some ends are called a little after the body's.
        late = 0.0 if at_ns is None else max(time.time_ns() - at_ns, 0) / 1e9
        seconds = time.perf_counter() - self.started - late
        kind = None if error is None else kind_of(error)
        source = self.source
        measure.processed(source.base, source.group, self.place, self.pathway or "", seconds, kind)

    def end_unless_adopted(self, at_ns: int | None = None) -> None:
        """Ends the span where nobody looks after it."""
        if not self.adopted:
            self.end(None, at_ns)


def _nothing() -> None:
    return None


def current() -> Delivery | None:
    """The delivery whose body is running here."""
    return in_context(otel_context.get_current())


def in_context(context: Context) -> Delivery | None:
    """The same of a context."""
    found = context.get(KEY)
    return found if isinstance(found, Delivery) else None


def restore(outer: Context) -> None:
    """Makes a context current again, without the deliveries in it that are over."""
    while isinstance(found := otel_context.get_value(KEY, outer), Delivery) and found.ended:
        outer = found.ambient
    otel_context.attach(outer)


def ambient_context() -> Context:
    """The current context with all deliveries of ours taken off, so that a leaked one never becomes a parent."""
    context = otel_context.get_current()
    while isinstance(found := context.get(KEY), Delivery):
        context = found.ambient
    return context


def unbegun(source: Source, redelivered: bool) -> Delivery:
    """Where a record came from, to be noted on it for a ``process()`` to come."""
    delivery = Delivery(None, source, Context(), redelivered)
    delivery.ended = True
    return delivery


def note(record: Any, delivery: Delivery) -> None:
    """Notes a delivery on its record; where a record has no room, beside it, without keeping either alive."""
    try:
        # Past what a frozen class forbids, and without making the dictionary that records otherwise do without.
        object.__setattr__(record, ON_RECORD, delivery)
    except (AttributeError, TypeError):
        memory.put(record, delivery if delivery.place is None else (weakref.ref(delivery), delivery.source))


def noted(record: Any) -> Delivery | None:
    """The delivery that was noted on a record."""
    found = getattr(record, ON_RECORD, None) or memory.get(record)
    if isinstance(found, tuple):
        found = found[0]() or unbegun(found[1], False)
    return found if isinstance(found, Delivery) else None


def extract(headers: Any, context: Context | None = None) -> Context:
    """The sender's context on top of the given one, or of the current."""
    return propagate.extract(headers, context=context, getter=hdr.GETTER)


def start(record: Any, source: Source, redelivered: bool, highwater: int | None = None) -> Delivery | None:
    """Begins the span of one record's handling; None where a foreign Kafka span covers it already.

    ``record`` has a record's fields, as ``view`` gives them; ``highwater`` is the offset after its partition's last.
    """
    ambient = ambient_context()
    around = trace.get_current_span(ambient) if ambient else trace.INVALID_SPAN
    if around is not trace.INVALID_SPAN and _covers(around, record):
        return None
    delivery = Delivery(record, source, ambient, redelivered)
    headers, topic = delivery.headers, record.topic
    named = dict(headers)
    delivery.extracted, sender = propagation.sender(headers, ambient, named)
    plain = named.keys() <= ctx.OWN
    values = source.base.copy()
    values[names.TOPIC] = topic
    values[names.PARTITION] = str(record.partition)
    values[names.OFFSET] = record.offset
    note_headers(topic, delivery, named, plain, values)
    parent = delivery.extracted
    if source.config.process_parent == "ambient" or (
        around is not trace.INVALID_SPAN and around.get_span_context().is_valid
    ):
        parent = trace.set_span_in_context(around, parent)
    if source.silent():
        # Nothing is recorded: the trace that came in is handed on.
        delivery.span = trace.get_current_span(parent)
    else:
        if highwater is not None:
            values[names.HIGHWATER] = highwater
        note_record(record, source, values)
        if not plain or schemas.some_noted or schemas.possible(record.value):
            values.update(schemas.of(record, None if plain else headers))
        delivery.span = source.tracer.start_span(
            f"process {topic}",
            parent,
            CONSUMER,
            values,
            # Its coordinates are the span's own.
            None if sender is trace.INVALID_SPAN_CONTEXT else (Link(sender),),
        )
    note(record, delivery)
    if source.measure is not None and (measure := source.counting()) is not None:
        guard.settle("metrics", delivery.hold, measure, (record,))
    return delivery


def _covers(span: trace.Span, record: Any) -> bool:
    """A framework's own span for this very record is current."""
    values = getattr(span, "attributes", None)
    return (
        values is not None
        and getattr(span, "kind", None) is SpanKind.CONSUMER
        and values.get(names.SYSTEM) == names.KAFKA
        and values.get(names.TOPIC) in (None, record.topic)
        and values.get(names.OFFSET, values.get("messaging.kafka.message.offset")) == record.offset
    )
