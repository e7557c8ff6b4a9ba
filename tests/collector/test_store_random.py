"""Spans drawn at random, in random order and batches: what is kept is what they say when counted one by one."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span

import builders
import store_helpers as told
from headwater_collector.store import Store
from store_helpers import Told

TWICE_MADE, MADE_ONCE, NOT_WATCHED = "orders", "payments", "mail"
LIVES: list[dict[str, object]] = [
    {"cluster": "c1", "topic": TWICE_MADE, "incarnation": 1, "since": 0},
    {"cluster": "c1", "topic": TWICE_MADE, "incarnation": 2, "since": 100},
    {"cluster": "c1", "topic": MADE_ONCE, "incarnation": 3, "since": 50},
]
"""Two lives, one that begins later than some spans say, and none."""


@dataclass(frozen=True)
class Drawn:
    """One span as it was drawn; times in milliseconds."""

    number: int
    kind: str
    trace: str
    parent: int | None
    topic: str
    offset: int
    group: str | None
    start: int
    error: bool
    said: str | None
    event: str | None

    @property
    def name(self) -> str:
        return f"{self.kind} {self.number}"

    def incarnation(self) -> int:
        """By the life of its topic in which it began."""
        lives = [life for life in LIVES if life["topic"] == self.topic and life["since"] <= self.start]  # type: ignore[operator]
        return max((int(str(life["incarnation"])) for life in lives), default=1)

    def told(self, all_of_them: list[Drawn]) -> Told:
        """The span, and who tells it."""
        attributes: dict[str, object] = {}
        if self.kind != "work":
            attributes |= {
                "messaging.system": "kafka", "messaging.operation.type": self.kind,
                "messaging.destination.name": self.topic, "messaging.destination.partition.id": "0",
                "messaging.kafka.offset": self.offset, "messaging.kafka.cluster.id": "c1",
            }  # fmt: skip
        if self.kind == "process" and self.group:
            attributes["messaging.consumer.group.name"] = self.group
        if self.event and self.kind != "work":
            attributes["headwater.event.id"] = self.event
        if self.said:
            attributes[self.said] = f"{self.topic}:0:{(self.offset + 1) % 3}"
        parent = None if self.parent is None else all_of_them[self.parent].name
        span: Span = builders.a_span(
            self.name,
            trace_id=told.trace(self.trace),
            span_id=told.span(self.name),
            parent=told.span(parent) if parent else None,
            kind={"work": "internal", "send": "producer", "process": "consumer"}[self.kind],
            start_ns=told.at(self.start),
            ms=7,
            error="no" if self.error else None,
            attributes=attributes,
        )
        return f"service {self.number % 3}", span


@st.composite
def stories(draw: st.DrawFn) -> list[Drawn]:
    """Some spans of few traces and records, so that they meet; a parent is no process span, which would own it."""
    found: list[Drawn] = []
    for number in range(draw(st.integers(3, 14))):
        trace = draw(st.sampled_from("ABCD"))
        parents = [one.number for one in found if one.trace == trace and one.kind != "process"]
        found.append(
            Drawn(
                number=number,
                kind=draw(st.sampled_from(("work", "send", "process", "process"))),
                trace=trace,
                parent=draw(st.sampled_from([None, *parents])),
                topic=draw(st.sampled_from((TWICE_MADE, MADE_ONCE, NOT_WATCHED))),
                offset=draw(st.integers(0, 2)),
                group=draw(st.sampled_from(("g1", "g2", None))),
                start=draw(st.integers(0, 200)),
                error=draw(st.booleans()),
                said=draw(st.sampled_from((None, None, "headwater.cause", "headwater.origin"))),
                event=draw(st.sampled_from((None, "e1", "e2"))),
            )
        )
    return found


def a_store(folder: Path, *flushes: list[Told]) -> Store:
    """A store that knows the topics' lives, with these flushes in it."""
    store = told.open_store(folder / "headwater.duckdb")
    for life in LIVES:
        store.write(
            lambda writer, life=life: writer.execute(  # type: ignore[misc]
                "insert into topic_lives by name select ? as cluster, ? as topic, ? as incarnation, "
                "make_timestamp_ns(?)::timestamp as since",
                [life["cluster"], life["topic"], life["incarnation"], told.at(float(str(life["since"])))],
            )
        )
    told.fill(store, *flushes)
    return store


