"""What a group cannot get over: from partition to offset, message, deliveries, span and error, and a verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from . import format as fmt
from .rows import select
from .source import Source

MOST_BLOCKERS = 50
MOST_SPANS = 2000
"""Of one trace; the newest."""
_SAID = (
    '$."server.address"', '$."server.port"', '$."url.full"', '$."http.url"', '$."url.path"',
    '$."http.request.method"', '$."db.system.name"', '$."db.system"', '$."db.namespace"', '$."db.operation.name"',
    '$."net.peer.name"', '$."peer.service"', '$."rpc.service"', '$."rpc.method"',
)  # fmt: skip
_CHILDREN = f"""
select span_id, parent_span_id, service, name, status, error_type, epoch_ns(started_at) as started_ns, duration_ms,
    case when topic is null then json_extract_string(attributes, [{", ".join(f"'{path}'" for path in _SAID)}])
        end as said -- a send is told by its name, which has the topic; its address is any of the brokers
from trace(?) where started_at >= make_timestamp_ns(?) order by started_at desc limit {MOST_SPANS}
"""


@dataclass(frozen=True)
class Chain:
    """A row of `blockers`: the links of the chain that are stored. Times in ns UTC, None is unknown."""

    cluster: str | None
    consumer_group: str
    topic: str
    partition: int
    status: str
    evidence: str | None
    since_ns: int | None
    message_offset: int | None
    assumed: bool
    """Nothing names the message; the committed offset is taken for it."""
    committed: int | None
    lag: int | None
    waiting_behind: int | None
    lag_seconds: float | None
    member: str | None
    sent_ns: int | None
    sent_by: str | None
    size: int | None
    key_hash: str | None
    event_id: str | None
    flow_id: str | None
    deliveries: int
    failures: int
    attempt: int | None
    first_delivery_ns: int | None
    last_delivery_ns: int | None
    last_status: str | None
    error_type: str | None
    service: str | None
    trace_id: str | None
    span_id: str | None
    held_ns: int | None
    held_seconds: float | None
    send_trace_id: str | None


@dataclass(frozen=True)
class Culprit:
    """The deepest failing child of the delivery, else its longest."""

    trace_id: str
    span_id: str
    service: str
    name: str
    what: str
    """What it calls: method, server and path, or the database; else the span's name."""
    error_type: str | None
    p50_ms: float
    """Median duration of its like under all deliveries of the message that are in the trace."""
    failed: bool


@dataclass(frozen=True)
class Blocker:
    """A chain, the span at its end, and what they come to."""

    chain: Chain
    culprit: Culprit | None
    verdict: str
    missing: str | None
    """The first link that is not known, and what would be needed to know it."""


def find(source: Source, now_ns: int, group: str | None = None) -> tuple[Blocker, ...]:
    """What blocks every group, or this one: the longest lag time first."""
    chains = select(
        source,
        Chain,
        "from blockers where ? is null or consumer_group = ? order by status != 'blocked', "
        "lag_seconds desc nulls last, lag desc nulls last, consumer_group, topic, partition limit ?",
        [group, group, MOST_BLOCKERS],
        since_ns="epoch_ns(since)",
        held_ns="epoch_ns(held_since)",
    )
    found = []
    for chain in chains:
        last = _culprit(source, chain)
        missing = missing_link(chain, last)
        found.append(Blocker(chain, last, verdict(chain, last, now_ns), missing))
    return tuple(found)


def _culprit(source: Source, chain: Chain) -> Culprit | None:
    if chain.last_status == "error" and chain.trace_id and chain.span_id:
        params = [chain.trace_id, chain.first_delivery_ns]
        return culprit(chain.trace_id, source.query(_CHILDREN, params).dicts(), chain.span_id)
    if chain.held_ns is not None and chain.send_trace_id:
        # The span of the handling is not there before it ends; those of its calls are.
        params = [chain.send_trace_id, chain.held_ns - 1_000_000_000]
        rows = source.query(_CHILDREN, params).dicts()
        known = {row["span_id"] for row in rows}
        rows = [
            {**row, "parent_span_id": row["parent_span_id"] if row["parent_span_id"] in known else "held"}
            for row in rows
            if row["service"] == chain.service
        ]
        return culprit(chain.send_trace_id, rows, "held")
    return None


def culprit(trace_id: str, rows: Sequence[Mapping[str, Any]], under: str) -> Culprit | None:
    """The deepest failing span below a span, else the longest of its children; None when there is none."""
    children: dict[str | None, list[Mapping[str, Any]]] = {}
    for row in rows:
        children.setdefault(row["parent_span_id"], []).append(row)
    below: list[tuple[int, Mapping[str, Any]]] = []
    level, depth, seen = [under], 0, {under}
    while level:
        depth += 1
        found = [row for one in level for row in children.get(one, ()) if row["span_id"] not in seen]
        seen |= {row["span_id"] for row in found}
        below += ((depth, row) for row in found)
        level = [row["span_id"] for row in found]
    failing = [(depth, row["started_ns"], row) for depth, row in below if row["status"] == "error"]
    if failing:
        row = max(failing, key=lambda each: each[:2])[2]
    elif below:
        row = max((row for depth, row in below if depth == 1), key=lambda each: each["duration_ms"] or 0.0)
    else:
        return None
    alike = [
        each["duration_ms"]
        for each in rows
        if (each["service"], each["name"]) == (row["service"], row["name"])
        and each["duration_ms"] is not None
    ]
    return Culprit(
        trace_id, row["span_id"], row["service"], row["name"], called(row["name"], row["said"] or ()),
        row["error_type"], median(alike) if alike else 0.0, row["status"] == "error",
    )  # fmt: skip


