"""A poll's answers as rows: the public relations `lag` and `group_health`, for every group and partition."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from headwater_analysis.health_rules import judge
from headwater_analysis.health_verdicts import Standing, judge_group
from headwater_analysis.health_window import WINDOW_SECONDS, Sample, Window
from headwater_analysis.lag_time import LagTime, lag_time
from headwater_analysis.rates import rate

from .history import GroupTrack
from .snapshot import Snapshot
from .tracker import MOVED_WITHIN_POLLS, Key, Tracker

Row = dict[str, object]


@dataclass(frozen=True)
class Answers:
    """Rows of `lag_now` and `group_health_now`."""

    lag: list[Row]
    group_health: list[Row]


_CAUGHT_UP = LagTime(0.0, "exact", 0.0)


def moment(at: float) -> datetime:
    """Seconds since the epoch as the store's TIMESTAMP: UTC without a zone."""
    return datetime.fromtimestamp(at, UTC).replace(tzinfo=None)


def answer(tracker: Tracker) -> Answers:
    """Judge every group on every partition and topic after a poll has settled."""
    snapshot = tracker.snapshot
    assert snapshot is not None
    in_rates = {partition: rate(tuple(track.recent)) for partition, track in tracker.partitions.items()}
    moving = _moving(tracker, snapshot)
    topics: dict[tuple[str, str], list[_Judged]] = {}
    rows: list[Row] = []
    at = moment(snapshot.at)
    for key, track in tracker.groups.items():
        judged = _judge_partition(tracker, snapshot, at, key, track, moving, in_rates.get(key[1]))
        topics.setdefault((key[0], key[1].topic), []).append(judged)
        rows.append(judged.row)
    groups = [_judge_topic(tracker, snapshot, place, parts) for place, parts in topics.items()]
    return Answers(rows, groups)


@dataclass(frozen=True)
class _Judged:
    partition: int
    standing: Standing
    lag: int | None
    time: LagTime
    in_rate: float | None
    out_rate: float | None
    row: Row


def _judge_partition(
    tracker: Tracker,
    snapshot: Snapshot,
    at: datetime,
    key: Key,
    track: GroupTrack,
    moving: Mapping[tuple[str, str], tuple[frozenset[int], int]],
    in_rate: float | None,
) -> _Judged:
    group, partition = key
    if track.quiet and key not in tracker.hands:
        # What was said of it a poll ago holds to the letter, and costs nothing to say again.
        now, verdict, time, drain_seconds = track.samples[-1], track.verdict, _CAUGHT_UP, None
        assert verdict is not None
    elif not track.samples:  # never read: only the reason is known
        now = Sample(snapshot.at, None, None, None, None, None)
        verdict = judge(Window((now,), unreadable=track.unreadable))
        time, drain_seconds = LagTime(None, None, None), None
    else:
        window, time = _with_lag_time(tracker, key, snapshot.at)
        now = window.now
        moved, partitions = moving.get((group, partition.topic), (frozenset(), 1))
        others = (len(moved - {partition.partition}), partitions - 1)
        window = replace(window, lag_seconds=time.seconds, others_moving=others)
        verdict = judge(window)
        # Nothing drains where nothing is committed, and telling that from the samples is dear.
        drain_seconds = _drain_seconds(window) if track.changes else None
    track.verdict = verdict
    standing = track.keeper.update(verdict, snapshot.at)
    track.standing = standing
    out_rate = _out_rate(track, now)
    if track.unreadable is not None:  # the last numbers are old: what holds now is unknown
        time, drain_seconds, in_rate, out_rate = LagTime(None, None, None), None, None, None
    lag = None if track.unreadable is not None or now.lag is None or now.lag < 0 else now.lag
    readable = None
    if lag is not None and tracker.reads_committed(group) and None not in (now.stable, now.committed):
        readable = max(0, (now.stable or 0) - (now.committed or 0))
    row: Row = {
        "cluster": snapshot.cluster,
        "consumer_group": group,
        "topic": partition.topic,
        "incarnation": tracker.lives.incarnation(partition.topic),
        "partition": partition.partition,
        "lag": lag,
        "readable_lag": readable,
        "lag_seconds": time.seconds,
        "lag_method": time.method,
        "lag_error_seconds": time.error_seconds,
        "status": standing.status,
        "evidence": standing.evidence,
        "since": moment(standing.since),
        "in_rate": in_rate,
        "out_rate": out_rate,
        "drain_seconds": drain_seconds,
        "log_start": now.log_start,
        "end_offset": now.end,
        "stable_offset": now.stable,
        "committed": now.committed,
        "member": tracker.owners.get(key),
        "sampled_at": at if now.at == snapshot.at else moment(now.at),
    }
    return _Judged(partition.partition, standing, lag, time, in_rate, out_rate, row)


