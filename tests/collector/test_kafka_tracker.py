"""What is made of polls, without a broker: refusals, gaps, lives, sums, and what a restart remembers."""

import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import store_helpers as told
from builders import a_send
from headwater_analysis.health_hand import Hand
from headwater_collector.kafka.answers import Answers, answer, moment
from headwater_collector.kafka.cluster_config import ClusterConfig
from headwater_collector.kafka.poll_writer import known_cluster, restore, write_poll
from headwater_collector.kafka.sent_times import sent_times
from headwater_collector.kafka.snapshot import GroupSeen, Member, Partition, Snapshot
from headwater_collector.kafka.tracker import Tracker
from headwater_collector.records import LogPosition
from headwater_collector.store import append_spans
from store_helpers import open_store

NOW = 1_795_000_000.0
POLL = 5.0


def snapshot(poll: int, committed: Mapping[str, Mapping[int, int]], end: int, **more: Any) -> Snapshot:
    """Poll number `poll` of topic `orders`, all of whose partitions end at `end`; every group has one member."""
    numbers = sorted({number for offsets in committed.values() for number in offsets} | {0})
    partitions = [Partition("orders", number) for number in numbers]
    groups = {
        name: GroupSeen(name, "stable", "classic", (Member("m-1", "worker", "h", tuple(partitions)),))
        for name in committed
    }
    fields: dict[str, Any] = {
        "at": NOW + poll * POLL,
        "cluster": "c-1",
        "brokers": 1,
        "topics": {"orders": len(partitions)},
        "topic_ids": {"orders": "id-1"},
        "groups": groups,
        "committed": {
            name: {Partition("orders", number): offset for number, offset in offsets.items()}
            for name, offsets in committed.items()
        },
        "log_start": dict.fromkeys(partitions, 0),
        "stable": dict.fromkeys(partitions, end),
        "end": dict.fromkeys(partitions, end),
        "group_refusals": {},
        "groups_complete": True,
        "refusals": (),
        "poll_ms": 3.0,
    }
    return Snapshot(**{**fields, **more})


def take(tracker: Tracker, seen: Snapshot) -> Answers:
    tracker.take(seen)
    tracker.settle()
    return answer(tracker)


def row(answers: Answers, group: str, partition: int = 0) -> dict[str, Any]:
    rows: list[dict[str, Any]] = answers.lag.to_pylist()
    return next(each for each in rows if (each["consumer_group"], each["partition"]) == (group, partition))


def test_a_group_that_is_refused_is_unknown_with_the_reason_and_the_others_go_on() -> None:
    tracker = Tracker(POLL)
    both = {"open": {0: 10}, "secret": {0: 10}}
    take(tracker, snapshot(0, both, 10))
    take(tracker, snapshot(1, both, 10))
    reason = "members of group secret: not authorized"
    refused = snapshot(2, {"open": {0: 20}}, 20, group_refusals={"secret": reason}, refusals=(reason,))
    answers = take(tracker, refused)
    assert (row(answers, "open")["status"], row(answers, "open")["lag"]) == ("ok", 0)
    assert (row(answers, "secret")["status"], row(answers, "secret")["evidence"]) == ("unknown", reason)
    health = {each["consumer_group"]: each["status"] for each in answers.group_health.to_pylist()}
    assert health == {"open": "ok", "secret": "unknown"}


def test_a_group_that_is_gone_leaves_unless_a_coordinator_is_silent() -> None:
    tracker = Tracker(POLL)
    take(tracker, snapshot(0, {"a": {0: 1}, "b": {0: 1}}, 5))
    silent = take(tracker, snapshot(1, {"a": {0: 1}}, 5, groups_complete=False))
    assert row(silent, "b")["status"] == "unknown"
    complete = take(tracker, snapshot(2, {"a": {0: 1}}, 5))
    assert set(complete.lag["consumer_group"].to_pylist()) == {"a"}
    assert {each["consumer_group"] for each in complete.group_health.to_pylist()} == {"a"}


