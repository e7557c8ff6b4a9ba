"""How far a flow is followed when it is asked for, and what is said where it goes on."""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

SPANS = 50_000
HOPS = 500
DAYS = 7

SENTENCES: Mapping[str, str] = {
    "spans": f"Only the first {SPANS:,} spans are shown.",
    "hops": f"Only what is at most {HOPS} messages away from the beginning is shown.",
    "days": f"Only the first {DAYS} days are shown.",
}
"""By bound; the flow's totals count all of it all the same."""

DOUBT = "{} of its times contradict each other: totals and waits are in doubt."
"""Of the hops and spans that flows.doubtful counts."""

_DAY_NS = 86_400_000_000_000
_MESSAGES = ("message", "origin", "event", "link", "cause")
"""Kinds of causes that a message lies between."""
_Place = tuple[str | None, str | None]


class _Span(Protocol):
    @property
    def trace_id(self) -> str: ...
    @property
    def span_id(self) -> str: ...
    @property
    def started_ns(self) -> int: ...
    @property
    def cause_kind(self) -> str | None: ...
    @property
    def cause_trace_id(self) -> str | None: ...
    @property
    def cause_span_id(self) -> str | None: ...


Span = TypeVar("Span", bound=_Span)


def within(spans: Sequence[Span]) -> tuple[tuple[Span, ...], tuple[str, ...]]:
    """The spans inside of all bounds, which are given in order of start, and the bounds that cut some off."""
    kept, cut = spans[:SPANS], []
    if len(kept) < len(spans):
        cut.append("spans")
    near = _near(kept)
    if len(near) < len(kept):
        cut.append("hops")
    early = tuple(span for span in near if span.started_ns <= near[0].started_ns + DAYS * _DAY_NS)
    if len(early) < len(near):
        cut.append("days")
    return early, tuple(cut)


def _near(spans: Sequence[Span]) -> Sequence[Span]:
    """Those at most so many messages away from where their causes begin; of a cycle, all."""
    causes: dict[_Place, tuple[_Place, bool]] = {
        (span.trace_id, span.span_id): (
            (span.cause_trace_id, span.cause_span_id),
            span.cause_kind in _MESSAGES,
        )
        for span in spans
    }
    depths: dict[_Place, int] = {}
    for span in spans:
        way: list[_Place] = []
        seen: set[_Place] = set()
        at: _Place = (span.trace_id, span.span_id)
        while at not in depths and at in causes and at not in seen:
            way.append(at)
            seen.add(at)
            at = causes[at][0]
        depth = depths.get(at, 0)
        for one in reversed(way):
            depth += causes[one][1]
            depths[one] = depth
    return [span for span in spans if depths[span.trace_id, span.span_id] <= HOPS]