def called(name: str, said: Sequence[str | None]) -> str:
    """What a span calls: ``POST gateway:443/charge``, ``SELECT postgresql shop``; else its name."""
    (
        address,
        port,
        full,
        old,
        path,
        method,
        system,
        old_system,
        database,
        operation,
        peer,
        service,
        rpc,
        call,
    ) = tuple(said) if len(said) == len(_SAID) else (None,) * len(_SAID)
    server = address or peer or service
    if system or old_system:
        words = (operation, system or old_system, database, f"at {server}" if server else None)
        return " ".join(word for word in words if word)
    url = full or old
    place = url.partition("://")[2].partition("?")[0] if url else None
    if place and port and server and place.startswith(server) and not place.startswith(f"{server}:"):
        place = f"{server}:{port}{place.removeprefix(server)}"
    if not place and server:
        where = f"{server}:{port}" if port else server
        place = f"{where}{path or ''}" if method or path or not rpc else f"{where}/{rpc}/{call or ''}"
    return " ".join(word for word in (method, place) if word) if place else name


def verdict(chain: Chain, last: Culprit | None, now_ns: int) -> str:
    """One sentence as far as the chain is known, and how much waits behind."""
    where = f"{chain.topic}/{chain.partition}: {chain.consumer_group}"
    if chain.message_offset is None:
        return f"{where} has not committed anything yet: {chain.evidence}."
    offset = f"offset {chain.message_offset}"
    if chain.status == "frozen":
        held_up = f"{where} is held up at {offset} by an open transaction"
        return f"{held_up}{f' of {chain.sent_by}' if chain.sent_by else ''}{_for(chain, now_ns)}.{_behind(chain)}"
    assumed = " (assumed: the committed offset)" if chain.assumed else ""
    said = f"{where} is on {offset}{assumed}{_for(chain, now_ns)}"
    tried = chain.deliveries + (1 if chain.held_seconds is not None else 0)
    if tried > 1 or chain.failures:
        said += f", attempt {max(tried, chain.attempt or 0)}"
    return f"{said}{_cause(chain, last)}.{_behind(chain)}"


def _cause(chain: Chain, last: Culprit | None) -> str:
    """What the deliveries, the report or the group's members say of it."""
    at = f" in {last.what} (p50 {fmt.duration_ms(last.p50_ms)})" if last else ""
    held = chain.held_seconds is not None
    if chain.failures:
        error = (
            (last.error_type if last and last.failed else None)
            or chain.error_type
            or "an error without a name"
        )
        each = "each fails" if chain.failures == chain.deliveries else f"{chain.failures} failed, the last"
        now = f"; {chain.service} has it now" if held else _unowned(chain)
        return f"; {each} with {error}{at}{now}"
    if held:
        if last is None:
            return f"; {chain.service} has it in flight and no span of its handling has ended yet"
        what = (
            f"fails with {last.error_type}"
            if last.failed and last.error_type
            else "its longest call so far is"
        )
        return f"; {chain.service} has it in flight, {what}{at}"
    if chain.deliveries:
        return f"; its last delivery ended without error{_unowned(chain)}"
    return _unowned(chain) or f"; {chain.member} has the partition and says nothing of this message"


def _unowned(chain: Chain) -> str:
    return "; nobody has the partition" if chain.member is None else ""


def _for(chain: Chain, now_ns: int) -> str:
    begun = [each for each in (chain.first_delivery_ns, chain.held_ns, chain.since_ns) if each is not None]
    return f" for {fmt.duration_ms((now_ns - min(begun)) / 1e6)}" if begun else ""


def _behind(chain: Chain) -> str:
    count = chain.waiting_behind
    if not count:
        return ""
    return f" {fmt.count(count)} message{' waits' if count == 1 else 's wait'} behind it."


def missing_link(chain: Chain, last: Culprit | None) -> str | None:
    """The first link of the chain that is not known, and what would tell."""
    if chain.status == "frozen":
        if chain.sent_by:
            return None
        return "No send span names the transaction's first message: instrument the producers of this topic."
    if chain.deliveries == 0 and chain.held_seconds is None:
        if chain.member is None:
            return "Nobody reads the partition: start a consumer of this group, or look why its members left."
        return (
            "No delivery and no in-flight report names this message: instrument the consumer with "
            "headwater-instrumentation, and export its metrics, to see what it does."
        )
    if chain.deliveries and not chain.failures and chain.held_seconds is None:
        return "What happened after its last delivery is not known: look whether the group commits."
    if last is None and chain.failures:
        return (
            "No child span of the failing delivery is stored: instrument the clients that the handler calls."
        )
    if last is None:
        return "A span is there when it ends: give the handler's calls a time-out, and the call that hangs will show."
    if chain.sent_ns is None:
        return "No send span names the message: instrument its producer to see where it came from."
    return None
