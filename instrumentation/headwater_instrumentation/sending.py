"""The span of one send: from the call until the broker's acknowledgement."""

import asyncio
import sys
import time
from typing import TYPE_CHECKING, Any

from opentelemetry import context as otel_context
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, SpanKind

from . import attributes as names
from . import context as ctx
from . import families, keys, propagation, schemas
from . import headers as hdr
from .config import Config
from .delivery import Delivery, extract, in_context
from .describing import marks
from .failing import failed, kind_of
from .guard import guard
from .measuring import Measure
from .senders import Sender
from .transactions import Transaction

if TYPE_CHECKING:
    from .shim import Shim

OURS = (ctx.NAME, *propagation.TRACE_HEADERS)


PRODUCER, CLIENT = SpanKind.PRODUCER, SpanKind.CLIENT
PRODUCERS_CLOCK = 0
"""Type of a record's time: the producer's clock; 1 is the broker's."""


class Send:
    """One send, from the call until it is known what became of it. One of its three ends is called, once."""

    # Defaults of the class, since most sends never change them.
    ours: tuple[str, ...] = OURS
    """Names of the headers that are not the caller's."""
    told_schema = True
    """Whether the value, and so its schema, was known when the span was begun."""
    watched = False
    """The client is about to look at its size."""
    _measure: Measure | None = None
    _started = 0.0

    def __init__(
        self, span: trace.Span, headers: hdr.Headers, topic: str, sender: Sender, pathway: str, shim: "Shim"
    ) -> None:
        self.span = span
        self.headers = headers
        """To be sent: a copy of the caller's with the context in it."""
        self.topic = topic
        self._sender = sender
        self._pathway = pathway
        self._shim = shim
        if shim.measure is not None and (measure := shim.counting()) is not None:
            self._measure = measure
            self._started = time.perf_counter()

    def stored(self, partition: int, offset: int | None, timestamp: int | None, kind: int | None) -> None:
        """Where the broker put the message, and the time that it has there with its type.

        The producer's own clock says nothing that the span does not.
        """
        try:
            self._sender.proven = True
            # One by one: the SDK looks longer at a mapping than at two values.
            note = self.span.set_attribute
            note(names.PARTITION, str(partition))
            if offset is not None and offset >= 0:
                note(names.OFFSET, offset)
            else:
                offset = None
            if kind != PRODUCERS_CLOCK and timestamp is not None and timestamp >= 0:
                note(names.RECORD_TS, timestamp)
                if kind is not None:
                    note(names.RECORD_TS_TYPE, kind)
            if self._measure is not None:
                self._count(partition, offset, None)
        finally:
            self.span.end()

    def acknowledged(self, future: Any) -> None:
        """Ends an asyncio client's send with what the broker said; ``future`` is done. Never raises an Exception."""
        try:
            if future.cancelled():
                self.fail(asyncio.CancelledError())
                return
            # Asking with exception() would silence asyncio's "exception was never retrieved".
            error = getattr(future, "_exception", None)
            if error is not None:
                self._sender.refused(getattr(error, "errno", None))
                self.fail(error)
                return
            found = future.result()
            if found is None:
                # Sent with acks=0: the broker says nothing.
                self._sender.proven = True
                self.end()
                return
            self.stored(found.partition, found.offset, found.timestamp, found.timestamp_type)
        except Exception as wrong:
            guard.note("acknowledgement", wrong)
            guard.settle("acknowledgement", self.span.end)

    def fail(self, error: BaseException) -> None:
        """The message was not taken, or not stored."""
        try:
            failed(self.span, error, self._shim.config)
            self._count(None, None, kind_of(error))
        finally:
            self.span.end()

    def end(self) -> None:
        """Nobody tells what became of it."""
        try:
            self._count(None, None, None)
        finally:
            self.span.end()

    def _count(self, partition: int | None, offset: int | None, error: str | None) -> None:
        if self._measure is not None:
            seconds = time.perf_counter() - self._started
            self._measure.sent(
                self._sender.base, self.topic, partition, offset, self._pathway, seconds, error
            )


