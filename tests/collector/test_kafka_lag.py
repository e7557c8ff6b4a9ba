"""Against a real broker: what the watch says of lag and health is what Kafka's own tool says."""

from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, Producer, TopicPartition

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
        row = await watched.status("time-group", "stopped")
        assert row["lag_method"] == "record"
        assert row["lag"] == 5
        assert row["lag_seconds"] < 30


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
