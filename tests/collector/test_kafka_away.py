"""A broker that goes away, hangs or never was: a state with a reason, and everything works on afterwards."""

from pathlib import Path

import pytest

from headwater_collector.kafka.watch import ClusterConfig, KafkaWatch
from kafka_harness import KafkaBroker
from kafka_watching import POLL_SECONDS, Watching, commit, produce, watching
from store_helpers import open_store

DEAD_LETTER = {
    "headwater-role": "dead-letter",
    "headwater-origin-topic": "away-orders",
    "headwater-origin-partition": "0",
    "headwater-origin-offset": "1",
    "headwater-error-type": "Boom",
}


def _state(watched: Watching, state: str) -> bool:
    rows = watched.rows("cluster_rows", name="main")
    return bool(rows) and rows[0]["state"] == state


@pytest.mark.kafka
async def test_a_broker_that_goes_away_and_comes_back(kafka: KafkaBroker, tmp_path: Path) -> None:
    topic = kafka.create_topic("away-orders", 1)
    dead = kafka.create_topic("away-orders-dlq", 1)
    produce(kafka.bootstrap, topic, ["x"] * 10)
    produce(kafka.bootstrap, dead, ["a", "b"], headers=DEAD_LETTER)
    commit(kafka.bootstrap, "away-group", topic, {0: 4})
    async with watching(tmp_path / "s.duckdb", kafka.bootstrap) as watched:
        await watched.status("away-group", "stopped")
        await watched.until(
            lambda: len(watched.rows("dead_letter_rows", topic=dead)) == 2, "two dead letters"
        )
        kafka.stop(hard=True)
        polls = watched.watch.status()[0]["polls"]
        try:
            await watched.until(lambda: _state(watched, "down"), "the state down")
            assert int(str(watched.watch.status()[0]["polls"])) <= int(str(polls)) + 1
            row = watched.rows("cluster_rows", name="main")[0]
            assert kafka.bootstrap in row["reason"]
            assert row["cluster"] is not None
            lag = watched.rows("lag_now", consumer_group="away-group")[0]
            assert (lag["status"], lag["lag"], lag["lag_seconds"]) == ("unknown", None, None)
            assert "could not be read" in lag["evidence"]
        finally:
            kafka.start()
        await watched.until(lambda: _state(watched, "up"), "the state up")
        produce(kafka.bootstrap, topic, ["y"] * 5)
        produce(kafka.bootstrap, dead, ["c"], headers=DEAD_LETTER)
        await watched.until(
            lambda: watched.rows("lag_now", consumer_group="away-group", lag=11, status="stopped"),
            "the new lag",
        )
        await watched.until(
            lambda: len(watched.rows("dead_letter_rows", topic=dead)) >= 3, "the third letter"
        )
        offsets = [row["message_offset"] for row in watched.rows("dead_letter_rows", topic=dead)]
        assert sorted(offsets) == [0, 1, 2]


@pytest.mark.kafka
async def test_a_broker_that_hangs_costs_turns_and_piles_nothing_up(
    kafka: KafkaBroker, tmp_path: Path
) -> None:
    topic = kafka.create_topic("hang-orders", 1)
    produce(kafka.bootstrap, topic, ["x"] * 10)
    commit(kafka.bootstrap, "hang-group", topic, {0: 4})
    async with watching(tmp_path / "s.duckdb", kafka.bootstrap) as watched:
        await watched.status("hang-group", "stopped")
        with kafka.paused():
            await watched.until(lambda: _state(watched, "down"), "the state down")
            assert "no answer within" in watched.rows("cluster_rows", name="main")[0]["reason"]
            [row] = watched.rows("lag_now", consumer_group="hang-group")
            assert (row["status"], row["lag"], row["lag_seconds"]) == ("unknown", None, None)
        await watched.until(lambda: _state(watched, "up"), "the state up")
        assert (await watched.status("hang-group", "stopped"))["lag"] == 6
        [status] = watched.watch.status()
        assert int(str(status["skipped_polls"])) >= 2.0 / POLL_SECONDS


async def test_a_cluster_that_never_was_has_a_reason_and_delays_no_end(tmp_path: Path) -> None:
    store = open_store(tmp_path / "s.duckdb")
    configs = [
        ClusterConfig("nobody", "127.0.0.1:1"),
        ClusterConfig("misspelt", "127.0.0.1:1", {"securty.protocol": "ssl"}),
    ]
    watch = KafkaWatch(store, configs, poll_seconds=POLL_SECONDS)
    await watch.start()
    watched = Watching(store, watch)
    await watched.until(lambda: len(watched.rows("cluster_rows", state="down")) == 2, "two reasons")
    reasons = {row["name"]: row["reason"] for row in watched.rows("cluster_rows")}
    assert "refused" in reasons["nobody"]
    assert 'No such configuration property: "securty.protocol"' in reasons["misspelt"]
    await watch.stop()
    store.close()
