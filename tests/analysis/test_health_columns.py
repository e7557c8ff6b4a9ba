"""The health rules over all lines at once say what they say of one line after another, whatever polls bring."""

import random
from collections import Counter

import numpy as np
import pytest

import plain_health as plain
from headwater_analysis.health_columns import Columns
from headwater_analysis.health_history import History
from headwater_analysis.health_judging import Said, facts_of, judge_all
from headwater_analysis.health_rules import judge
from headwater_analysis.rates import rates
from kafka_helpers import NOW, seen
from plain_health import Line, Sample

LINES, POLLS = 12, 90
SENTENCES = {"rewind", "jump", "held_back_for", "owned_silently_for"}
"""Told of more lines by columns than the rules use; their verdicts are compared."""


class Way:
    """One group's random way through a partition."""

    def __init__(self, chance: random.Random, poll_seconds: float) -> None:
        self._chance, self._step = chance, min(poll_seconds, 10.0)
        self._kind = chance.choice("steady saw slow wild jump never".split())
        self._every = chance.choice([1, 1, 3, 12, 30])
        self._rate = chance.choice([0, 0.2, 5, 100])
        self._state, self._owner = chance.choice(["stable", "empty", "preparing", "unknown"]), "w"
        self._end = chance.choice([0, 40, 9000])
        self._committed: int | None = None if self._kind == "never" else self._end
        self._open: int | None = None

    def sample(self, poll: int, at: float, after_gap: bool) -> Sample:
        chance = self._chance
        self._end += int(self._rate * self._step * chance.choice([0, 1, 1, 3]))
        if chance.random() < 0.03:
            self._rate, self._kind = chance.choice([0, 0.2, 5, 100]), chance.choice(["steady", "saw", "slow"])
        if chance.random() < 0.06:
            self._state = chance.choice(["stable", "stable", "empty", "preparing", "unknown"])
        if chance.random() < 0.04:
            self._open = None if self._open is not None else max(0, self._end - 2)
        self._commit(poll)
        stable = self._end if self._open is None else min(self._open, self._end)
        start = chance.randrange(1 + self._end) if chance.random() < 0.01 else 0
        return Sample(
            at, start, self._committed, self._end, stable,
            self._owner if self._state == "stable" and chance.random() < 0.97 else None, self._state,
            "consumer", chance.choice([1] * 9 + [2]), after_gap,
        )  # fmt: skip

    def _commit(self, poll: int) -> None:
        chance, before = self._chance, self._committed
        if before is None:
            self._committed = self._end if chance.random() < 0.02 else None
        elif self._kind in ("steady", "saw") and poll % self._every == 0:
            self._committed = max(0, self._end - (chance.randrange(40) if self._kind == "saw" else 0))
        elif self._kind == "slow":
            self._committed = min(self._end, before + int(self._rate * self._step * chance.random()))
        elif self._kind == "jump" and chance.random() < 0.1:
            self._committed = before + chance.choice([3, 90_000])
        elif self._kind == "wild" and chance.random() < 0.3:
            self._committed = chance.randrange(self._end + 2)


@pytest.mark.parametrize("story", range(6))
def test_columns_say_what_the_plain_meaning_says(story: int) -> None:
    chance = random.Random(story)
    poll_seconds = (2.0, 5.0, 10.0, 30.0, 90.0, 5.0)[story]
    history, lines, statuses = History(), [Line() for _ in range(LINES)], Counter[str]()
    ways = [Way(chance, poll_seconds) for _ in range(LINES)]
    history.widen(LINES)
    at = NOW
    for poll in range(POLLS):
        at += poll_seconds * chance.choice([1, 1, 1, 1.3]) + chance.random() / 100
        gap = chance.random() < 0.02
        met = {line: way.sample(poll, at, gap) for line, way in enumerate(ways) if chance.random() < 0.97}
        history.add(at, seen(met))
        for line, sample in met.items():
            lines[line].add(sample)
        if chance.random() < 0.05:
            history.interrupt(np.arange(3))
            for each in lines[:3]:
                each.interrupted = True
        if chance.random() < 0.03:
            history.forget(np.arange(2, 4))
            for line in (2, 3):
                lines[line] = Line(committed_since=at, interrupted=lines[line].interrupted)
            met = {line: sample for line, sample in met.items() if line not in (2, 3)}
        if met:
            statuses += _compared(history, lines, met, poll_seconds, chance)
    assert len(statuses) >= 8, statuses


def _compared(
    history: History, lines: list[Line], met: dict[int, Sample], poll_seconds: float, chance: random.Random
) -> Counter[str]:
    tail = np.array([chance.random() < 0.05 for _ in lines])
    for line, sample in met.items():
        tail[line] &= (sample.lag or 0) > 0
    columns = Columns(history, poll_seconds, tail)
    said = Said(
        lag_seconds=np.array([chance.choice([np.nan, 5.0, 90.0]) for _ in lines]),
        nothing_readable=np.array([chance.random() < 0.3 for _ in lines]),
        owner={line: sample.owner for line, sample in met.items() if sample.owner is not None},
        state=[met[line].state if line in met else "" for line in range(len(lines))],
    )
    verdicts, found = judge_all(columns, said), list(facts_of(columns, said, np.arange(len(lines))))
    for line, sample in met.items():
        seconds = float(said.lag_seconds[line])
        assert said.nothing_readable is not None
        expected = plain.facts(lines[line], poll_seconds, bool(tail[line]))._replace(
            owner=sample.owner,
            state=sample.state,
            lag_seconds=None if np.isnan(seconds) else seconds,
            nothing_readable=bool(said.nothing_readable[line]),
        )
        assert verdicts[line] == judge(expected), (line, expected, found[line])
        told = {name: value for name, value in found[line]._asdict().items() if name not in SENTENCES}
        assert told == {name: getattr(expected, name) for name in told}, line
    return Counter(verdicts[line].status for line in met)


def test_rates_of_many_lines_are_those_of_each() -> None:
    chance = np.random.default_rng(1)
    for polls in (1, 2, 5, 12, 13, 40):
        at = np.cumsum(chance.uniform(1, 3, polls))
        values = chance.integers(0, 50, (polls, 30)).cumsum(axis=0)
        values[:, :5] = 7
        known = chance.random((polls, 30)) < 0.8
        for line, found in enumerate(rates(at, values, known).tolist()):
            points = [(float(at[i]), float(values[i, line])) for i in range(polls) if known[i, line]]
            expected = plain.rate(points)
            assert (None if np.isnan(found) else found) == expected, (polls, line)
