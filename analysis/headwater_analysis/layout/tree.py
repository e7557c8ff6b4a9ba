"""A flow as the rows of a waterfall: a tree over primary causes, across traces, services and topics."""

from collections.abc import Collection
from dataclasses import dataclass

from headwater_analysis.flows import SENDS, FlowDetail, HopRow, SpanRow

from .elastic_axis import Axis, mostly_idle


@dataclass(frozen=True)
class Wait:
    """A stretch before a delivery in which its message lay still; drawn in front of the delivery's bar."""

    kind: str
    """wait (queued) or backoff (planned delay between attempts)."""
    from_ns: int
    to_ns: int
    topic: str
    partition: int
    message_offset: int
    consumer_group: str | None
    messages: int
    """Messages of the delivery that waited; the longest wait is the one drawn."""

    @property
    def duration_ms(self) -> float:
        """Length in milliseconds."""
        return (self.to_ns - self.from_ns) / 1e6


@dataclass(frozen=True)
class Row:
    """One line of a waterfall."""

    span: SpanRow
    depth: int
    children: int
    """Direct effects, shown or folded."""
    hidden: int
    """Spans folded away under this row; 0 where it is open."""
    waits: tuple[Wait, ...]
    """In order of time: the back-off, then the wait."""
    attempt: int | None
    """Which attempt at its message this delivery was; None for what is no delivery."""
    skewed: bool
    """Starts before its cause by the clocks: shown as recorded, and marked."""

    @property
    def key(self) -> tuple[str, str]:
        """What the row is known by from one refresh to the next: (trace id, span id)."""
        return (self.span.trace_id, self.span.span_id)

    @property
    def asynchronous(self) -> bool:
        """Reached through a message rather than by a call."""
        return self.span.cause_kind not in (None, "parent")


def waterfall(detail: FlowDetail, folded: Collection[tuple[str, str]] = frozenset()) -> tuple[Row, ...]:
    """The rows of a flow, causes before effects, siblings by start; what is under a folded row is left out.

    A span whose cause is not among the loaded ones stands at the top level. A cycle is opened at its
    earliest span, so that every span has exactly one row unless folded.
    """
    children, roots = _tree(detail.spans)
    hops: dict[tuple[str, str], list[HopRow]] = {}
    for hop in detail.hops:
        hops.setdefault((hop.trace_id, hop.span_id), []).append(hop)
    rows: list[Row] = []
    stack = [(root, 0) for root in reversed(roots)]
    while stack:
        span, depth = stack.pop()
        key = (span.trace_id, span.span_id)
        below = children.get(key, [])
        hidden = 0
        if key in folded and below:
            hidden = _descendants(key, children)
        else:
            stack.extend((child, depth + 1) for child in reversed(below))
        own = hops.get(key, [])
        rows.append(
            Row(
                span=span,
                depth=depth,
                children=len(below),
                hidden=hidden,
                waits=_waits(span, own),
                attempt=max((hop.attempt for hop in own), default=None),
                skewed=any(bool(hop.skewed) for hop in own),
            )
        )
    return tuple(rows)


def bounds(detail: FlowDetail) -> tuple[int, int]:
    """First start and last end of all spans loaded, in ns; those of the flow where none is loaded."""
    if not detail.spans:
        return detail.flow.started_ns, max(detail.flow.ended_ns, detail.flow.started_ns + 1)
    start = min(span.started_ns for span in detail.spans)
    end = max(max(span.ended_ns, span.started_ns) for span in detail.spans)
    return start, max(end, start + 1)


def axis_for(detail: FlowDetail, elastic: bool | None = None, opened: Collection[int] = ()) -> Axis:
    """The axis of a flow; elastic by itself (None) where the flow is mostly waiting."""
    t0, t1 = bounds(detail)
    intervals = [(span.started_ns, max(span.ended_ns, span.started_ns)) for span in detail.spans]
    if elastic is None:
        elastic = mostly_idle(intervals, t0, t1)
    return Axis.elastic(intervals, t0, t1, opened) if elastic else Axis.linear(t0, t1)


def path(detail: FlowDetail) -> tuple[str, ...]:
    """Services and topics in order of first appearance: ``checkout, orders, payments``.

    A topic appears when it is sent to, a service when its first span starts.
    """
    seen: list[str] = []
    for span in sorted(detail.spans, key=lambda one: (one.started_ns, one.span_id)):
        for name in (span.service, span.topic if span.operation in SENDS else None):
            if name and name not in seen:
                seen.append(name)
    return tuple(seen)


def _tree(
    spans: tuple[SpanRow, ...],
) -> tuple[dict[tuple[str, str], list[SpanRow]], list[SpanRow]]:
    known = {(span.trace_id, span.span_id) for span in spans}
    ordered = sorted(spans, key=lambda span: (span.started_ns, span.trace_id, span.span_id))
    children: dict[tuple[str, str], list[SpanRow]] = {}
    roots: list[SpanRow] = []
    for span in ordered:
        cause = _cause(span)
        if cause is None or cause not in known:
            roots.append(span)
        else:
            children.setdefault(cause, []).append(span)
    reached: set[tuple[str, str]] = set()
    _reach(roots, children, reached)
    for span in ordered:
        key = (span.trace_id, span.span_id)
        if key not in reached:  # only a cycle is left unreached
            cause = _cause(span)
            if cause is not None:
                children[cause] = [child for child in children[cause] if child is not span]
            roots.append(span)
            _reach([span], children, reached)
    roots.sort(key=lambda span: (span.started_ns, span.trace_id, span.span_id))
    return children, roots


def _cause(span: SpanRow) -> tuple[str, str] | None:
    if span.cause_span_id is None or span.cause_trace_id is None:
        return None
    cause = (span.cause_trace_id, span.cause_span_id)
    return None if cause == (span.trace_id, span.span_id) else cause


def _reach(
    start: list[SpanRow], children: dict[tuple[str, str], list[SpanRow]], reached: set[tuple[str, str]]
) -> None:
    stack = [(span.trace_id, span.span_id) for span in start]
    while stack:
        key = stack.pop()
        if key not in reached:
            reached.add(key)
            stack.extend((child.trace_id, child.span_id) for child in children.get(key, ()))


def _descendants(key: tuple[str, str], children: dict[tuple[str, str], list[SpanRow]]) -> int:
    reached: set[tuple[str, str]] = set()
    _reach(children.get(key, []), children, reached)
    return len(reached)


def _waits(span: SpanRow, hops: list[HopRow]) -> tuple[Wait, ...]:
    if not hops:
        return ()
    longest = max(hops, key=lambda hop: (hop.wait_ms or 0) + (hop.backoff_ms or 0))
    waited = sum((hop.wait_ms or 0) + (hop.backoff_ms or 0) > 0 for hop in hops)
    begun = span.started_ns - round((longest.wait_ms or 0) * 1e6)
    stretches = (
        ("backoff", begun - round((longest.backoff_ms or 0) * 1e6), begun),
        ("wait", begun, span.started_ns),
    )
    return tuple(
        Wait(
            kind,
            start,
            end,
            longest.topic,
            longest.partition,
            longest.message_offset,
            longest.consumer_group,
            waited,
        )
        for kind, start, end in stretches
        if end > start
    )
