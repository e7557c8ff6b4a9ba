"""The recurring shapes of flows, with their aggregates."""

from dataclasses import dataclass

from .flows import NotFound
from .rows import select
from .source import Source


@dataclass(frozen=True)
class PathwayRow:
    """A pathway: all flows with one entry. Durations in milliseconds; quantiles over the flows stored."""

    pathway_id: str
    entry_service: str | None
    entry_name: str | None
    path: str
    flows: int
    errors: int
    error_rate: float | None
    dead_letters: int
    total_p50_ms: float | None
    total_p95_ms: float | None
    wait_p50_ms: float | None
    wait_p95_ms: float | None
    work_p50_ms: float | None
    work_p95_ms: float | None
    first_seen_ns: int
    last_seen_ns: int


def pathways(source: Source, limit: int = 200) -> tuple[PathwayRow, ...]:
    """Pathways, those with the most flows first."""
    return select(
        source, PathwayRow, "from pathways order by flows desc, pathway_id limit ?", [limit],
        first_seen_ns="epoch_ns(first_seen)", last_seen_ns="epoch_ns(last_seen)",
    )  # fmt: skip


def pathway(source: Source, wanted: str) -> PathwayRow:
    """The pathway of this id, or the only one whose id begins so; raises NotFound."""
    beginning = wanted.strip().lower()
    found = select(
        source, PathwayRow, "from pathways where starts_with(pathway_id, ?) order by pathway_id limit 2", [beginning],
        first_seen_ns="epoch_ns(first_seen)", last_seen_ns="epoch_ns(last_seen)",
    ) if beginning else ()  # fmt: skip
    if len(found) != 1:
        why = "Several pathways have ids that begin with" if found else "No pathway has the id"
        raise NotFound(f"{why} {wanted!r}; `headwater pathways` lists them.")
    return found[0]
