"""Builders for tests about polls: a group's way through a partition, one poll every five seconds."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from headwater_analysis.health_columns import Columns
from headwater_analysis.health_facts import Facts
from headwater_analysis.health_history import NONE, History, Seen
from headwater_analysis.health_judging import Said, facts_of
from plain_health import Sample

NOW = 1_795_000_000.0
POLL = 5.0


def polls(
    committed: Sequence[int | None],
    end: Sequence[int] | int,
    *,
    stable: Sequence[int | None] | None = None,
    log_start: int = 0,
    every: float = POLL,
    **same: Any,
) -> list[Sample]:
    """One sample a committed offset, the last one now; `same` holds fields that do not change."""
    ends = [end] * len(committed) if isinstance(end, int) else list(end)
    stables = ends if stable is None else list(stable)
    fields: dict[str, Any] = {"owner": "worker-1", "state": "stable", **same}
    first = NOW - every * (len(committed) - 1)
    return [
        Sample(first + i * every, log_start, committed[i], ends[i], stables[i], **fields)
        for i in range(len(committed))
    ]


def seen(samples: Mapping[int, Sample]) -> Seen:
    """One poll, by line."""

    def offsets(name: str) -> Any:
        given = [getattr(sample, name) for sample in samples.values()]
        return np.array([NONE if each is None else each for each in given], np.int64)

    def flags(name: str) -> Any:
        return np.array([getattr(sample, name) for sample in samples.values()], bool)

    return Seen(
        np.array(list(samples), np.intp),
        committed=offsets("committed"),
        end=offsets("end"),
        log_start=offsets("log_start"),
        stable=offsets("stable"),
        owned=np.array([sample.owner is not None for sample in samples.values()], bool),
        memberless=flags("memberless"),
        in_change=flags("in_change"),
        members=offsets("members"),
        after_gap=any(sample.after_gap for sample in samples.values()),
    )


def window(
    samples: Sequence[Sample],
    *,
    unreadable: str | None = None,
    lag_seconds: float | None = None,
    empty_tail: bool = False,
    nothing_readable: bool = False,
    others_moving: tuple[int, int] | None = None,
) -> Facts:
    """What the collector makes of the samples of one line."""
    *_, found = windows(
        samples,
        lag_seconds=np.array([lag_seconds], np.float64),
        unreadable={} if unreadable is None else {0: unreadable},
        empty_tail=empty_tail,
        nothing_readable=np.array([nothing_readable]),
        others_moving=None
        if others_moving is None
        else (np.array(others_moving[:1]), np.array(others_moving[1:])),
    )
    return found


def windows(samples: Sequence[Sample], *, empty_tail: bool = False, **said: Any) -> Iterator[Facts]:
    """The same after each of the samples."""
    history = History()
    history.widen(1)
    for now in samples:
        history.add(now.at, seen({0: now}))
        columns = Columns(history, POLL, np.array([empty_tail]))
        owner = {} if now.owner is None else {0: now.owner}
        given = {"lag_seconds": np.array([np.nan]), "owner": owner, "state": [now.state], **said}
        yield from facts_of(columns, Said(**given), np.arange(1))


def steady(count: int, per_poll: int, start: int = 0) -> list[int]:
    """Offsets that grow by the same number each poll."""
    return [start + per_poll * i for i in range(count)]