def test_a_group_that_leaves_ends_its_history_and_says_so(tmp_path: Path) -> None:
    store = open_store(tmp_path / "s.duckdb")
    tracker, base = Tracker(POLL), time.time() - 60
    ways: list[dict[str, dict[int, int]]] = [{"a": {0: 1, 1: 1}, "b": {0: 1}}] * 2 + [{"a": {0: 1}}] * 2
    for poll, committed in enumerate(ways):
        empty = {name: GroupSeen(name, "empty", "classic", ()) for name in committed}
        lives = tracker.take(snapshot(poll, committed, 5, groups=empty, at=base + poll * POLL))
        tracker.settle()
        write_poll(store, ClusterConfig("main", "b:9092"), tracker, answer(tracker), lives)
    assert store.read("select consumer_group, partition from lag") == [("a", 0)]
    assert store.read("select consumer_group from group_health") == [("a",)]
    who = "consumer_group, partition, epoch(sampled_at)"
    ended = f"select {who} from commit_samples where committed is null order by all"
    left_at = pytest.approx(base + 2 * POLL, abs=0.001)
    assert store.read(ended) == [("a", 1, left_at), ("b", 0, left_at)]
    gone = "select consumer_group, members, epoch(sampled_at) from group_samples where state = 'dead'"
    assert store.read(gone) == [("b", 0, left_at)]
    store.close()


def test_a_deleted_topic_whose_commits_remain_is_unknown_and_says_why() -> None:
    tracker = Tracker(POLL)
    take(tracker, snapshot(0, {"a": {0: 1}}, 5))
    nothing: dict[Any, Any] = {}
    gone = dict.fromkeys(("topics", "topic_ids", "log_start", "stable"), nothing)
    answers = take(tracker, dataclasses.replace(snapshot(1, {"a": {0: 1}}, 5, **gone), end=nothing))
    assert row(answers, "a")["status"] == "unknown"
    assert "does not exist" in row(answers, "a")["evidence"]


def test_polls_that_failed_are_no_silence() -> None:
    tracker = Tracker(POLL)
    for poll in range(3):
        take(tracker, snapshot(poll, {"a": {0: 5}}, 50))
    tracker.miss()
    answers = take(tracker, snapshot(60, {"a": {0: 5}}, 50))
    assert row(answers, "a")["status"] == "ok"
    stalled = [take(tracker, snapshot(60 + poll, {"a": {0: 5}}, 50)) for poll in range(1, 15)]
    statuses = [row(each, "a")["status"] for each in stalled]
    assert statuses.index("stalled") == 12  # a minute of silence, held for two polls


def test_without_topic_ids_an_end_that_falls_is_a_new_life() -> None:
    tracker = Tracker(POLL)
    take(tracker, snapshot(0, {"a": {0: 50}}, 50, topic_ids={}))
    assert row(take(tracker, snapshot(1, {"a": {0: 50}}, 60, topic_ids={})), "a")["incarnation"] == 1
    lives = tracker.take(snapshot(2, {"a": {0: 5}}, 7, topic_ids={}))
    assert lives.recreated == ("orders",)
    tracker.settle()
    fresh = row(answer(tracker), "a")
    assert (fresh["incarnation"], fresh["status"]) == (2, "unknown")


def test_an_end_that_falls_in_one_life_starts_a_new_history_only() -> None:
    tracker = Tracker(POLL)
    take(tracker, snapshot(0, {"a": {0: 50}}, 60))
    assert tracker.take(snapshot(1, {"a": {0: 50}}, 40)).recreated == ()
    tracker.settle()
    answer(tracker)
    cut = row(take(tracker, snapshot(2, {"a": {0: 50}}, 40)), "a")
    assert (cut["incarnation"], cut["status"], cut["lag"]) == (1, "truncated", None)


def test_a_topic_sums_its_partitions_and_names_the_slowest() -> None:
    tracker = Tracker(POLL)
    for poll in range(4):
        answers = take(tracker, snapshot(poll, {"a": {0: 90 + poll, 1: 70, 2: 100}}, 100 + poll))
    [health] = answers.group_health.to_pylist()
    assert (health["lag"], health["partitions"], health["members"]) == (10 + 33 + 3, 3, 1)
    assert health["worst_partition"] == 1
    assert health["lag_method"] == "at_least"


