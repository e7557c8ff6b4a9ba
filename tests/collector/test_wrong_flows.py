"""Wrong, forged and huge input: every answer is bounded, says what is wrong, and no total is wrong without a mark."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import api_helpers as api
import store_helpers as told
from builders import a_request, a_span
from headwater_analysis.critical_path.asking import path_of
from headwater_analysis.flow_bounds import HOPS, SENTENCES
from headwater_analysis.flows import load_flow
from headwater_analysis.spans import span_facts
from headwater_collector.receivers.otlp_decode import Kind, RawRequest
from headwater_collector.records import LogPosition
from headwater_collector.store import Store, append_spans
from store_helpers import StoreSource, Told, link, open_store, process, send, span, trace, work

if TYPE_CHECKING:  # imported before its cache is chosen, it would be compiled anew
    from headwater_collector.receivers.fast.decoder import FastDecoder

HOUR_MS = 3_600_000.0
HERE = ("orders", 0, 5)
HUGE, HUB_LINKS = 200_000, 100_000


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Callable[..., Store]]:
    opened: list[Store] = []

    def fill(*flushes: list[Told]) -> Store:
        opened.append(told.a_store(tmp_path, *flushes))
        return opened[-1]

    yield fill
    for store in opened:
        store.close()


def the_flows(store: Store) -> list[dict[str, Any]]:
    """Every flow, having been asked for all its parts."""
    found = told.rows(store, "from flows order by started_at, flow_id")
    source = StoreSource(store)
    for flow in found:
        detail = load_flow(source, flow["flow_id"])
        assert detail.cut == () and path_of(source, detail).runs
    runs = [store.read("select sum(spans) from flow_runs(?)", [flow["flow_id"]])[0][0] for flow in found]
    assert sum(runs) == store.read("select count(*) from spans")[0][0]
    return found


def test_forged_links_and_parents_in_circles_end_somewhere(filled: Callable[..., Store]) -> None:
    store = filled(
        [
            work("a", "A", "a", 0, 5, links=[link("C", "c")]),
            work("b", "B", "b", 1, 5, links=[link("A", "a")]),
            work("c", "C", "c", 2, 5, links=[link("B", "b"), link("C", "c")]),
            work("d", "D", "own parent", 0, 5, "own parent"),
            work("d", "E", "first", 0, 5, "second"),
            work("d", "E", "second", 1, 5, "first"),
            send("f", "F", "send on", HERE, 0, 5, attributes={"headwater.origin": "orders:0:6"}),
            send(
                "g", "G", "send back", ("orders", 0, 6), 1, 5, attributes={"headwater.origin": "orders:0:5"}
            ),
        ]
    )
    found = {flow["flow_id"]: flow for flow in the_flows(store)}
    circle = [flow for flow in found.values() if flow["spans"] == 3]
    assert len(circle) == 1 and circle[0]["total_ms"] == 7
    # Nobody is the root of these, and that is said.
    assert not found[trace("D")]["complete"] and not found[trace("E")]["complete"]
    # Each says that it replays the other: one of them does.
    assert [
        (flow["spans"], flow["replays"]) for flow in found.values() if flow["entry_service"] in ("f", "g")
    ] == [(1, 1)]


def test_clocks_that_are_hours_apart_are_said_in_every_answer(filled: Callable[..., Store]) -> None:
    store = filled(
        [
            send("shop", "A", "send orders", HERE, 0, 10),
            process("pay", "A", "process orders", HERE, 20 - 5 * HOUR_MS, 10, "send orders"),
            work("shop", "B", "fine", 0, 5),
        ]
    )
    off, fine = the_flows(store)
    assert (off["doubtful"], fine["doubtful"]) == (1, 0)
    assert store.read("select skewed, wait_ms from hops") == [(True, None)]
    with api.serving(store) as url:
        done = api.headwater("flow", trace("A"), "--collector", url)
    assert b"in doubt" in done.stdout and done.returncode == 0


def test_a_span_that_ends_before_it_starts_makes_no_total_negative(filled: Callable[..., Store]) -> None:
    backwards = a_span("backwards", trace_id=trace("A"), start_ns=told.at(900), end_ns=told.at(1))
    store = filled(
        [
            ("shop", backwards),
            work("shop", "B", "checkout", 0, 5),
            work("shop", "B", "more", 4, 3, "checkout"),
        ]
    )
    [fine, wrong] = the_flows(store)
    assert (wrong["total_ms"], wrong["doubtful"], fine["total_ms"], fine["doubtful"]) == (0, 1, 7, 0)


def test_a_topic_made_anew_joins_no_delivery_to_yesterdays_message(filled: Callable[..., Store]) -> None:
    store = filled(
        [
            send("shop", "A", "yesterday", HERE, 0, 10),
            process("pay", "A", "pay yesterday", HERE, 20, 10, "yesterday"),
        ],
        [
            send("shop", "B", "today", HERE, 24 * HOUR_MS, 10),
            process("pay", "C", "pay today", HERE, 24 * HOUR_MS + 20, 10),
        ],
    )
    assert [(flow["flow_id"], flow["spans"], flow["total_ms"]) for flow in the_flows(store)] == [
        (trace("A"), 2, 30),
        (trace("B"), 2, 30),
    ]
    assert store.read("select attempt, wait_ms, total_ms from hops") == [(1, 10, 30), (1, 10, 30)]


def test_a_group_and_a_service_that_change_their_names_split_no_flow(filled: Callable[..., Store]) -> None:
    store = filled(
        [
            send("shop", "A", "send orders", HERE, 0, 10),
            process("pay", "A", "process orders", HERE, 20, 30, "send orders"),
            send("pay-v2", "A", "send payments", ("payments", 0, 0), 30, 5, "process orders"),
            send("shop", "B", "send more", ("orders", 0, 6), 100, 10),
            process("pay-v2", "B", "process more", ("orders", 0, 6), 120, 10, "send more"),
            process("ship", "S", "ship", ("payments", 0, 0), 60, 5),
        ]
    )
    first, second = the_flows(store)
    assert (first["spans"], first["services"], first["total_ms"]) == (
        4,
        ["shop", "pay", "pay-v2", "ship"],
        65,
    )
    # The old group's name may still be read by somebody: open, never silently done.
    assert (second["spans"], second["status"], second["complete"]) == (2, "open", False)


@pytest.mark.parametrize("length", [HOPS, HOPS + 3])
def test_a_chain_of_messages_is_followed_to_the_bound_and_says_so(
    filled: Callable[..., Store], length: int
) -> None:
    chain = [
        work("s", f"T{n}", f"n{n}", n, 1, links=[link(f"T{n - 1}", f"n{n - 1}")] if n else [])
        for n in range(length + 1)
    ]
    store = filled(chain)
    assert store.read("select flow_id, spans from flows") == [(trace("T0"), length + 1)]
    detail = load_flow(StoreSource(store), span(f"n{length}"))
    assert len(detail.spans) == HOPS + 1 and detail.cut == (("hops",) if length > HOPS else ())


def test_a_chain_that_comes_backwards_and_is_touched_again_stays_one_flow(
    filled: Callable[..., Store],
) -> None:
    length = 60
    chain = [
        work("s", f"T{n}", f"n{n}", n, 1, links=[link(f"T{n - 1}", f"n{n - 1}")] if n else [])
        for n in range(length)
    ]
    store = filled(chain[40:], chain[20:40], chain[:20])
    assert store.read("select flow_id, spans from flows") == [(trace("T0"), length)]
    # Another cause ends in one of its traces, and one more span in another: what follows stays where it was.
    told.fill(store, [work("s", "T30", "above", 29, 5, links=[link("X", "x")]), work("x", "X", "x", 0, 1)])
    told.fill(store, [work("s", "T10", "beside", 12, 1, "n10")])
    [first, other] = store.read("select flow_id, spans from flows order by spans desc")
    assert (first, other) == ((trace("T0"), length + 1), (trace("X"), 2))
    assert store.read("select flow_id from flow_of(?)", [span("n59")]) == [(trace("T0"),)]


def test_what_comes_after_a_week_is_not_shown_and_that_is_said(filled: Callable[..., Store]) -> None:
    week = 7 * 24 * HOUR_MS
    store = filled(
        [work("a", "A", "a", 0, 5), work("a", "A", "b", week, 5, "a"), work("a", "A", "c", week + 1, 5, "a")]
    )
    detail = load_flow(StoreSource(store), trace("A"))
    assert (len(detail.spans), detail.cut, detail.flow.total_ms) == (2, ("days",), week + 6)


@pytest.fixture(scope="module")
def huge(tmp_path_factory: pytest.TempPathFactory, fast: FastDecoder) -> Iterator[Store]:
    """A trace of 200,000 spans, half of which link to one span of another."""
    request = a_request(told.work("hub", "H", "hub", 0, 5)[1])
    spans = request.resource_spans[0].scope_spans[0].spans
    root = told.work("shop", "B", "root", 0, 1000)[1]
    spans.add().CopyFrom(root)
    linked = told.work("shop", "B", "child", 1, 2, "root", links=[link("H", "hub")])[1]
    bare = copy.deepcopy(linked)
    del bare.links[:]
    for number in range(1, HUGE):
        one = spans.add()
        one.CopyFrom(linked if number <= HUB_LINKS else bare)
        one.span_id = number.to_bytes(8, "big")
    store = open_store(tmp_path_factory.mktemp("huge") / "headwater.duckdb")
    raw = RawRequest(told.START_NS, Kind.HTTP_PROTOBUF, request.SerializeToString())
    batch = fast.decode([raw])[0]
    store.write(lambda writer: append_spans(writer, batch, LogPosition(1, 1)))
    yield store
    store.close()


def test_a_trace_of_two_hundred_thousand_spans_is_counted_whole_and_shown_in_part(huge: Store) -> None:
    assert huge.read("select spans, total_ms, complete from flows where flow_id = ?", [trace("B")]) == [
        (HUGE, 1000, True)
    ]
    with api.serving(huge) as url:
        done = api.headwater("flow", trace("B"), "--view", "table", "--collector", url)
    assert SENTENCES["spans"].encode() in done.stdout + done.stderr and done.returncode == 0


def test_a_hundred_thousand_links_to_one_span_are_told_in_part(huge: Store) -> None:
    assert huge.read("select count(*) from span_links where linked_span_id = ?", [span("hub")]) == [
        (HUB_LINKS,)
    ]
    facts = span_facts(StoreSource(huge), trace("H"), span("hub"))
    assert len(facts.linked_from) == 200 and facts.linked_from_more
    assert load_flow(StoreSource(huge), trace("H")).flow.spans == 1
