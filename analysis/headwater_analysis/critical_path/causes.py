"""What set each span of a flow off: the call it is part of, or what arrived before it could start."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from headwater_analysis.flows import SENDS, EdgeRow, HopRow, SpanRow

Key = tuple[str, str]
"""Trace id and span id."""
Index = Mapping[tuple[str | None, str | None], int]
"""The node of a span by its ids; none has ids that are not known."""


class Arrival(NamedTuple):
    """What a span that no call began was set off by, and what lay between. Times and lengths in nanoseconds."""

    cause: int
    """Node of the cause, -1 where it is not among the spans."""
    edge: str
    """message, attempt, parent, origin, cause, event or link."""
    ready: int
    """When the cause had done its part."""
    txn: int
    backoff: int
    available: int
    """ready + txn + backoff: from then on it could have begun; what follows is waiting."""
    local: int
    """Part of the waiting in which the message was fetched already."""
    kind: str
    """wait, or gap where it is no message that was waited for."""
    topic: str | None = None
    partition: int | None = None
    message_offset: int | None = None
    consumer_group: str | None = None
    attempt: int | None = None


@dataclass
class Causes:
    """By node: the caller or -1, what arrived, and for a delivery the consumer's span around it or -1."""

    owner: list[int]
    arrivals: dict[int, list[Arrival]]
    around: list[int]


def is_send(span: SpanRow) -> bool:
    """Whether a span's own time is that of sending."""
    return span.operation in SENDS or (span.operation is None and span.kind == "producer")


def found(
    spans: Sequence[SpanRow],
    index: Index,
    edges: Iterable[EdgeRow],
    hops: Iterable[HopRow],
    replays: frozenset[Key],
) -> Causes:
    """The causes of every span, of the strongest kind it has: its messages, else its primary cause."""
    by_node: dict[int, list[HopRow]] = {}
    attempts: dict[tuple[object, ...], int] = {}
    own_hops = [(node, hop) for hop in hops if (node := index.get((hop.trace_id, hop.span_id))) is not None]
    for node, hop in own_hops:
        if node in by_node:
            by_node[node].append(hop)
        else:
            by_node[node] = [hop]
    if any(hop.attempt > 1 for _, hop in own_hops):
        for node, hop in own_hops:
            key = _attempt(hop, 0)
            attempts[key] = min(attempts.get(key, node), node)
    links: dict[int, list[int]] = {}
    for edge in edges:
        if edge.kind == "link":
            to, by = (
                index.get((edge.to_trace_id, edge.to_span_id)),
                index.get((edge.from_trace_id, edge.from_span_id)),
            )
            if to is not None and by is not None and to != by:
                links.setdefault(to, []).append(by)
    primary = [index.get((span.cause_trace_id, span.cause_span_id)) for span in spans]
    kinds = [span.cause_kind for span in spans]
    handlings = _handlings(spans, primary, own_hops) if "origin" in kinds else {}
    result = Causes([-1] * len(spans), {}, [-1] * len(spans))
    owner = result.owner
    for node, (span, kind, cause) in enumerate(zip(spans, kinds, primary, strict=True)):
        if node in by_node:
            own = by_node[node]
            if len(own) > 1:
                own.sort(key=_order)
            result.arrivals[node] = [_delivered(span, hop, index, attempts) for hop in own]
            result.around[node] = _around(node, span, spans, index, result.arrivals[node])
            continue
        if cause is None or kind is None or cause == node:
            continue
        if replays and (span.trace_id, span.span_id) in replays:
            continue
        if kind == "parent" and span.kind != "consumer":  # most are
            owner[node] = cause
            continue
        if kind == "origin":
            kind, cause = _carried_on(span, spans, cause, handlings[cause])
        if kind in ("parent", "cause") and not (span.kind == "consumer" and is_send(spans[cause])):
            owner[node] = cause
        else:
            some = links.get(node, [cause]) if kind == "link" else [cause]
            result.arrivals[node] = [_known(span, spans[one], one, kind) for one in sorted(set(some))]
    return result


