"""Builders for tests about polls: a group's way through a partition, one poll every five seconds."""

from collections.abc import Sequence
from typing import Any

from headwater_analysis.health_window import Sample, Window

NOW = 1_795_000_000.0
POLL = 5.0


def polls(
    committed: Sequence[int | None],
    end: Sequence[int | None] | int,
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


def window(samples: Sequence[Sample], **more: Any) -> Window:
    """A window over samples, its changes found in them unless given."""
    if "changes" not in more:
        pairs = zip(samples, samples[1:], strict=False)
        more["changes"] = [after.at for before, after in pairs if before.committed != after.committed]
    return Window(samples, **{"poll_seconds": POLL, **more})


def steady(count: int, per_poll: int, start: int = 0) -> list[int]:
    """Offsets that grow by the same number each poll."""
    return [start + per_poll * i for i in range(count)]
