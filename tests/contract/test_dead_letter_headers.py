"""The service writes marks by one table and the console reads them by another: they must be one convention."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from aiokafka.structs import ConsumerRecord

from headwater_analysis.dead_letter_families import FAMILIES
from headwater_analysis.dead_letter_headers import NormalForm, normalise
from headwater_instrumentation import families, mark_dead_letter, mark_retry
from headwater_instrumentation import headers as written

FIXTURES = Path(__file__).parent.parent / "fixtures" / "dead_letter_headers.json"
OWN = next(family for family in FAMILIES if family.name == "headwater")


def _record(headers: tuple[tuple[str, bytes], ...] = ()) -> ConsumerRecord[bytes, bytes]:
    return ConsumerRecord("orders", 3, 1042, 1_795_000_000_000, 0, b"k", b"v", None, 1, 1, headers)


def test_every_mark_that_is_written_is_read() -> None:
    read = {name for names in OWN.fields.values() for name in names} | set(OWN.marks)
    assert read == set(written.MARKS) - {written.REPLAY}


def test_a_dead_letter_is_read_as_it_was_marked() -> None:
    marked = mark_dead_letter(_record(), ValueError("no amount"), group="payments", message=True)
    assert normalise(marked, "orders-dlq", {"orders"}) == NormalForm(
        family="headwater",
        role="dead_letter",
        source="header",
        origin_topic="orders",
        origin_partition=3,
        origin_offset=1042,
        origin_group="payments",
        error_type="ValueError",
        error_message="no amount",
        attempt=1,
    )


def test_a_retry_is_read_with_its_attempt_and_due_time_and_keeps_its_origin() -> None:
    first = mark_retry(_record(), delay=5.0, group="payments")
    found = normalise(first, "orders-retry", {"orders"})
    assert found is not None
    assert (found.role, found.attempt, found.origin_offset) == ("retry", 2, 1042)
    assert found.due is not None and found.due > 1_795_000_000_000
    retried = ConsumerRecord("orders-retry", 0, 7, 1_795_000_000_500, 0, b"k", b"v", None, 1, 1, tuple(first))
    given_up = normalise(mark_dead_letter(retried), "orders-dlq", {"orders"})
    assert given_up is not None
    assert (given_up.role, given_up.origin_topic, given_up.origin_offset) == ("dead_letter", "orders", 1042)
    assert given_up.attempt == 2


def _cases() -> list[Any]:
    return [
        pytest.param(case, id=case["case"])
        for case in json.loads(FIXTURES.read_text())
        if case["normal"] is None or case["normal"].get("source") == "header"
    ]


@pytest.mark.parametrize("case", _cases())
def test_service_and_console_read_the_same_out_of_the_same_bytes(case: dict[str, Any]) -> None:
    headers = [(name, bytes.fromhex(value)) for name, value in case["headers"]]
    # A service knows nothing of the cluster's topics, so names give it nothing.
    console, service = normalise(headers, case["topic"]), families.read(headers, case["topic"])
    if console is None:
        assert service is None
        return
    assert service is not None
    for field in fields(families.Facts):
        assert getattr(service, field.name) == getattr(console, field.name), field.name


def test_every_family_has_bytes_that_bind_both() -> None:
    bound = {case.values[0]["normal"]["family"] for case in _cases() if case.values[0]["normal"]}
    assert bound == {family.name for family in FAMILIES} == {family.name for family in families._FAMILIES}
    marks = {family.name: set(family.marks) for family in FAMILIES}
    assert marks == {family.name: set(family.marks) for family in families._FAMILIES}
