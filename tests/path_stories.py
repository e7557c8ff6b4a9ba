"""Flows for tests of the critical path, as the analysis gives them; times in milliseconds from the flow's start."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from headwater_analysis.critical_path import graph
from headwater_analysis.critical_path.segments import Segment
from headwater_analysis.flows import EdgeRow, HopRow, SpanRow

MS = 1_000_000
_SPAN: dict[str, Any] = {
    "trace_id": "t", "service": "shop", "kind": "internal", "duration_ms": 0.0, "status": "ok",
    "status_message": None, "error_type": None, "cluster": None, "topic": None, "partition": None,
    "message_offset": None, "consumer_group": None, "operation": None, "event_id": None, "shared": False,
}  # fmt: skip
_HOP = HopRow(
    cluster="c", topic="orders", partition=0, message_offset=0, consumer_group="g", attempt=1,
    producer_service=None, consumer_service=None, send_trace_id=None, send_span_id=None, trace_id="t",
    span_id="", sent_ns=None, available_ns=None, started_ns=0, ended_ns=0, send_ms=None, wait_ms=None,
    local_wait_ms=None, work_ms=None, backoff_ms=None, total_ms=None, wait_method="acknowledged",
    wait_bound_ms=None, skewed=False, status="ok", error_type=None,
)  # fmt: skip


@dataclass
class Story:
    """Spans, edges and hops, told one after another; a span's name is its id."""

    spans: list[SpanRow] = field(default_factory=list)
    edges: list[EdgeRow] = field(default_factory=list)
    hops: list[HopRow] = field(default_factory=list)
    replays: set[tuple[str, str]] = field(default_factory=set)

    def work(
        self, name: str, start: float, end: float, parent: str | None = None, *, cause: str = "parent",
        service: str = "shop", shared: bool = False,
    ) -> Story:  # fmt: skip
        """A plain span, called by `parent` or set off by it through an edge of the kind `cause`."""
        self._add(name, start, end, parent, cause if parent else None, service=service, shared=shared)
        return self

    def send(
        self, name: str, start: float, end: float, parent: str | None = None, *, topic: str = "orders",
        cause: str = "parent", service: str = "shop", replay: bool = False,
    ) -> Story:  # fmt: skip
        """A send span."""
        self._add(name, start, end, parent, cause if parent else None, service=service, kind="producer",
                  operation="send", topic=topic)  # fmt: skip
        if replay:
            self.replays.add(("t", name))
        return self

    def process(
        self, name: str, start: float, end: float, sent: str | None, *, ready: float | None = None,
        backoff: float = 0, txn: float = 0, local: float = 0, attempt: int = 1, offset: int = 0,
        topic: str = "orders", group: str = "g", partition: int = 0, service: str = "pay",
        parent: str | None = None, shared: bool = False,
    ) -> Story:  # fmt: skip
        """A delivery of what the span `sent` sent, which it could have begun at `ready` + txn + backoff."""
        if not (self.spans and self.spans[-1].span_id == name):
            self._add(name, start, end, sent, "message" if sent else None, service=service, kind="consumer",
                      operation="process", topic=topic, parent_span_id=parent, shared=shared)  # fmt: skip
        wait = None if ready is None else max(start - ready - backoff - txn, 0)
        self.hops.append(replace(
            _HOP, topic=topic, partition=partition, message_offset=offset, consumer_group=group,
            attempt=attempt, send_trace_id="t" if sent else None, send_span_id=sent, span_id=name,
            consumer_service=service, started_ns=round(start * MS), ended_ns=round(end * MS), wait_ms=wait,
            local_wait_ms=local or None, backoff_ms=backoff or None, txn_wait_ms=txn or None,
        ))  # fmt: skip
        return self

    def link(self, cause: str, effect: str) -> Story:
        """A span link from `effect` to `cause`."""
        self.edges.append(EdgeRow("link", "t", cause, "t", effect, None, None, None, None, False, None))
        return self

    def graph(self) -> graph.Graph:
        """The graph of it."""
        return graph.build(self.spans, self.edges, self.hops, frozenset(self.replays))

    def _add(
        self, name: str, start: float, end: float, cause: str | None, by: str | None, **more: object
    ) -> None:
        more.setdefault("parent_span_id", cause if by == "parent" else None)
        self.spans.append(
            SpanRow(
                span_id=name,
                name=name,
                started_ns=round(start * MS),
                ended_ns=round(end * MS),
                cause_kind=by,
                cause_trace_id="t" if cause else None,
                cause_span_id=cause,
                **{**_SPAN, **more},
            )  # fmt: skip
        )


def told(segments: Sequence[Segment]) -> list[str]:
    """Segments in short: ``work checkout 0-5``, ``wait orders/g 10-40``, ``gap 5-9 skewed``."""
    lines = []
    for one in segments:
        what = (
            one.step.operation
            if one.kind in ("work", "send")
            else f"{one.step.topic}/{one.step.consumer_group}"
        )
        middle = "" if one.kind == "gap" else f" {what}"
        skewed = " skewed" if one.skewed else ""
        lines.append(f"{one.kind}{middle} {one.from_ns / MS:g}-{one.to_ns / MS:g}{skewed}")
    return lines


def a_random_flow(seed: int, size: int, tidy: bool = False) -> Story:
    """A flow of any shape. Unless `tidy`, also skew, cycles, missing parents, ends before starts and shared spans."""
    rng = random.Random(seed)
    story = Story()
    wild = 0.0 if tidy else rng.choice((0.0, 0.05, 0.3))
    for number in range(size):
        name = f"s{number}"
        before = story.spans[rng.randrange(number)] if number else None
        base = (
            0
            if before is None
            else rng.randint(before.started_ns // MS, max(before.ended_ns // MS, before.started_ns // MS))
        )
        start = base + (rng.choice((0, 0, 1, 5, 40)) if number else 0)
        if rng.random() < wild:
            start = max(start - rng.randint(0, 50), -20)
        end = start + rng.choice((0, 1, 3, 10, 60, 200))
        if rng.random() < wild / 3:
            end = start - 1
        cause = before.span_id if before else None
        if number and rng.random() < wild:
            cause = rng.choice((f"s{rng.randrange(size)}", "gone", None))
        if rng.random() < 0.35 and before is not None:
            sent = rng.random() < 0.8 and cause
            ready = max(before.ended_ns // MS, before.started_ns // MS)
            start, end = (max(start, ready), max(start, ready) + end - start) if tidy else (start, end)
            story.process(
                name, start, end, sent or None, ready=min(ready, start) - rng.choice((0, 0, 2)) * (not tidy),
                local=rng.choice((0, 1)), attempt=1 if tidy else rng.choice((1, 1, 2)), offset=rng.randrange(3),
                partition=rng.randrange(2), topic=rng.choice(("orders", "paid")),
                parent=rng.choice((None, None, cause)), shared=rng.random() < wild / 2,
            )  # fmt: skip
        elif rng.random() < 0.3:
            story.send(
                name, start, end, cause, topic=rng.choice(("orders", "paid")), replay=rng.random() < wild / 3
            )
        else:
            kind = rng.choice(("parent", "parent", "parent", "cause", "link", "event", "origin", "attempt"))
            story.work(name, start, end, cause, cause=kind)
            if kind == "link" and cause and not tidy:
                story.link(f"s{rng.randrange(size)}", name)
    return story
