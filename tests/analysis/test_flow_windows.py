"""Flows that begin in a stretch of time, some by their ids, the newest spans: the same answers, without reading all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import store_helpers as told
from builders import a_span
from headwater_analysis.flows import list_flows
from headwater_analysis.window import Window
from headwater_collector.store import Store
from store_helpers import Told, span, trace

ROW_GROUP = 122_880
GROUPS = 4
SINCE, UNTIL = told.at(400), told.at(1000)
STRADDLING = 130
"""Flows that begin before the stretch of time and go on at its end: more than are looked at for the newest few."""


def without_times(name: str, in_trace: str) -> Told:
    return "shop", a_span(name, span_id=span(name), trace_id=trace(in_trace), start_ns=0, end_ns=0)


FLUSHES: tuple[list[Told], ...] = (
    [
        told.work("shop", "before", "before", 399, 1),
        told.work("shop", "first", "at the very beginning", 400, 1),
        told.work("shop", "last", "just before the end", 999.999, 1),
        told.work("shop", "after", "at the very end", 1000, 1),
        told.work("pay", "late root", "its child", 520, 5, "its root"),
        told.work("pay", "earlier root", "the child", 410, 5, "the root"),
        told.work("shop", "long", "long", 600, 5),
        told.send("shop", "sending", "sends", ("orders", 0, 1), 700, 5),
        told.process("pay", "handling", "handles", ("orders", 0, 1), 720, 5),
        told.send("shop", "waiting", "sends more", ("orders", 0, 2), 730, 5),
        without_times("unknown", "unknown"),
        *(told.work("shop", f"straddling {n}", f"straddling {n}", 100 + n, 1) for n in range(STRADDLING)),
    ],
    [
        told.work("shop", "late root", "its root", 510, 100, error="no"),
        told.work("shop", "earlier root", "the root", 390, 100),
        told.work("mail", "long", "long after", 50_000, 5, "long"),
        without_times("untimed", "long"),
        *(
            told.work("pay", f"straddling {n}", f"again {n}", 998 + n / 1000, 1, f"straddling {n}")
            for n in range(STRADDLING)
        ),
    ],
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Flows that begin before, in and after a stretch of time, in two commits."""
    opened = told.a_store(tmp_path_factory.mktemp("windows"), *FLUSHES)
    yield opened
    opened.close()


ORDER = "order by started_at desc nulls last, flow_id"
BETWEEN = "flows_between(make_timestamp_ns(?), make_timestamp_ns(?))"


def expected(store: Store, since: int | None, until: int | None) -> list[Any]:
    """By a filter on all flows, the newest first."""
    window = Window(since, until)
    where, params = window.where("started_at")
    return told.rows(store, f"from flows where {where} and started_at is not null {ORDER}", params)


@pytest.mark.parametrize(
    ("since", "until"), [(SINCE, UNTIL), (SINCE, None), (None, UNTIL), (None, None), (UNTIL + 10**12, None)]
)
def test_flows_of_a_stretch_of_time_are_those_that_a_filter_on_all_finds(
    store: Store, since: int | None, until: int | None
) -> None:
    wanted = expected(store, since, until)
    assert told.rows(store, f"from {BETWEEN} {ORDER}", [since, until]) == wanted
    for number in (1, 3, 1000):
        asked = f"from newest_flows(make_timestamp_ns(?), make_timestamp_ns(?), ?) {ORDER}"
        assert told.rows(store, asked, [since, until, number]) == wanted[:number]
    counted = told.rows(
        store,
        "from pathways_between(make_timestamp_ns(?), make_timestamp_ns(?)) order by pathway_id",
        [since, until],
    )
    assert sum(row["flows"] for row in counted) == len(wanted)
    assert {row["pathway_id"] for row in counted} == {row["pathway_id"] for row in wanted}


