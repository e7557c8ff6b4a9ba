"""Critical paths of what is stored: of one flow, and of the flows of a pathway with a what-if."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from headwater_analysis.errors import HeadwaterError
from headwater_analysis.flows import EdgeRow, FlowDetail, HopRow, NotFound, SpanRow, load_flow
from headwater_analysis.pathways import PathwayRow, pathway
from headwater_analysis.quantiles import quantile
from headwater_analysis.rows import select
from headwater_analysis.source import Source
from headwater_analysis.window import Window

from .aggregate import StepRow, steps
from .causes import Key
from .graph import Graph, build
from .lanes import Delivery, Lanes, lanes
from .recompute import Recomputation, Recomputed
from .segments import Run, Step
from .slack import off_path
from .walk import own_step, path
from .what_if import Factor, parse

SPANS_AT_ONCE = 40_000
"""Spans of several flows in one question; an answer holds at most 100,000 rows."""
SPANS_AT_MOST = 150_000
"""Spans of all flows of one report, the newest flows first: some seconds of counting."""
DELIVERIES_AT_MOST = 90_000
"""Deliveries in the queues of those flows; where there are more, the waits are held as they were."""


UNEXPLAINED = 0.2
"""Share of the waiting behind no known handling from which on an answer says so: fetching alone takes some."""


@dataclass(frozen=True)
class CriticalPath:
    """The runs of a flow: its own first, then one for each replay."""

    flow_id: str
    runs: tuple[Run, ...]
    cut: bool
    """The flow has more spans than were looked at."""


@dataclass(frozen=True)
class Shift:
    """A step that is on the path of more flows than before."""

    step: Step
    frequency_before: float
    frequency_after: float
    share_after: float | None


@dataclass(frozen=True)
class WhatIf:
    """What a supposition would change. Durations in milliseconds."""

    text: str
    method: str
    """recomputed, or lower_bound where some waits had to be held as they were."""
    evidence: str
    """What that rests on, in a sentence."""
    total_p50_before_ms: float | None
    total_p50_after_ms: float | None
    total_p95_before_ms: float | None
    total_p95_after_ms: float | None
    became_critical: tuple[Shift, ...]
    """Those that gained most first."""


@dataclass(frozen=True)
class PathwayPaths:
    """The critical paths of a pathway's flows together. Durations in milliseconds."""

    pathway: PathwayRow
    flows: int
    """Flows looked at: the newest of the window."""
    flows_in_window: int
    total_p50_ms: float | None
    total_p95_ms: float | None
    steps: tuple[StepRow, ...]
    what_if: WhatIf | None


class NothingMeant(HeadwaterError):
    """No flow has a segment that the supposition means."""


@dataclass(frozen=True)
class _FlowSpan(SpanRow):
    flow_id: str
    replays: bool | None


@dataclass(frozen=True)
class _FlowHop(HopRow):
    flow_id: str = ""


def path_of_flow(source: Source, anything: str) -> CriticalPath:
    """The critical path of the flow that ``flows.resolve`` finds; raises NotFound."""
    return path_of(source, load_flow(source, anything))


def path_of(source: Source, detail: FlowDetail) -> CriticalPath:
    """The critical path of a flow that is loaded already."""
    replays: frozenset[Key] = frozenset()
    if any(span.cause_kind == "origin" for span in detail.spans):
        answer = source.query(
            "select trace_id, span_id from spans_of_flows(?) where replays", [[detail.flow.flow_id]]
        )
        replays = frozenset((row[0], row[1]) for row in answer.rows)
    graph = build(detail.spans, detail.edges, detail.hops, replays)
    runs = (a_run(graph, number) for number in range(len(graph.replays) + 1))
    return CriticalPath(detail.flow.flow_id, tuple(run for run in runs if run is not None), bool(detail.cut))


