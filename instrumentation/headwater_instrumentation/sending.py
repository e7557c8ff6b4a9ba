"""The span of one send: from the call until the broker's acknowledgement."""

import asyncio
import sys
import time
from typing import TYPE_CHECKING, Any

from opentelemetry import propagate, trace
from opentelemetry.trace import Link, SpanKind

from . import attributes as names
from . import context as ctx
from . import families
from . import headers as hdr
from .delivery import Delivery, current, extract, failed, kind_of, marks
from .transactions import Transaction

if TYPE_CHECKING:
    from .shim import Shim

TRACE_HEADERS = ("traceparent", "tracestate", "baggage")


class Send:
    """One send, from the call until it is known what became of it. One of its three ends is called, once."""

    __slots__ = ("_base", "_config", "_measure", "_pathway", "_started", "headers", "span", "topic")

    def __init__(
        self,
        span: trace.Span,
        headers: hdr.Headers,
        topic: str,
        base: dict[str, Any],
        pathway: str,
        shim: "Shim",
    ) -> None:
        self.span = span
        self.headers = headers
        """To be sent: a copy of the caller's with the context in it."""
        self.topic = topic
        self._base = base
        self._pathway = pathway
        self._config = shim.config
        self._measure = shim.measure
        self._started = time.perf_counter()

    def stored(self, partition: int, offset: int | None, timestamp: int | None, kind: int | None) -> None:
        """Where the broker put the message, and the time that it has there with its type."""
        known = offset if offset is not None and offset >= 0 else None
        try:
            values: dict[str, Any] = {names.PARTITION: str(partition)}
            if known is not None:
                values[names.OFFSET] = known
            if timestamp is not None and timestamp >= 0:
                values[names.RECORD_TS] = timestamp
                if kind is not None:
                    values[names.RECORD_TS_TYPE] = kind
            self.span.set_attributes(values)
            self._count(partition, known, None)
        finally:
            self.span.end()

    def fail(self, error: BaseException) -> None:
        """The message was not taken, or not stored."""
        try:
            failed(self.span, error, self._config)
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
            self._measure.sent(self._base, self.topic, partition, offset, self._pathway, seconds, error)


def begin(
    shim: "Shim",
    topic: str,
    value: Any,
    headers: Any,
    base: dict[str, Any],
    write_headers: bool,
    transaction: Transaction | None = None,
) -> Send:
    """Starts a send's span and writes its context into a copy of the caller's headers."""
    out = hdr.copied(headers)
    delivery = current()
    values: dict[str, Any] = {**base, names.TOPIC: topic}
    if value is None:
        values[names.TOMBSTONE] = True
    kind, links = SpanKind.PRODUCER, []
    foreign = False
    given = hdr.last(out, hdr.TRACEPARENT) if out else None
    if given is not None:
        upstream = trace.get_current_span(extract(out)).get_span_context()
        foreign = upstream.is_valid and not _consumed(delivery, given)
        if foreign:
            # A creation context that the caller put there stays as it is, and this span becomes its client.
            kind, links = SpanKind.CLIENT, [Link(upstream)]
        elif upstream.is_valid:
            links = [Link(upstream, {names.UPSTREAM: True})]
    if delivery is not None and delivery.cause is not None:
        values[names.CAUSE] = delivery.cause
    handled = sys.exc_info()[1]
    if handled is not None:
        values[names.WHILE_HANDLING] = type(handled).__qualname__
        if delivery is not None and delivery.span.is_recording():
            delivery.span.set_attribute(names.HANDLED_ERROR, type(handled).__qualname__)
    lineage, parent_id = _lineage(delivery, out, topic, shim.service)
    role = hdr.last(out, hdr.ROLE) if out else None
    facts = families.read(out, topic) if out else None
    if facts is not None:
        values.update(marks(facts))
    compensates = hdr.last(out, hdr.COMPENSATES) if out else None
    if compensates is not None and (role is not None or not _copied_along(delivery, compensates)):
        values[names.COMPENSATES] = compensates[:64]
    values[names.EVENT_ID] = lineage.event_id
    values[names.HOP] = lineage.hop
    values[names.PATHWAY] = lineage.pathway
    if parent_id is not None:
        values[names.EVENT_PARENT_ID] = parent_id
    around = trace.get_current_span().get_span_context()
    parent = None
    if transaction is not None:
        values[names.TRANSACTION_ID] = transaction.id
        if around == transaction.around:
            parent = trace.set_span_in_context(transaction.span)
        else:
            # Begun elsewhere, maybe around many handlers: a child of it would leave its own handler's flow.
            links.append(Link(transaction.span.get_span_context()))
    span = shim.tracer.start_span(f"send {topic}", parent, kind=kind, attributes=values, links=links or None)
    if not write_headers:
        return Send(span, out, topic, base, lineage.pathway, shim)
    if not foreign:
        out = _injected(span, out)
    # Without an SDK the span is none of our own: invalid, or the context that was current handed on.
    own = span.get_span_context()
    if own.is_valid and own.span_id != around.span_id and shim.config.ctx_header == "on":
        out = hdr.without(out, (ctx.NAME,))
        out.append((ctx.NAME, lineage.text().encode("ascii")))
    return Send(span, out, topic, base, lineage.pathway, shim)


