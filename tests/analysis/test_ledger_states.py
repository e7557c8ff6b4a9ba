"""Every state of the ledger, and what it is not: each row of the tables begins with the sentence it proves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import store_helpers as told
from headwater_collector.store import Writer

NOON = datetime.fromtimestamp(told.START_NS / 1e9, UTC).replace(tzinfo=None)
M = ("orders", 0, 100)
"""The message that the tables speak of; others lie around it."""
ORIGIN = {"headwater.origin": "orders:0:100", "headwater.origin.group": "pay"}
RETRY = {"headwater.retry.origin": "orders:0:100", "headwater.retry.attempt": 2}


def at(seconds: float) -> datetime:
    """A moment of the story as polls write it."""
    return NOON + timedelta(seconds=seconds)


def sent(where: tuple[str, int, int] = M, **more: Any) -> told.Told:
    name = f"send {where[0]} {where[2]}"
    return told.send("shop", f"trace {where[2]}", name, where, where[2] if where == M else 0, 5, **more)


def handled(where: tuple[str, int, int] = M, nth: int = 1, start_ms: float = 200, **more: Any) -> told.Told:
    name = f"handle {where[0]} {where[2]} {nth}"
    return told.process("pay", f"trace {where[2]}", name, where, start_ms + nth * 100, 50, **more)


def around(group: str = "pay", count: int = 30) -> list[told.Told]:
    """The neighbours of M, all handled."""
    places = [("orders", 0, offset) for offset in range(100 - count, 101 + count) if offset != 100]
    return [
        part
        for place in places
        for part in (
            sent(place),
            told.process("pay", f"trace {place[2]}", f"{group} {place[2]}", place, 50, 5, group=group),
        )
    ]


def committed(
    offset: int | None,
    *,
    group: str = "pay",
    log_start: int = 0,
    before: Sequence[tuple[float, int, int]] = (),
) -> dict[str, list[dict[str, Any]]]:
    """The newest poll, ten minutes after, and polls before it as (seconds, committed, log start)."""
    key = {"cluster": "c1", "topic": "orders", "incarnation": 1, "partition": 0}
    now = key | {"sampled_at": at(600), "consumer_group": group, "committed": offset, "log_start": log_start}
    polls = [(seconds, place, start) for seconds, place, start in before]
    return {
        "lag_now": [now | {"end_offset": 200}],
        "commit_samples": [
            key | {"sampled_at": at(seconds), "consumer_group": group, "committed": place}
            for seconds, place, _ in polls
        ],
        "offset_samples": [
            key | {"sampled_at": at(seconds), "log_start": start, "end_offset": 200} for seconds, _, start in polls
        ],
    }  # fmt: skip


def held(offset: int, since: float, reported: float = 595) -> dict[str, list[dict[str, Any]]]:
    """A process reports that a handler holds the message."""
    who = {"sampled_at": at(reported), "service": "pay", "instance": "pay-1"}
    where = {
        "topic": "orders",
        "partition": 0,
        "consumer_group": "pay",
        "message_offset": offset,
        "since": at(since),
    }
    return {"held_rows": [who | where], "reporter_rows": [who | {"before_at": at(reported - 10)}]}


def counted(first: int, last: int, messages: int) -> dict[str, list[dict[str, Any]]]:
    """Two exports of a consumer's counter."""
    key = {"service": "pay", "instance": "pay-1", "direction": "in", "topic": "orders", "partition": 0,
           "consumer_group": "pay", "counted_since": at(0), "prefix_id": "p"}  # fmt: skip
    return {
        "flow_count_rows": [
            key | {"sampled_at": at(10), "messages": 1000, "highest_offset": first},
            key | {"sampled_at": at(20), "messages": 1000 + messages, "highest_offset": last},
        ]
    }


