"""The geometry of a flow: every span has one row, and the axis is a strictly monotone map with an inverse."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater_analysis.flows import FlowDetail, FlowRow, HopRow, SpanRow
from headwater_analysis.layout.elastic_axis import Axis, idle_stretches, mostly_idle
from headwater_analysis.layout.tree import axis_for, bounds, path, waterfall

MS = 1_000_000
FLOW = FlowRow(
    flow_id="f", pathway_id=None, entry_service="checkout", entry_name="POST /checkout", started_ns=0,
    ended_ns=1000 * MS, total_ms=1000.0, wait_ms=None, work_ms=None, backoff_ms=None, spans=1, messages=0,
    services=(), topics=(), errors=0, dead_letters=0, status="ok", complete=True, orphan=False, traces=1,
)  # fmt: skip
SPAN = SpanRow(
    trace_id="t", span_id="root", parent_span_id=None, service="checkout", name="POST", kind="server",
    started_ns=0, ended_ns=10 * MS, duration_ms=10.0, status="ok", status_message=None, error_type=None,
    cluster=None, topic=None, partition=None, message_offset=None, consumer_group=None, operation=None,
    event_id=None, cause_kind=None, cause_trace_id=None, cause_span_id=None, shared=False,
)  # fmt: skip
HOP = HopRow(
    cluster="c", topic="orders", partition=3, message_offset=7, consumer_group="payments", attempt=1,
    producer_service="checkout", consumer_service="payments", send_trace_id="t", send_span_id="send",
    trace_id="t", span_id="work", sent_ns=0, available_ns=10 * MS, started_ns=500 * MS, ended_ns=600 * MS,
    send_ms=5.0, wait_ms=490.0, local_wait_ms=None, work_ms=100.0, backoff_ms=None, total_ms=600.0,
    wait_method="acknowledged", wait_bound_ms=0.0, skewed=False, status="ok", error_type=None,
)  # fmt: skip


def a_span(span_id: str, cause: str | None, start: int = 0, end: int = 10) -> SpanRow:
    return replace(
        SPAN,
        span_id=span_id,
        started_ns=start * MS,
        ended_ns=end * MS,
        cause_kind="parent" if cause else None,
        cause_trace_id="t" if cause else None,
        cause_span_id=cause,
    )


def a_flow(*spans: SpanRow, hops: tuple[HopRow, ...] = ()) -> FlowDetail:
    return FlowDetail(FLOW, tuple(spans), (), hops, ())


def shape(detail: FlowDetail, folded: frozenset[tuple[str, str]] = frozenset()) -> list[tuple[str, int, int]]:
    return [(row.span.span_id, row.depth, row.hidden) for row in waterfall(detail, folded)]


def test_effects_stand_below_their_cause_in_the_order_they_began() -> None:
    detail = a_flow(a_span("late", "root", 5), a_span("root", None), a_span("early", "root", 1),
                    a_span("leaf", "early", 2))  # fmt: skip
    assert shape(detail) == [("root", 0, 0), ("early", 1, 0), ("leaf", 2, 0), ("late", 1, 0)]


def test_a_folded_row_hides_all_that_it_set_off_and_says_how_much() -> None:
    detail = a_flow(a_span("root", None), a_span("a", "root"), a_span("b", "a"), a_span("c", "b"))
    assert shape(detail, frozenset({("t", "a")})) == [("root", 0, 0), ("a", 1, 2)]


def test_a_span_whose_cause_was_not_loaded_stands_at_the_top() -> None:
    assert shape(a_flow(a_span("orphan", "gone", 3), a_span("root", None))) == [
        ("root", 0, 0),
        ("orphan", 0, 0),
    ]


def test_a_cycle_is_opened_at_its_earliest_span() -> None:
    detail = a_flow(a_span("b", "a", 2), a_span("a", "b", 1), a_span("self", "self", 9))
    assert shape(detail) == [("a", 0, 0), ("b", 1, 0), ("self", 0, 0)]


def test_the_wait_is_drawn_in_front_of_the_work_and_the_back_off_in_front_of_the_wait() -> None:
    retried = replace(HOP, attempt=2, wait_ms=90.0, backoff_ms=200.0)
    detail = a_flow(a_span("root", None), a_span("work", "root", 500, 600), hops=(retried,))
    backoff, wait = waterfall(detail)[1].waits
    assert (backoff.kind, backoff.from_ns, backoff.to_ns) == ("backoff", 210 * MS, 410 * MS)
    assert (wait.kind, wait.from_ns, wait.to_ns, wait.topic) == ("wait", 410 * MS, 500 * MS, "orders")
    assert wait.duration_ms == 90.0
    assert waterfall(detail)[1].attempt == 2


def test_of_a_batch_the_longest_wait_is_drawn_and_the_waiting_messages_are_counted() -> None:
    hops = (HOP, replace(HOP, message_offset=8, wait_ms=10.0), replace(HOP, message_offset=9, wait_ms=0.0))
    (wait,) = waterfall(a_flow(a_span("work", None, 500, 600), hops=hops))[0].waits
    assert (wait.message_offset, wait.messages) == (7, 2)


def test_the_path_names_a_topic_when_it_is_sent_to_and_each_name_once() -> None:
    send = replace(a_span("send", "root", 1), topic="orders", operation="send")
    work = replace(a_span("work", "send", 5), service="payments", topic="orders", operation="process")
    assert path(a_flow(work, send, a_span("root", None))) == ("checkout", "orders", "payments")


@pytest.mark.parametrize("size", [1, 5_000])
def test_a_chain_as_deep_as_it_is_long_needs_no_recursion(size: int) -> None:
    spans = [a_span(str(i), str(i - 1) if i else None, i, i + 1) for i in range(size)]
    assert [row.depth for row in waterfall(a_flow(*spans))] == list(range(size))


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 50)), min_size=1, max_size=31))
def test_whatever_the_causes_every_span_has_exactly_one_row(causes: list[tuple[int, int]]) -> None:
    spans = [a_span(str(i), str(cause), start, start + 1) for i, (cause, start) in enumerate(causes)]
    rows = [row.span.span_id for row in waterfall(a_flow(*spans))]
    assert sorted(rows) == sorted(span.span_id for span in spans)


intervals = st.lists(
    st.tuples(st.integers(0, 10_000), st.integers(0, 2_000)).map(lambda pair: (pair[0], pair[0] + pair[1])),
    max_size=12,
)


@given(intervals, st.lists(st.integers(0, 12_000), min_size=2, max_size=20))
def test_the_axis_never_turns_back_and_its_inverse_finds_the_time_again(
    busy: list[tuple[int, int]], times: list[int]
) -> None:
    t1 = max([end for _, end in busy], default=0) + 1
    axis = Axis.elastic(busy, 0, t1)
    assert all(a < b for a, b in zip(axis.times, axis.times[1:], strict=False))
    assert all(a < b for a, b in zip(axis.places, axis.places[1:], strict=False))
    assert (axis.position(0), axis.position(t1)) == (0.0, 1.0)
    inside = sorted(min(time, t1) for time in times)
    places = [axis.position(time) for time in inside]
    assert places == sorted(places)
    assert [axis.time(place) for place in places] == inside


@given(intervals)
def test_idle_and_busy_time_add_up_to_the_whole(busy: list[tuple[int, int]]) -> None:
    t1 = 13_000
    idle = idle_stretches(busy, 0, t1)
    covered = {moment for start, end in busy for moment in range(start, end)}
    assert sum(end - start for start, end in idle) == t1 - len(covered)
    assert not any(start <= moment < end for start, end in idle for moment in list(covered)[:50])


def test_a_flow_that_mostly_waits_is_folded_by_itself_and_a_gap_can_be_opened() -> None:
    detail = a_flow(a_span("root", None, 0, 10), a_span("work", "root", 990, 1000))
    axis = axis_for(detail)
    (gap,) = axis.gaps
    assert (gap.from_ns, gap.to_ns) == (10 * MS, 990 * MS)
    assert gap.x1 - gap.x0 == pytest.approx(0.12)
    assert axis_for(detail, opened={10 * MS}).gaps == ()
    assert axis_for(detail, elastic=False).gaps == ()
    busy = a_flow(a_span("root", None, 0, 900), a_span("work", "root", 990, 1000))
    assert axis_for(busy).gaps == ()
    assert not mostly_idle([(0, 900 * MS)], 0, 1000 * MS)


def test_a_flow_without_length_still_has_an_axis() -> None:
    detail = a_flow(a_span("root", None, 5, 5))
    assert bounds(detail) == (5 * MS, 5 * MS + 1)
    assert axis_for(detail, elastic=True).position(5 * MS) == 0.0
