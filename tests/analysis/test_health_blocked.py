"""A group is blocked by a message that does not finish: the rule, and where its facts come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import store_helpers as told
from headwater_analysis.health_facts import Facts
from headwater_analysis.health_hand import Hand
from headwater_analysis.health_rules import judge
from kafka_helpers import NOW, polls, steady, window

MOVING = window(polls(steady(60, 10), steady(60, 10, 5)))
DONE = window(polls([600] * 60, 600))
UNOWNED = window(polls([50, 50], 60, owner=None, state="empty"))


def failing(failures: int = 3, offset: int = 595, **more: Any) -> Hand:
    """Begun every ten seconds until now."""
    given: dict[str, Any] = {"service": "pay", "error": "Timeout", "last_at": NOW - 2, "last_offset": offset}
    given |= {"first_at": NOW - 2 - 10 * (failures - 1), **more}
    return Hand(offset, failures=failures, **given)


def held(seconds: float, offset: int = 595, **more: Any) -> Hand:
    return Hand(offset, service="pay", held_seconds=seconds, **more)


@pytest.mark.parametrize(
    ("sentence", "given", "hand", "status", "says"),
    [
        ("in flight beyond a minute where nothing is learned", MOVING, held(61), "blocked",
         "pay has had offset 595 in flight for 1 min 01 s, more than 1 min 00 s"),
        ("within its limit it is at work", MOVING, held(59), "ok", ""),
        ("a learned limit counts instead", MOVING, held(59, limit_seconds=20.0), "blocked", "more than 20.0 s"),
        ("a learned limit below patience waits for patience", MOVING, held(14, limit_seconds=0.1), "ok", ""),
        ("begun three times and never done", MOVING, failing(3), "blocked",
         "offset 595 was begun 3 times in the last five minutes and never done: pay fails with Timeout"),
        ("twice is no verdict yet", MOVING, failing(2), "ok", ""),
        ("lag 0 does not hide it: automatic commits commit what is still in hand", DONE, failing(9), "blocked",
         "begun 9 times"),
        ("the group committed past it and went on", DONE, failing(9, last_offset=599), "ok", "caught up"),
        ("the group committed past it, and for five gaps nothing has been begun", DONE,
         failing(3, first_at=NOW - 90, last_at=NOW - 70), "ok", "caught up"),
        ("attempts whose gaps double are still attempts", DONE,
         failing(4, first_at=NOW - 70, last_at=NOW - 40), "blocked", "begun 4 times"),
        ("a message that nothing was committed past stays in hand however long ago it failed", UNOWNED,
         failing(3, offset=50, last_at=NOW - 200, last_offset=70), "blocked", "offset 50"),
        ("held again after failures", MOVING, held(90, failures=4, error="Timeout"), "blocked",
         "after 4 deliveries that failed with Timeout"),
    ],
)  # fmt: skip
def test_blocked(sentence: str, given: Facts, hand: Hand, status: str, says: str) -> None:
    verdict = judge(given._replace(hands=(hand,)))
    assert (verdict.status, says in verdict.evidence) == (status, True), (sentence, verdict)


def test_the_lowest_that_does_not_finish_is_the_one_in_hand() -> None:
    hands = (held(500, offset=9), failing(5, offset=4), failing(2, offset=1))
    verdict = judge(MOVING._replace(hands=hands))
    assert verdict.evidence.startswith("pay has had offset 9") is False
    assert "offset 4 " in verdict.evidence


def in_hand(folder: Path, *spans: told.Told) -> list[tuple[Any, ...]]:
    store = told.a_store(folder, spans)
    found = store.read(
        "select cluster, consumer_group, message_offset, service, failures, error_type, last_offset "
        "from messages_in_hand(make_timestamp_ns(?), 1) order by message_offset",
        [told.at(-1000)],
    )
    store.close()
    return found


def tries(offset: int, times: int, first_ms: float = 0, error: str | None = "boom") -> list[told.Told]:
    """Deliveries to pay a second apart."""
    more: dict[str, Any] = {"error": error, "attributes": {"error.type": "Timeout"}} if error else {}
    where = ("orders", 0, offset)
    return [
        told.process(
            "pay", f"order {offset}", f"{offset} try {first_ms + n}", where, first_ms + n * 1000, 10, **more
        )
        for n in range(times)
    ]


def test_deliveries_that_all_failed_are_in_hand_until_one_is_done(tmp_path: Path) -> None:
    spans = [*tries(7, 4), *tries(8, 3), *tries(8, 1, 9_000, error=None), *tries(5, 1, 8_000, error=None)]
    assert in_hand(tmp_path, *spans) == [("c1", "pay", 7, "pay", 4, "Timeout", 8)]


@pytest.mark.parametrize("mark", ["headwater.retry.origin", "headwater.dead_letter.origin"])
def test_what_led_on_to_a_retry_or_a_dead_letter_is_in_nobodys_hand(tmp_path: Path, mark: str) -> None:
    led_on = told.send(
        "pay", "order 7", "on", ("orders-later", 0, 1), 3200, 5,
        attributes={"headwater.origin": "orders:0:7", mark: "orders:0:7"},
    )  # fmt: skip
    assert in_hand(tmp_path, *tries(7, 3), led_on) == []


def test_deliveries_of_another_group_prove_nothing(tmp_path: Path) -> None:
    where = ("orders", 0, 7)
    other = told.process("mail", "order 7", "mail", where, 5000, 10)
    assert [row[1:3] for row in in_hand(tmp_path, *tries(7, 3), other)] == [("pay", 7)]
