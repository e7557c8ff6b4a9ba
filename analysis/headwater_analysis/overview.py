"""What a person on call wants to see first."""

from dataclasses import dataclass

from . import dead_letters, flows, ingest, lag, pathways
from .source import Source
from .window import Window

WORST = 5


@dataclass(frozen=True)
class Overview:
    """The worst of everything, and whether the picture itself can be trusted."""

    groups: tuple[lag.GroupRow, ...]
    """The worst by status, then by lag time."""
    groups_total: int
    groups_unhealthy: int
    pathways: tuple[pathways.PathwayRow, ...]
    """The worst by error rate."""
    failure_groups: tuple[dead_letters.FailureGroupRow, ...]
    """The newest."""
    flows: flows.FlowList
    """The newest few of the window."""
    ingest: ingest.IngestRow | None
    clusters: tuple[lag.ClusterRow, ...]


def overview(source: Source, window: Window) -> Overview:
    """One picture of the window: the worst groups, pathways and failure groups, ingest and clusters."""
    all_groups = lag.groups(source)
    worst = sorted(all_groups, key=lambda row: (row.status == "ok", -(row.lag_seconds or 0), -(row.lag or 0)))
    by_errors = sorted(pathways.pathways(source), key=lambda row: (-(row.error_rate or 0), -row.flows))
    return Overview(
        groups=tuple(worst[:WORST]),
        groups_total=len(all_groups),
        groups_unhealthy=sum(row.status != "ok" for row in all_groups),
        pathways=tuple(by_errors[:WORST]),
        failure_groups=dead_letters.failure_groups(source, window, WORST),
        flows=flows.list_flows(source, window, limit=WORST),
        ingest=ingest.ingest(source),
        clusters=lag.clusters(source),
    )