def test_what_begins_before_has_no_place_in_it_whenever_that_shows(store: Store) -> None:
    found = {row["flow_id"] for row in told.rows(store, f"from {BETWEEN}", [SINCE, UNTIL])}
    inside = ("first", "last", "late root", "long", "sending", "waiting")
    assert found == {trace(name) for name in inside}


def test_flows_by_their_ids_are_what_they_are_among_all(store: Store) -> None:
    ids = [trace(name) for name in ("late root", "earlier root", "long", "sending", "unknown", "nobody")]
    asked = "from flows where flow_id in (select unnest(?::varchar[])) order by flow_id"
    assert told.rows(store, "from flows_named(?) order by flow_id", [ids]) == told.rows(store, asked, [ids])
    [waiting] = told.rows(store, "from flows_named([?])", [trace("waiting")])
    assert (waiting["status"], waiting["complete"]) == ("open", False)


def test_pathways_say_the_same_of_every_flow(store: Store) -> None:
    every = "from {} where first_seen is not null order by pathway_id"
    paths = told.rows(store, every.format("pathways"))
    flows = told.rows(
        store,
        "select pathway_id, count(*) as flows, count(*) filter (errors > 0) as errors, max(total_ms) as longest "
        "from flows where started_at is not null group by all order by all",
    )
    assert [(row["pathway_id"], row["flows"], row["errors"]) for row in paths] == [
        (row["pathway_id"], row["flows"], row["errors"]) for row in flows
    ]
    assert {row["path"] for row in paths} >= {"shop → mail", "shop → orders → pay"}


@pytest.mark.parametrize("sort", ["started", "total", "spans"])
@pytest.mark.parametrize("line", ["", "errors>0", "service:pay", "status:open"])
def test_a_list_of_flows_counts_and_orders_as_all_flows_do(store: Store, sort: str, line: str) -> None:
    source = told.StoreSource(store)
    window = Window(SINCE, UNTIL)
    every = list_flows(source, window, line, sort)
    few = list_flows(source, window, line, sort, limit=2)
    assert few.rows == every.rows[:2]
    assert few.total == every.total == len(every.rows)
    wanted = expected(store, SINCE, UNTIL)
    assert few.unfiltered == every.unfiltered == len(wanted)
    assert few.newest_ns == every.newest_ns == told.at(1000)
    if not line:
        column = {"started": "started_at", "total": "total_ms", "spans": "spans"}[sort]
        ordered = sorted(wanted, key=lambda row: (-_number(row[column]), row["flow_id"]))
        assert [row.flow_id for row in every.rows] == [row["flow_id"] for row in ordered]


def _number(value: Any) -> float:
    return value.timestamp() if hasattr(value, "timestamp") else float(value)


def test_the_newest_flow_is_known_however_empty_the_window(store: Store) -> None:
    empty = list_flows(told.StoreSource(store), Window(UNTIL + 10**12, None))
    assert (empty.rows, empty.total, empty.unfiltered, empty.newest_ns) == ((), 0, 0, told.at(1000))


def test_the_newest_spans_are_those_in_order_of_time(store: Store) -> None:
    asked = (
        "from newest_spans(?, seen_since := make_timestamp_ns(?), seen_until := make_timestamp_ns(?), "
        "of_service := 'shop', least_ms := 2)"
    )
    filtered = (
        "from spans where service = 'shop' and duration_ms >= 2 and started_at >= make_timestamp_ns(?) "
        "and started_at < make_timestamp_ns(?) order by started_at desc, trace_id, span_id"
    )
    wanted = told.rows(store, filtered, [SINCE, UNTIL])
    assert len(wanted) == 4
    for number in (1, 3, 100):
        assert told.rows(store, asked, [number, SINCE, UNTIL]) == wanted[:number]
    assert told.rows(store, "from newest_spans(1, of_status := 'error')")[0]["name"] == "its root"
    assert told.rows(store, "from newest_spans(1, of_name := 'nobody')") == []
