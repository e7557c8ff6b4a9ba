"""Against a real broker: each dead letter is found once, and reading leaves no trace in the cluster."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from headwater_analysis.fingerprint import failure_group_id
from kafka_harness import KafkaBroker
from kafka_watching import Watching, client_options, produce, watching

pytestmark = pytest.mark.kafka

EVENT, TRACE, SPAN = "00000000000000ab", "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def _headers(origin: str, offset: int, message: str = "no amount in order 17") -> dict[str, str]:
    return {
        "headwater-role": "dead-letter",
        "headwater-origin-topic": origin,
        "headwater-origin-partition": "2",
        "headwater-origin-offset": str(offset),
        "headwater-origin-group": "payments",
        "headwater-attempt": "3",
        "headwater-error-type": "ValueError",
        "headwater-error-message": message,
        "headwater-ctx": f"1;{EVENT};2;k3abc;0123456789abcdef",
        "traceparent": f"00-{TRACE}-{SPAN}-01",
    }


def _groups(kafka: KafkaBroker) -> set[str]:
    admin = kafka.admin()  # held: a client that is let go never answers
    listed = admin.list_consumer_groups().result(60).valid
    return {each.group_id for each in listed}


async def _letters(watched: Watching, topic: str, count: int) -> list[dict[str, Any]]:
    def ready() -> bool:
        return len(watched.rows("dead_letter_rows", topic=topic)) >= count

    await watched.until(ready, f"{count} letters in {topic}")
    await watched.polled(2)
    rows = watched.rows("dead_letter_rows", topic=topic)
    return sorted(rows, key=lambda row: (row["partition"], row["message_offset"]))


async def test_each_is_found_once_across_a_restart_with_its_origin(
    kafka: KafkaBroker, tmp_path: Path
) -> None:
    origin = kafka.create_topic("once-orders", 3)
    topic = kafka.create_topic("once-orders-dlq", 2)
    before = _groups(kafka)
    for offset in range(3):
        produce(kafka.bootstrap, topic, ['{"id": 1}'], partition=offset % 2, headers=_headers(origin, offset))
    async with watching(tmp_path / "s.duckdb", kafka.bootstrap, capture="full") as watched:
        rows = await _letters(watched, topic, 3)
        assert len(rows) == 3
        row = rows[0]
        assert (row["family"], row["role"], row["attempts"]) == ("headwater", "dead_letter", 3)
        assert (row["origin_topic"], row["origin_partition"], row["origin_offset"]) == (origin, 2, 0)
        assert (row["origin_group"], row["error_type"]) == ("payments", "ValueError")
        assert (row["event_id"], row["trace_id"], row["span_id"]) == (EVENT, TRACE, SPAN)
        assert (row["value"], row["size"], row["normalised_error"]) == (
            '{"id": 1}',
            9,
            "no amount in order #",
        )
        assert ["headwater-role", "dead-letter"] in json.loads(row["headers"])
    produce(kafka.bootstrap, topic, ["later"], headers=_headers(origin, 9, "no amount in order 18"))
    async with watching(tmp_path / "s.duckdb", kafka.bootstrap, capture="full") as watched:
        rows = await _letters(watched, topic, 4)
        places = [(row["partition"], row["message_offset"]) for row in rows]
        assert places == [(0, 0), (0, 1), (0, 2), (1, 0)]
        group = failure_group_id(origin, "payments", "ValueError", "no amount in order #")
        assert {row["failure_group_id"] for row in rows} == {group}
    assert _groups(kafka) == before


async def test_by_default_no_content_is_kept_but_causes_are_told_apart(
    kafka: KafkaBroker, tmp_path: Path
) -> None:
    origin = kafka.create_topic("masked-orders", 1)
    topic = kafka.create_topic("masked-orders.dlq", 1)
    produce(kafka.bootstrap, topic, ["secret"], headers=_headers(origin, 1, "card 4000-1234 declined"))
    produce(kafka.bootstrap, topic, ["secret"], headers=_headers(origin, 2, "card 4000-9999 declined"))
    produce(kafka.bootstrap, topic, ["secret"], headers=_headers(origin, 3, "gateway away"))
    async with watching(tmp_path / "s.duckdb", kafka.bootstrap) as watched:
        rows = await _letters(watched, topic, 3)
        for row in rows:
            kept = ("key", "value", "headers", "error_message", "stack", "normalised_error")
            assert [row[name] for name in kept] == [None] * len(kept)
            assert (row["error_type"], row["size"]) == ("ValueError", 6)
        first, second, third = (row["failure_group_id"] for row in rows)
        assert first == second != third


async def test_topics_that_come_later_are_found_by_name_or_by_headers(
    kafka: KafkaBroker, tmp_path: Path
) -> None:
    origin = kafka.create_topic("later-orders", 1)
    produce(kafka.bootstrap, origin, ["fine"])
    async with watching(tmp_path / "s.duckdb", kafka.bootstrap) as watched:
        await watched.polled()
        by_name = kafka.create_topic("later-orders.DLT", 1)
        parked = kafka.create_topic("later-parking-lot", 1)
        produce(kafka.bootstrap, by_name, ["no headers"])
        produce(kafka.bootstrap, parked, ["moved"], headers=_headers(origin, 0))
        [named] = await _letters(watched, by_name, 1)
        assert (named["family"], named["origin_topic"], named["origin_offset"]) == (None, origin, None)
        [marked] = await _letters(watched, parked, 1)
        assert (marked["family"], marked["origin_offset"]) == ("headwater", 0)
        assert not watched.rows("dead_letter_rows", topic=origin)


async def test_a_pattern_names_the_topics_and_a_recreated_one_is_read_again(
    kafka: KafkaBroker, tmp_path: Path
) -> None:
    chosen = kafka.create_topic("pattern-failed-a", 1)
    other = kafka.create_topic("pattern-a-dlq", 1)
    kafka.create_topic("pattern-a", 1)
    produce(kafka.bootstrap, chosen, ["1", "2"])
    produce(kafka.bootstrap, other, ["x"])
    patterns = ["pattern-failed-*"]
    async with watching(tmp_path / "s.duckdb", kafka.bootstrap, dead_letter_patterns=patterns) as watched:
        await _letters(watched, chosen, 2)
        assert not watched.rows("dead_letter_rows", topic=other)
        kafka.delete_topic(chosen)
        await watched.polled()
        kafka.create_topic(chosen, 1)
        await asyncio.to_thread(produce, kafka.bootstrap, chosen, ["3", "4", "5"])

        def new_life() -> bool:
            return len(watched.rows("dead_letter_rows", topic=chosen, incarnation=2)) >= 3

        await watched.until(new_life, "the letters of the new life")
        rows = watched.rows("dead_letter_rows", topic=chosen)
        lives = sorted((row["incarnation"], row["message_offset"]) for row in rows)
        assert lives == [(1, 0), (1, 1), (2, 0), (2, 1), (2, 2)]


async def test_what_is_read_before_a_poll_has_seen_the_new_life_is_booked_to_it(
    kafka: KafkaBroker, tmp_path: Path
) -> None:
    topic = kafka.create_topic("early-dlq", 1)
    kafka.create_topic("early", 1)
    produce(kafka.bootstrap, topic, ["1", "2"])

    def reason(watched: Watching) -> str:
        letters: Any = watched.watch.status()[0]["dead_letters"]
        return str(letters["reason"])

    async with watching(tmp_path / "s.duckdb", kafka.bootstrap, poll_seconds=3600.0) as watched:
        await watched.until(lambda: len(watched.rows("dead_letter_rows", topic=topic)) == 2, "two letters")
        # The reader shares this loop: it asks next for the third letter, and of the new life that one is there.
        kafka.delete_topic(topic)
        kafka.create_topic(topic, 1)
        produce(kafka.bootstrap, topic, ["3", "4", "5", "6"])
        await watched.until(lambda: "early-dlq was deleted or recreated" in reason(watched), "the wait")
        assert len(watched.rows("dead_letter_rows", topic=topic)) == 2
    async with watching(tmp_path / "s.duckdb", kafka.bootstrap) as watched:
        rows = await _letters(watched, topic, 6)
        lives = sorted((row["incarnation"], row["message_offset"]) for row in rows)
        assert lives == [(1, 0), (1, 1), (2, 0), (2, 1), (2, 2), (2, 3)]


async def test_aborted_letters_were_never_sent_and_strange_ones_do_no_harm(
    kafka: KafkaBroker, tmp_path: Path
) -> None:

    topic = kafka.create_topic("strange-dlq", 1)
    kafka.create_topic("strange", 1)
    producer = Producer(client_options(kafka.bootstrap, **{"transactional.id": "strange"}))
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(topic, b"aborted", headers=list(_headers("strange", 0).items()))
    producer.flush(20)
    producer.abort_transaction(30)
    wild: list[tuple[str, str | bytes]] = [
        ("headwater-role", b"\xff"),
        ("headwater-origin-partition", "99999999999"),
        ("headwater-origin-offset", b"\x7f" * 8),
        ("headwater-attempt", "9" * 19),
        ("headwater-ctx", "1;;;"),
        ("traceparent", "00-00000000000000000000000000000000-0000000000000000-01"),
        ("x\0y", b"\0\xff"),
    ]
    produce(kafka.bootstrap, topic, [b"\0\xfe\xff"], headers=wild)
    produce(kafka.bootstrap, topic, ["after"], headers=_headers("strange", 7))
    async with watching(tmp_path / "s.duckdb", kafka.bootstrap, capture="full") as watched:
        strange, after = await _letters(watched, topic, 2)
        assert (strange["origin_partition"], strange["attempts"], strange["trace_id"]) == (None, None, None)
        assert strange["value"] == "0x00feff"
        assert after["origin_offset"] == 7