def dead_letter(group: str | None) -> dict[str, list[dict[str, Any]]]:
    """A record that the reader of dead letters found."""
    row = {"received_at": at(2), "record_time": at(1), "cluster": "c1", "topic": "orders-dlq", "partition": 0,
           "message_offset": 3, "origin_topic": "orders", "origin_partition": 0, "origin_offset": 100,
           "origin_group": group, "failure_group_id": "f", "role": "dead_letter"}  # fmt: skip
    return {"dead_letter_rows": [row]}


def ledger(
    folder: Path,
    spans: Sequence[told.Told],
    *polled: dict[str, list[dict[str, Any]]],
    where: tuple[str, int, int] = M,
) -> list[dict[str, Any]]:
    """The rows of one message."""
    store = told.a_store(folder, list(spans))

    def write(writer: Writer) -> None:
        for tables in polled:
            for table, rows in tables.items():
                writer.append(table, rows)

    store.write(write)
    found = told.rows(
        store,
        "select * from ledger where topic = ? and partition = ? and message_offset = ? order by consumer_group",
        list(where),
    )
    store.close()
    return found


def transaction(outcome: str, around: bool = False) -> list[told.Told]:
    """A transaction in the handler that sends, or around several, which link to it."""
    marks = {"headwater.txn.id": "t", "headwater.txn.outcome": outcome}
    if around:
        links = [told.link("elsewhere", "transaction")]
        return [
            told.work("shop", "elsewhere", "transaction", 99, 20, attributes=marks),
            sent(links=links, attributes={"headwater.txn.id": "t"}),
        ]
    return [
        told.work("shop", "trace 100", "transaction", 99, 20, attributes=marks),
        sent(parent="transaction"),
    ]


LONG_AGO = ((30, 50, 0), (60, 131, 0))
LATELY = ((30, 50, 0), (580, 131, 0))
CARRIED = told.send("pay", "trace 100", "copy", ("orders-retry", 0, 7), 400, 5, attributes=ORIGIN | RETRY)
DEAD = told.send(
    "pay",
    "trace 100",
    "copy",
    ("orders-dlq", 0, 3),
    400,
    5,
    attributes=ORIGIN | {"headwater.dead_letter": True},
)
REPLAY = told.send("operator", "again", "copy", ("orders", 0, 150), 4000, 5, attributes=ORIGIN)


