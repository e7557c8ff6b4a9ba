"""A flow as a graph: every node below its causes, every cause joined to its effects, whatever the flow."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

import api_helpers as api
import store_helpers as told
import store_stories as stories
from headwater_analysis.commands.graph_drawing import draw_graph
from headwater_analysis.flows import EdgeRow, FlowDetail, FlowRow, load_flow
from headwater_analysis.layout.graph import NODES_AT_MOST, graph
from headwater_collector.store import Store
from path_stories import Story, a_random_flow
from store_helpers import Told, trace

FLOW = FlowRow(
    flow_id="f", pathway_id=None, entry_service=None, entry_name=None, started_ns=0, ended_ns=0, total_ms=0.0,
    wait_ms=None, work_ms=None, backoff_ms=None, spans=1, messages=0, services=(), topics=(), errors=0,
    dead_letters=0, status="ok", complete=True, orphan=False, traces=1,
)  # fmt: skip


def drawn(spans: list[Told], folder: Path, ascii_only: bool = False) -> list[str]:
    store = told.a_store(folder, spans)
    try:
        detail = load_flow(told.StoreSource(store), trace("A"))
    finally:
        store.close()
    return [line.plain.rstrip() for line in draw_graph(graph(detail), ascii_only)]


def test_branches_and_joins_are_drawn_with_lanes(tmp_path: Path) -> None:
    assert drawn(stories.batch(), tmp_path) == [
        "●   shop: checkout A  5.0 ms",
        "├─● shop: send A1  2.0 ms",
        "│ ◆ orders@0:5",
        "● │ shop: send A2  2.0 ms",
        "◆ │ orders@0:6",
        "●─╯ pay: process batch  40 ms after 46 ms of waiting  shared with other flows",
        "●   pay: commit batch  5.0 ms  shared with other flows",
    ]


def test_without_box_characters_too(tmp_path: Path) -> None:
    assert drawn(stories.two_groups(), tmp_path, ascii_only=True) == [
        "*   shop: send orders  10 ms",
        "o   orders@0:5",
        "+-* pay: pay orders  10 ms after 10 ms of waiting",
        "*   mail: mail orders  10 ms after 20 ms of waiting",
    ]


def test_the_command_draws_it_and_prints_it(tmp_path: Path) -> None:
    store: Store = told.a_store(tmp_path, stories.retries_and_dead_letter())
    with api.serving(store) as url:
        done = api.headwater("flow", trace("A"), "--view", "graph", "--collector", url)
        printed = api.headwater("flow", trace("A"), "--view", "graph", "--json", "--collector", url)
    store.close()
    assert "├─● pay: send retry" in done.stdout.decode() and done.returncode == 0
    found = json.loads(printed.stdout)
    assert [node["kind"] for node in found["nodes"]].count("message") == 2
    assert [row["node"] for row in found["rows"]] == list(range(len(found["nodes"])))


@pytest.mark.parametrize("seed", range(40))
def test_any_flow_has_a_picture_in_which_no_effect_stands_above_its_cause(seed: int) -> None:
    story = a_random_flow(seed, random.Random(seed).choice((1, 5, 30, NODES_AT_MOST + 50)))
    found = graph(detail_of(story))
    assert len(found.nodes) == len(found.rows) <= NODES_AT_MOST and found.cut is (
        len({(one.trace_id, one.span_id) for one in story.spans}) > NODES_AT_MOST
    )
    boxes = {(node.layer, node.place) for node in found.nodes}
    assert len(boxes) == len(found.nodes)
    columns: dict[int, int] = {}
    for link in found.links:
        assert link.source < link.target
        assert found.nodes[link.source].layer < found.nodes[link.target].layer
    for row in found.rows:
        causes = [link.source for link in found.links if link.target == row.node]
        assert sorted(join.column for join in row.joins) == sorted(columns[one] for one in causes)
        assert row.column not in row.lanes and row.column < found.width
        assert all(join.ends for join in row.joins if join.column == row.column)
        columns[row.node] = row.column


def detail_of(story: Story) -> FlowDetail:
    edges = [
        EdgeRow(one.cause_kind or "", one.cause_trace_id or "", one.cause_span_id or "", one.trace_id, one.span_id,
                one.topic, 0, 0, one.consumer_group, True, None)
        for one in story.spans
        if one.cause_kind
    ]  # fmt: skip
    return FlowDetail(FLOW, tuple(story.spans), (*edges, *story.edges), tuple(story.hops), ())
