"""What became of each message in each group that reads its topic, and what is known of what is usual."""

from dataclasses import dataclass
from typing import Any

from .coordinates import Coordinates
from .rows import of, select
from .source import Source
from .window import Window

STATES = (
    "skipped", "expired", "failed", "dead_lettered", "duplicate", "processing", "waiting", "unsettled", "retried",
    "replayed", "aborted", "done", "passed",
)  # fmt: skip
"""Every state, what needs a look first: lost, given up, done twice, under way, through."""
UNKNOWN = "unknown"
"""How a state that nothing tells (NULL, None) is asked for and written."""
FEW = 3
"""Rows listed of each topic, group and state, where no state is asked for."""
WORTH_A_LOOK = ("skipped", "expired", "failed", "dead_lettered", "duplicate")
"""States that are listed by themselves; beside them what is stuck or led nowhere."""


@dataclass(frozen=True)
class Count:
    """Messages of one topic in one group and state."""

    topic: str
    consumer_group: str
    state: str | None
    """None where nothing can be concluded."""
    messages: int
    stuck: int
    """Of those, waiting or processing longer than usual."""
    no_successor: int
    """Of those, handled without leading to what handling nearly always leads to."""


@dataclass(frozen=True)
class LedgerRow:
    """A message in a group. Times in ns UTC; None is unknown."""

    cluster: str | None
    topic: str
    incarnation: int
    partition: int
    message_offset: int
    consumer_group: str
    state: str | None
    since_ns: int | None
    confidence: float | None
    """1 where something seen proves the state; else the share of neighbouring offsets that were handled."""
    stuck: bool | None
    """None where no limit is learned."""
    no_successor: bool
    evidence: dict[str, Any]
    """``says`` is a sentence; beside it the spans, messages and offsets that prove it."""
    sent_ns: int | None
    trace_id: str | None
    span_id: str | None

    @property
    def coordinates(self) -> Coordinates:
        """Where the message lies."""
        return Coordinates(self.topic, self.partition, self.message_offset, self.cluster)


@dataclass(frozen=True)
class Ledger:
    """A stretch of time: what became of how many, and the rows to look at."""

    from_ns: int | None
    counts: tuple[Count, ...]
    rows: tuple[LedgerRow, ...]
    """The worst first, at most so many of each topic, group and state."""
    total: int
    """Messages that ``rows`` are chosen from."""


@dataclass(frozen=True)
class Known:
    """What there is to ask about, for who finds nothing."""

    newest_ns: int | None
    """When the newest message of all was sent; None where none is known."""
    topics: tuple[str, ...]
    groups: tuple[str, ...]


def counts(
    source: Source, window: Window, topic: str | None = None, group: str | None = None
) -> tuple[Count, ...]:
    """Messages sent in the window by topic, group and state; topic and group bound the cost, not only the rows."""
    return select(
        source,
        Count,
        "from ledger_since(?, ?, make_timestamp_ns(?)) group by topic, consumer_group, state "
        "order by topic, consumer_group, messages desc, state",
        [topic, group, window.from_ns or 0],
        messages="count(*)",
        stuck="count(*) filter (stuck)",
        no_successor="count(*) filter (no_successor)",
    )


def look(
    source: Source,
    window: Window,
    topic: str | None = None,
    group: str | None = None,
    state: str | None = None,
    stuck: bool = False,
    limit: int = 20,
) -> Ledger:
    """Counts of the window, and rows: those of a state, or stuck, or (neither given) a few of all worth a look.

    Worst is the order of STATES; within one state what has been so the longest stands first. Where nothing is to be
    listed, rows are not asked for.
    """
    counted = counts(source, window, topic, group)
    total = sum(listed(one, state, stuck) for one in counted)
    found: tuple[LedgerRow, ...] = ()
    if total:
        each = limit if state or stuck else FEW
        found = _listed_rows(source, window, topic, group, state, stuck, each, limit)
    return Ledger(window.from_ns, counted, found, total)


def listed(one: Count, state: str | None = None, stuck: bool = False) -> int:
    """How many of a count's messages are listed by themselves."""
    if state is not None and one.state != (None if state == UNKNOWN else state):
        return 0
    if stuck:
        return one.stuck
    if state is not None or one.state in WORTH_A_LOOK:
        return one.messages
    return one.stuck + one.no_successor


def _listed_rows(
    source: Source,
    window: Window,
    topic: str | None,
    group: str | None,
    state: str | None,
    stuck: bool,
    each: int,
    limit: int,
) -> tuple[LedgerRow, ...]:
    params: list[object] = [topic, group, window.from_ns or 0]
    terms = ["stuck"] if stuck else []
    if state is not None:
        terms.append("state is not distinct from ?")
        params.append(None if state == UNKNOWN else state)
    elif not stuck:
        terms.append("(list_contains(?, state) or stuck or no_successor)")
        params.append(list(WORTH_A_LOOK))
    # What is stuck stands before what failed: it may still be helped.
    rank = "coalesce(list_position(?, state), 99) - case when stuck then 3.5 else 0 end"
    return _rows(
        source,
        f"from ledger_since(?, ?, make_timestamp_ns(?)) where {' and '.join(terms)} "
        "qualify row_number() over (partition by topic, consumer_group, state, stuck, no_successor "
        "order by since, partition, message_offset) <= ? "
        f"order by {rank}, topic, consumer_group, since, partition, message_offset limit ?",
        [*params, each, list(STATES), limit],
    )


def message(source: Source, where: Coordinates) -> tuple[LedgerRow, ...]:
    """One message in every group that reads its topic; empty where it or such a group is not known."""
    sent = source.query(
        "select epoch_ns(coalesce(sent_at, started_at)) from hops "
        "where topic = ? and partition = ? and message_offset = ? union all "
        "select epoch_ns(sent_at) from messages where topic = ? and partition = ? and message_offset = ?",
        [where.topic, where.partition, where.offset] * 2,
    ).rows
    known = [row[0] for row in sent if row[0] is not None]
    if not known:
        return ()
    return _rows(
        source,
        "from ledger_between(?, null, make_timestamp_ns(?), make_timestamp_ns(?)) "
        "where partition = ? and message_offset = ? "
        "and (? is null or cluster = ?) order by cluster, incarnation, consumer_group",
        [
            where.topic,
            min(known),
            max(known) + 1,
            where.partition,
            where.offset,
            where.cluster,
            where.cluster,
        ],
    )


def known(source: Source) -> Known:
    """What there is to ask about."""
    newest = source.query("select epoch_ns(max(sent_at)) from messages").rows[0][0]
    topics = source.query("select distinct topic from messages order by topic limit 50").rows
    groups = source.query(
        "select distinct consumer_group from (select consumer_group from lag union all select consumer_group "
        "from deliveries) where consumer_group is not null order by 1 limit 50"
    ).rows
    return Known(newest, tuple(row[0] for row in topics), tuple(row[0] for row in groups))


def _rows(source: Source, rest: str, params: list[object]) -> tuple[LedgerRow, ...]:
    names = (
        "cluster, topic, incarnation, partition, message_offset, consumer_group, state, epoch_ns(since) as since_ns, "
        "confidence, stuck, no_successor, evidence, epoch_ns(sent_at) as sent_ns, trace_id, span_id"
    )
    return of(source.query(f"select {names} {rest}", params), LedgerRow)
