"""A flow as a sequence diagram: services and topics side by side, what went between them in order of time."""

from __future__ import annotations

from dataclasses import dataclass

from headwater_analysis.flows import SENDS, FlowDetail, HopRow, SpanRow

STEPS_AT_MOST = 500


@dataclass(frozen=True)
class Participant:
    """A column of the diagram."""

    kind: str
    """service or topic."""
    name: str


@dataclass(frozen=True)
class Step:
    """One line: an arrow from one column to another, or from a column to itself."""

    at_ns: int
    kind: str
    """start (of the flow), call (between services), send, or deliver."""
    source: int
    target: int
    """Columns; the same where the service itself begins."""
    label: str
    """Name of the span that begins or sends."""
    wait_ms: float | None
    """Of a delivery, from when on the group could have had the message; None where that is not known."""
    attempt: int | None
    """Of a delivery."""
    failed: bool
    trace_id: str
    span_id: str


@dataclass(frozen=True)
class Sequence:
    """The diagram. Times in nanoseconds since the epoch."""

    participants: tuple[Participant, ...]
    """In order of first appearance."""
    steps: tuple[Step, ...]
    """In order of time, of ties by span id."""
    cut: bool
    """There are more steps than STEPS_AT_MOST, or more spans than were loaded."""


def sequence(detail: FlowDetail) -> Sequence:
    """What crossed from one service or topic to another; work inside of one service is left out.

    A send goes to its topic, a delivery comes from it, once for each group and attempt; a span of another service
    than its parent's is a call. Spans of polls and settling are not drawn.
    """
    spans = {(span.trace_id, span.span_id): span for span in detail.spans}
    hops = {(hop.trace_id, hop.span_id): hop for hop in detail.hops}
    raw: list[tuple[int, str, Participant, Participant, SpanRow, HopRow | None, str]] = []
    for span in detail.spans:
        service = Participant("service", span.service)
        key = (span.trace_id, span.span_id)
        parent = spans.get((span.trace_id, span.parent_span_id or ""))
        hop = hops.get(key)
        if hop is not None:
            topic = Participant("topic", hop.topic)
            raw.append((span.started_ns, span.span_id, topic, service, span, hop, "deliver"))
        elif span.operation in SENDS and span.topic is not None:
            topic = Participant("topic", span.topic)
            raw.append((span.started_ns, span.span_id, service, topic, span, None, "send"))
        elif span.operation in ("receive", "settle"):
            continue
        elif parent is None and span.cause_kind is None:
            raw.append((span.started_ns, span.span_id, service, service, span, None, "start"))
        elif parent is not None and parent.service != span.service:
            caller = Participant("service", parent.service)
            raw.append((span.started_ns, span.span_id, caller, service, span, None, "call"))
    raw.sort(key=lambda one: (one[0], one[1]))
    columns: dict[Participant, int] = {}
    steps = []
    for started, _, source, target, span, hop, kind in raw[:STEPS_AT_MOST]:
        places = [columns.setdefault(one, len(columns)) for one in (source, target)]
        steps.append(
            Step(
                started, kind, places[0], places[1], span.name,
                hop.wait_ms if hop is not None else None, hop.attempt if hop is not None else None,
                span.status == "error", span.trace_id, span.span_id,
            )
        )  # fmt: skip
    return Sequence(tuple(columns), tuple(steps), bool(detail.cut) or len(raw) > STEPS_AT_MOST)