@pytest.mark.parametrize(
    ("sentence", "state", "spans", "polled"),
    [
        ("the transaction it was sent in was aborted", "aborted", transaction("aborted"), [committed(131)]),
        ("one around several handlers aborts what links to it", "aborted", transaction("aborted", around=True),
         [committed(131)]),
        ("of a committed transaction nothing follows", "done", [*transaction("committed"), handled()],
         [committed(131)]),
        ("aborted stands before what a careless reader did", "aborted", [*transaction("aborted"), handled()],
         [committed(131)]),
        ("a dead letter carries it on", "dead_lettered", [sent(), handled(error="x"), DEAD], [committed(131)]),
        ("a dead letter that no span tells of was read", "dead_lettered", [sent(), handled(error="x")],
         [committed(131), dead_letter("pay")]),
        ("a dead letter of unknown group is of the one that tried", "dead_lettered", [sent(), handled(error="x")],
         [committed(131), dead_letter(None)]),
        ("another group's dead letter is not this one's", "failed", [sent(), handled(error="x")],
         [committed(131), dead_letter("mail")]),
        ("a retry carries it on", "retried", [sent(), handled(error="x"), CARRIED], [committed(131)]),
        ("a replay carries it on", "replayed", [sent(), handled(), REPLAY], [committed(151)]),
        ("two deliveries ended without error", "duplicate", [sent(), handled(), handled(nth=2)], [committed(131)]),
        ("a declared second attempt is no duplicate", "done",
         [sent(), handled(), handled(nth=2, attributes={"headwater.retry.attempt": 2})], [committed(131)]),
        ("a delivery ended without error", "done", [sent(), handled()], [committed(131)]),
        ("done once is done, whatever came after", "done", [sent(), handled(), handled(nth=2, error="x")],
         [committed(131)]),
        ("done needs no poll", "done", [sent(), handled()], []),
        ("the last delivery ended in error", "failed", [sent(), handled(error="x")], [committed(131)]),
        ("handled again since it failed", "processing", [sent(), handled(error="x")], [committed(100), held(100, 590)]),
        ("a handler holds it", "processing", [sent()], [committed(100), held(100, 590)]),
        ("a report not renewed for three exports is void", "waiting", [sent()], [committed(100), held(100, 500, 560)]),
        ("retention took it while the group stood before it", "expired", [sent()],
         [committed(120, log_start=120, before=((30, 90, 0), (60, 90, 110)))]),
        ("retention took it after it was read", "done", [sent(), handled()],
         [committed(131, log_start=120, before=((30, 131, 0), (60, 131, 110)))]),
        ("retention took it long after the commit passed", "passed", [sent()],
         [committed(131, log_start=120, before=((30, 131, 0), (60, 131, 110)))]),
        ("not committed and not begun", "waiting", [sent()], [committed(100)]),
        ("the group's handlers leave no spans", "passed", [sent()], [committed(131)]),
        ("counters account for every offset", "passed", [sent(), *around()],
         [committed(131, before=LONG_AGO), counted(95, 105, 10)]),
        ("counters that count too little account for none", "skipped", [sent(), *around()],
         [committed(131, before=LONG_AGO), counted(95, 105, 9)]),
        ("nobody handled anything before it", "passed",
         [sent(), *[one for one in around() if int(one[1].name.split()[-1]) > 100]], [committed(131, before=LONG_AGO)]),
        ("its handler's span may be on its way", "unsettled", [sent(), *around()], [committed(131, before=LATELY)]),
        ("all around it were handled, and it was not", "skipped", [sent(), *around()],
         [committed(131, before=LONG_AGO)]),
        ("a few neighbours prove nothing", None, [sent(), *around(count=5)], [committed(131, before=LONG_AGO)]),
        ("half of the neighbours: spans are sampled", "passed", [sent(), *around()[::4], *around()[1::4]],
         [committed(131, before=LONG_AGO)]),
        ("a commit that is not known tells nothing", None, [sent()], [committed(None)]),
    ],
)  # fmt: skip
def test_the_first_state_that_applies(
    tmp_path: Path,
    sentence: str,
    state: str | None,
    spans: Sequence[told.Told],
    polled: Sequence[dict[str, list[dict[str, Any]]]],
) -> None:
    [row] = [one for one in ledger(tmp_path, spans, *polled) if one["consumer_group"] == "pay"]
    assert row["state"] == state, sentence
    assert '"says":"' in row["evidence"]


def states(rows: Sequence[dict[str, Any]]) -> dict[str, str | None]:
    return {row["consumer_group"]: row["state"] for row in rows}


def test_each_group_that_reads_the_topic_has_a_row_of_its_own(tmp_path: Path) -> None:
    mail = told.process("mail", "trace 100", "mail", M, 300, 10, error="no such address")
    rows = ledger(tmp_path, [sent(), handled(), mail], committed(131), committed(90, group="audit"))
    assert states(rows) == {"audit": "waiting", "mail": "failed", "pay": "done"}


def test_one_event_sent_twice_and_handled_both_times_is_duplicate_in_both_places(tmp_path: Path) -> None:
    again = ("orders", 0, 101)
    same: dict[str, Any] = {"attributes": {"headwater.event.id": "e-1"}}
    [row] = ledger(tmp_path, [sent(**same), sent(again, **same), handled(), handled(again)], committed(131))
    assert (row["state"], '"messages":["orders@0:100","orders@0:101"]' in row["evidence"]) == (
        "duplicate",
        False,
    )
    assert "orders@0:101" in row["evidence"]
    folder = tmp_path / "once"
    folder.mkdir()
    assert states(ledger(folder, [sent(**same), sent(again, **same), handled()], committed(131))) == {
        "pay": "done"
    }


