"""The delivery that is being handled: its span, its context, and what sends inside it inherit."""

import asyncio
import time
import traceback
import weakref
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, SpanKind, Status, StatusCode, Tracer

from . import attributes as names
from . import context as ctx
from . import families, keys, propagation, schemas
from . import headers as hdr
from .config import Config
from .counting import Held
from .guard import guard
from .measuring import Measure
from .records import memory, view

KEY = otel_context.create_key("headwater-delivery")
ON_RECORD = "_headwater_delivery"
"""Where a delivery hangs on its record; no declared field, so equality and copies are not affected."""


STACK_AT_MOST = 8192
"""Characters of a stack that are recorded."""


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

    def of_group(self, group: str) -> "Source":
        """The same for another consumer group."""
        return replace(self, group=group, base={**self.base, names.GROUP: group})


class Delivery:
    """One handing of a record (or a batch) to a handler's body."""

    __slots__ = ("adopted", "ambient", "context", "ended", "held", "lineage", "pathway", "record",
                 "redelivered", "size", "source", "span", "started", "__weakref__")  # fmt: skip

    def __init__(self, record: Any, source: Source, ambient: Context, redelivered: bool = False) -> None:
        self.record = record
        """None for a batch."""
        self.size = 1
        """Records in it."""
        self.source = source
        self.redelivered = redelivered
        self.ambient = ambient
        """The context around the handler, without any delivery of ours; restored afterwards."""
        self.lineage: ctx.Lineage | None = None
        self.pathway: str | None = None
        self.span: trace.Span = trace.INVALID_SPAN
        self.context: Context = ambient
        self.adopted = False
        """``process()`` has taken over and will end it."""
        self.ended = False
        self.started = time.perf_counter()
        self.held: list[Held] = []
        """Partitions that it is reported to hold records of."""

    def __reduce__(self) -> tuple[Any, ...]:
        # A record may be pickled to another process; its span stays here.
        return (_nothing, ())

    def __deepcopy__(self, memo: Any) -> None:
        return None

    @property
    def cause(self) -> str | None:
        """Coordinates of the record being handled."""
        record = self.record
        return None if record is None else f"{record.topic}:{record.partition}:{record.offset}"

    def enter(self) -> None:
        """Makes its context the current one."""
        otel_context.attach(self.context)

    def leave(self) -> None:
        """Puts the ambient context back where ours is still current; another task's context is not touched."""
        if otel_context.get_value(KEY) is self:
            otel_context.attach(self.ambient)

    def end(self, error: BaseException | None = None, at_ns: int | None = None) -> None:
        """Ends the span once, with the error that left the body."""
        if self.ended:
            return
        self.ended = True
        if error is not None:
            failed(self.span, error, self.source.config)
        if self.source.measure is not None and self.source.measure.on():
            guard.settle("metrics", self._count, self.source.measure, error, at_ns)
        self.span.end(at_ns)

    def hold(self, first: Iterable[Any]) -> None:
        """Reports the first records of its partitions as in hand."""
        source = self.source
        if source.measure is not None and source.measure.on():
            self.held = source.measure.hold(source.base, source.group, self, first)

    def _count(self, measure: Measure, error: BaseException | None, at_ns: int | None) -> None:
        measure.counts.release(self, self.held)
        # Some ends are called a little after the body's.
        late = 0.0 if at_ns is None else max(time.time_ns() - at_ns, 0) / 1e9
        seconds = time.perf_counter() - self.started - late
        kind = None if error is None else kind_of(error)
        source = self.source
        measure.processed(source.base, source.group, self.record, self.pathway or "", seconds, kind)

    def end_soon(self) -> None:
        """Ends the span as of now, unless a task that the body has just created takes over at its first step."""
        now_ns = time.time_ns()
        loop = asyncio._get_running_loop()
        if loop is None:
            self.end_unless_adopted(now_ns)
        else:
            loop.call_soon(guard.settle, "process", self.end_unless_adopted, now_ns)

    def end_unless_adopted(self, at_ns: int | None = None) -> None:
        """Ends the span where nobody looks after it."""
        if not self.adopted:
            self.end(None, at_ns)


def _nothing() -> None:
    return None


def failed(span: trace.Span, error: BaseException, config: Config | None) -> None:
    """Marks a span with an error's class; its message only where that is switched on."""
    if span.is_recording():
        span.set_attribute(names.ERROR_TYPE, kind_of(error))
        text = str(error)[:1024] if config is not None and config.errors != "class" else None
        if config is not None and config.errors == "stack":
            span.add_event("exception", _stack(error))
        span.set_status(Status(StatusCode.ERROR, text))


def _stack(error: BaseException) -> dict[str, str]:
    """The conventions' event of an exception; of a long stack the end, which is where it happened."""
    stack = "".join(traceback.format_exception(error))
    return {
        "exception.type": kind_of(error),
        "exception.message": str(error)[:1024],
        "exception.stacktrace": stack[-STACK_AT_MOST:],
    }


def kind_of(error: BaseException) -> str:
    """Class of an error; of an error of librdkafka its name, since all have the same class."""
    for found in (error, *error.args[:1]):
        name = getattr(found, "name", None)
        if callable(name) and callable(getattr(found, "code", None)):
            return str(name())
    return type(error).__qualname__


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
    noted = getattr(record, "__dict__", None)
    if noted is not None:
        noted[ON_RECORD] = delivery
    else:
        memory.put(record, delivery if delivery.record is None else (weakref.ref(delivery), delivery.source))