def counted(spans: list[Drawn]) -> dict[str, Any]:
    """What a store must say of these spans, counted one by one."""
    sends = [one for one in spans if one.kind == "send"]
    handled = [one for one in spans if one.kind == "process"]
    return {
        "spans": len(spans),
        "errors": sum(one.error for one in spans),
        "messages": sum(not one.error for one in sends),
        "work_ms": 7.0 * len(handled),
        "first and last": (
            told.at(min(one.start for one in spans)),
            told.at(max(one.start for one in spans) + 7),
        ),
        "sent": Counter((one.topic, one.incarnation(), one.offset) for one in sends),
        "handled": Counter((one.topic, one.incarnation(), one.offset, one.group) for one in handled),
        "services": {f"service {one.number % 3}" for one in spans},
    }


def kept(store: Store) -> dict[str, Any]:
    """The same as the store says it, replays included: those are runs of their own."""
    flows = [flow_id for (flow_id,) in store.read("select flow_id from flows")]
    runs = [run for flow_id in flows for run in told.rows(store, "from flow_runs(?)", [flow_id])]
    times = "select epoch_ns(min(started_at)), epoch_ns(max(ended_at)) from flow_runs(?)"
    bounds = [store.read(times, [flow_id])[0] for flow_id in flows]
    services = "select distinct service from flow_spans(?)"
    return {
        "spans": sum(run["spans"] for run in runs),
        "errors": sum(run["errors"] for run in runs),
        "messages": sum(run["messages"] for run in runs),
        "work_ms": sum(run["work_ms"] or 0 for run in runs),
        "first and last": (min(first for first, _ in bounds), max(last for _, last in bounds)),
        "sent": Counter(store.read("select topic, incarnation, message_offset from messages")),
        "handled": Counter(store.read("select topic, incarnation, message_offset, consumer_group from hops")),
        "services": {name for flow_id in flows for (name,) in store.read(services, [flow_id])},
    }


def assert_stitched(store: Store) -> None:
    """From any span that only one flow has, that flow is found; and every span has one."""
    flows = [flow_id for (flow_id,) in store.read("select flow_id from flows")]
    held = [
        (span_id, flow_id)
        for flow_id in flows
        for (span_id,) in store.read("select span_id from flow_spans(?) where not shared", [flow_id])
    ]
    assert sorted(span_id for span_id, _ in held) == [
        s for (s,) in store.read("select span_id from spans order by 1")
    ]
    for span_id, flow_id in held:
        assert store.read("select flow_id from flow_of(?)", [span_id]) == [(flow_id,)]


@settings(max_examples=5, deadline=None, derandomize=True, phases=[Phase.generate])
@given(data=st.data())
def test_what_is_kept_is_what_the_spans_say_in_any_order_and_batches(data: st.DataObject) -> None:
    drawn = data.draw(stories())
    spans = [one.told(drawn) for one in drawn]
    order = data.draw(st.permutations(range(len(spans))))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(spans) - 1), max_size=4)))
    flushes = [[spans[i] for i in order[a:b]] for a, b in zip([0, *cuts], [*cuts, len(spans)], strict=True)]
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        whole, parts = a_store(Path(one), spans), a_store(Path(other), *flushes)
        try:
            assert kept(parts) == counted(drawn)
            assert_stitched(parts)
            assert told.answers(parts) == told.answers(whole)
        finally:
            whole.close()
            parts.close()
