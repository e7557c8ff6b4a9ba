"""The critical path of a flow: what it is made of, and that it adds up to the total whatever comes."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater_analysis.commands.path_drawing import step_mark
from headwater_analysis.critical_path.aggregate import steps
from headwater_analysis.critical_path.asking import a_run
from headwater_analysis.critical_path.graph import build
from headwater_analysis.critical_path.segments import KINDS, Step
from headwater_analysis.critical_path.walk import path
from headwater_analysis.quantiles import quantile
from path_stories import MS, Story, a_random_flow, told


def fire_and_forget() -> Story:
    """A request that sends and goes on; the consumer ends long after it."""
    return (
        Story()
        .work("request", 0, 30)
        .send("send", 5, 15, "request")
        .process("handle", 40, 60, "send", ready=15)
    )


CASES: tuple[tuple[str, Callable[[], Story], list[str]], ...] = (
    (
        "a call that ended last is on the path, then its caller's own time",
        lambda: Story().work("a", 0, 10).work("b", 2, 5, "a").work("c", 6, 9, "a"),
        ["work a 0-2", "work b 2-5", "work a 5-6", "work c 6-9", "work a 9-10"],
    ),
    (
        "of calls side by side only the one that ended last is on the path",
        lambda: Story().work("a", 0, 10).work("short", 2, 5, "a").work("long", 3, 9, "a"),
        ["work a 0-3", "work long 3-9", "work a 9-10"],
    ),
    (
        "of calls that ended together the one that began later is on the path",
        lambda: Story().work("a", 0, 10).work("early", 2, 9, "a").work("late", 4, 9, "a"),
        ["work a 0-4", "work late 4-9", "work a 9-10"],
    ),
    (
        "of calls that began and ended together the one with the smaller span id is on the path",
        lambda: Story().work("a", 0, 10).work("y", 4, 9, "a").work("x", 4, 9, "a"),
        ["work a 0-4", "work x 4-9", "work a 9-10"],
    ),
    (
        "nobody waits for a call that ends after its caller",
        lambda: Story().work("a", 0, 10).work("task", 2, 30, "a").work("end", 31, 40, "task"),
        ["work a 0-2", "work task 2-30", "gap 30-31", "work end 31-40"],
    ),
    (
        "a producer that fires and forgets is not on the path after its send",
        fire_and_forget,
        ["work request 0-5", "send send 5-15", "wait orders/g 15-40", "work handle 40-60"],
    ),
    (
        "a wait falls into transaction, back-off, queue and what was fetched but not begun",
        lambda: Story().send("s", 0, 10).process("p", 100, 110, "s", ready=10, txn=20, backoff=30, local=5),
        ["send s 0-10", "txn_wait orders/g 10-30", "backoff orders/g 30-60", "wait orders/g 60-95",
         "local_wait orders/g 95-100", "work p 100-110"],
    ),
    (
        "of two groups the one that ends last is on the path",
        lambda: Story().send("s", 0, 10).process("mail", 20, 30, "s", ready=10, group="mail")
        .process("pay", 15, 50, "s", ready=10, group="pay"),
        ["send s 0-10", "wait orders/pay 10-15", "work pay 15-50"],
    ),
    (
        "a batch rests on the message that was available last",
        lambda: Story().work("a", 0, 50).send("s1", 1, 10, "a").send("s2", 20, 30, "a", topic="paid")
        .process("batch", 60, 70, "s1", ready=10).process("batch", 60, 70, "s2", ready=30, topic="paid"),
        ["work a 0-1", "send s1 1-10", "work a 10-20", "send s2 20-30", "wait paid/g 30-60", "work batch 60-70"],
    ),
    (
        "a later attempt goes back over its back-off to the end of the attempt before",
        lambda: Story().send("s", 0, 10).process("one", 20, 30, "s", ready=10)
        .process("two", 90, 100, "s", ready=30, backoff=50, attempt=2),
        ["send s 0-10", "wait orders/g 10-20", "work one 20-30", "backoff orders/g 30-80",
         "wait orders/g 80-90", "work two 90-100"],
    ),
    (
        "a retry over a topic of its own follows from the handling that failed",
        lambda: Story().send("s", 0, 10).process("one", 20, 40, "s", ready=10)
        .send("retry", 30, 35, "s", cause="origin", topic="orders-retry", service="pay")
        .process("two", 100, 110, "retry", ready=35, backoff=40, attempt=2, topic="orders-retry"),
        ["send s 0-10", "wait orders/g 10-20", "work one 20-30", "send retry 30-35", "backoff orders-retry/g 35-75",
         "wait orders-retry/g 75-100", "work two 100-110"],
    ),
    (
        "a message read before its producer heard of it leaves no wait",
        lambda: Story().send("s", 0, 20).process("p", 15, 40, "s", ready=15),
        ["send s 0-15", "work p 15-40"],
    ),
    (
        "handling that begins before sending by the clocks leaves a mark of no length",
        lambda: Story().work("a", 0, 30).send("s", 10, 20, "a").process("p", 5, 60, "s"),
        ["work a 0-5", "wait orders/g 5-5 skewed", "work p 5-60"],
    ),
    (
        "a call that begins before its caller by the clocks leaves a mark of no length",
        lambda: Story().work("a", 0, 50).work("b", 20, 40, "a").work("c", 15, 35, "b"),
        ["work a 0-15", "gap 15-15 skewed", "work c 15-35", "work b 35-40", "work a 40-50"],
    ),
    (
        "a span whose parent is missing follows what ended last before it, with a gap between",
        lambda: Story().work("a", 0, 10).work("orphan", 25, 40, "gone"),
        ["work a 0-10", "gap 10-25", "work orphan 25-40"],
    ),
    (
        "a span whose parent is missing while another runs follows that one, marked by a gap of no length",
        lambda: Story().work("a", 0, 30).work("orphan", 25, 40, "gone"),
        ["work a 0-25", "gap 25-25", "work orphan 25-40"],
    ),
    (
        "a cycle is opened at its weakest edge",
        lambda: Story().work("a", 0, 10, "b", cause="link").work("b", 2, 20, "a"),
        ["work a 0-2", "work b 2-20"],
    ),
    (
        "a span that ends before it starts has no length",
        lambda: Story().work("a", 0, 10).work("b", 5, 3, "a"),
        ["work a 0-10"],
    ),
    (
        "a consumer without coordinates waited from the end of its producer",
        lambda: Story().send("s", 0, 10).process("p", 30, 40, "s"),
        ["send s 0-10", "wait orders/None 10-30", "work p 30-40"],
    ),
    ("a flow of one span is that span", lambda: Story().work("a", 0, 10), ["work a 0-10"]),
    ("a flow without length has no segment", lambda: Story().work("a", 5, 5), []),
    ("what is shared with other flows does not count",
     lambda: Story().send("s", 0, 10).process("p", 20, 90, "s", ready=10, shared=True), ["send s 0-10"]),
)  # fmt: skip


@pytest.mark.parametrize(("sentence", "story", "expected"), CASES, ids=[case[0] for case in CASES])
def test_the_path(sentence: str, story: Callable[[], Story], expected: list[str]) -> None:
    flow = story()
    if sentence.startswith("a consumer without coordinates"):
        flow.hops.clear()
    assert told(path(flow.graph())) == expected


def test_a_replay_is_a_run_of_its_own_and_the_flow_ends_before_it() -> None:
    flow = (
        fire_and_forget()
        .send("again", 500, 510, "send", cause="origin", service="tool", replay=True)
        .process("handle again", 550, 600, "again", ready=510)
    )
    graph = flow.graph()
    assert [line.split()[1] for line in told(path(graph))] == ["request", "send", "orders/g", "handle"]
    assert told(path(graph, 1)) == [
        "send again 500-510",
        "wait orders/g 510-550",
        "work handle again 550-600",
    ]
    first, replay = a_run(graph), a_run(graph, 1)
    assert first is not None and replay is not None
    assert (first.total_ms, replay.total_ms, replay.kind) == (60.0, 100.0, "replay")


def test_a_gap_says_between_what_it_lies() -> None:
    _, gap, _ = path(Story().work("a", 0, 10).work("orphan", 25, 40, "gone").graph())
    assert str(gap.step) == "gap shop: a → shop: orphan"


def test_slack_is_how_much_later_a_branch_could_have_ended() -> None:
    flow = (
        Story()
        .work("a", 0, 10)
        .send("s", 0, 10, "a")
        .process("mail", 20, 30, "s", ready=10, group="mail", service="mail")
        .process("pay", 15, 50, "s", ready=10, group="pay", service="pay")
        .work("side", 16, 20, "pay", service="pay")
        .work("main", 16, 45, "pay", service="pay")
    )
    run = a_run(flow.graph())
    assert run is not None
    slack = {str(one.step): one.slack_ms for one in run.off_path}
    assert slack == {"mail: mail": 20.0, "wait in orders for mail": 20.0, "pay: side": 25.0, "shop: a": 40.0}


def test_many_flows_add_up_by_step() -> None:
    runs = [a_run(fire_and_forget().graph()), a_run(Story().work("request", 0, 40).graph())]
    rows = {str(row.step): row for row in steps([run for run in runs if run is not None])}
    request, wait = rows["shop: request"], rows["wait in orders for g"]
    assert (request.on_path, request.frequency, request.share) == (2, 1.0, 0.45)
    assert request.p50_ms == 22.5
    assert request.p95_ms == pytest.approx(38.25)
    assert (wait.on_path, wait.frequency, wait.share, wait.off_path) == (1, 0.5, 0.25, 0)
    assert steps([]) == ()


def test_every_kind_is_drawn_with_a_mark_and_a_word_of_its_own() -> None:
    for ascii_only in (False, True):
        assert len({step_mark(kind, ascii_only) for kind in KINDS}) == len(KINDS)
    assert len({str(Step(kind, "shop", "send it", "orders", "g")) for kind in KINDS}) == len(KINDS)


def test_quantiles_lie_between_neighbours() -> None:
    assert (quantile([], 0.5), quantile([7], 0.95), quantile([4, 1, 2], 0.5)) == (None, 7, 2)
    assert quantile([1, 2], 0.25) == 1.25


flows = st.builds(a_random_flow, st.integers(0, 1 << 30), st.integers(1, 40), st.booleans())


@given(flows)
@settings(deadline=None, max_examples=300)
def test_the_segments_partition_first_start_to_last_end_exactly(flow: Story) -> None:
    graph = flow.graph()
    for number in range(len(graph.replays) + 1):
        counted = graph.counted(number)
        segments = path(graph, number)
        if counted:
            reached = min(graph.starts[node] for node in counted)
            for segment in segments:
                assert segment.from_ns == reached <= segment.to_ns
                assert segment.to_ns > reached or segment.kind == "gap" or segment.skewed
                reached = segment.to_ns
            assert reached == max(graph.ends[node] for node in counted)


@given(flows, st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=150)
def test_the_order_in_which_spans_came_has_no_say(flow: Story, rng: random.Random) -> None:
    expected = [a_run(flow.graph(), number) for number in range(len(flow.graph().replays) + 1)]
    for rows in (flow.spans, flow.edges, flow.hops):
        rng.shuffle(rows)
    assert [a_run(flow.graph(), number) for number in range(len(expected))] == expected


@pytest.mark.parametrize(("shape", "count"), [("chain", 20_000), ("wide", 20_000), ("ring", 200_000)])
def test_no_number_of_spans_is_too_deep(shape: str, count: int) -> None:
    flow = Story()
    flow.work("s0", 0, count, f"s{count - 1}" if shape == "ring" else None)
    for number in range(1, count):
        flow.work(f"s{number}", number, count, "s0" if shape == "wide" else f"s{number - 1}")
    segments = path(build(flow.spans))
    assert sum(one.to_ns - one.from_ns for one in segments) == count * MS
