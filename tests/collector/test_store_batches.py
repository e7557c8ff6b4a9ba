"""A batch over messages of several flows belongs to each of them, counts in none, and is no flow itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import store_helpers as told
import store_stories as stories
from store_helpers import Told, span, trace


@pytest.mark.parametrize(
    "story", [stories.batch, stories.batch_without_headers], ids=lambda story: story.__name__
)
def test_a_batch_is_found_by_its_links_and_by_its_offsets(
    tmp_path: Path, story: Callable[[], list[Told]]
) -> None:
    store = told.a_store(tmp_path, story())
    try:
        flows = {flow_id for (flow_id,) in store.read("select flow_id from flows")}
        assert flows == {trace("A"), trace("B")}
        for flow_id in flows:
            shared = {
                name for (name,) in store.read("select name from flow_spans(?) where shared", [flow_id])
            }
            assert shared == {"process batch", "commit batch"}
        [edge] = store.read(
            "select from_span_id, message_offset from flow_edges(?) where kind = 'message' and to_span_id = ? "
            "order by message_offset limit 1",
            [trace("A"), span("process batch")],
        )
        assert edge == (span("send A1" if story is stories.batch else "send A"), 5)
    finally:
        store.close()