def _consumed(delivery: Delivery | None, traceparent: str) -> bool:
    """Whether a trace header is that of the record being handled: copied along, not meant."""
    if delivery is None:
        return False
    if delivery.record is None:
        return True
    return hdr.last(delivery.record.headers or (), hdr.TRACEPARENT) == traceparent


def _copied_along(delivery: Delivery | None, compensates: str) -> bool:
    """Whether the mark is that of the record being handled: what follows from a compensation is none itself."""
    record = delivery.record if delivery is not None else None
    return record is not None and hdr.last(record.headers or (), hdr.COMPENSATES) == compensates


def _injected(span: trace.Span, out: hdr.Headers) -> hdr.Headers:
    carrier: dict[str, str] = {}
    propagate.inject(carrier, context=trace.set_span_in_context(span))
    if not carrier:
        return out
    fields = set(carrier) | (set(TRACE_HEADERS) if "traceparent" in carrier else set())
    out = hdr.without(out, fields)
    out.extend((key, value.encode("utf-8")) for key, value in carrier.items())
    return out


def _lineage(
    delivery: Delivery | None, out: hdr.Headers, topic: str, service: str
) -> tuple[ctx.Lineage, str | None]:
    """Who the event is, and the id of the event that it follows from.

    Retries, dead letters and replays of an event are the event itself and lengthen nothing; anything else sent while
    handling one is an event of its own, whatever headers were copied.
    """
    consumed = delivery.lineage if delivery is not None else None
    role = hdr.last(out, hdr.ROLE) if out else None
    if role is not None:
        same = ctx.parse(hdr.last(out, ctx.NAME)) or consumed
        if same is not None:
            return same, None
    event_id = stated_event_id(out)
    if event_id is None or (consumed is not None and event_id == consumed.event_id):
        event_id = ctx.new_event_id()
    before = (delivery.pathway if delivery is not None else None) or ctx.START
    return (
        ctx.Lineage(
            event_id=event_id,
            hop=consumed.hop + 1 if consumed is not None else 1,
            root_ms=consumed.root_ms if consumed is not None else time.time_ns() // 1_000_000,
            pathway=ctx.prefix(before, service, "send", "out", topic, ""),
        ),
        consumed.event_id if consumed is not None else None,
    )


def stated_event_id(headers: Any) -> str | None:
    """The id that the service itself gave its event in a header; None where it gave none."""
    given = next((text for name in hdr.EVENT_ID_HEADERS if (text := hdr.last(headers, name))), None)
    return _as_id(given) if given else None


def _as_id(text: str) -> str:
    """A user's own id where it fits the header's form, else 16 hex digits made from it."""
    if len(text) == 16 and all(digit in "0123456789abcdef" for digit in text):
        return text
    return ctx.prefix(ctx.START, text, "", "", "", "")


def acknowledged(send: Send, future: Any) -> None:
    """Ends an asyncio client's send with what the broker said; ``future`` is done."""
    if future.cancelled():
        send.fail(asyncio.CancelledError())
        return
    # Asking with exception() would silence asyncio's "exception was never retrieved".
    error = getattr(future, "_exception", None)
    if error is not None:
        send.fail(error)
        return
    found = future.result()
    kind = getattr(found, "timestamp_type", None)
    send.stored(found.partition, found.offset, getattr(found, "timestamp", None), kind)
