"""Lag time: how long the first unread message has been waiting, how that is known, how far it may be off."""

from bisect import bisect_right
from dataclasses import dataclass
from typing import NamedTuple

CLOCK_ERROR_SECONDS = 2.0  # how far a producer's clock may be off before its record time is disbelieved
_MOST_POINTS = 720


class LagTime(NamedTuple):
    """A lag time with its certainty; all None where the lag itself is unknown."""

    seconds: float | None
    method: str | None
    """exact | record | record_unchecked | span | interpolated | at_least"""
    error_seconds: float | None
    """How far `seconds` may be off; None where nothing bounds it."""


@dataclass(frozen=True)
class RecordTime:
    """The time of the first unread record, read from the topic."""

    offset: int
    """At or after the committed offset: offsets between may hold nothing."""
    at: float
    """Seconds since the epoch."""
    log_append: bool
    """True: the broker's clock at the append. False: whatever the producer wrote."""


@dataclass(frozen=True)
class SentTimes:
    """Between which times the first unread message became available, by the send spans of messages around it."""

    earliest: float
    """Of the last known message up to it; seconds since the epoch."""
    latest: float
    """Of the first known message from it on; the same where its own send span is known."""


class EndHistory:
    """When a partition's end offset was where; of a run of one value only first and last sample are kept."""

    def __init__(self) -> None:
        self._at: list[float] = []
        self._end: list[int] = []

    def __len__(self) -> int:
        return len(self._at)

    def add(self, at: float, end: int) -> None:
        """Add a sample later than all before; an end that fell starts the history anew."""
        if self._end and end < self._end[-1]:
            self._at, self._end = [], []
        if len(self._end) >= 2 and self._end[-1] == self._end[-2] == end:
            self._at[-1] = at
            return
        self._at.append(at)
        self._end.append(end)
        if len(self._at) > _MOST_POINTS:
            half = len(self._at) // 2
            self._at[:half] = self._at[
                :half:2
            ]  # the older half at half the resolution: bounds grow, reach stays
            self._end[:half] = self._end[:half:2]

    @property
    def last_end(self) -> int | None:
        return self._end[-1] if self._end else None

    @property
    def first_at(self) -> float | None:
        return self._at[0] if self._at else None

    def around(self, offset: int) -> tuple[float, int, float, int] | None:
        """(before, end before, after, end after) between which `offset` was appended; None if not sampled."""
        after = bisect_right(self._end, offset)
        if after == 0 or after == len(self._end):
            return None
        return self._at[after - 1], self._end[after - 1], self._at[after], self._end[after]


def lag_time(
    now: float,
    lag: int | None,
    committed: int | None,
    ends: EndHistory,
    record: RecordTime | None = None,
    sent: SentTimes | None = None,
) -> LagTime:
    """The first method of the ladder that applies: exact zero, record, span, interpolated, at least."""
    if lag is None or committed is None:
        return LagTime(None, None, None)
    if lag <= 0:
        return LagTime(0.0, "exact", 0.0)
    around = ends.around(committed)
    if record is not None:
        found = _by_record(now, record, ends.around(record.offset))
        if found is not None:
            return found
    if sent is not None:
        middle, half = (sent.earliest + sent.latest) / 2, abs(sent.latest - sent.earliest) / 2
        return LagTime(max(0.0, now - middle), "span", half)
    if around is not None:
        before, end_before, after, end_after = around
        share = (committed + 1 - end_before) / (end_after - end_before)
        appended = before + share * (after - before)
        return LagTime(max(0.0, now - appended), "interpolated", max(appended - before, after - appended))
    if ends.first_at is None:
        return LagTime(None, None, None)
    return LagTime(max(0.0, now - ends.first_at), "at_least", None)


def _by_record(
    now: float, record: RecordTime, around: tuple[float, int, float, int] | None
) -> LagTime | None:
    """By the record's own time; None where that time is the event's and not the append's."""
    seconds = max(0.0, now - record.at)
    if record.log_append:
        return LagTime(seconds, "record", 0.0)
    if around is None:
        return LagTime(seconds, "record_unchecked", None)
    before, _, after, _ = around
    outside = max(before - record.at, record.at - after, 0.0)
    return LagTime(seconds, "record", outside) if outside <= CLOCK_ERROR_SECONDS else None