def _handlings(
    spans: Sequence[SpanRow], primary: Sequence[int | None], hops: Iterable[tuple[int, HopRow]]
) -> dict[int, list[int]]:
    """By the node of an original message's send: who handled it, or anything that carried it on."""
    sent: dict[Key, list[int]] = {}
    for node, hop in hops:
        if hop.send_trace_id is not None and hop.send_span_id is not None:
            sent.setdefault((hop.send_trace_id, hop.send_span_id), []).append(node)
    found: dict[int, list[int]] = {}
    for span, origin in zip(spans, primary, strict=True):
        if span.cause_kind == "origin" and origin is not None:
            if origin not in found:
                found[origin] = list(sent.get((spans[origin].trace_id, spans[origin].span_id), ()))
            found[origin].extend(sent.get((span.trace_id, span.span_id), ()))
    return found


def _order(hop: HopRow) -> tuple[object, ...]:
    """Of hops of one span, the same order however they came."""
    return (
        hop.topic, hop.partition, hop.message_offset, hop.attempt, hop.consumer_group or "",
        hop.send_span_id or "", hop.wait_ms or 0.0, hop.backoff_ms or 0.0, hop.local_wait_ms or 0.0,
    )  # fmt: skip


def _attempt(hop: HopRow, back: int) -> tuple[object, ...]:
    return (hop.cluster, hop.topic, hop.partition, hop.message_offset, hop.consumer_group, hop.attempt - back)


def _delivered(
    span: SpanRow, hop: HopRow, index: Index, attempts: Mapping[tuple[object, ...], int]
) -> Arrival:
    """A message before its delivery, by the times of its hop; of a later attempt, the attempt before."""
    attempt = hop.attempt
    cause = attempts.get(_attempt(hop, 1), -1) if attempt > 1 else -1
    edge = "attempt" if cause >= 0 else "message"
    if cause < 0:
        cause = index.get((hop.send_trace_id, hop.send_span_id), -1)
    wait, local = _ns(hop.wait_ms), _ns(hop.local_wait_ms)
    backoff, txn = _ns(hop.backoff_ms), _ns(hop.txn_wait_ms)
    available = span.started_ns - wait
    return Arrival(
        cause, edge, available - backoff - txn, txn, backoff, available, min(local, wait), "wait",
        hop.topic, hop.partition, hop.message_offset, hop.consumer_group, attempt,
    )  # fmt: skip


def _ns(milliseconds: float | None) -> int:
    return round(milliseconds * 1e6) if milliseconds and milliseconds > 0 else 0


def _around(node: int, span: SpanRow, spans: Sequence[SpanRow], index: Index, arrivals: list[Arrival]) -> int:
    """The consumer's own span around a delivery, which ends no earlier than it; the sender's is not waiting."""
    above = index.get((span.trace_id, span.parent_span_id), -1)
    if above < 0 or above == node or is_send(spans[above]) or any(one.cause == above for one in arrivals):
        return -1
    return above if spans[above].started_ns <= span.started_ns < spans[above].ended_ns else -1


def _carried_on(
    span: SpanRow, spans: Sequence[SpanRow], origin: int, handlings: Sequence[int]
) -> tuple[str, int]:
    """A retry or dead letter follows from the handling that failed, which its service began last before it.

    `handlings` are those of the original message and of everything that carried it on.
    """
    own = [
        node
        for node in handlings
        if spans[node].service == span.service and spans[node].started_ns <= span.started_ns
    ]
    return ("cause", max(own)) if own else ("origin", origin)


def _known(span: SpanRow, cause: SpanRow, node: int, edge: str) -> Arrival:
    """A cause without a hop: what lies between its end and the start of its effect was waited."""
    waits = span.kind == "consumer" or span.operation in ("process", "deliver", "receive")
    ready = min(max(cause.started_ns, cause.ended_ns), span.started_ns)
    return Arrival(
        node, edge, ready, 0, 0, ready, 0, "wait" if waits else "gap",
        span.topic or cause.topic, span.partition, span.message_offset, span.consumer_group,
    )  # fmt: skip
