"""What is kept is a function of the spans stored, never of the order in which they came."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import store_helpers as told
import store_stories as stories
from headwater_collector.store import Store
from store_helpers import Told, rows

QUESTIONS = (
    "from flows order by flow_id",
    "from hops order by topic, partition, message_offset, consumer_group, span_id",
    "from deliveries order by topic, partition, message_offset, span_id",
    "from messages order by topic, partition, message_offset, span_id",
    "from pathways order by pathway_id",
)


def answers(store: Store) -> list[Any]:
    """Everything that is worth comparing."""
    found: list[Any] = [rows(store, question) for question in QUESTIONS]
    for (span_id,) in store.read("select span_id from spans order by span_id"):
        found.append((span_id, store.read("from flow_of(?)", [span_id])))
    for (flow_id,) in store.read("select flow_id from flows order by flow_id"):
        found.append(
            store.read(
                "select span_id, cause_kind, cause_trace_id, cause_span_id, shared from flow_spans(?) "
                "order by trace_id, span_id",
                [flow_id],
            )
        )
        found.append(store.read("from flow_edges(?) order by all", [flow_id]))
        found.append(store.read("select span_id, attempt, wait_ms from flow_hops(?) order by all", [flow_id]))
    return found


@pytest.mark.parametrize("story", stories.STORIES, ids=lambda story: story.__name__)
@settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
)
@given(data=st.data())
def test_order_and_partition_of_arrival_change_no_answer(
    story: Callable[[], list[Told]], data: st.DataObject
) -> None:
    spans = story()
    order = data.draw(st.permutations(range(len(spans))))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(spans) - 1), max_size=3)))
    flushes = [[spans[i] for i in order[a:b]] for a, b in zip([0, *cuts], [*cuts, len(spans)], strict=True)]
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        whole = told.a_store(Path(one), spans)
        parts = told.a_store(Path(other), *flushes)
        try:
            assert answers(parts) == answers(whole)
        finally:
            whole.close()
            parts.close()
