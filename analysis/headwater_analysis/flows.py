"""Which flows there were, and one flow with all of its parts."""

from dataclasses import dataclass

from . import flow_bounds
from .errors import HeadwaterError
from .filter import compile_filter
from .rows import select
from .source import Source
from .window import Window

SENDS = ("send", "publish", "create")
"""Operations of a span that sends."""
HOUR_NS = 3_600_000_000_000
SORTS = ("started", "total", "wait", "work", "spans", "errors", "dead_letters")
"""What a list of flows can be sorted by; the largest or newest stands first."""

_SORT_COLUMNS = {"started": "started_at", "total": "total_ms", "wait": "wait_ms", "work": "work_ms"}


class NotFound(HeadwaterError):
    """Nothing stored goes by that name."""


@dataclass(frozen=True)
class FlowRow:
    """One flow: one run end to end, over one or more traces. Durations in milliseconds, times in ns UTC."""

    flow_id: str
    pathway_id: str | None
    entry_service: str | None
    entry_name: str | None
    started_ns: int
    ended_ns: int
    total_ms: float
    """First start to last end, whatever the root span says."""
    wait_ms: float | None
    """Sum over the hops; branches that ran side by side count each. None where no hop is known."""
    work_ms: float | None
    backoff_ms: float | None
    spans: int
    messages: int
    services: tuple[str, ...]
    topics: tuple[str, ...]
    errors: int
    dead_letters: int
    status: str
    """ok, error or open."""
    complete: bool | None
    orphan: bool | None
    traces: int
    replays: int = 0
    """Runs of their own, which count in nothing above."""
    doubtful: int = 0
    """Hops and spans whose times contradict each other; with any, totals and waits are in doubt."""


@dataclass(frozen=True)
class SpanRow:
    """A span of a flow, with the cause that made it part of the flow."""

    trace_id: str
    span_id: str
    parent_span_id: str | None
    service: str
    name: str
    kind: str
    started_ns: int
    ended_ns: int
    duration_ms: float
    status: str
    status_message: str | None
    error_type: str | None
    cluster: str | None
    topic: str | None
    partition: int | None
    message_offset: int | None
    consumer_group: str | None
    operation: str | None
    event_id: str | None
    cause_kind: str | None
    """message, parent, origin, attempt, cause, event or link; None for the root."""
    cause_trace_id: str | None
    cause_span_id: str | None
    shared: bool
    """Belongs to other flows too, and does not count in this one's totals."""


@dataclass(frozen=True)
class EdgeRow:
    """From cause to effect between two spans of a flow."""

    kind: str
    from_trace_id: str
    from_span_id: str
    to_trace_id: str
    to_span_id: str
    topic: str | None
    partition: int | None
    message_offset: int | None
    consumer_group: str | None
    primary_cause: bool
    wait_ms: float | None


@dataclass(frozen=True)
class HopRow:
    """One message's way through one delivery: send, wait, work."""

    cluster: str | None
    topic: str
    partition: int
    message_offset: int
    consumer_group: str | None
    attempt: int
    producer_service: str | None
    consumer_service: str | None
    send_trace_id: str | None
    send_span_id: str | None
    trace_id: str
    span_id: str
    sent_ns: int | None
    available_ns: int | None
    started_ns: int
    ended_ns: int
    send_ms: float | None
    wait_ms: float | None
    local_wait_ms: float | None
    work_ms: float | None
    backoff_ms: float | None
    total_ms: float | None
    wait_method: str | None
    wait_bound_ms: float | None
    skewed: bool | None
    status: str
    error_type: str | None
    txn_wait_ms: float | None = None
    """Acknowledgement to the end of its transaction; None where there was nothing to wait for or it is not known."""


@dataclass(frozen=True)
class FlowList:
    """A page of flows, how many the filter lets through, and how new the store's newest flow is."""

    rows: tuple[FlowRow, ...]
    total: int
    """Flows in the window that the filter lets through."""
    unfiltered: int
    """Flows in the window."""
    newest_ns: int | None
    """Start of the newest flow stored, in the window or not; None when there never was one."""


