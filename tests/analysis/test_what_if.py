"""What-if: the line that is typed, and what counting anew makes of it."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater_analysis.critical_path.graph import Graph, build
from headwater_analysis.critical_path.lanes import Delivery, Lanes, lanes
from headwater_analysis.critical_path.recompute import Recomputation, Recomputed
from headwater_analysis.critical_path.walk import path
from headwater_analysis.critical_path.what_if import Factor, WhatIfError, parse
from headwater_analysis.quantiles import quantile
from path_stories import MS, Story, a_random_flow, told


def deliveries(*stories: Story) -> list[Delivery]:
    return [
        Delivery(
            hop.trace_id, hop.span_id, hop.cluster, hop.topic, hop.partition, hop.consumer_group,
            hop.started_ns - round((hop.wait_ms or 0) * MS), hop.started_ns, max(hop.started_ns, hop.ended_ns),
        )
        for story in stories
        for hop in story.hops
    ]  # fmt: skip


def supposed(line: str, *stories: Story, others: Sequence[Delivery] = ()) -> Recomputed:
    rows = lanes([*deliveries(*stories), *others])
    return Recomputation([story.graph() for story in stories], rows).under(parse(line))


def total(graph: Graph) -> float:
    counted = graph.counted(0)
    return (max(graph.ends[node] for node in counted) - min(graph.starts[node] for node in counted)) / MS


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("wait x0", [Factor("wait", 0.0)]),
        (
            "wait topic=orders group=payments x0",
            [Factor("wait", 0, topic="orders", consumer_group="payments")],
        ),
        ("work service=checkout operation=charge x0.5", [Factor("work", 0.5, "checkout", "charge")]),
        ('work operation="POST /orders" ×2', [Factor("work", 2.0, operation="POST /orders")]),
        (
            "  local-wait x.5 ; send topic=a* x1;",
            [Factor("local_wait", 0.5), Factor("send", 1.0, topic="a*")],
        ),
    ],
)
def test_a_line_is_read(line: str, expected: list[Factor]) -> None:
    assert list(parse(line)) == expected


@pytest.mark.parametrize(
    ("why", "line", "position", "says"),
    [
        ("nothing", "", 0, "Nothing is supposed"),
        ("an unknown kind", "wait x0; wiat x0", 9, "'wiat' is no kind; there are work, send"),
        ("no factor", "wait topic=orders", 17, "The factor is missing"),
        ("no factor before the next", "wait topic=a; work x1", 12, "The factor is missing"),
        ("a factor that is none", "wait xfast", 5, "'xfast' is no factor"),
        ("a factor out of reach", "wait x5000", 5, "at most 1000"),
        ("a name of another kind", "wait service=pay x0", 5, "wait has no 'service'; it has topic and group"),
        ("no name at all", "wait orders x0", 5, "'orders' is no name=value"),
        ("no value", "wait topic= x0", 11, "topic= names nothing"),
        ("twice the same", "wait topic=a topic=b x0", 13, "topic is named twice"),
        ("something after the factor", "wait x0 topic=a", 8, "The factor comes last"),
        ("an open quotation mark", 'work operation="POST x0', 15, "A quotation mark is not closed"),
    ],
)
def test_a_line_that_cannot_be_read_is_pointed_at(why: str, line: str, position: int, says: str) -> None:
    with pytest.raises(WhatIfError) as caught:
        parse(line)
    assert (caught.value.position, caught.value.exit_code) == (position, 2), why
    sentence, shown, caret = str(caught.value).split("\n")
    assert says in sentence
    assert shown[2:] == line
    assert caret.index("^") == position + 2


def chain() -> Story:
    """A request that sends; its handling calls a gateway and a database side by side."""
    return (
        Story()
        .work("request", 0, 30, service="shop")
        .send("send", 5, 15, "request")
        .process("handle", 115, 215, "send", ready=15, local=20)
        .work("charge", 120, 200, "handle", service="pay")
        .work("save", 120, 170, "handle", service="pay")
    )


@pytest.mark.parametrize(
    ("sentence", "line", "before", "after"),
    [
        ("a wait that is none is taken out whole", "wait x0", 215, 115),
        ("half a wait is half of it", "wait topic=orders group=g x0.5", 215, 165),
        ("only the local part shrinks", "local_wait x0", 215, 195),
        ("what is not meant stays", "wait topic=paid x0; work service=other x0", 215, 215),
        ("a call that takes less lets another be waited for", "work operation=charge x0", 215, 185),
        ("a call beside the path changes nothing", "work operation=save x0", 215, 215),
        ("one that takes more comes onto the path", "work operation=save x2", 215, 235),
        ("a send that takes less lets everything come sooner", "send x0", 215, 205),
        ("work before the send counts, after it does not", "work service=shop x0", 215, 210),
        ("factors of several lines come together", "wait x0; work operation=charge x0.5; send x0", 215, 75),
    ],
)
def test_causes_that_end_earlier_let_effects_start_earlier(
    sentence: str, line: str, before: float, after: float
) -> None:
    story = chain()
    new = supposed(line, story)
    assert (total(story.graph()), total(new.graphs[0])) == (before, after), sentence


def test_the_path_of_what_is_supposed_goes_over_the_branch_that_became_critical() -> None:
    (graph,) = supposed("work operation=charge x0", chain()).graphs
    assert told(path(graph))[-2:] == ["work save 120-170", "work handle 170-185"]


def test_back_off_and_the_wait_for_a_transaction_can_be_supposed() -> None:
    story = (
        Story()
        .send("s", 0, 10)
        .process("one", 40, 50, "s", ready=10, txn=20)
        .process("two", 150, 160, "s", ready=50, backoff=80, attempt=2)
    )
    assert total(supposed("txn_wait x0", story).graphs[0]) == 140
    assert total(supposed("backoff x0.5", story).graphs[0]) == 120


def a_partition(work: float, every: Sequence[float], topic: str = "orders") -> list[Story]:
    """Messages sent at these times, handled one after another, each for `work` ms."""
    stories, free = [], 0.0
    for number, sent in enumerate(every):
        start = max(sent, free)
        free = start + work
        name = f"{topic}{number}"
        stories.append(
            Story()
            .send(f"send {name}", sent, sent, topic=topic)
            .process(f"handle {name}", start, free, f"send {name}", ready=sent, offset=number, topic=topic)
        )
    return stories


def arrivals(count: int, mean: float) -> list[float]:
    rng, now, times = random.Random(11), 0.0, []
    for _ in range(count):
        now += rng.expovariate(1 / mean)
        times.append(round(now, 3))
    return times


def test_halving_the_work_of_a_busy_partition_shortens_its_queue_as_a_consumer_would() -> None:
    sent = arrivals(2_000, 100.0)
    busy, halved = a_partition(95.0, sent), a_partition(47.5, sent)
    new = supposed("work service=pay x0.5", *busy)
    counted = [total(graph) for graph in new.graphs]
    assert counted == pytest.approx([total(story.graph()) for story in halved])
    assert new.held == frozenset()
    before, after = quantile([total(story.graph()) for story in busy], 0.95), quantile(counted, 0.95)
    assert before is not None and after is not None
    assert before > 10 * after


def test_messages_of_other_flows_in_the_same_partition_are_counted_along() -> None:
    stories = a_partition(95.0, arrivals(300, 100.0))
    chosen, others = stories[::3], stories[1::3] + stories[2::3]
    alone = supposed("work service=pay x0.5", *chosen, others=deliveries(*others))
    together = supposed("work service=pay x0.5", *stories)
    assert [total(graph) for graph in alone.graphs] == [total(graph) for graph in together.graphs[::3]]


def test_one_consumer_of_two_partitions_takes_them_in_turn() -> None:
    first = Story().send("a", 0, 0).process("pa", 0, 100, "a", ready=0, partition=0)
    second = Story().send("b", 0, 0).process("pb", 100, 200, "b", ready=0, partition=1)
    new = supposed("work operation=pa x0.5", first, second)
    assert [total(graph) for graph in new.graphs] == [50.0, 150.0]


def test_a_message_that_comes_sooner_overtakes_and_holds_nobody_up() -> None:
    slow = Story().work("slow", 0, 900).send("a", 900, 900, "slow").process("pa", 900, 950, "a", ready=900)
    quick = Story().send("b", 500, 500).process("pb", 500, 600, "b", ready=500)
    new = supposed("work operation=slow x0.5", slow, quick)
    assert [total(graph) for graph in new.graphs] == [500.0, 100.0]


def test_waiting_behind_no_known_handling_is_owned_up_to() -> None:
    first = Story().send("a", 0, 0).process("pa", 20, 100, "a", ready=0)
    second = Story().send("b", 50, 50).process("pb", 110, 120, "b", ready=50, offset=1)
    assert supposed("work x0.5", first, second).unexplained == (20 + 10) / (20 + 60)
    assert supposed("work x0.5", Story().work("a", 0, 10)).unexplained is None


def test_where_messages_are_handled_side_by_side_waits_are_held() -> None:
    stories = [
        Story().send(f"s{n}", 0, 10).process(f"p{n}", 20 + n, 90, f"s{n}", ready=10, offset=n)
        for n in range(4)
    ]
    new = supposed("work service=pay x0.5", *stories)
    assert new.held == {("orders", "g")}
    assert [total(graph) for graph in new.graphs] == [55.0, 55.5, 56.0, 56.5]


def test_a_batch_waits_for_its_last_message() -> None:
    batch = lanes(
        Delivery("t", "batch", "c", "orders", partition, "g", available, 50 * MS, 60 * MS)
        for partition, available in ((0, 10), (1, 40))
    )
    assert batch == Lanes({}, frozenset())


flows = st.builds(a_random_flow, st.integers(0, 1 << 30), st.integers(1, 30), st.booleans())
KINDS = ("work", "send", "wait", "local_wait", "backoff", "txn_wait")


@given(flows)
@settings(deadline=None, max_examples=200)
def test_factor_1_changes_nothing(story: Story) -> None:
    new = supposed("; ".join(f"{kind} x1" for kind in KINDS), story).graphs[0]
    graph = story.graph()
    assert (new.starts, new.ends, new.arrivals) == (graph.starts, graph.ends, graph.arrivals)
    assert path(new) == path(graph)


@given(st.lists(flows, min_size=1, max_size=3), st.sampled_from(KINDS), st.sampled_from(("0", "0.3", "0.99")))
@settings(deadline=None, max_examples=200)
def test_a_factor_below_1_never_lengthens_a_flow(stories: list[Story], kind: str, factor: str) -> None:
    for story, new in zip(stories, supposed(f"{kind} x{factor}", *stories).graphs, strict=True):
        graph = story.graph()
        if graph.counted(0):
            assert total(new) <= total(graph)
            segments = path(new)
            assert sum(one.to_ns - one.from_ns for one in segments) == round(total(new) * MS)


@given(flows, st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=60)
def test_the_order_in_which_spans_came_has_no_say(story: Story, rng: random.Random) -> None:
    expected = supposed("work x0.5; wait x0.2", story).graphs[0]
    for rows in (story.spans, story.edges, story.hops):
        rng.shuffle(rows)
    again = supposed("work x0.5; wait x0.2", story).graphs[0]
    assert (again.starts, again.ends) == (expected.starts, expected.ends)


def test_a_flow_without_spans_stays_one() -> None:
    assert build([]).counted(0) == []
    assert supposed("wait x0", Story()).graphs[0].starts == []
