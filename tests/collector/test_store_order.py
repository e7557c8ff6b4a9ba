"""What is kept is a function of the spans stored, never of the order in which they came."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import store_helpers as told
import store_stories as stories
from store_helpers import Told


@functools.cache
def told_at_once(story: Callable[[], list[Told]]) -> list[Any]:
    """What a store says that got the story in order and in one request."""
    return told_in([story()])


def told_in(flushes: list[list[Told]]) -> list[Any]:
    with tempfile.TemporaryDirectory() as folder:
        store = told.a_store(Path(folder), *flushes)
        try:
            return told.answers(store)
        finally:
            store.close()


@pytest.mark.parametrize("story", stories.STORIES, ids=lambda story: story.__name__)
@settings(
    max_examples=3,
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
    cuts = sorted(data.draw(st.sets(st.integers(1, len(spans) - 1), min_size=1, max_size=3)))
    flushes = [[spans[i] for i in order[a:b]] for a, b in zip([0, *cuts], [*cuts, len(spans)], strict=True)]
    assert told_in(flushes) == told_at_once(story)