def a_run(graph: Graph, number: int = 0) -> Run | None:
    """The path and what lies beside it; None of a run without spans."""
    counted = graph.counted(number)
    if not counted:
        return None
    segments = path(graph, number)
    first = min(counted, key=lambda node: (graph.starts[node], -graph.ends[node], node))
    start, end = graph.starts[first], max(graph.ends[node] for node in counted)
    span = graph.spans[first]
    return Run(
        "replay" if number else "run", span.trace_id, span.span_id, start, end, (end - start) / 1e6, segments,
        off_path(graph, segments, number),
    )  # fmt: skip


def pathway_paths(
    source: Source, wanted: str, window: Window, what_if: str | None = None, limit: int = 500
) -> PathwayPaths:
    """The paths of the newest flows of a pathway, named by its id or the beginning of it.

    Raises NotFound, WhatIfError (a UsageError) for a supposition that cannot be read, NothingMeant.
    """
    factors = parse(what_if) if what_if is not None else ()
    found = pathway(source, wanted)
    relation, in_window = window.flows()
    chosen = source.query(
        f"select flow_id, spans, count(*) over () from {relation} "
        "where pathway_id = ? order by started_at desc, flow_id limit ?",
        [*in_window, found.pathway_id, limit],
    ).rows
    if not chosen:
        raise NotFound(
            f"The pathway {found.pathway_id} has no flow in this time; --last looks further back, such as --last 7d."
        )
    graphs, hops = _graphs(source, [(row[0], row[1]) for row in chosen])
    runs = [run for run in map(a_run, graphs) if run is not None]
    totals = [run.total_ms for run in runs]
    rows = steps(runs)
    return PathwayPaths(
        found, len(runs), chosen[0][2], quantile(totals, 0.5), quantile(totals, 0.95), rows,
        _supposed(what_if, factors, graphs, _queues(source, hops), totals, rows) if what_if is not None else None,
    )  # fmt: skip


def _graphs(source: Source, chosen: Sequence[tuple[str, int]]) -> tuple[list[Graph], list[_FlowHop]]:
    """The graphs of flows (id, number of spans), as many as fit, and all of their hops."""
    graphs: list[Graph] = []
    all_hops: list[_FlowHop] = []
    for some in _portions(chosen):
        spans = select(source, _FlowSpan, "from spans_of_flows(?)", [some])
        hops = select(source, _FlowHop, "from hops where flow_id in (select unnest(?::varchar[]))", [some])
        links = _links(source, {span.trace_id for span in spans if span.cause_kind == "link"})
        by_flow: dict[str, tuple[list[_FlowSpan], list[_FlowHop]]] = {flow_id: ([], []) for flow_id in some}
        for span in spans:
            by_flow[span.flow_id][0].append(span)
        for hop in hops:
            by_flow[hop.flow_id][1].append(hop)
        all_hops.extend(hops)
        for own, of_own in by_flow.values():
            replays = frozenset((span.trace_id, span.span_id) for span in own if span.replays)
            graphs.append(build(own, links, of_own, replays))
    return graphs, all_hops


def _portions(chosen: Iterable[tuple[str, int]]) -> Iterable[list[str]]:
    portion: list[str] = []
    held = loaded = 0
    for flow_id, spans in chosen:
        if loaded + spans > SPANS_AT_MOST and loaded:
            break
        if portion and held + spans > SPANS_AT_ONCE:
            yield portion
            portion, held = [], 0
        portion.append(flow_id)
        held += spans
        loaded += spans
    yield portion


def _links(source: Source, traces: set[str]) -> list[EdgeRow]:
    if not traces:
        return []
    rows = source.query(
        "select linked_trace_id, linked_span_id, trace_id, span_id from span_links "
        "where trace_id in (select unnest(?::varchar[]))",
        [sorted(traces)],
    ).rows
    return [
        EdgeRow("link", from_trace, from_span, to_trace, to_span, None, None, None, None, False, None)
        for from_trace, from_span, to_trace, to_span in rows
    ]


