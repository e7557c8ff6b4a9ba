"""The trace context in and out of headers: by hand while OpenTelemetry's default propagators are set, else by them.

The propagators take some microseconds more; what they would write or read is the same, byte for byte.
"""

import functools
import re
from typing import Any

from opentelemetry import baggage, propagate, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from . import headers as hdr

DEFAULT = [TraceContextTextMapPropagator, W3CBaggagePropagator]
(SPAN_KEY,) = trace.set_span_in_context(trace.INVALID_SPAN, Context())
"""Under which a context holds its span."""
TRACE_HEADERS = ("traceparent", "tracestate", "baggage")
_PLAIN = re.compile(rb"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_seen: tuple[Any, bool] = (None, False)


def by_hand() -> bool:
    """Whether the default propagators are set."""
    global _seen
    found = propagate.get_global_textmap()
    known, answer = _seen
    if found is not known:
        parts = getattr(found, "_propagators", ())
        answer = type(found) is CompositePropagator and [type(part) for part in parts] == DEFAULT
        _seen = found, answer
    return answer


def inject(span: trace.Span, own: trace.SpanContext, context: Context, out: hdr.Headers) -> hdr.Headers:
    """Headers with the span's context (``own``) and the baggage of ``context``, old ones of that kind taken out."""
    if own.is_valid and by_hand() and not own.trace_state and not (context and baggage.get_all(context)):
        if out:
            out = hdr.without(out, TRACE_HEADERS)
        out.append((hdr.TRACEPARENT, b"00-%032x-%016x-%02x" % (own.trace_id, own.span_id, own.trace_flags)))
        return out
    carrier: dict[str, str] = {}
    propagate.inject(carrier, context=trace.set_span_in_context(span, context))
    if not carrier:
        return out
    fields = set(carrier) | (set(TRACE_HEADERS) if hdr.TRACEPARENT in carrier else set())
    out = hdr.without(out, fields)
    out.extend((key, value.encode("utf-8")) for key, value in carrier.items())
    return out


def sender(headers: Any, context: Context, named: dict[str, Any]) -> tuple[Context, trace.SpanContext]:
    """The sender's context on top of the given one, and its span's; ``named`` are the headers by name.

    Of a sender that is not known the span's is INVALID_SPAN_CONTEXT itself.
    """
    if by_hand() and "baggage" not in named and "tracestate" not in named:
        if hdr.TRACEPARENT not in named:
            return context, trace.INVALID_SPAN_CONTEXT
        plain = _plain(named[hdr.TRACEPARENT])
        if plain is not None:
            return Context({**context, SPAN_KEY: trace.NonRecordingSpan(plain)}), plain
    extracted = propagate.extract(headers, context=context, getter=hdr.GETTER)
    if extracted is context or extracted == context:
        return context, trace.INVALID_SPAN_CONTEXT
    own = trace.get_current_span(extracted)
    if own is trace.get_current_span(context):
        # Only baggage came.
        return extracted, trace.INVALID_SPAN_CONTEXT
    found = own.get_span_context()
    return extracted, found if found.is_valid else trace.INVALID_SPAN_CONTEXT


def sender_span(headers: Any) -> trace.SpanContext:
    """The same where only the sender's span is asked for."""
    named = dict(headers)
    if "tracestate" not in named and by_hand():
        if hdr.TRACEPARENT not in named:
            return trace.INVALID_SPAN_CONTEXT
        plain = _plain(named[hdr.TRACEPARENT])
        if plain is not None:
            return plain
    return sender(headers, Context(), named)[1]


@functools.lru_cache(maxsize=256)
def _flags(digits: bytes) -> trace.TraceFlags:
    return trace.TraceFlags(int(digits, 16))


def _plain(value: Any) -> trace.SpanContext | None:
    """A ``traceparent`` of version 00; None for anything else, which the propagators may understand."""
    found = _PLAIN.fullmatch(value) if isinstance(value, bytes) else None
    if found is None:
        return None
    trace_id, span_id, flags = found.groups()
    context = trace.SpanContext(int(trace_id, 16), int(span_id, 16), True, _flags(flags))
    return context if context.is_valid else None