@dataclass(frozen=True)
class FlowDetail:
    """Everything a picture of one flow needs."""

    flow: FlowRow
    spans: tuple[SpanRow, ...]
    """Ordered by start, within the bounds of a flow."""
    edges: tuple[EdgeRow, ...]
    hops: tuple[HopRow, ...]
    cut: tuple[str, ...]
    """The bounds that cut it: spans, hops, days; what each says is in flow_bounds."""


def list_flows(
    source: Source,
    window: Window,
    q: str = "",
    sort: str = "started",
    ascending: bool = False,
    limit: int = 200,
) -> FlowList:
    """The flows that started in the window and pass the filter line, newest first unless sorted otherwise.

    Raises FilterError (a UsageError) when the filter cannot be read.
    """
    relation, in_window = window.flows()
    condition = compile_filter(q)
    where = f"from {relation} where {condition.sql}"
    params = [*in_window, *condition.params]
    column = _SORT_COLUMNS.get(sort, sort if sort in SORTS else "started_at")
    order = f"order by {column} {'asc' if ascending else 'desc'} nulls last, flow_id"
    if in_window and condition.sql == "true" and column == "started_at" and not ascending:
        newest_flows = f"from newest_flows(make_timestamp_ns(?), make_timestamp_ns(?), ?) {order}"
        rows = select(source, FlowRow, newest_flows, [*in_window, limit])
    else:
        # Which they are before what they are: columns that neither filter nor order asks for are costly.
        ids = source.query(f"select flow_id {where} {order} limit ?", [*params, limit]).rows
        rows = select(source, FlowRow, f"from flows_named(?) {order}", [[flow_id for (flow_id,) in ids]])
    counted = f"select count(*), epoch_ns(max(started_at)) from {relation}"
    unfiltered, newest = source.query(counted, in_window).rows[0]
    if condition.sql == "true":
        total = unfiltered
    elif len(rows) < limit:
        total = len(rows)
    else:
        total = source.query(f"select count(*) {where}", params).rows[0][0]
    if newest is None or window.to_ns is not None:
        newest = _newest(source)
    return FlowList(rows, total, unfiltered, newest)


def _newest(source: Source) -> int | None:
    """Start of the newest flow: looked for in the last hour in which spans began, and only then among all."""
    [(last,)] = source.query("select epoch_ns(max(started_at)) from spans").rows
    if last is None:
        return None
    asked = "select epoch_ns(max(started_at)) from newest_flows(make_timestamp_ns(?), null, 1)"
    newest: int | None = source.query(asked, [last - HOUR_NS]).rows[0][0]
    if newest is None:
        newest = source.query("select epoch_ns(max(last_seen)) from pathways").rows[0][0]
    return newest


def resolve(source: Source, anything: str) -> str:
    """The flow that holds this flow id, trace id, span id, event id or message.

    Raises NotFound with what may be asked for.
    """
    rows = source.query("select flow_id from flow_of(?) limit 1", [anything.strip()]).rows
    if not rows:
        raise NotFound(
            f"No flow holds {anything!r}; give a flow, trace, span or event id, "
            "or a message as topic@partition:offset."
        )
    flow_id: str = rows[0][0]
    return flow_id


def load_flow(source: Source, anything: str) -> FlowDetail:
    """One flow with its spans, edges and hops, found by any of the names that ``resolve`` takes."""
    flow_id = resolve(source, anything)
    flows = select(source, FlowRow, "from flows_named([?])", [flow_id])
    if not flows:
        raise NotFound(f"The flow {flow_id} is no longer stored.")
    spans = select(
        source,
        SpanRow,
        "from flow_spans(?) order by started_at, span_id limit ?",
        [flow_id, flow_bounds.SPANS + 1],
    )
    edges = select(source, EdgeRow, "from flow_edges(?) limit ?", [flow_id, flow_bounds.SPANS * 2])
    hops = select(
        source,
        HopRow,
        "from flow_hops(?) order by started_at, span_id limit ?",
        [flow_id, flow_bounds.SPANS],
    )
    kept, cut = flow_bounds.within(spans)
    return FlowDetail(flows[0], kept, edges, hops, cut)