def test_an_id_on_many_messages_is_no_event_id(tmp_path: Path) -> None:
    same: dict[str, Any] = {"attributes": {"headwater.event.id": "constant"}}
    places = [("orders", 0, offset) for offset in range(100, 121)]
    spans = [part for place in places for part in (sent(place, **same), handled(place))]
    assert states(ledger(tmp_path, spans, committed(131))) == {"pay": "done"}


def test_a_retry_that_is_retried_and_given_up_is_told_step_by_step(tmp_path: Path) -> None:
    first, second = ("orders-retry", 0, 7), ("orders-retry", 0, 8)
    spans = [
        sent(),
        handled(error="x"),
        told.send("pay", "trace 100", "one", first, 400, 5, attributes=ORIGIN | RETRY),
        handled(first, nth=3, error="x"),
        told.send("pay", "trace 100", "two", second, 800, 5, attributes=ORIGIN | RETRY),
        handled(second, nth=8, error="x"),
        told.send(
            "pay", "trace 100", "end", ("orders-dlq", 0, 3), 1200, 5,
            attributes=ORIGIN | {"headwater.dead_letter": True},
        ),
    ]  # fmt: skip
    steps = []
    for number, where in enumerate((M, first, second)):
        folder = tmp_path / str(number)
        folder.mkdir()
        [row] = ledger(folder, spans, where=where)
        steps.append(row["state"])
    assert steps == ["retried", "retried", "dead_lettered"]


def test_a_message_known_only_by_its_handling_has_a_row(tmp_path: Path) -> None:
    [row] = ledger(tmp_path, [handled()])
    assert (row["state"], row["sent_at"], row["trace_id"]) == ("done", None, None)


def test_who_does_not_know_the_cluster_is_in_the_only_one_that_has_the_topic(tmp_path: Path) -> None:
    [row] = ledger(tmp_path, [sent(cluster=""), handled(cluster="")], committed(131))
    assert (row["state"], row["cluster"]) == ("done", "c1")


@pytest.mark.parametrize(
    ("sentence", "spans", "polled", "since"),
    [
        ("done since the first good end", [sent(), handled(), handled(nth=3)], [], None),
        ("failed since the last end", [sent(), handled(error="x")], [], 0.35),
        ("waiting since it was available", [sent()], [committed(100)], 0.105),
        ("processing since it is held", [sent()], [committed(100), held(100, 590)], 590),
        ("skipped since the poll that showed it", [sent(), *around()], [committed(131, before=LONG_AGO)], 60),
        ("expired since the poll that showed it", [sent()],
         [committed(120, log_start=120, before=((30, 90, 0), (60, 90, 110)))], 60),
    ],
)  # fmt: skip
def test_since_when_a_state_holds(
    tmp_path: Path, sentence: str, spans: Sequence[told.Told], polled: Sequence[Any], since: float | None
) -> None:
    [row] = ledger(tmp_path, spans, *polled)
    expected = 0.55 if since is None else since  # of two good ends, the second made it a duplicate
    assert row["since"] == at(expected), sentence


@pytest.mark.parametrize(
    ("sentence", "spans", "confidence"),
    [
        ("what was seen is certain", [sent(), handled()], 1.0),
        ("a gap does not count against its edges", [sent(), *around()], 1.0),
        ("a neighbour that nobody handled does", [sent(), *around()[:10], *around()[12:]], 59 / 60),
    ],
)
def test_how_sure_a_state_is(
    tmp_path: Path, sentence: str, spans: Sequence[told.Told], confidence: float
) -> None:
    [row] = ledger(tmp_path, spans, committed(131, before=LONG_AGO))
    assert row["confidence"] == pytest.approx(confidence), sentence
