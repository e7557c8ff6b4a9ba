"""A poll's answers as rows: the public relations `lag` and `group_health`, for every group and partition."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

import numpy as np
import pyarrow as pa

from headwater_analysis.health_columns import Columns, known_or_none, told_or_none
from headwater_analysis.health_history import NEVER, NONE
from headwater_analysis.health_judging import Said, judge_all
from headwater_analysis.health_rules import SUM_RULES
from headwater_analysis.health_verdicts import Standing, judge_group
from headwater_analysis.lag_time import LagTime, lag_time
from headwater_analysis.rates import Flags, Floats, Integers

from .tracker import Tracker

MOVED_WITHIN_POLLS = 3
MOVED_WITHIN_SECONDS = 10.0

Row = dict[str, object]


@dataclass(frozen=True)
class Answers:
    """Rows of `lag_now` and `group_health_now`."""

    lag: pa.Table
    group_health: pa.Table


_CAUGHT_UP = LagTime(0.0, "exact", 0.0)
_UNKNOWN = LagTime(None, None, None)
_TIME = pa.timestamp("us")


@lru_cache(4096)
def moment(at: float) -> datetime:
    """Seconds since the epoch as the store's TIMESTAMP: UTC without a zone."""
    return datetime.fromtimestamp(at, UTC).replace(tzinfo=None)


def answer(tracker: Tracker) -> Answers:
    """Judge every group on every partition and topic after a poll has settled."""
    snapshot = tracker.snapshot
    assert snapshot is not None
    columns = Columns(tracker.history, tracker.poll_seconds, tracker.empty_tail)
    times = _lag_times(tracker, columns)
    said = _said(tracker, columns, times)
    standings = [
        keeper.update(verdict, snapshot.at)
        for keeper, verdict in zip(tracker.lines.keepers, judge_all(columns, said), strict=True)
    ]
    lines = _Lines(tracker, columns, times, standings)
    return Answers(lines.table(), _judge_topics(tracker, lines))


class _Lines:
    """What is said of each line; of one that could not be read the last numbers are old, and what holds now unknown."""

    def __init__(
        self, tracker: Tracker, columns: Columns, times: list[LagTime], standings: list[Standing]
    ) -> None:
        self._tracker, self._columns = tracker, columns
        self.times, self.standings, self.seen = times, standings, columns.seen
        self.lag: Integers = np.where(columns.known & self.seen, columns.end - columns.committed, NONE)
        self.lag[self.lag < 0] = NONE
        self.lags = known_or_none(self.lag)
        self.in_rate: Floats = np.where(self.seen, tracker.ends.rates()[tracker.lines.of_partition], np.nan)
        self.out_rate: Floats = np.where(self.seen, columns.out_rate, np.nan)
        self.in_rates, self.out_rates = told_or_none(self.in_rate), told_or_none(self.out_rate)

    def table(self) -> pa.Table:
        """Rows of `lag_now`."""
        tracker, columns, numbers = self._tracker, self._columns, self._tracker.history.numbers
        snapshot, keys, count = tracker.snapshot, tracker.lines.keys, len(tracker.lines.keys)
        assert snapshot is not None
        last_at = np.where(
            tracker.history.times["last_at"] == NEVER, snapshot.at, tracker.history.times["last_at"]
        )
        lives = {topic: tracker.lives.incarnation(topic) for topic in {each.topic for _, each in keys}}
        return pa.table(
            {
                "cluster": pa.repeat(pa.scalar(snapshot.cluster), count),
                "consumer_group": pa.array([group for group, _ in keys], pa.string()),
                "topic": pa.array([each.topic for _, each in keys], pa.string()),
                "incarnation": pa.array([lives[each.topic] for _, each in keys], pa.int32()),
                "partition": pa.array([each.partition for _, each in keys], pa.int32()),
                "lag": _offsets(self.lag),
                "readable_lag": _offsets(self._readable_lag()),
                "lag_seconds": pa.array([time.seconds for time in self.times], pa.float64()),
                "lag_method": pa.array([time.method for time in self.times], pa.string()),
                "lag_error_seconds": pa.array([time.error_seconds for time in self.times], pa.float64()),
                "status": pa.array([each.status for each in self.standings], pa.string()),
                "evidence": pa.array([each.evidence for each in self.standings], pa.string()),
                "since": _moments([each.since for each in self.standings]),
                "in_rate": _figures(self.in_rate),
                "out_rate": _figures(self.out_rate),
                "drain_seconds": _figures(np.where(self.seen, columns.drain_seconds, np.nan)),
                "log_start": _offsets(numbers["log_start"]),
                "end_offset": _offsets(numbers["end"]),
                "stable_offset": _offsets(numbers["stable"]),
                "committed": _offsets(numbers["committed"]),
                "member": pa.array([tracker.owners.get(line) for line in range(count)], pa.string()),
                "sampled_at": _moments(last_at),
            }
        )

    def _readable_lag(self) -> Integers:
        tracker, numbers = self._tracker, self._tracker.history.numbers
        reads = {group for group in tracker.lines.groups if tracker.reads_committed(group)}
        if not reads:
            return np.full(len(self.lag), NONE)
        of = np.array([group in reads for group, _ in tracker.lines.keys], bool)
        readable = np.maximum(0, numbers["stable"] - numbers["committed"])
        return np.where(of & (self.lag != NONE) & (numbers["stable"] != NONE), readable, NONE)


