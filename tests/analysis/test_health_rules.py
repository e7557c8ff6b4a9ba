"""Each row begins with the sentence it proves. Sixty polls are five minutes."""

import random
from typing import Any

import pytest

from headwater_analysis.health_facts import LONGEST_SECONDS, Facts
from headwater_analysis.health_rules import RULES, judge
from kafka_helpers import NOW, polls, steady, window, windows
from plain_health import Sample

EMPTY: dict[str, Any] = {"owner": None, "state": "empty"}
MOVING = steady(60, 10)


def _rejoining(changes: int) -> list[Sample]:
    samples = polls([*MOVING[:-1], MOVING[-2]], steady(60, 10, 10))
    return [sample._replace(members=min(i, changes)) for i, sample in enumerate(samples)]


CASES: list[tuple[str, Facts, str, str]] = [
    ("one poll is not enough", window(polls([5], 5)), "unknown", "two polls"),
    (
        "a broker that cannot be read says why",
        window(polls(MOVING, MOVING), unreadable="members of group g: not authorized"),
        "unknown",
        "not authorized",
    ),
    ("lag 0 is healthy", window(polls(MOVING, MOVING)), "ok", "caught up"),
    ("a topic that never had a message is healthy", window(polls([0, 0], 0)), "ok", "caught up"),
    (
        "committed below the log start: retention took messages",
        window(polls([40, 40], 900, log_start=100)),
        "lost",
        "removed 60 offsets",
    ),
    (
        "a loss stays for one window after the reader has moved on",
        window(polls([40, *steady(20, 10, 200)], 900, log_start=100)),
        "lost",
        "60 offsets",
    ),
    (
        "committed beyond the end: the log was cut",
        window(polls([1000, 1000], 100)),
        "truncated",
        "beyond the end 100",
    ),
    (
        "an open transaction holds a read_committed group back",
        window(polls([50] * 30, steady(30, 10, 60), stable=[50] * 30)),
        "frozen",
        "open transaction at offset 50",
    ),
    (
        "markers between committed and the last stable offset do not hide it",
        window(polls([48] * 30, steady(30, 10, 60), stable=[50] * 30), nothing_readable=True),
        "frozen",
        "offset 50",
    ),
    (
        "a transaction that has just begun on an idle topic is none",
        window(polls([50] * 30, [*[50] * 29, 60], stable=[50] * 30)),
        "ok",
        "caught up",
    ),
    (
        "a group that reads uncommitted records is not held back",
        window(polls([*[60] * 10, *[50] * 20], [100] * 30, stable=[50] * 30, owner=None, state="empty")),
        "stopped",
        "",
    ),
    (
        "no members and unread messages: stopped within two polls",
        window(polls([50, 50], [50, 60], **EMPTY)),
        "stopped",
        "no members",
    ),
    (
        "a partition that nobody was given: stopped, although the group lives",
        window(polls([50, 50], 60, owner=None)),
        "stopped",
        "no member has this partition",
    ),
    ("no members and nothing unread is healthy", window(polls([50, 50], 50, **EMPTY)), "ok", "caught up"),
    (
        "a group that assigns by hand has no members and is judged by its offset alone",
        window(polls([0, 10, 20, 30, 30], steady(5, 10, 20), **EMPTY)),
        "ok",
        "",
    ),
    (
        "the committed offset went back",
        window(polls([*steady(20, 10), 50, 60], steady(22, 10, 20))),
        "rewound",
        "from 190 to 50",
    ),
    (
        "a rewind that has been read again is over",
        window(polls([*steady(20, 10), 50, 120, 190, 210], 210)),
        "ok",
        "caught up",
    ),
    (
        "a jump without members passed messages over",
        window(polls([10, 10, 500_000], 500_010, **EMPTY)),
        "skipped_ahead",
        "499,990 offsets",
    ),
    (
        "a fast reader is no jump",
        window(polls([10, 10, 500_000], 500_010)),
        "ok",
        "",
    ),
    (
        "preparing on two polls: rebalancing",
        window(polls([5, 5], 5, owner=None, state="preparing")),
        "rebalancing",
        "preparing",
    ),
    (
        "a new-protocol group in change is reported as unknown",
        window(polls([5, 5], 5, owner=None, state="unknown", protocol="consumer")),
        "rebalancing",
        "in change",
    ),
    (
        "four changes of members: rebalancing",
        window(_rejoining(4)),
        "rebalancing",
        "4 times",
    ),
    ("three changes are a deployment", window(_rejoining(3)), "ok", ""),
    (
        "owned, unread and never committed for a minute",
        window(polls([None] * 14, 100)),
        "no_commit",
        "committed nothing",
    ),
    (
        "never committed for half a minute: a start",
        window(polls([None] * 7, 100)),
        "ok",
        "nothing committed",
    ),
    (
        "never committed where nothing is: healthy",
        window(polls([None] * 20, 0)),
        "ok",
        "nothing to read",
    ),
    (
        "owned, unread and unmoved beyond patience: stalled, and says who moves",
        window(polls([*MOVING, *[590] * 5], [*MOVING, *steady(5, 10, 600)]), others_moving=(2, 3)),
        "stalled",
        "2 of the group's 3 other partitions",
    ),
    (
        "a reader that commits every two minutes is not stalled after one",
        window(polls([0] * 24 + [100] * 24 + [200] * 24 + [300] * 12, steady(84, 4, 2))),
        "ok",
        "",
    ),
    (
        "silence across a time that was not polled is not counted",
        window(
            [
                *polls([5] * 80, 60, every=1.0)[:-1],
                polls([5], 60)[0]._replace(after_gap=True),
            ]
        ),
        "ok",
        "",
    ),
    (
        "growth that lasts: falling behind",
        window(polls(steady(60, 50), steady(60, 100, 100))),
        "falling_behind",
        "grows by 10.0/s",
    ),
    (
        "the sawtooth of batch commits is no growth",
        window(polls([120 * (i // 6) for i in range(60)], [20 * i + 20 for i in range(60)])),
        "ok",
        "",
    ),
    (
        "hardly any traffic gives no verdict on growth",
        window(polls([0] * 51 + [1] * 3 + [2] * 3 + [3] * 3, [1 + i // 6 for i in range(60)])),
        "ok",
        "",
    ),
    (
        "waiting above the budget: slow, and level",
        window(polls(steady(60, 100), steady(60, 100, 9000)), lag_seconds=450.0),
        "slow",
        "level",
    ),
    (
        "waiting above the budget while draining says how long",
        window(polls(steady(60, 200), steady(60, 100, 9000)), lag_seconds=100.0),
        "slow",
        "draining in",
    ),
    (
        "only markers remain: lag 0 by another name",
        window(polls([99] * 30, 100), empty_tail=True),
        "ok",
        "only markers or removed records",
    ),
]


@pytest.mark.parametrize(("sentence", "given", "status", "says"), CASES, ids=[case[0] for case in CASES])
def test_rules(sentence: str, given: Facts, status: str, says: str) -> None:
    verdict = judge(given)
    assert (verdict.status, says in verdict.evidence) == (status, True), (sentence, verdict)


def test_the_rules_stand_in_their_order() -> None:
    assert [rule.__name__ for rule in RULES] == (
        "unknown lost truncated frozen blocked stopped rewound skipped_ahead rebalancing no_commit "
        "stalled falling_behind slow ok"
    ).split()


def test_every_sentence_with_a_moment_names_one_that_was_polled() -> None:
    for sentence, given, _, _ in CASES:
        began = judge(given).began
        assert began is None or NOW - LONGEST_SECONDS <= began <= NOW, sentence


@pytest.mark.parametrize("commits_every", [1, 2, 6])
def test_a_healthy_group_is_never_called_anything_else(commits_every: int) -> None:
    chance = random.Random(commits_every)
    end, committed, ends, offsets = 0, 0, [], []
    for i in range(240):
        end += chance.randrange(0, 200)
        if i % commits_every == 0:
            committed = max(committed, end - chance.randrange(0, 20))
        ends.append(end)
        offsets.append(committed)
    for i, facts in enumerate(windows(polls(offsets, ends))):
        assert i < 20 or judge(facts).status == "ok", (i, judge(facts))


def test_growth_is_named_as_soon_as_six_points_show_it() -> None:
    given = window(polls(steady(13, 50), steady(13, 100, 100)))
    assert judge(given).status == "falling_behind"
    assert judge(window(polls(steady(5, 50), steady(5, 100, 100)))).status == "ok"


def test_the_first_tooth_of_a_sawtooth_is_no_growth() -> None:
    first_commits = [0] * 6 + [600] * 6
    assert judge(window(polls(first_commits, steady(12, 100, 100)))).status == "ok"


@pytest.mark.parametrize("share", [0.5, 0.7])
def test_a_group_too_slow_for_its_topic_is_named(share: float) -> None:
    chance = random.Random(7)
    end, committed, samples = 0, 0.0, []
    for _ in range(60):
        arrived = chance.randrange(50, 150)
        end, committed = end + arrived, committed + arrived * share
        samples.append((int(committed), end))
    given = window(polls([each[0] for each in samples], [each[1] for each in samples]))
    assert judge(given).status == "falling_behind"