def begin(
    shim: "Shim",
    sender: Sender,
    topic: str,
    value: Any,
    key: Any,
    headers: Any,
    transaction: Transaction | None = None,
    write: bool = True,
) -> Send:
    """Starts a send's span and writes its context into a copy of the caller's headers."""
    context = otel_context.get_current()
    delivery = in_context(context) if context else None
    config = shim.config
    values: dict[str, Any] = {**sender.base, names.TOPIC: topic}
    if value is None:
        values[names.TOMBSTONE] = True
    if key is not None and config.capture_key != "none":
        values.update(keys.described(key, config))
    out: hdr.Headers = []
    links: list[Link] | None = None
    kind, foreign, role = PRODUCER, False, None
    if headers is not None and (out := hdr.copied(headers)):
        role = hdr.last(out, hdr.ROLE)
        foreign, links = _upstream(delivery, out)
        if foreign:
            # A creation context that the caller put there stays as it is, and this span becomes its client.
            kind = CLIENT
        _read(delivery, out, topic, role, values)
    if out or schemas.possible(value):
        values.update(schemas.said(value, out))
    if delivery is not None and delivery.place is not None:
        values[names.CAUSE] = delivery.cause
    handled = sys.exc_info()[1]
    if handled is not None:
        values[names.WHILE_HANDLING] = type(handled).__qualname__
        if delivery is not None and delivery.span.is_recording():
            delivery.span.set_attribute(names.HANDLED_ERROR, type(handled).__qualname__)
    lineage, parent_id = _lineage(delivery, out, topic, shim.service, role, config)
    values[names.EVENT_ID] = lineage[0]
    if parent_id is not None:
        values[names.EVENT_PARENT_ID] = parent_id
    parent = context
    if transaction is not None:
        values[names.TRANSACTION_ID] = transaction.id
        if trace.get_current_span(context).get_span_context() == transaction.around:
            parent = trace.set_span_in_context(transaction.span, context)
        else:
            # Begun elsewhere, maybe around many handlers: a child of it would leave its own handler's flow.
            links = [*(links or ()), Link(transaction.span.get_span_context())]
    span = shim.tracer.start_span(f"send {topic}", parent, kind, values, links)
    if write and sender.inject:
        own = span.get_span_context()
        if not foreign:
            out = propagation.inject(span, own, context, out)
        if config.ctx_header == "on" and own.is_valid and (not context or _of_its_own(own, context)):
            if headers:
                out = hdr.without(out, (ctx.NAME,))
            out.append((ctx.NAME, ctx.written(*lineage).encode("ascii")))
    send = Send(span, out, topic, sender, lineage[3], shim)
    if foreign:
        send.ours = (ctx.NAME,)
    if type(value) is not bytes and value is not None and names.SCHEMA_ID not in values:
        send.told_schema = isinstance(value, bytes)
    return send


def _of_its_own(own: trace.SpanContext, context: Context) -> bool:
    # Without an SDK the span is none of our own: the context that was current is handed on.
    return own.span_id != trace.get_current_span(context).get_span_context().span_id


def pass_through(headers: Any) -> hdr.Headers | None:
    """The headers of a send where there is no SDK: what came in is handed on; None where nothing came."""
    context = otel_context.get_current()
    if not context:
        return None
    carrier: dict[str, str] = {}
    propagate.inject(carrier, context)
    out = hdr.copied(headers)
    if not carrier or hdr.last(out, hdr.TRACEPARENT) is not None and not _consumed(in_context(context), out):
        return None
    out = hdr.without(out, {*carrier, *propagation.TRACE_HEADERS})
    out.extend((key, value.encode("utf-8")) for key, value in carrier.items())
    return out


def _upstream(delivery: Delivery | None, out: hdr.Headers) -> tuple[bool, list[Link]]:
    """Whether the headers carry a trace that the caller means to be kept, and the link to whatever they carry."""
    if hdr.last(out, hdr.TRACEPARENT) is None:
        return False, []
    upstream = trace.get_current_span(extract(out)).get_span_context()
    if not upstream.is_valid:
        return False, []
    if _consumed(delivery, out):
        return False, [Link(upstream, {names.UPSTREAM: True})]
    return True, [Link(upstream)]


def _read(
    delivery: Delivery | None, out: hdr.Headers, topic: str, role: str | None, values: dict[str, Any]
) -> None:
    """What the headers say of a retry, a dead letter, a replay or a compensation."""
    facts = families.read(out, topic)
    if facts is not None:
        values.update(marks(facts))
    compensates = hdr.last(out, hdr.COMPENSATES)
    if compensates is not None and (role is not None or not _copied_along(delivery, compensates)):
        values[names.COMPENSATES] = compensates[:64]


def _consumed(delivery: Delivery | None, out: hdr.Headers) -> bool:
    """Whether the trace header is that of the record being handled: copied along, not meant."""
    if delivery is None:
        return False
    if delivery.place is None:
        return True
    given = hdr.last(out, hdr.TRACEPARENT)
    return hdr.last(delivery.headers, hdr.TRACEPARENT) == given


def _copied_along(delivery: Delivery | None, compensates: str) -> bool:
    """Whether the mark is that of the record being handled: what follows from a compensation is none itself."""
    return delivery is not None and hdr.last(delivery.headers, hdr.COMPENSATES) == compensates


def _lineage(
    delivery: Delivery | None, out: hdr.Headers, topic: str, service: str, role: str | None, config: Config
) -> tuple[tuple[str, int, int, str], str | None]:
    """Who the event is, as the fields of a ``Lineage``, and the id of the event that it follows from.

    Retries, dead letters and replays of an event are the event itself and lengthen nothing; anything else sent while
    handling one is an event of its own, whatever headers were copied.
    """
    consumed = delivery.lineage if delivery is not None else None
    if role is not None:
        same = ctx.parse(hdr.last(out, ctx.NAME)) or consumed
        if same is not None:
            return same, None
    event_id = ctx.stated_event_id(out, config.event_id_headers) if out else None
    if event_id is None or (consumed is not None and event_id == consumed.event_id):
        event_id = ctx.new_event_id()
    before = (delivery.pathway if delivery is not None else None) or ctx.START
    pathway = ctx.prefix(before, service, "send", "out", topic, "")
    if consumed is None:
        return (event_id, 1, time.time_ns() // 1_000_000, pathway), None
    return (event_id, consumed.hop + 1, consumed.root_ms, pathway), consumed.event_id
