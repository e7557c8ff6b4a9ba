"""Verdicts over time do not flap, and a topic shows its worst partition."""

from headwater_analysis.health_rules import CAUGHT_UP, SUM_RULES, Verdict, judge
from headwater_analysis.health_verdicts import Standing, VerdictKeeper, judge_group
from kafka_helpers import polls, steady, window


def _shown(*statuses: str) -> list[str]:
    keeper = VerdictKeeper()
    return [keeper.update(Verdict(status, status), float(i)).status for i, status in enumerate(statuses)]


def test_facts_change_at_once() -> None:
    assert _shown("ok", "stopped", "lost", "frozen") == ["ok", "stopped", "lost", "frozen"]


def test_judgements_change_only_when_held_for_two_polls() -> None:
    assert _shown("ok", "slow", "ok", "slow", "slow") == ["ok", "ok", "ok", "ok", "slow"]
    assert _shown("stopped", "ok", "ok") == ["stopped", "stopped", "ok"]
    assert _shown("ok", "slow", "stalled", "slow") == ["ok"] * 4


def test_the_first_verdict_after_unknown_counts_at_once() -> None:
    assert _shown("unknown", "slow") == ["unknown", "slow"]


def test_since_stays_while_the_status_stands_and_the_evidence_is_renewed() -> None:
    keeper = VerdictKeeper()
    keeper.update(Verdict("stopped", "for 5 s", 10.0), 15.0)
    standing = keeper.update(Verdict("stopped", "for 10 s", 12.0), 20.0)
    assert standing == Standing("stopped", "for 10 s", 10.0)


def test_what_stood_before_nothing_was_known_has_stood_all_along() -> None:
    keeper = VerdictKeeper(Standing("stopped", "for an hour", 10.0))
    assert keeper.update(Verdict("unknown", "polled once"), 100.0).since == 100.0
    assert keeper.update(Verdict("stopped", "no members", 95.0), 105.0).since == 10.0
    keeper.update(Verdict("unknown", "refused"), 110.0)
    assert keeper.update(Verdict("ok", "caught up"), 115.0).since == 115.0


def test_a_verdict_that_was_held_back_elsewhere_counts_at_once() -> None:
    keeper = VerdictKeeper()
    keeper.update(Verdict("ok", ""), 1.0)
    assert keeper.update(Verdict("stalled", ""), 2.0, settled=True).status == "stalled"


def test_a_topic_shows_its_worst_partition_and_how_many_have_what() -> None:
    partitions = {
        0: Standing("ok", "caught up", 1.0),
        1: Standing("stopped", "no members", 5.0),
        2: Standing("rewound", "went back", 2.0),
        3: Standing("stopped", "no members", 3.0),
    }
    found = judge_group(partitions, CAUGHT_UP)
    assert (found.verdict.status, found.worst_partition, found.verdict.began) == ("stopped", 3, 3.0)
    assert "2 stopped, 1 rewound, 1 ok of 4 partitions" in found.verdict.evidence


def test_without_a_fact_the_sum_is_judged() -> None:
    growing = judge(window(polls(steady(60, 50), steady(60, 100, 100))), SUM_RULES)
    found = judge_group({0: Standing("ok", "", 1.0), 1: Standing("falling_behind", "", 1.0)}, growing)
    assert (found.verdict.status, found.worst_partition) == ("falling_behind", None)
