"""The critical paths of many flows together: what is on them, how often, and for how long."""

from collections.abc import Sequence
from dataclasses import dataclass

from headwater_analysis.quantiles import quantile

from .segments import Run, Step


@dataclass(frozen=True)
class StepRow:
    """One step over the flows of a pathway. Durations in milliseconds."""

    step: Step
    on_path: int
    """Flows on whose path it is."""
    frequency: float
    """Of all flows, the share on whose path it is."""
    share: float | None
    """Of the sum of all totals, what it contributes; None where that sum is 0."""
    p50_ms: float | None
    """Of what it contributes to a flow on whose path it is; None where it is on none."""
    p95_ms: float | None
    off_path: int
    """Flows that have it beside their path."""
    slack_p50_ms: float | None
    """How much later it could have come in those without the flow taking longer; None where there are none."""


def steps(runs: Sequence[Run]) -> tuple[StepRow, ...]:
    """The steps of the runs, one run a flow: what contributes most first, then what has the least slack."""
    on_path: dict[Step, list[float]] = {}
    beside: dict[Step, list[float]] = {}
    for run in runs:
        lengths: dict[Step, float] = {}
        for segment in run.segments:
            if segment.to_ns > segment.from_ns:
                lengths[segment.step] = lengths.get(segment.step, 0.0) + segment.duration_ms
        for step, length in lengths.items():
            on_path.setdefault(step, []).append(length)
        for slack in run.off_path:
            if slack.step not in lengths:
                beside.setdefault(slack.step, []).append(slack.slack_ms)
    whole = sum(run.total_ms for run in runs)
    rows = []
    for step in {**on_path, **beside}:
        some = on_path.get(step, [])
        off = beside.get(step, [])
        rows.append(
            StepRow(
                step,
                len(some),
                len(some) / len(runs),
                sum(some) / whole if whole else None,
                quantile(some, 0.5),
                quantile(some, 0.95),
                len(off),
                quantile(off, 0.5),
            )
        )
    return tuple(
        sorted(
            rows, key=lambda row: (-(row.share or 0.0), -row.on_path, row.slack_p50_ms or 0.0, str(row.step))
        )
    )
