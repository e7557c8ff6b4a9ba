"""What is kept is a function of the spans stored, never of the order in which they came."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import store_helpers as told
import store_stories as stories
from store_helpers import Told


@pytest.mark.parametrize("story", stories.STORIES, ids=lambda story: story.__name__)
@settings(
    max_examples=4,
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
            assert told.answers(parts) == told.answers(whole)
        finally:
            whole.close()
            parts.close()