def _queues(source: Source, hops: Sequence[_FlowHop]) -> Lanes | None:
    """The rows in which these deliveries stood, other flows' included; None where there are too many to look at."""
    if not hops:
        return lanes(())
    rows = source.query(
        "select trace_id, span_id, cluster, topic, partition, consumer_group, "
        "epoch_ns(started_at) - coalesce(round(wait_ms * 1e6)::bigint, 0), epoch_ns(started_at), "
        "greatest(epoch_ns(ended_at), epoch_ns(started_at)) from hops where topic in (select unnest(?::varchar[])) "
        "and started_at >= make_timestamp_ns(?) and started_at <= make_timestamp_ns(?) limit ?",
        [sorted({hop.topic for hop in hops}), min(hop.started_ns for hop in hops),
         max(hop.started_ns for hop in hops), DELIVERIES_AT_MOST + 1],
    ).rows  # fmt: skip
    return lanes(Delivery(*row) for row in rows) if len(rows) <= DELIVERIES_AT_MOST else None


def _supposed(
    text: str,
    factors: Sequence[Factor],
    graphs: Sequence[Graph],
    queues: Lanes | None,
    totals: Sequence[float],
    before: Sequence[StepRow],
) -> WhatIf:
    _check_meant(factors, graphs)
    rows = queues or Lanes({}, frozenset(_waited(graphs)))
    new = Recomputation(graphs, rows).under(factors)
    runs = [run for run in map(a_run, new.graphs) if run is not None]
    after = [run.total_ms for run in runs]
    old = {row.step: row.frequency for row in before}
    gained = [
        Shift(row.step, old.get(row.step, 0.0), row.frequency, row.share)
        for row in steps(runs)
        if row.frequency > old.get(row.step, 0.0)
    ]
    gained.sort(key=lambda one: (one.frequency_before - one.frequency_after, str(one.step)))
    return WhatIf(
        text, "lower_bound" if new.held else "recomputed", _evidence(new, queues is None),
        quantile(totals, 0.5), quantile(after, 0.5), quantile(totals, 0.95), quantile(after, 0.95), tuple(gained),
    )  # fmt: skip


def _waited(graphs: Sequence[Graph]) -> set[tuple[str, str | None]]:
    return {
        (one.topic or "", one.consumer_group)
        for graph in graphs
        for some in graph.arrivals.values()
        for one in some
    }


def _evidence(new: Recomputed, too_many: bool) -> str:
    names = [f"{topic} for {group or 'a consumer'}" for topic, group in sorted(new.held, key=str)]
    if not names:
        sentence = "Every queue was handled one message after another, and is counted anew in that order"
        if new.unexplained is not None and new.unexplained > UNEXPLAINED:
            return f"{sentence}; {new.unexplained * 100:.0f} % of the waiting was behind no known handling, and stays."
        return f"{sentence}."
    reason = (
        f"there are more than {DELIVERIES_AT_MOST:,} deliveries in this time, so"
        if too_many
        else "messages are handled side by side there, so"
    )
    return (
        f"{', '.join(names)}: {reason} these waits are held as they were; the change is at least this large."
    )


def _check_meant(factors: Sequence[Factor], graphs: Sequence[Graph]) -> None:
    known: set[Step] = set()
    for graph in graphs:
        known.update(own_step(graph, node) for node in range(len(graph.spans)))
    for topic, group in _waited(graphs):
        known.update(
            Step(kind, None, None, topic, group) for kind in ("wait", "local_wait", "txn_wait", "backoff")
        )
    for factor in factors:
        if not any(map(factor.matches, known)):
            names = sorted(str(step) for step in known if step.kind == factor.kind)
            hint = (
                f"of this kind there are: {'; '.join(names[:8])}" if names else "there is none of this kind"
            )
            raise NothingMeant(f"No flow has such a {factor.kind}; {hint}.")
