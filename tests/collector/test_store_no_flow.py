"""Spans that are nobody's work: a trace of nothing else is no flow."""

from pathlib import Path

import pytest

import store_helpers as told


@pytest.mark.parametrize(
    ("operation", "flows"), [("receive", 0), ("settle", 0), ("control", 0), ("process", 1), (None, 1)]
)
def test_fetching_committing_and_steering_alone_are_no_flow(
    tmp_path: Path, operation: str | None, flows: int
) -> None:
    attributes = {"messaging.system": "kafka", "messaging.destination.name": "orders"}
    if operation is not None:
        attributes["messaging.operation.type"] = operation
    store = told.a_store(tmp_path, [told.work("payments", "alone", "it", 0, 5, attributes=attributes)])
    try:
        assert store.read("select count(*) from flows") == [(flows,)]
    finally:
        store.close()