def _lag_times(tracker: Tracker, columns: Columns) -> list[LagTime]:
    """By line; of one that could not be read, unknown."""
    known = columns.seen & columns.known & (columns.lag >= 0)
    times = [_CAUGHT_UP if each else _UNKNOWN for each in (known & (columns.lag == 0)).tolist()]
    late = np.flatnonzero(known & (columns.lag > 0))
    offsets, lags = columns.committed[late].tolist(), columns.lag[late].tolist()
    of_partition, histories = tracker.lines.of_partition[late].tolist(), tracker.ends.histories
    for line, committed, lag, number in zip(late.tolist(), offsets, lags, of_partition, strict=True):
        sent = tracker.sent.get((tracker.lines.keys[line][1], committed)) if tracker.sent else None
        ends = histories[number]
        times[line] = lag_time(columns.now, lag, committed, ends, tracker.records.get(line), sent)
    return times


def _said(tracker: Tracker, columns: Columns, times: list[LagTime]) -> Said:
    snapshot, lines = tracker.snapshot, tracker.lines
    assert snapshot is not None
    of, count = lines.of_sum, len(tracker.sums.places)
    moved = _moved(tracker, columns)
    others_moved = np.bincount(of[moved], minlength=count)[of] - moved
    states = {group: seen.state for group, seen in snapshot.groups.items()}
    hands = {line: hands for key, hands in tracker.hands.items() if (line := lines.number(key)) is not None}
    return Said(
        lag_seconds=np.array([time.seconds for time in times], np.float64),
        unreadable=tracker.unreadable,
        nothing_readable=tracker.nothing_readable,
        owner=tracker.owners,
        state=[states.get(group, "unknown") for group, _ in lines.keys],
        others_moving=(others_moved, np.bincount(of, minlength=count)[of] - 1),
        hands=hands,
    )


def _moved(tracker: Tracker, columns: Columns) -> Flags:
    """Lines whose committed offset moved just now."""
    within = max(MOVED_WITHIN_SECONDS, MOVED_WITHIN_POLLS * tracker.poll_seconds)
    return tracker.history.times["changed_at"] >= columns.now - within


