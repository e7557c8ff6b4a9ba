"""A trace is found by its id without a look at all spans, whatever times its spans have."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import store_helpers as told
from builders import a_span
from headwater_collector.store import Store
from store_helpers import open_store, span, trace

ROW_GROUP = 122_880
GROUPS = 4

OF_ALL = "received_at, trace_id, started_at, ended_at"
KEPT = {
    "flow_parts": f"{OF_ALL}, id as flow_id, '' as boundary, false as shared, 1 as spans, 1 as working_spans, "
    "id_key(id) as flow_key, flow_key as trace_key",
    "hop_rows": f"{OF_ALL}, span_id, 'process' as role, 'kept' as topic, 0 as partition, started_at as sent_at",
    "cause_rows": "received_at, trace_id, span_id, 'message' as kind, id as cause_trace_id, span_id as cause_span_id",
}
"""What is kept of as many other traces, one row each, whose spans are not stored."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Four row groups of strangers' spans, ten minutes each, and a trace in the hour between the second and third."""
    opened = open_store(tmp_path_factory.mktemp("trace") / "headwater.duckdb")
    for number in range(GROUPS):
        began = told.START_NS + (number - 2) * 600_000_000_000 + (number > 1) * 3_600_000_000_000
        opened.write(
            lambda writer, number=number, began=began: writer.execute(  # type: ignore[misc]
                "insert into span_rows by name select make_timestamp_ns(?) as received_at, "
                "md5((x // 8 + ?)::varchar) as trace_id, left(md5(x::varchar), 16) as span_id, "
                "make_timestamp_ns(? + x * 1000) as started_at, make_timestamp_ns(? + x * 1000 + 500) as ended_at "
                "from range(?) t(x)",
                [began, number * ROW_GROUP, began, began, ROW_GROUP],
            )
        )
        for table, columns in KEPT.items():
            opened.write(
                lambda writer, first=number * ROW_GROUP, began=began, table=table, columns=columns: (
                    writer.execute(  # type: ignore[misc]
                        f"insert into {table} by name select {columns} from (select began as received_at, "
                        "began as started_at, began + interval 1 microsecond as ended_at, id as trace_id, "
                        "left(id, 16) as span_id, * from (select make_timestamp_ns(? + x * 1000) as began, "
                        "md5('kept ' || (x + ?)) as id from range(?) t(x)))",
                        [began, first, ROW_GROUP],
                    )
                )
            )
    told.fill(
        opened,
        [
            told.work("shop", "A", "checkout", 10, 30),
            told.work("shop", "A", "turned", 20, 0, "checkout"),
        ],
        [told.work("shop", "A", "late", 500, 5, "checkout")],
        [("shop", a_span("backwards", trace_id=trace("A"), start_ns=told.at(900), end_ns=told.at(1)))],
    )
    opened.checkpoint()
    yield opened
    opened.close()


def test_every_span_of_a_trace_is_found_whatever_its_times(store: Store) -> None:
    asked = "select name from trace(?) order by name"
    assert [name for (name,) in store.read(asked, [trace("A")])] == [
        "backwards",
        "checkout",
        "late",
        "turned",
    ]


def test_spans_without_times_are_found_too(tmp_path: Path) -> None:
    spans = {"checkout": (10, 20), "unknown": (0, 0), "unended": (15, 0), "unbegun": (0, 30)}
    flushes = [
        [
            (
                "shop",
                a_span(
                    name, trace_id=trace("A"), start_ns=start and told.at(start), end_ns=end and told.at(end)
                ),
            )
        ]
        for name, (start, end) in spans.items()
    ]
    opened = told.a_store(tmp_path, *flushes)
    try:
        found = opened.read("select name from trace(?) order by name", [trace("A")])
        assert [name for (name,) in found] == sorted(spans)
    finally:
        opened.close()


def test_a_trace_of_which_no_flow_is_kept_is_found_too(store: Store) -> None:
    [(one,)] = store.read("select trace_id from span_rows where trace_id != ? limit 1", [trace("A")])
    assert store.read("select count(*) from flow_parts where trace_id = ?", [one]) == [(0,)]
    assert store.read("select count(*) from trace(?)", [one]) == [(8,)]