def noted(record: Any) -> Delivery | None:
    """The delivery that was noted on a record."""
    own = getattr(record, "__dict__", None)
    found = own.get(ON_RECORD) if own is not None else memory.get(record)
    if isinstance(found, tuple):
        found = found[0]() or unbegun(found[1], False)
    return found if isinstance(found, Delivery) else None


def extract(headers: Any, context: Context | None = None) -> Context:
    """The sender's context on top of the given one, or of the current."""
    return propagate.extract(headers, context=context, getter=hdr.GETTER)


def place(record: Any) -> dict[str, Any]:
    """A record's coordinates, as attributes."""
    return {names.TOPIC: record.topic, names.PARTITION: str(record.partition), names.OFFSET: record.offset}


def start(given: Any, source: Source, redelivered: bool, highwater: int | None = None) -> Delivery | None:
    """Begins the span of one record's handling; None where a foreign Kafka span covers it already."""
    record = view(given)
    ambient = ambient_context()
    around = trace.get_current_span(ambient)
    if _covers(around, record):
        return None
    headers = record.headers or ()
    delivery = Delivery(record, source, ambient, redelivered)
    extracted, sender = propagation.sender(headers, ambient)
    delivery.lineage = ctx.parse(hdr.last(headers, ctx.NAME))
    values = _record_values(record, headers, delivery)
    if highwater is not None:
        values[names.HIGHWATER] = highwater
    parent = extracted
    if source.config.process_parent == "ambient" or around.get_span_context().is_valid:
        parent = trace.set_span_in_context(around, extracted)
    delivery.span = source.tracer.start_span(
        f"process {record.topic}",
        context=parent,
        kind=SpanKind.CONSUMER,
        attributes=values,
        links=(Link(sender, place(record)),) if sender.is_valid else None,
    )
    delivery.context = Context({**trace.set_span_in_context(delivery.span, extracted), KEY: delivery})
    note(record, delivery)
    delivery.hold((record,))
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


def _record_values(record: Any, headers: Any, delivery: Delivery) -> dict[str, Any]:
    source = delivery.source
    values = {
        **source.base,
        **place(record),
    }
    if record.timestamp is not None and record.timestamp >= 0:
        values[names.RECORD_TS] = record.timestamp
        values[names.RECORD_TS_TYPE] = record.timestamp_type
        values[names.WAIT_MS] = max(time.time_ns() // 1_000_000 - record.timestamp, 0)
    if record.serialized_value_size is not None and record.serialized_value_size >= 0:
        values[names.BODY_SIZE] = record.serialized_value_size
    if record.value is None:
        values[names.TOMBSTONE] = True
    if record.key is not None and source.config.capture_key != "none":
        values.update(keys.described(record.key, source.config))
    if delivery.redelivered:
        values[names.REDELIVERED] = True
    origin_topic = record.topic
    if (compensates := hdr.last(headers, hdr.COMPENSATES)) is not None:
        values[names.COMPENSATES] = compensates[:64]
    if (facts := families.read(headers, record.topic)) is not None:
        values.update(marks(facts))
        origin_topic = facts.origin_topic or record.topic
        if facts.time_inherited:
            # The time is that of the record it was made from: no wait of this one.
            values.pop(names.WAIT_MS, None)
    if (lineage := delivery.lineage) is not None:
        values[names.EVENT_ID] = lineage.event_id
        values[names.HOP] = lineage.hop
    elif headers and (event_id := ctx.stated_event_id(headers, source.config.event_id_headers)) is not None:
        values[names.EVENT_ID] = event_id
    values.update(schemas.of(record, headers))
    before = lineage.pathway if lineage is not None else ctx.START
    delivery.pathway = ctx.prefix(before, source.service, "process", "in", origin_topic, source.group)
    values[names.PATHWAY] = delivery.pathway
    return values


def way_in(record: Any, source: Source) -> tuple[str, float | None]:
    """The pathway up to and including this consumer, and the seconds since the record's time where it is its own."""
    headers = record.headers or ()
    facts = families.read(headers, record.topic)
    origin_topic = (facts.origin_topic if facts is not None else None) or record.topic
    lineage = ctx.parse(hdr.last(headers, ctx.NAME))
    before = lineage.pathway if lineage is not None else ctx.START
    inherited = facts is not None and facts.time_inherited
    wait = None
    if record.timestamp is not None and record.timestamp >= 0 and not inherited:
        wait = max(time.time() - record.timestamp / 1000, 0.0)
    return ctx.prefix(before, source.service, "process", "in", origin_topic, source.group), wait


def marks(facts: families.Facts) -> dict[str, Any]:
    """What the headers of a retry, a dead letter or a replay say, as attributes."""
    origin = facts.origin
    values = {
        names.RETRY_FAMILY: facts.family,
        names.DEAD_LETTER: True if facts.role == "dead_letter" else None,
        names.ORIGIN: origin,
        names.RETRY_ORIGIN: origin if facts.role == "retry" else None,
        names.ORIGIN_GROUP: facts.origin_group,
        names.RETRY_ATTEMPT: facts.attempt,
        names.RETRY_DUE_MS: facts.due,
        names.RETRY_ERROR: facts.error_type,
        names.TS_INHERITED: True if facts.time_inherited else None,
    }
    return {name: value for name, value in values.items() if value is not None}
