"""What transactions commit is there from their end on, and what they abort counts in no flow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import store_helpers as told
import store_stories as stories
from headwater_collector.store import Store
from store_helpers import span, trace


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    opened = told.a_store(tmp_path_factory.mktemp("transactions"), stories.transactions())
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("sentence", "name", "outcome", "available_ms"),
    [
        ("outside of a transaction the acknowledgement counts", "send orders", None, 10),
        ("an aborted message is marked", "send in vain", "aborted", 30),
        ("a committed one is there from the end of its transaction on", "send payments", "committed", 75),
        ("a transaction around several handlers is known by a link", "send B", "aborted", 10),
    ],
)
def test_messages_say_how_their_transaction_ended(
    store: Store, sentence: str, name: str, outcome: str | None, available_ms: int
) -> None:
    found = store.read(
        "select transaction_outcome, epoch_ns(available_at) from messages where span_id = ?", [span(name)]
    )
    assert found == [(outcome, told.at(available_ms))], sentence


@pytest.mark.parametrize(
    ("sentence", "name", "method", "txn_wait_ms", "wait_ms", "bound_ms"),
    [
        ("a group that reads only what is committed waits for the commit first", "ship", "committed", 19, 15, None),
        ("it may read before the producer hears of the commit", "ship at once", "overlap", 14, 0, 14),
        ("a group that reads everything waits since the acknowledgement", "look early", "acknowledged", None, 4, None),
    ],
)  # fmt: skip
def test_the_wait_for_a_commit_is_a_part_of_its_own(
    store: Store, sentence: str, name: str, method: str, txn_wait_ms: float, wait_ms: float, bound_ms: float
) -> None:
    [found] = told.rows(store, "from hops where span_id = ?", [span(name)])
    assert (found["wait_method"], found["txn_wait_ms"], found["wait_ms"], found["wait_bound_ms"]) == (
        method, txn_wait_ms, wait_ms, bound_ms,
    ), sentence  # fmt: skip
    parts = found["send_ms"] + (found["txn_wait_ms"] or 0) + found["wait_ms"] + found["work_ms"]
    assert parts == found["total_ms"]


def test_aborted_messages_count_in_no_flow(store: Store) -> None:
    asked = "select messages, dead_letters, complete from flows where flow_id = ?"
    assert store.read(asked, [trace("A")]) == [(2, 0, True)]
    assert store.read(asked, [trace("B")]) == [(0, 0, True)] == store.read(asked, [trace("C")])


def test_a_transaction_told_twice_takes_its_messages_back_once(tmp_path: Path) -> None:
    whole = stories.transactions()
    around = [one for one in whole if one[1].name == "transaction"]
    opened = told.a_store(tmp_path, whole[:12], around, whole[12:], around)
    try:
        assert opened.read(
            "select flow_id, messages from flows where flow_id != ? order by all", [trace("T")]
        ) == sorted([(trace("A"), 2), (trace("B"), 0), (trace("C"), 0)])
    finally:
        opened.close()


def test_a_transaction_whose_end_is_not_known_is_open_and_counts(tmp_path: Path) -> None:
    opened = told.a_store(tmp_path, [one for one in stories.transactions() if one[1].name != "transaction"])
    try:
        assert opened.read("select distinct transaction_outcome from messages order by all") == [
            ("open",),
            (None,),
        ]
        assert opened.read("select sum(messages) from flows") == [(6,)]
    finally:
        opened.close()
