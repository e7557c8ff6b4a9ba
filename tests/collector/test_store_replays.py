"""A replay is a run of its own, shown in the flow of the message that it sends again, and counted in no total."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import store_helpers as told
import store_stories as stories
from headwater_collector.store import Store
from store_helpers import span, trace


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    opened = told.a_store(tmp_path_factory.mktemp("replays"), stories.replays())
    yield opened
    opened.close()


def test_it_is_shown_in_the_same_flow(store: Store) -> None:
    assert store.read("select flow_id from flows") == [(trace("A"),)]
    names = {name for (name,) in store.read("select name from flow_spans(?)", [trace("A")])}
    assert names == {one.name for _, one in stories.replays()}
    for one in ("send again", "ship", "try at last"):
        assert store.read("select flow_id from flow_of(?)", [span(one)]) == [(trace("A"),)]
    assert store.read(
        "select to_span_id from flow_edges(?) where kind = 'origin' and primary_cause order by all",
        [trace("A")],
    ) == sorted([(span("send again"),), (span("try at last"),)])


def test_totals_end_before_it(store: Store) -> None:
    [flow] = told.rows(store, "from flows")
    said = (
        "total_ms",
        "converged_ms",
        "wait_ms",
        "work_ms",
        "spans",
        "messages",
        "errors",
        "dead_letters",
        "traces",
    )
    assert [flow[name] for name in said] == [30, 30, 10, 10, 3, 2, 1, 1, 1]
    assert flow["services"] == ["shop", "pay"] and flow["replays"] == 2
    assert store.read("select flows, total_p95_ms, path from pathways") == [
        (1, 30, "shop → orders → pay → orders-dlq")
    ]


def test_every_run_has_totals_of_its_own(store: Store) -> None:
    asked = (
        "select run, span_id, total_ms, spans, messages, errors, dead_letters from flow_runs(?) order by run"
    )
    assert store.read(asked, [trace("A")]) == [
        (0, None, 30, 3, 2, 1, 1),
        (1, span("send again"), 45, 4, 2, 1, 0),
        (2, span("try at last"), 10, 1, 0, 0, 0),
    ]
