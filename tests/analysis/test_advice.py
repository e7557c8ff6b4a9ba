"""How many consumers a group needs. Each row begins with the sentence it proves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from headwater_analysis.advice import Load, advise, scaled_object

LOAD = Load(
    consumer_group="payments", topic="orders", status="falling_behind", worst_partition=None, consumers=4,
    partitions=12, in_rate=100.0, lag_seconds=300.0, capacity=20.0, method="measured",
)  # fmt: skip


@pytest.mark.parametrize(
    ("sentence", "more", "kind", "consumers", "says"),
    [
        ("the rate with headroom by what one can do, rounded up", {}, "more", 7,
         "7 consumers needed, 4 there: 100/s and 30 % headroom, 20.0/s a consumer (measured while it was behind)."),
        ("never more than now while lag time is within the budget", {"lag_seconds": 59.0}, "enough", 4,
         "4 consumers will do: lag time is within 1 min 00 s"),
        ("fewer is said whatever the lag time", {"consumers": 9, "lag_seconds": 5.0}, "fewer", 7,
         "7 consumers would do, 9 there"),
        ("as many as needed", {"consumers": 7}, "enough", 7, "7 consumers will do"),
        ("no more than partitions", {"partitions": 6}, "ceiling", 6,
         "You are at the partition ceiling (6): 7 consumers would be needed"),
        ("idle members beyond the partitions change nothing of that", {"partitions": 4, "consumers": 5}, "ceiling", 4,
         "partition ceiling (4)"),
        ("a topic at rest needs one", {"in_rate": 0.0, "consumers": 1}, "enough", 1, "1 consumer will do"),
        ("one partition holds the lag", {"skewed": "partition 7 holds 93 % of the lag of 12,000"}, "skewed", None,
         "More consumers will not help: partition 7 holds 93 % of the lag of 12,000."),
        ("and the key that fills it is named", {"skewed": "partition 7 holds 93 %", "hot_key": "key k is 80 %"},
         "skewed", None, "partition 7 holds 93 %; key k is 80 %."),
        ("what is blocked is not short of consumers", {"status": "blocked", "worst_partition": 3}, "unblock", None,
         "the trouble is partition 3 (blocked); `headwater blockers --group payments` says on what"),
        ("nobody reads", {"consumers": 0, "status": "stopped"}, "start", None, "Nobody reads"),
        ("members that could not be read", {"consumers": None}, "unknown", None, "members are not known"),
        ("what one can do is not known", {"capacity": None}, "unknown", None, "No advice: what one consumer can do"),
        ("by spans it says what it rests on", {"method": "spans", "work_ms": 50.0, "handlers": 1.0}, "more", 7,
         "20.0/s a consumer (1 at a time, 50 ms each)"),
    ],
)  # fmt: skip
def test_advice(sentence: str, more: dict[str, Any], kind: str, consumers: int | None, says: str) -> None:
    found = advise(replace(LOAD, **more))
    assert (found.kind, found.consumers) == (kind, consumers), (sentence, found)
    assert says in found.sentence, sentence


def test_headroom_and_budget_are_the_readers() -> None:
    assert advise(LOAD, headroom=0.0).consumers == 5
    assert advise(LOAD, budget_seconds=600.0).kind == "enough"


def test_a_scaled_object_scales_between_what_the_rate_needs_and_the_partitions() -> None:
    load = replace(LOAD, consumer_group="Pay.Ments", topic="orders_v1")
    text = scaled_object(load, advise(load), "b-1:9092,b-2:9092", 30.0)
    assert "name: pay-ments-orders-v1\n" in text
    assert "minReplicaCount: 7 " in text
    assert "maxReplicaCount: 12 " in text
    assert 'bootstrapServers: "b-1:9092,b-2:9092"\n' in text
    assert 'lagThreshold: "600"  # 20.0/s a consumer in 30 s' in text