def test_a_trace_is_looked_for_only_where_its_times_are(store: Store) -> None:
    scanned = rows_scanned(store, "from trace(?)", trace("A"))
    assert 0 < sum(scanned) < ROW_GROUP
    assert sum(rows_scanned(store, "from spans where trace_id = ?", trace("A"))) >= GROUPS * ROW_GROUP


@pytest.mark.parametrize(
    ("question", "rows"),
    [
        ("flow_spans(?)", 4), ("flow_members(?)", 4), ("spans_of_flows([?])", 4), ("flow_edges(?)", 2),
        ("flow_hops(?)", 0), ("flow_of(?)", 1),
    ],
)  # fmt: skip
def test_a_flow_is_looked_for_only_where_its_times_are(store: Store, question: str, rows: int) -> None:
    assert store.read(f"select count(*) from {question}", [trace("A")]) == [(rows,)]
    assert sum(rows_scanned(store, f"from {question}", trace("A"))) < ROW_GROUP


def test_what_has_not_the_form_of_a_span_id_is_not_looked_for_among_spans(store: Store) -> None:
    for other in ("orders@0:5", "orders/0/5", trace("unknown")):
        assert store.read("from flow_of(?)", [other]) == []
    assert sum(rows_scanned(store, "from flow_of(?)", "orders@0:5")) < ROW_GROUP


def test_a_span_is_looked_for_once_and_between_two_times_where_they_are_given(store: Store) -> None:
    [(rows,)] = store.read("select count(*) from span_rows")
    assert rows <= sum(rows_scanned(store, "from flow_of(?)", span("late"))) < rows + ROW_GROUP
    first, last = (f"make_timestamp_ns({told.at(ms)})" for ms in (400, 600))
    between = f"flow_of(?, seen_since := {first}, seen_until := {last})"
    assert store.read(f"from {between}", [span("late")]) == [(trace("A"), "span")]
    assert sum(rows_scanned(store, f"from {between}", span("late"))) < ROW_GROUP


@pytest.mark.parametrize(
    "question", ["flow_spans(?)", "spans_of_flows([?])", "flow_edges(?)", "flow_hops(?)"]
)
def test_hops_and_causes_of_a_flow_are_looked_for_only_where_its_times_are(
    store: Store, question: str
) -> None:
    for table in ("hop_rows", "cause_rows"):
        assert sum(rows_scanned(store, f"from {question}", trace("A"), of_table=table)) < ROW_GROUP


def test_the_newest_flows_are_looked_for_once_among_all_of_their_parts(store: Store) -> None:
    first, last = (f"make_timestamp_ns({told.at(ms)})" for ms in (0, 1000))
    for question in (
        f"select * from newest_flows({first}, {last}, 20) where flow_id = ?",
        f"select flow_id, total_ms from flows_between({first}, {last}) where flow_id = ?",
    ):
        assert [row[0] for row in store.read(question, [trace("A")])] == [trace("A")]
        read = [
            rows
            for rows in rows_scanned(store, question, trace("A"), of_table="flow_parts")
            if rows > ROW_GROUP
        ]
        assert len(read) == 1, (question, read)


def test_of_the_newest_spans_only_those_between_them_are_read_whole(store: Store) -> None:
    first, last = (f"make_timestamp_ns({told.at(ms)})" for ms in (0, 1000))
    question = f"from newest_spans(20, seen_since := {first}, seen_until := {last}) where trace_id = ?"
    assert len(store.read(question, [trace("A")])) == 4
    assert sum(rows_scanned(store, question, trace("A"))) < ROW_GROUP


def rows_scanned(store: Store, question: str, of_trace: str, of_table: str = "span_rows") -> list[int]:
    """Rows of a table that each scan of a question has read."""
    [(_, plan)] = store.read(f"explain (analyze, format json) {question}", [of_trace])
    found: list[int] = []

    def walk(node: dict[str, Any]) -> None:
        if str(node.get("extra_info", {}).get("Table", "")).endswith(of_table):
            found.append(int(node["operator_rows_scanned"]))
        for child in node.get("children", []):
            walk(child)

    walk(json.loads(plan))
    return found
