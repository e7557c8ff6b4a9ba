"""What is kept ready for questions beside the rows as received: messages, deliveries, hops, causes, flows.

Everything here is a function of the set of spans stored, never of the order in which they came: a batch names
the coordinates, spans and traces it touches, and what is kept about those is worked out again. Set-based SQL
only; the statements are in ``keeping``, one step a file. A step that would find nothing to do is left out:
planning it costs more than a small batch is worth.
"""

from functools import cache
from importlib import resources

import pyarrow as pa
import pyarrow.compute as pc

from headwater_analysis import sql
from headwater_collector.records import SpanBatch

from . import copies
from .writer import Writer


@cache
def _steps() -> dict[str, str]:
    return {item.name: item.text for item in sql.ordered(resources.files(__package__) / "keeping")}


def keep(writer: Writer, batch: SpanBatch) -> None:
    """Adds what a batch means, in the batch's own transaction, after its spans have been stored.

    What most steps ask for is taken out of the batch beforehand, by column and row: asked of the whole batch, each
    step would pay for the attributes.
    """
    spans = batch.spans.append_column("row", _numbers(batch.spans.num_rows))
    roots = spans.select(_OF_ROOTS).filter(pc.is_null(spans["parent_span_id"]))
    with (
        writer.registered(spans, "batch_spans"),
        writer.registered(batch.links, "batch_links"),
        writer.registered(roots, "batch_roots"),
    ):
        copies.remember(writer)
        writer.execute(_steps()["new_words"])
        topicless = writer.execute("select row from new_words where topicless")
        narrow = spans.select(_OF_MESSAGING)
        messaging = narrow.filter(pc.is_valid(narrow["topic"]))
        if topicless:
            messaging = pa.concat_tables([messaging, narrow.take([row for (row,) in topicless])])
        with writer.registered(messaging, "batch_messaging"):
            _Keeping(writer, batch, roots).run()


def _name_records(links: pa.Table) -> bool:
    """Whether any of them has the coordinates of a record."""
    return bool(
        pc.any(pc.and_(pc.is_valid(links["partition"]), pc.is_valid(links["message_offset"]))).as_py()
    )


def _roots_link(roots: pa.Table, links: pa.Table) -> bool:
    """Whether a span without a parent may link to another trace; a span id that two traces share counts as well."""
    of_roots = pc.is_in(links["span_id"], value_set=roots["span_id"].combine_chunks())
    return bool(pc.any(pc.and_(of_roots, pc.not_equal(links["linked_trace_id"], links["trace_id"]))).as_py())


def _numbers(rows: int) -> pa.Array:
    """0, 1, 2, …: which span of the batch a row is."""
    return pc.subtract(pc.cumulative_sum(pa.repeat(pa.scalar(1, pa.int32()), rows)), pa.scalar(1, pa.int32()))


