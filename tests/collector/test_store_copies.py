"""A message that tells nothing of the one it copies but its event's id is joined to it, within one lineage."""

from __future__ import annotations

from pathlib import Path

import pytest

import store_helpers as told
import store_stories as stories
from headwater_analysis import dead_letter_headers
from headwater_collector.store import Store, seen_events
from store_helpers import Told, send, span, trace, work

EVENT = {"headwater.event.id": "e1"}
FLOWS = "select flow_id, traces from flows order by started_at"
CAUSES = "select cause_kind, cause_span_id from flow_spans(?) where span_id = ? and flow_id = ?"


def cause(store: Store, flow: str, name: str) -> tuple[str | None, str | None]:
    [(kind, span_id)] = store.read(CAUSES, [trace(flow), span(name), trace(flow)])
    return kind, span_id


def test_each_copy_continues_the_one_before(tmp_path: Path) -> None:
    store = told.a_store(tmp_path, stories.copies())
    assert store.read(FLOWS) == [(trace("A"), 5), (trace("P"), 1)]
    assert cause(store, "A", "send again") == ("event", span("send orders"))
    assert cause(store, "A", "pay at last") == ("event", span("send again"))
    assert cause(store, "A", "mail orders") == ("message", span("send orders"))
    assert cause(store, "A", "send linked") == ("link", span("send again"))
    assert store.read(
        "select from_span_id, to_span_id, primary_cause from flow_edges(?) where kind = 'event' order by all",
        [trace("A")],
    ) == sorted(
        [(span("send orders"), span("send again"), True), (span("send again"), span("pay at last"), True)]
    )
    assert store.read("select flow_id from flow_of('orders-retry@0:2')") == [(trace("A"),)]
    store.close()


def test_the_first_of_them_may_come_when_nothing_looked_for_it(tmp_path: Path) -> None:
    first = send("shop", "A", "first", ("orders", 0, 5), 0, 5, "unknown", attributes=EVENT)
    second = send("shop", "B", "second", ("orders", 0, 6), 50, 5, attributes=EVENT)
    store = told.a_store(tmp_path, [first], [second])
    assert cause(store, "A", "second") == ("event", span("first"))
    store.close()


def test_who_says_where_a_message_comes_from_needs_no_event(tmp_path: Path) -> None:
    said = EVENT | {"headwater.origin": "orders:0:5", "headwater.retry.origin": "orders:0:5"}
    store = told.a_store(
        tmp_path,
        [send("shop", "A", "first", ("orders", 0, 5), 0, 5, attributes=EVENT)],
        [send("shop", "B", "second", ("orders", 0, 6), 50, 5, attributes=EVENT)],
        [send("pay", "C", "third", ("orders-retry", 0, 0), 100, 5, attributes=said)],
        [work("pay", "D", "loop", 150, 50)],
        [send("pay", "D", "fourth", ("orders", 0, 7), 160, 5, "loop", attributes=EVENT)],
    )  # fmt: skip
    assert store.read(FLOWS) == [(trace("A"), 3), (trace("D"), 1)]
    assert cause(store, "A", "third") == ("origin", span("first"))
    store.close()


def test_an_id_on_more_messages_than_copies_explain_joins_nothing(tmp_path: Path) -> None:
    *spans, last = stories.worn_out_event()
    store = told.a_store(tmp_path, spans)
    assert store.read(FLOWS) == [(trace("A"), 3)]
    told.fill(store, [last])
    alone = [(trace("A"), 1), (trace("B"), 1), (trace("C"), 1), (trace("D"), 1)]
    assert store.read(FLOWS) == alone
    worn_out = {"headwater.event.id": "the same"}
    told.fill(store, [send("shop", "E", "more", ("orders", 0, 99), 900, 5, attributes=worn_out)])
    assert store.read(FLOWS) == [*alone, (trace("E"), 1)]
    store.close()


@pytest.mark.parametrize("begun_when_opened", [False, True])
def test_copies_are_found_by_the_first_write_after_a_restart_and_among_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begun_when_opened: bool
) -> None:
    monkeypatch.setattr(seen_events, "IDS", 8)
    others = [
        send("shop", f"{n}", f"{n}", ("orders", 1, n), n + 10, 5, attributes={"headwater.event.id": f"{n}"})
        for n in range(30)
    ]
    first = [send("shop", "A", "first", ("orders", 0, 5), 0, 5, attributes=EVENT)]
    told.a_store(tmp_path, first, others).close()
    if begun_when_opened:
        stopped_early = told.open_store(tmp_path / "headwater.duckdb")
        stopped_early.recall()
        stopped_early.close()
    store = told.open_store(tmp_path / "headwater.duckdb")
    if begun_when_opened:
        store.recall()
    told.fill(store, [send("shop", "B", "second", ("orders", 0, 6), 50, 5, attributes=EVENT)])
    assert cause(store, "A", "second") == ("event", span("first"))
    told.fill(store, [send("shop", "C", "third", ("orders", 0, 7), 90, 5, attributes=EVENT)])
    assert cause(store, "A", "third") == ("event", span("second"))
    store.close()


def test_what_one_handler_sends_twice_is_joined_beside_their_parent(tmp_path: Path) -> None:
    def sent(name: str, offset: int, at: float, **attributes: object) -> Told:
        return send("shop", "A", name, ("orders", 0, offset), at, 5, "loop", attributes=EVENT | attributes)

    again = [
        sent("first", 5, 10),
        sent("second", 6, 20),
        sent("third", 7, 30, **{"headwater.origin": "orders:0:5"}),
    ]
    store = told.a_store(tmp_path, [work("shop", "A", "loop", 0, 500), *again])
    asked = "select from_span_id, to_span_id, primary_cause from flow_edges(?) where kind = 'event'"
    assert store.read(asked, [trace("A")]) == [(span("first"), span("second"), False)]
    told.fill(store, [sent(f"{n}", n, n * 3) for n in range(8, 30)])
    assert store.read(asked, [trace("A")]) == []
    store.close()


TOPICS = (
    "orders", "orders-retry", "orders-retry-3", "orders-retry-5000-1", "orders__pay__retry", "orders__pay__2__retry",
    "orders_retry_10000", "orders.retry.2", "orders-dlt", "orders.DLT", "orders_dead-letter", "orders__pay__dlq",
    "dlq.orders", "error.orders", "dead-letter-topic-orders", "retry", "dlq", "orders-retrying", "orders_retry",
)  # fmt: skip


def test_a_topic_stands_for_the_same_origin_in_sql_and_in_python(tmp_path: Path) -> None:
    store = told.a_store(tmp_path)
    for topic in TOPICS:
        read = dead_letter_headers.read_topic_name(topic, {"orders"})
        assert store.read("select origin_topic(?)", [topic]) == [(read.origin_topic if read else topic,)]
    assert store.read("select origin_topic('orders-retry-dlt')") == [("orders",)]
    store.close()