def _judge_topics(tracker: Tracker, lines: _Lines) -> pa.Table:
    """Rows of `group_health_now`: every group on every topic, its worst partition or what its summed lag says."""
    snapshot, sums = tracker.snapshot, tracker.sums
    assert snapshot is not None
    of_sum = tracker.lines.of_sum
    counts = np.bincount(of_sum, minlength=len(sums.places))
    ordered, ends = of_sum.argsort(kind="stable").tolist(), np.cumsum(counts).tolist()
    topics = [
        _Topic(tracker, lines, ordered[end - count : end])
        for end, count in zip(ends, counts.tolist(), strict=True)
    ]
    seconds = np.array([each.time.seconds for each in topics], np.float64)
    columns = Columns(sums.history, tracker.poll_seconds, np.zeros(len(topics), bool))
    standings: list[Standing] = []
    worst: list[int | None] = []
    totals = judge_all(columns, Said(seconds), SUM_RULES)
    for of, keeper, total in zip(topics, sums.keepers, totals, strict=True):
        verdict = judge_group(of.standings, total)
        settled = verdict.worst_partition is not None
        standings.append(keeper.update(verdict.verdict, snapshot.at, settled=settled))
        worst.append(verdict.worst_partition if settled else of.slowest)
    seen = [snapshot.groups.get(group) for group, _ in sums.places]
    return pa.table(
        {
            "cluster": pa.repeat(pa.scalar(snapshot.cluster), len(topics)),
            "consumer_group": pa.array([group for group, _ in sums.places], pa.string()),
            "topic": pa.array([topic for _, topic in sums.places], pa.string()),
            "status": pa.array([each.status for each in standings], pa.string()),
            "evidence": pa.array([each.evidence for each in standings], pa.string()),
            "since": _moments([each.since for each in standings]),
            "lag": pa.array([each.lag for each in topics], pa.int64()),
            "lag_seconds": pa.array([each.time.seconds for each in topics], pa.float64()),
            "lag_method": pa.array([each.time.method for each in topics], pa.string()),
            "lag_error_seconds": pa.array([each.time.error_seconds for each in topics], pa.float64()),
            "partitions": pa.array(counts.tolist(), pa.int32()),
            "worst_partition": pa.array(worst, pa.int32()),
            "state": pa.array([each.state if each else "unknown" for each in seen], pa.string()),
            "members": pa.array([len(each.members) if each else None for each in seen], pa.int32()),
            "in_rate": pa.array([each.in_rate for each in topics], pa.float64()),
            "out_rate": pa.array([each.out_rate for each in topics], pa.float64()),
            "sampled_at": pa.repeat(pa.scalar(moment(snapshot.at), _TIME), len(topics)),
        }
    )


class _Topic:
    """A group on a topic, of its lines."""

    __slots__ = ("in_rate", "lag", "out_rate", "slowest", "standings", "time")

    def __init__(self, tracker: Tracker, said: _Lines, lines: list[int]) -> None:
        if len(lines) == 1:  # most groups, where there are very many: nothing to add up
            [line] = lines
            number = tracker.lines.keys[line][1].partition
            timed = said.times[line].seconds is not None
            self.standings = {number: said.standings[line]}
            self.lag, self.time = said.lags[line], said.times[line] if timed else _UNKNOWN
            self.slowest = number if timed else None
            self.in_rate, self.out_rate = said.in_rates[line], said.out_rates[line]
            return
        self._add_up(tracker, said, lines)

    def _add_up(self, tracker: Tracker, said: _Lines, lines: list[int]) -> None:
        numbers = [tracker.lines.keys[line][1].partition for line in lines]
        self.standings = dict(zip(numbers, (said.standings[line] for line in lines), strict=True))
        lags = [lag for line in lines if (lag := said.lags[line]) is not None]
        self.lag = sum(lags) if lags else None
        timed = [line for line in lines if said.times[line].seconds is not None]
        line = max(
            timed, key=lambda each: (said.times[each].seconds or 0.0, said.lags[each] or 0), default=None
        )
        self.slowest = None if line is None else tracker.lines.keys[line][1].partition
        self.time = _UNKNOWN if line is None else said.times[line]
        self.in_rate = _sum(said.in_rates[line] for line in lines)
        self.out_rate = _sum(said.out_rates[line] for line in lines)


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _offsets(values: Integers) -> pa.Array:
    return pa.array(values, pa.int64(), mask=values == NONE)


def _figures(values: Floats) -> pa.Array:
    return pa.array(values, pa.float64(), mask=np.isnan(values))


def _moments(seconds: Sequence[float] | Floats) -> pa.Array:
    """Most lines share few moments."""
    each, places = np.unique(np.asarray(seconds, np.float64), return_inverse=True)
    return pa.array([moment(at) for at in each.tolist()], _TIME).take(pa.array(places))
