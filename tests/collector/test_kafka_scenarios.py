"""Against a real broker, in stretched time: each status, mark and advice is produced and asserted with its evidence."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

import api_helpers as api
import store_helpers as told
from builders import a_process, a_send, a_trace_id
from headwater_collector.records import LogPosition
from headwater_collector.store import Store, append_spans
from kafka_harness import KafkaBroker
from kafka_stretched import Stretched, Traffic, commit_as, joined
from kafka_watching import commit, member
from store_helpers import open_store

pytestmark = pytest.mark.kafka

POLLS, EVERY = 40, 7.5
"""Five minutes."""
TOPICS = {
    "behind": 3,
    "one": 1,
    "slow": 1,
    "skewed": 4,
    "burst": 1,
    "silent": 1,
    "jump": 1,
    "churn": 1,
    "fine": 2,
}
S = 1_000_000_000


def spans_of(cluster: str) -> list[told.Told]:
    """Handling of two groups in the last five minutes: one at ease, one whose waits rise while its work does not."""
    found: list[told.Told] = []
    for number in range(60):
        at = time.time_ns() - (240 - 4 * number) * S
        for topic, wait_ms, work_ms in (("scn-fine", 5, 10), ("scn-behind", 100 + 40 * number, 20)):
            trace, group = a_trace_id(), topic.replace("scn", "g")
            sent = a_send(topic, 0, number, cluster=cluster, trace_id=trace, start_ns=at, ms=2)
            begun = at + (2 + wait_ms) * 1_000_000
            done = a_process(
                topic, 0, number, group, cluster=cluster, trace_id=trace, start_ns=begun, ms=work_ms
            )
            found += [("shop", sent), (group, done)]
    return found


def run(watch: Stretched, kafka: KafkaBroker, members: dict[str, Consumer]) -> None:
    """Five minutes in which nine groups fare differently."""
    traffic, admin = Traffic(kafka.bootstrap), kafka.admin()
    traffic.produce("scn-slow", {0: 6000})
    traffic.produce("scn-silent", {0: 20})
    traffic.produce("scn-jump", {0: 60_000})
    traffic.produce("scn-churn", {0: 1})
    traffic.flush()
    commit(kafka.bootstrap, "g-jump", "scn-jump", {0: 10})
    commit(kafka.bootstrap, "g-churn", "scn-churn", {0: 1})
    for poll in range(POLLS):
        sent, read = dict.fromkeys(range(3), 15), dict.fromkeys(range(3), 8 * (poll + 1))
        traffic.produce("scn-behind", sent)
        traffic.produce("scn-one", {0: 15})
        traffic.produce("scn-slow", {0: 10})
        traffic.produce("scn-skewed", {0: 3, 1: 3, 2: 60, 3: 3})
        traffic.produce("scn-burst", {0: 200 if poll >= POLLS - 3 else 6})
        traffic.produce("scn-fine", {0: 15, 1: 15})
        traffic.flush()
        commit_as(members["behind"], "scn-behind", read)
        commit_as(members["one"], "scn-one", {0: 8 * (poll + 1)})
        commit_as(members["slow"], "scn-slow", {0: 80 * (poll + 1)})
        commit_as(members["skewed"], "scn-skewed", {0: 3 * poll, 1: 3 * poll, 2: 10 * poll, 3: 3 * poll})
        commit_as(members["fine"], "scn-fine", {0: 15 * (poll + 1)})
        commit_as(members["fine 2"], "scn-fine", {1: 15 * (poll + 1)})
        commit_as(members["burst"], "scn-burst", {0: 6 * (poll + 1) + 194 * max(0, poll - POLLS + 4)})
        if poll % 6 == 5:
            place = TopicPartition("scn-slow", 0, 60 * (poll + 1))
            admin.delete_records([place])[place].result(60)
        if poll == POLLS - 4:
            commit(kafka.bootstrap, "g-jump", "scn-jump", {0: 60_000})
        if poll in (POLLS - 8, POLLS - 5):
            with member(kafka.bootstrap, "g-churn", "scn-churn", 1):
                watch.poll()
        else:
            watch.poll()


class Asked:
    """The store after those five minutes, and its API."""

    def __init__(self, store: Store, url: str) -> None:
        self.store = store
        self._where = ("--collector", url)

    def text(self, *words: str) -> str:
        done = api.headwater(*words, *self._where)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def document(self, *words: str) -> Any:
        return json.loads(self.text(*words, "--json"))


@pytest.fixture(scope="module")
def asked(kafka: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    for name, partitions in TOPICS.items():
        kafka.create_topic(f"scn-{name}", partitions)
    store = open_store(tmp_path_factory.mktemp("scenarios") / "headwater.duckdb")
    names = ("behind", "one", "slow", "skewed", "burst", "silent", "fine", "fine 2")
    wanted = [(f"g-{name.split()[0]}", f"scn-{name.split()[0]}", TOPICS[name.split()[0]]) for name in names]
    wanted = [(group, topic, 1 if topic == "scn-fine" else count) for group, topic, count in wanted]
    with contextlib.ExitStack() as stack:
        stack.callback(store.close)
        members = dict(zip(names, stack.enter_context(joined(kafka.bootstrap, wanted)), strict=True))
        watch = Stretched(store, kafka.bootstrap, polls=POLLS, every=EVERY)
        stack.callback(watch.close)
        run(watch, kafka, members)
        [(cluster,)] = store.read("select cluster from clusters")
        batch = told.batch_of(spans_of(cluster), time.time_ns())
        store.write(lambda w: append_spans(w, batch, LogPosition(1, 0)))
        yield Asked(store, stack.enter_context(api.serving(store)))


@pytest.fixture(scope="module")
def queues(asked: Asked) -> dict[str, Any]:
    return {row["consumer_group"]: row for row in asked.document("queues") if row["topic"].startswith("scn-")}


@pytest.mark.parametrize(
    ("group", "status", "says"),
    [
        ("g-behind", "falling_behind", "grows by 2.8/s"),
        ("g-one", "falling_behind", "grows by 0.9/s"),
        ("g-slow", "slow", "draining in "),
        ("g-skewed", "falling_behind", "at 9.2/s produced"),
        ("g-burst", "ok", "caught up"),
        ("g-silent", "no_commit", "g-silent-5 has had this partition for 4 min 52 s and committed nothing"),
        (
            "g-jump",
            "skipped_ahead",
            "jumped from 10 to 60,000 while the group had no members: 59,990 offsets",
        ),
        ("g-churn", "rebalancing", "the members changed 4 times"),
        ("g-fine", "ok", "caught up"),
    ],
)
def test_every_status_is_named_with_its_evidence(
    queues: dict[str, Any], group: str, status: str, says: str
) -> None:
    row = queues[group]
    assert (row["status"], says in row["evidence"]) == (status, True), row


@pytest.mark.parametrize(
    ("group", "mark", "says"),
    [
        ("g-skewed", "skewed", "partition 2 holds 100 % of the lag of 2,0"),
        ("g-burst", "burst", "26.7/s were produced on three polls at least, usual are 0.8/s"),
        ("g-behind", "backpressure", "ms and work did not (20 to 20 ms), while 6.0/s came and 3.2/s went"),
    ],
)
def test_marks_stand_beside_the_status(queues: dict[str, Any], group: str, mark: str, says: str) -> None:
    assert {name: [one["mark"] for one in row["marks"]] for name, row in queues.items() if row["marks"]} == {
        "g-skewed": ["skewed"], "g-burst": ["burst"], "g-behind": ["backpressure"],
    }  # fmt: skip
    [found] = queues[group]["marks"]
    assert (found["mark"], says in found["evidence"]) == (mark, True), found


def test_what_drains_says_when_and_what_does_not_says_so(queues: dict[str, Any]) -> None:
    slow, behind = queues["g-slow"], queues["g-behind"]
    assert slow["lag"] == 6000 + 400 - 3200
    assert slow["drain_seconds"] == pytest.approx(3200 / (70 / EVERY), rel=0.01)
    assert slow["drain_seconds_low"] <= slow["drain_seconds"] <= slow["drain_seconds_high"]
    assert (behind["draining"], behind["drain_seconds"]) == (False, None)
    assert queues["g-skewed"]["hottest_partition"] == 2
    assert queues["g-skewed"]["hottest_share"] == pytest.approx(60 / 69, rel=0.02)
    assert (slow["retention_threatens"], slow["retention_partition"]) == (True, 0)
    assert 0 < slow["retention_seconds"] < slow["drain_seconds"]


@pytest.mark.parametrize(
    ("group", "kind", "consumers", "says"),
    [
        (
            "g-behind",
            "more",
            3,
            "3 consumers needed, 1 there: 6.0/s and 30 % headroom, 3.2/s a consumer (measured",
        ),
        (
            "g-one",
            "ceiling",
            1,
            "You are at the partition ceiling (1): 3 consumers would be needed for 2.0/s",
        ),
        ("g-skewed", "skewed", None, "More consumers will not help: partition 2 holds 100 % of the lag"),
        (
            "g-fine",
            "fewer",
            1,
            "1 consumer would do, 2 there: 4.0/s and 30 % headroom, 100/s a consumer (1 at a time",
        ),
        ("g-burst", "unknown", None, "No advice: what one consumer can do is not known"),
        ("g-silent", "unblock", None, "More consumers will not help: the trouble is partition 0 (no commit)"),
        ("g-jump", "start", None, "Nobody reads: start a consumer of this group."),
        ("g-slow", "enough", 1, "1 consumer will do: 1.3/s and 30 % headroom"),
    ],
)
def test_advice_rests_on_what_a_consumer_can_do(
    asked: Asked, advice: dict[str, Any], group: str, kind: str, consumers: int | None, says: str
) -> None:
    found = advice[group]["advice"]
    assert (found["kind"], found["consumers"]) == (kind, consumers), found
    assert says in found["sentence"]


@pytest.fixture(scope="module")
def advice(asked: Asked) -> dict[str, Any]:
    return {row["load"]["consumer_group"]: row for row in asked.document("advice")}


def test_advice_comes_as_a_scaled_object(asked: Asked) -> None:
    lines = asked.text("advice", "--group", "g-behind", "--keda").splitlines()
    said = dict(line.split("#")[0].strip(" -").split(": ", 1) for line in lines if ": " in line)
    assert said["kind"] == "ScaledObject"
    assert (said["minReplicaCount"].strip(), said["maxReplicaCount"].strip()) == ("3", "3")
    assert (said["consumerGroup"], said["topic"]) == ('"g-behind"', '"scn-behind"')
    assert said["lagThreshold"].strip() == '"192"'


def test_rebalances_are_listed_with_who_came_and_went(asked: Asked) -> None:
    found = asked.document("rebalances", "--group", "g-churn")
    assert [(one["members_before"], one["members_after"], one["partitions_moved"]) for one in found] == [
        (1, 0, 1), (0, 1, 1), (1, 0, 1), (0, 1, 1),
    ]  # fmt: skip
    assert [len(one["members_joined"]) for one in found] == [0, 1, 0, 1]
    printed = asked.text("rebalances", "--group", "g-churn")
    assert "g-churn: 1 → 0 members, 1 partition moved" in printed
    assert "scn-churn/0" in printed


def test_people_read_a_line_a_queue_and_what_is_wrong_below(asked: Asked) -> None:
    printed = asked.text("queues", "--group", "g-slow")
    head, line, *remarks = printed.splitlines()
    assert head.split()[:3] == ["topic", "group", "status"]
    assert "▲ slow" in line
    assert " to " in line
    assert "█" in line
    assert remarks[0].startswith("scn-slow → g-slow: slow: the first unread message has waited")
    assert remarks[1].startswith("scn-slow → g-slow: retention: retention reaches partition 0 in ")