class _Keeping:
    """One batch's steps."""

    def __init__(self, writer: Writer, batch: SpanBatch, roots: pa.Table) -> None:
        self._writer = writer
        self._batch = batch
        self._roots = roots

    def run(self) -> None:
        self._step("new_facts")
        hops = self._messages_and_hops()
        self._causes(hops)
        if self._true("exists (from new_causes) or exists (from old_causes) or exists (from fragments)"):
            self._step("touched_splits")
        else:
            self._step("no_splits")
        self._step("changed_hops" if hops else "no_changed_hops", "whole_parts")
        if self._true("exists (from touched_splits)"):
            self._step("split_members", "replace_splits", "flow_leaps")
            if not self._leapt():
                self._step("broken_cycles")
                self._leapt()
            self._step("resolved_flows", "split_parts")

    def _leapt(self) -> bool:
        """Follows causes up until every fragment's flow is known; whether that is so, or some go round in circles."""
        [(fragments,)] = self._writer.execute("select count(*) from flow_leaps")
        for _ in range(int(fragments).bit_length() + 1):
            if not self._true("exists (from flow_leaps where up_trace_id is not null)"):
                return True
            self._step("leap")
        return not self._true("exists (from flow_leaps where up_trace_id is not null)")

    def _messages_and_hops(self) -> bool:
        """Messages, deliveries and hops of the batch; whether there are any."""
        claims = self._true(
            "exists (from new_facts where parent_span_id is null and (role = 'process' or role = 'send' and "
            "event_id is not null and message_offset is not null)) or exists (from new_words "
            "join new_facts using (row) where parent_span_id is null and coalesce(said[1], moved[1], moved[2]) "
            "is not null)"
        ) or _roots_link(self._roots, self._batch.links)
        ended = bool(pc.any(pc.equal(self._batch.spans["name"], "transaction")).as_py())
        if (
            not claims
            and not ended
            and not self._true(
                "exists (from new_facts where message_offset is not null or role in ('receive', 'process'))"
            )
        ):
            self._step("no_messaging", "no_claims", "no_transactions")
            return False
        self._step("new_messages", "named_deliveries")
        ranges = self._true("exists (from new_words where said[8] is not null) or exists (from range_rows)")
        self._step("linked_deliveries" if ranges or _name_records(self._batch.links) else "no_links")
        if ranges:
            self._step("new_ranges", "ranged_deliveries")
        if ended or self._true("exists (from new_facts where role = 'send' and transactional)"):
            self._step("new_transactions")
        else:
            self._step("no_transactions")
        self._step("touched")
        if claims or self._true("exists (from claim_rows)"):
            self._step("new_claims", "touched_roots")
            self._copies()
            self._step("touched_claims")
        else:
            copies.note(self._writer)
            self._step("no_claims", "no_copies")
        self._step("touched_ends")
        seen = self._true("exists (from old_hops) or exists (from old_others)")
        self._step("seen_before" if seen else "seen_first", "crowded")
        if seen:
            self._step("forget_touched")
        if self._true("exists (from crowded)"):
            self._step("paired", "paired_crowded")
        else:
            self._writer.execute(_steps()["paired"].replace("temp view paired", "temp view all_paired"))
        polls = self._true("exists (from touched_deliveries where role = 'receive')")
        self._step("fetched" if polls else "no_fetched", "new_hops")
        return True

    def _copies(self) -> None:
        """Messages of the same event as those of the batch, where any span without a parent may continue one."""
        self._step("named_events")
        between = copies.ask(self._writer)
        if between is None:
            self._step("no_copies")
            return
        self._step("asked_events")
        for times in between:
            self._between("older_claims", times)
        self._step("claimed_events")
        if self._true("exists (from asked_events)"):
            for times in between:
                self._between("older_messages", times)
        self._step("copies")

    def _between(self, step: str, times: tuple[int, int]) -> None:
        """A step for what arrived between two times, written out: only so are they known before rows are read."""
        since, until = times
        self._writer.execute(_steps()[step].replace("$since", str(since)).replace("$until", str(until)))

    def _causes(self, hops: bool) -> None:
        """Primary causes other than the parent, of the spans touched."""
        if not hops or not self._true(
            "exists (from touched_roots) or exists (from old_hops) or exists (from new_hops where "
            "send_trace_id != trace_id or (send_span_id is not null and send_span_id != parent_span_id))"
        ):
            self._step("no_causes")
            return
        self._step("changed_causes")
        if self._true("exists (from old_causes)"):
            self._step("replace_causes")
        self._writer.execute("insert into cause_rows by name from new_causes")

    def _step(self, *names: str) -> None:
        for name in names:
            self._writer.execute(_steps()[name])

    def _true(self, condition: str) -> bool:
        return bool(self._writer.execute(f"select {condition}")[0][0])


_OF_ROOTS = ["received_at", "trace_id", "span_id", "service", "started_at"]
"""What is asked of spans without a parent, whose causes are looked for."""

_OF_MESSAGING = [
    "row", "received_at", "trace_id", "span_id", "parent_span_id", "service", "started_at", "ended_at", "status",
    "error_type", "cluster", "topic", "partition", "message_offset", "consumer_group", "event_id", "operation", "kind",
]  # fmt: skip
"""What is asked of spans that speak of messages."""