def _judge_topic(tracker: Tracker, snapshot: Snapshot, place: tuple[str, str], parts: list[_Judged]) -> Row:
    group, topic = place
    seen = snapshot.groups.get(group)
    lags = [part.lag for part in parts if part.lag is not None]
    timed = [part for part in parts if part.time.seconds is not None]
    slowest = max(timed, key=lambda part: (part.time.seconds or 0.0, part.lag or 0), default=None)
    time = slowest.time if slowest else LagTime(None, None, None)
    track = tracker.sums[place]
    total = Window(
        samples=tuple(track.samples),
        changes=tuple(track.changes),
        poll_seconds=tracker.poll_seconds,
        lag_seconds=time.seconds,
        committed_since=track.committed_since,
    )
    verdict = judge_group({part.partition: part.standing for part in parts}, total)
    settled = verdict.worst_partition is not None
    track.standing = track.keeper.update(verdict.verdict, snapshot.at, settled=settled)
    return {
        "cluster": snapshot.cluster,
        "consumer_group": group,
        "topic": topic,
        "status": track.standing.status,
        "evidence": track.standing.evidence,
        "since": moment(track.standing.since),
        "lag": sum(lags) if lags else None,
        "lag_seconds": time.seconds,
        "lag_method": time.method,
        "lag_error_seconds": time.error_seconds,
        "partitions": len(parts),
        "worst_partition": verdict.worst_partition if settled else slowest.partition if slowest else None,
        "state": seen.state if seen else "unknown",
        "members": len(seen.members) if seen else None,
        "in_rate": _sum([part.in_rate for part in parts]),
        "out_rate": _sum([part.out_rate for part in parts]),
        "sampled_at": moment(snapshot.at),
    }


def _with_lag_time(tracker: Tracker, key: Key, at: float) -> tuple[Window, LagTime]:
    window = tracker.window(key)
    partition, committed = key[1], window.now.committed
    ends = tracker.partitions[partition].ends if partition in tracker.partitions else None
    if ends is None or (window.lag is not None and window.lag < 0):
        return window, LagTime(None, None, None)
    sent = None if committed is None else tracker.sent.get((partition, committed))
    return window, lag_time(at, window.lag, committed, ends, tracker.record(partition, committed), sent)


def _moving(tracker: Tracker, snapshot: Snapshot) -> dict[tuple[str, str], tuple[frozenset[int], int]]:
    """(group, topic) -> (partitions whose committed offset moved just now, number of partitions)."""
    moved: dict[tuple[str, str], set[int]] = {}
    total: dict[tuple[str, str], int] = {}
    since = snapshot.at - max(10.0, MOVED_WITHIN_POLLS * tracker.poll_seconds)
    for (group, partition), track in tracker.groups.items():
        place = (group, partition.topic)
        total[place] = total.get(place, 0) + 1
        moved.setdefault(place, set())
        if track.changes and track.changes[-1] >= since:
            moved[place].add(partition.partition)
    return {place: (frozenset(each), total[place]) for place, each in moved.items()}


def _out_rate(track: GroupTrack, now: Sample) -> float | None:
    if not track.changes or track.changes[-1] < now.at - WINDOW_SECONDS:
        return 0.0 if now.committed is not None and len(track.samples) > 1 else None
    first = now.at - WINDOW_SECONDS
    return rate(
        [
            (each.at, float(each.committed))
            for each in track.samples
            if each.committed is not None and each.at >= first
        ]
    )


def _drain_seconds(window: Window) -> float | None:
    """Only where the lag surely shrinks; "not draining at present" is None, never a large number."""
    if not window.lag or window.lag <= 0 or len(window.samples) < 2:
        return None
    growth = window.growth
    return window.lag / -growth.middle if growth is not None and growth.high < 0 else None


def _sum(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
