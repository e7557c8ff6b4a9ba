"""What the ledger learns of what is usual: how long hops take, and what handling leads to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import store_helpers as told
from headwater_analysis import ledger_lists
from headwater_analysis.local import LocalSource
from headwater_collector.store import Store


def order(
    number: int,
    wait_ms: float = 100,
    work_ms: float = 10,
    leads_on: bool = True,
    entry: str = "POST /orders",
    **more: Any,
) -> list[told.Told]:
    """An order that pay handles, and that leads to a payment 4 ms after its handling began."""
    name, start, where = f"order {number}", number * 1000.0, ("orders", 0, number)
    begun = start + 15 + wait_ms
    spans = [
        told.work("web", name, entry, start, 30),
        told.send("web", name, f"{name} send", where, start + 5, 10, entry),
        told.process("pay", name, f"{name} pay", where, begun, work_ms, f"{name} send", **more),
    ]
    spans[0][1].span_id = spans[1][1].parent_span_id = bytes.fromhex(told.span(f"{name} entry"))
    if leads_on:
        spans.append(
            told.send("pay", name, f"{name} paid", ("payments", 0, number), begun + 4, 2, f"{name} pay")
        )
    return spans


def learned(
    folder: Path, spans: list[told.Told]
) -> tuple[tuple[ledger_lists.Limit, ...], tuple[ledger_lists.Successor, ...]]:
    told.a_store(folder, spans).close()
    source = LocalSource(folder)
    found = ledger_lists.limits(source), ledger_lists.successors(source)
    source.close()
    return found


@pytest.mark.parametrize(
    ("sentence", "observations", "limit"),
    [
        ("199 observations give no verdict", 199, None),
        ("200 give one: three times the 99.9th percentile", 200, 300.0),
    ],
)
def test_a_limit_needs_200_observations(
    tmp_path: Path, sentence: str, observations: int, limit: float | None
) -> None:
    [wait], [led] = learned(tmp_path, [span for number in range(observations) for span in order(number)])
    assert (wait.entry_service, wait.entry_name, wait.topic, wait.consumer_group) == (
        "web", "POST /orders", "orders", "pay",
    )  # fmt: skip
    assert wait.wait_observations == observations, sentence
    assert wait.wait_p999_ms == pytest.approx(100)
    assert wait.wait_limit_ms == (limit and pytest.approx(limit))
    assert wait.work_limit_ms == (limit and pytest.approx(30))
    assert (led.messages, led.share) == (observations, 1.0)
    assert led.p999_ms == pytest.approx(4)
    assert led.limit_ms == (limit and pytest.approx(12))


def test_each_pathway_has_limits_of_its_own(tmp_path: Path) -> None:
    spans = [span for number in range(250) for span in order(number)]
    spans += [
        span
        for number in range(250, 500)
        for span in order(number, 2000, entry="nightly import", leads_on=False)
    ]
    limits, [led] = learned(tmp_path, spans)
    assert {one.entry_name: round(one.wait_limit_ms or 0) for one in limits} == {
        "POST /orders": 300,
        "nightly import": 6000,
    }
    assert (led.messages, led.share, led.limit_ms) == (500, 0.5, None)


def test_later_attempts_teach_no_waits_and_failed_ones_no_work(tmp_path: Path) -> None:
    spans = [span for number in range(20) for span in order(number, 100, 10)]
    spans += order(20, 100, 9_000, leads_on=False, error="Timeout")
    spans.append(told.process("pay", "order 20", "again", ("orders", 0, 20), 80_000, 10))
    [limit], [led] = learned(tmp_path, spans)
    assert (limit.wait_observations, limit.work_observations) == (21, 21)
    assert limit.wait_p999_ms == pytest.approx(100)
    assert limit.work_p999_ms == pytest.approx(10)
    assert (led.messages, led.led_on) == (21, 20)


def test_a_planned_delay_is_part_of_how_long_a_message_lies_in_a_retry_topic(tmp_path: Path) -> None:
    marks = {
        "headwater.origin": "orders:0:1",
        "headwater.retry.origin": "orders:0:1",
        "headwater.retry.attempt": 2,
    }
    due = {"headwater.retry.due_ms": told.at(5000) // 1_000_000}
    spans = order(1, leads_on=False, error="Timeout")
    spans.append(
        told.send(
            "pay", "order 1", "delay", ("orders-retry", 0, 1), 1200, 10, "order 1 pay", attributes=marks
        )
    )
    spans.append(
        told.process(
            "pay",
            "order 1",
            "again",
            ("orders-retry", 0, 1),
            5100,
            10,
            "delay",
            group="retry",
            attributes=marks | due,
        )
    )
    limits, _ = learned(tmp_path, spans)
    [delayed] = [one for one in limits if one.topic == "orders-retry"]
    assert (delayed.wait_observations, delayed.work_observations) == (1, 1)
    assert delayed.wait_p999_ms == pytest.approx(5100 - 1210)


def test_all_that_a_small_store_holds_teaches(tmp_path: Path) -> None:
    flushes = [order(number) for number in range(30)]
    told.a_store(tmp_path, *flushes).close()
    source = LocalSource(tmp_path)
    [limit] = ledger_lists.limits(source)
    source.close()
    assert limit.wait_observations == 30


@pytest.mark.parametrize(
    ("sentence", "lost", "limit"),
    [("two of 200 may lead nowhere", 2, 12.0), ("three of 200 are too many for a rule", 3, None)],
)
def test_what_follows_must_follow_99_times_in_100(
    tmp_path: Path, sentence: str, lost: int, limit: float | None
) -> None:
    spans = [span for number in range(200) for span in order(number, leads_on=number >= lost)]
    _, [led] = learned(tmp_path, spans)
    assert led.limit_ms == (limit and pytest.approx(limit)), sentence


def test_retries_and_dead_letters_are_no_successors(tmp_path: Path) -> None:
    spans = order(1, leads_on=False)
    for topic, marks in (("orders-retry", {"headwater.retry.origin": "orders:0:1"}), ("orders-dlq", {})):
        name = f"to {topic}"
        spans.append(
            told.send("pay", "order 1", name, (topic, 0, 1), 1120, 2, "order 1 pay", attributes=marks)
        )
    _, successors = learned(tmp_path, spans)
    assert successors == ()


def test_a_send_belongs_to_the_handling_that_began_last_before_it(tmp_path: Path) -> None:
    spans = order(1, leads_on=False)
    spans.append(told.send("web", "order 1", "two", ("orders", 0, 2), 1006, 2))
    spans.append(told.process("pay", "order 1", "pay two", ("orders", 0, 2), 1500, 10, "two"))
    spans.append(told.send("pay", "order 1", "paid two", ("payments", 0, 2), 1505, 2, "pay two"))
    store = told.a_store(tmp_path, spans)
    ever = "make_timestamp_ns(0), make_timestamp_ns(0), '2262-01-01'::timestamp_ns"
    found = told.rows(store, f"select message_offset, successors from led_on(null, null, {ever})")
    store.close()
    assert {row["message_offset"]: list(row["successors"] or {}) for row in found} == {1: [], 2: ["payments"]}


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store that has learned of 300 orders; the last two led nowhere, long before and just before the newest span."""
    folder = tmp_path_factory.mktemp("taught")
    spans = [span for number in range(300) for span in order(number, leads_on=number not in (200, 299))]
    store = told.a_store(folder, spans)
    yield store
    store.close()


def test_a_message_without_its_successor_is_marked_once_that_is_overdue(taught: Store) -> None:
    found = told.rows(taught, "select message_offset, state, evidence from ledger where no_successor")
    assert [(row["message_offset"], row["state"]) for row in found] == [(200, "done")]
    assert '"missing_successor":{"topic":"payments","share":0.9933,"limit_ms":12.0}' in found[0]["evidence"]