def test_members_are_told_apart() -> None:
    tracker = Tracker(POLL)
    twins = tuple(Member(f"m-{i}", "twin", "h", (Partition("orders", i),)) for i in (0, 1))
    group = {"a": GroupSeen("a", "stable", "classic", twins)}
    answers = take(tracker, snapshot(0, {"a": {0: 1, 1: 1}}, 5, groups=group))
    assert [row(answers, "a", number)["member"] for number in (0, 1)] == ["m-0", "m-1"]


def test_a_restart_remembers_lives_and_ends(tmp_path: Path) -> None:
    store = open_store(tmp_path / "s.duckdb")
    config = ClusterConfig("main", "b:9092")
    base = time.time() - 100
    tracker = Tracker(POLL)
    for poll, end in enumerate((10, 20, 30)):
        seen = dataclasses.replace(snapshot(poll, {"a": {0: 15}}, end), at=base + poll * POLL)
        lives = tracker.take(seen)
        tracker.settle()
        write_poll(store, config, tracker, answer(tracker), lives)
    assert known_cluster(store, "main") == "c-1"
    again = restore(store, "c-1", POLL)
    answers = take(again, dataclasses.replace(snapshot(0, {"a": {0: 15}}, 30), at=base + 60))
    found = row(answers, "a")
    assert (found["lag_method"], found["incarnation"]) == ("interpolated", 1)
    assert found["lag_seconds"] == pytest.approx(60 - 3, abs=0.1)
    assert found["status"] == "unknown"
    later = row(take(again, dataclasses.replace(snapshot(1, {"a": {0: 15}}, 30), at=base + 62)), "a")
    assert (later["status"], later["since"]) == ("ok", moment(base + POLL))
    recreated = dataclasses.replace(
        snapshot(1, {"a": {0: 1}}, 90, topic_ids={"orders": "id-2"}), at=base + 65
    )
    assert row(take(again, recreated), "a")["incarnation"] == 2
    store.close()


def test_a_caught_up_group_is_blocked_all_the_same_by_what_its_services_hold() -> None:
    tracker = Tracker(POLL)
    for poll in range(6):
        assert row(take(tracker, snapshot(poll, {"a": {0: 5}}, 5)), "a")["status"] in ("unknown", "ok")
    tracker.hands = {("a", Partition("orders", 0)): (Hand(4, service="pay", held_seconds=90.0),)}
    held = row(take(tracker, snapshot(6, {"a": {0: 5}}, 5)), "a")
    assert (held["status"], held["lag"]) == ("blocked", 0)
    assert "offset 4 in flight" in held["evidence"]
    tracker.hands = {}
    for poll in (7, 8):
        done = row(take(tracker, snapshot(poll, {"a": {0: 5}}, 5)), "a")
    assert done["status"] == "ok"


def test_where_records_may_not_be_read_spans_tell_the_lag_time(tmp_path: Path) -> None:
    now = time.time()
    sends = [
        ("shop", a_send("orders", 0, offset, start_ns=int((now - ago) * 1e9), ms=0, cluster="c-1"))
        for offset, ago in ((5, 60), (8, 40), (9, 30), (9, 29))
    ]
    store = open_store(tmp_path / "s.duckdb")
    store.write(lambda w: append_spans(w, told.batch_of(sends, int(now * 1e9)), LogPosition(1, 0)))
    tracker = Tracker(POLL)
    ways = {"exactly": {0: 5}, "around": {0: 7}, "beyond": {0: 10}}
    for poll in range(2):
        tracker.take(dataclasses.replace(snapshot(poll, ways, 20), at=now - POLL * (1 - poll)))
        tracker.sent = sent_times(store, "c-1", tracker.wanted())
        tracker.settle()
        answers = answer(tracker)
    found = {name: row(answers, name) for name in ways}
    assert {name: one["lag_method"] for name, one in found.items()} == {
        "exactly": "span", "around": "span", "beyond": "at_least",
    }  # fmt: skip
    assert found["exactly"]["lag_seconds"] == pytest.approx(60, abs=0.1)
    assert found["around"]["lag_seconds"] == pytest.approx(50, abs=0.1)
    assert found["around"]["lag_error_seconds"] == pytest.approx(10, abs=0.1)
    assert sent_times(store, "another", tracker.wanted()) == {}
    store.close()
