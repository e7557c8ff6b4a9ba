"""Every framework's headers, byte for byte, come to one normal form."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from headwater_analysis.dead_letter_families import FAMILIES
from headwater_analysis.dead_letter_headers import Hop, NormalForm, integer, normalise, read_topic_name

FIXTURES = Path(__file__).parent.parent / "fixtures" / "dead_letter_headers.json"
CASES: list[dict[str, Any]] = json.loads(FIXTURES.read_text())


def _expected(normal: dict[str, Any] | None) -> NormalForm | None:
    if normal is None:
        return None
    chain = tuple(Hop(*hop) for hop in normal.get("chain", ()))
    return NormalForm(**{"family": None, **normal, "chain": chain})


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_headers_come_to_the_normal_form(case: dict[str, Any]) -> None:
    headers = [(name, bytes.fromhex(value)) for name, value in case["headers"]]
    found = normalise(headers, case["topic"], case["topics"], case["groups"])
    assert found == _expected(case["normal"])


def test_every_family_has_a_fixture() -> None:
    shown = {case["normal"].get("family") for case in CASES if case["normal"]}
    assert {family.name for family in FAMILIES} == shown - {None}


@pytest.mark.parametrize(
    ("sentence", "value", "expected"),
    [
        ("digits are text", b"808464432", 808464432),
        ("a sign is text", b"-7", -7),
        ("four bytes are big-endian", b"\x00\x00\x00\x07", 7),
        ("four ASCII digits are text, not 0x31303432", b"1042", 1042),
        ("one byte is a number", b"\x03", 3),
        ("six bytes of a minimal big integer", b"\x01\xa2\x0a\x5f\x00\x7b", 0x01A20A5F007B),
        ("the sign bit counts", b"\xff", -1),
        ("words are none", b"twelve hundred", None),
        ("nothing is none", b"", None),
        ("nine bytes are none", b"\x00" * 9, None),
    ],
)
def test_integers(sentence: str, value: bytes, expected: int | None) -> None:
    assert integer(value) == expected, sentence


@pytest.mark.parametrize(
    ("sentence", "name", "role", "origin", "group"),
    [
        ("Spring's new suffix", "orders-dlt", "dead_letter", "orders", None),
        ("Spring's old suffix", "orders.DLT", "dead_letter", "orders", None),
        ("an underscore", "orders_dlq", "dead_letter", "orders", None),
        ("a word", "orders.dead-letter", "dead_letter", "orders", None),
        ("a prefix", "dlq-orders", "dead_letter", "orders", None),
        ("SmallRye's prefix", "dead-letter-topic-orders", "dead_letter", "orders", None),
        ("a group between", "orders__payments__dlq", "dead_letter", "orders", "payments"),
        ("Uber's retry tier", "orders__payments__2__retry", "retry", "orders", "payments"),
        ("a group at the end is stripped", "error.orders.payments", "dead_letter", "orders", "payments"),
        ("SmallRye's retry", "orders_retry_10000", "retry", "orders", None),
        ("a service's retry", "orders.retry.3", "retry", "orders", None),
    ],
)
def test_topic_names(sentence: str, name: str, role: str, origin: str, group: str | None) -> None:
    found = read_topic_name(name, {"orders"}, {"payments"})
    assert found is not None, sentence
    assert (found.role, found.origin_topic, found.origin_group) == (role, origin, group), sentence


def test_values_of_none_and_bytes_that_are_no_text_do_no_harm() -> None:
    headers = [("headwater-role", b"dead-letter"), ("headwater-origin-topic", None), ("x", b"\xff\xfe")]
    found = normalise([*headers, ("headwater-error-type", b"\xff")], "orders-dlq", {"orders"})
    assert found is not None
    assert (found.origin_topic, found.error_type) == ("orders", "\ufffd")


def test_the_cause_is_shown_where_the_framework_only_wrapped_it() -> None:
    wrapped = NormalForm("spring", "dead_letter", "header", error_type="a.ListenerExecutionFailedException")
    assert wrapped.error_class == "a.ListenerExecutionFailedException"
    assert dataclasses.replace(wrapped, error_cause="b.Timeout").error_class == "b.Timeout"
    plain = NormalForm("spring", "dead_letter", "header", error_type="a.B", error_cause="c.D")
    assert plain.error_class == "a.B"
