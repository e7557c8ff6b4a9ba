"""Against a real broker: what the watch says of lag and health is what Kafka's own tool says."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, Producer, TopicPartition

from headwater_collector.kafka import empty_groups
from kafka_harness import KafkaBroker
from kafka_watching import Watching, client_options, commit, member, produce, watching

pytestmark = pytest.mark.kafka


def _said(watched: Watching, groups: set[str]) -> dict[tuple[str, str, int], tuple[Any, ...]]:
    return {
        (row["consumer_group"], row["topic"], row["partition"]): (
            row["committed"],
            row["end_offset"],
            row["lag"],
            row["member"] is not None,
        )
        for row in watched.rows("lag_now")
        if row["consumer_group"] in groups
    }


async def test_lag_and_committed_are_what_kafkas_own_tool_says(kafka: KafkaBroker, tmp_path: Path) -> None:
    topic = kafka.create_topic("lag-orders", 3)
    for partition in range(3):
        produce(kafka.bootstrap, topic, ["x"] * (30 + partition), partition=partition)
    commit(kafka.bootstrap, "lag-stopped", topic, {0: 10, 1: 31})
    given = {f"lag-given-{number:02d}": (number % 3, 2 * number) for number in range(16)}
    admin = kafka.admin()
    for group, (partition, offset) in given.items():
        places = [TopicPartition(topic, partition, offset)]
        request = [ConsumerGroupTopicPartitions(group, places)]
        admin.alter_consumer_group_offsets(request)[group].result(60)
    new_protocol = {"group.protocol": "consumer"}
    with (
        member(kafka.bootstrap, "lag-classic", topic, 3) as classic,
        member(kafka.bootstrap, "lag-new", topic, 3, **new_protocol) as new,
        member(kafka.bootstrap, "lag-never", topic, 3),
    ):
        classic.commit(
            offsets=[TopicPartition(topic, 0, 30), TopicPartition(topic, 1, 7)], asynchronous=False
        )
        new.commit(offsets=[TopicPartition(topic, 2, 5)], asynchronous=False)
        groups = {"lag-stopped", "lag-classic", "lag-new", "lag-never", *given}
        assert len(groups) == 20
        async with watching(tmp_path / "s.duckdb", kafka.bootstrap) as watched:
            await watched.polled()
            oracle = {
                key: (row.committed, row.end_offset, row.lag, row.consumer_id is not None)
                for key, row in kafka.consumer_groups().items()
                if key[0] in groups
            }
            assert len(oracle) == 2 + 3 + 3 + 3 + 16
            assert _said(watched, groups) == oracle
            health = {row["consumer_group"]: row for row in watched.rows("group_health_now", topic=topic)}
            assert health["lag-stopped"]["status"] == "stopped"
            assert (health["lag-stopped"]["lag"], health["lag-stopped"]["worst_partition"]) == (20, 0)
            assert (health["lag-new"]["state"], health["lag-new"]["members"]) == ("stable", 1)
            assert health["lag-never"]["lag"] is None
            protocols = {row["consumer_group"]: row["protocol"] for row in watched.rows("group_samples")}
            assert (protocols["lag-new"], protocols["lag-classic"]) == ("consumer", "classic")
            seconds = {row["partition"]: row for row in watched.rows("lag_now", consumer_group="lag-stopped")}
            assert seconds[0]["lag_method"] == "record_unchecked"
            assert 0 < seconds[0]["lag_seconds"] < 120
            assert (seconds[1]["lag"], seconds[1]["lag_seconds"]) == (0, 0.0)


async def test_lag_time_is_read_from_the_record_between_two_polls(kafka: KafkaBroker, tmp_path: Path) -> None:
    topic = kafka.create_topic("time-orders", 1)
    produce(kafka.bootstrap, topic, ["x"] * 5)
    commit(kafka.bootstrap, "time-group", topic, {0: 5})
    async with watching(tmp_path / "s.duckdb", kafka.bootstrap) as watched:
        await watched.polled()
        produce(kafka.bootstrap, topic, ["y"] * 5)
        # A look-up has a budget of time: a poll may end without its answer.
        [row] = await watched.until(
            lambda: watched.rows(
                "lag_now", consumer_group="time-group", status="stopped", lag_method="record"
            ),
            "a lag time by the record",
        )
        assert row["lag"] == 5
        assert row["lag_seconds"] > 0


async def test_a_rewind_a_loss_and_a_cut_log_are_named(kafka: KafkaBroker, tmp_path: Path) -> None:
    topic = kafka.create_topic("fault-orders", 1)
    produce(kafka.bootstrap, topic, ["x"] * 100)
    commit(kafka.bootstrap, "fault-rewound", topic, {0: 90})
    commit(kafka.bootstrap, "fault-lost", topic, {0: 10})
    commit(kafka.bootstrap, "fault-cut", topic, {0: 100})
    async with watching(tmp_path / "s.duckdb", kafka.bootstrap) as watched:
        await watched.polled()
        commit(kafka.bootstrap, "fault-rewound", topic, {0: 40})
        commit(kafka.bootstrap, "fault-cut", topic, {0: 5000})
        place, admin = TopicPartition(topic, 0, 30), kafka.admin()
        admin.delete_records([place])[place].result(60)
        rewound = await watched.status("fault-rewound", "rewound")
        assert "from 90 to 40" in rewound["evidence"]
        lost = await watched.status("fault-lost", "lost")
        assert "20 offsets" in lost["evidence"]
        assert (lost["lag"], lost["log_start"]) == (90, 30)
        cut = await watched.status("fault-cut", "truncated")
        assert (cut["lag"], cut["lag_seconds"]) == (None, None)
        health = watched.rows("group_health_now", consumer_group="fault-lost")
        assert health[0]["status"] == "lost"


async def test_a_recreated_topic_starts_a_new_life(kafka: KafkaBroker, tmp_path: Path) -> None:
    topic = kafka.create_topic("again-orders", 1)
    produce(kafka.bootstrap, topic, ["x"] * 10)
    commit(kafka.bootstrap, "again-group", topic, {0: 10})
    async with watching(tmp_path / "s.duckdb", kafka.bootstrap) as watched:
        await watched.polled()
        kafka.delete_topic(topic)
        await watched.until(
            lambda: not watched.rows("lag_now", consumer_group="again-group"), "the end of the commits"
        )
        kafka.create_topic(topic, 2)
        produce(kafka.bootstrap, topic, ["y"] * 30)
        commit(kafka.bootstrap, "again-group", topic, {0: 12})
        row = await watched.status("again-group", "stopped")
        assert (row["incarnation"], row["lag"]) == (2, 18)
        lives = watched.rows("topic_lives", topic=topic)
        assert [(each["incarnation"], each["partitions"]) for each in lives] == [(1, 1), (2, 2)]
        assert lives[0]["topic_id"] != lives[1]["topic_id"]


async def test_markers_at_the_end_are_no_work(kafka: KafkaBroker, tmp_path: Path) -> None:
    topic = kafka.create_topic("tail-orders", 1)
    producer = Producer(client_options(kafka.bootstrap, **{"transactional.id": "tail"}))
    producer.init_transactions(30)
    producer.begin_transaction()
    for _ in range(10):
        producer.produce(topic, b"x", partition=0)
    producer.commit_transaction(30)
    with member(kafka.bootstrap, "tail-group", topic, 1) as consumer:
        consumer.commit(offsets=[TopicPartition(topic, 0, 10)], asynchronous=False)
        async with watching(tmp_path / "s.duckdb", kafka.bootstrap) as watched:
            row = await watched.status("tail-group", "ok")
            assert "only markers" in row["evidence"]
            assert (row["lag"], row["lag_seconds"]) == (1, 0.0)
            assert kafka.consumer_groups("tail-group")["tail-group", topic, 0].lag == 1


async def test_what_a_topic_keeps_is_read_from_its_configuration(kafka: KafkaBroker, tmp_path: Path) -> None:
    kept = kafka.create_topic("lag-kept", 1, {"retention.ms": "3600000"})
    for name, config in (
        ("lag-compacted", {"cleanup.policy": "compact"}),
        ("lag-for-ever", {"retention.ms": "-1"}),
    ):
        kafka.create_topic(name, 1, config)
    produce(kafka.bootstrap, kept, ["x"] * 10)
    commit(kafka.bootstrap, "lag-counted-down", kept, {0: 4})
    async with watching(tmp_path / "s.duckdb", kafka.bootstrap) as watched:

        def left() -> float:
            rows = watched.rows("drain_forecast", consumer_group="lag-counted-down")
            return (rows[0]["retention_seconds"] or 0.0) if rows else 0.0

        assert await watched.until(left, "a countdown") <= 3600
        said = "select topic, value from messaging_metrics where metric = 'kafka.topic.log_retention_period'"
        found = dict(watched.store.read(said))
        assert (found[kept], found.keys() & {"lag-compacted", "lag-for-ever"}) == (3600.0, set())


async def test_of_very_many_empty_groups_some_are_asked_at_each_poll_and_all_in_turn(
    kafka: KafkaBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(empty_groups, "AT_EACH_POLL", 8)
    topic, admin = kafka.create_topic("lag-empty", 1), kafka.admin()
    produce(kafka.bootstrap, topic, ["x"] * 50)
    given = {f"lag-empty-{number:02d}": number for number in range(30)}

    def give(group: str, offset: int) -> bool:
        request = [ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, offset)])]
        [place] = admin.alter_consumer_group_offsets(request)[group].result(20).topic_partitions
        return place.error is None  # a coordinator may still be loading

    with member(kafka.bootstrap, "lag-filled", topic, 1):
        async with watching(tmp_path / "s.duckdb", kafka.bootstrap) as watched:
            for group, offset in given.items():
                await watched.until(partial(give, group, offset), f"a committed offset of {group}")

            def seen() -> dict[str, int]:
                rows = watched.rows("lag_now", topic=topic)
                return {row["consumer_group"]: row["lag"] for row in rows if row["consumer_group"] in given}

            wanted = {group: 50 - offset for group, offset in given.items()}
            await watched.until(lambda: seen() == wanted, "the lag of every empty group")
            said = "groups have no members: each poll asks 8 of them"
            await watched.until(
                lambda: said in str(watched.rows("cluster_rows", name="main")[0]["reason"]), "the remark"
            )
            assert watched.rows("cluster_rows", name="main")[0]["state"] == "up"
            produce(kafka.bootstrap, topic, ["y"] * 5)
            await watched.until(lambda: give("lag-empty-07", 44), "another committed offset")
            wanted = {group: lag + 5 for group, lag in wanted.items()} | {"lag-empty-07": 11}
            await watched.until(lambda: seen() == wanted, "what moved, in turn")
            [(most,)] = watched.store.read(
                "select max(groups) from (select count(*) as groups from commit_samples "
                "where topic = ? and consumer_group != 'lag-filled' group by sampled_at)",
                [topic],
            )
            assert most <= 8
    for future in admin.delete_consumer_groups(list(given)).values():
        future.result(20)
