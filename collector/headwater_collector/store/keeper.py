"""What is kept ready for questions beside the rows as received: messages, deliveries, hops, causes, flows.

Everything here is a function of the set of spans stored, never of the order in which they came: a batch names
the coordinates, spans and traces it touches, and what is kept about those is worked out again. Set-based SQL
only; the statements are in ``keeping``, one step a file.
"""

from functools import cache
from importlib import resources

from headwater_analysis import sql
from headwater_collector.records import SpanBatch

from .writer import Writer


@cache
def _steps() -> dict[str, str]:
    return {item.name: item.text for item in sql.ordered(resources.files(__package__) / "keeping")}


def keep(writer: Writer, batch: SpanBatch) -> None:
    """Adds what a batch means, in the batch's own transaction, after its spans have been stored."""
    with (
        writer.registered(batch.spans, "batch_spans"),
        writer.registered(batch.links, "batch_links"),
    ):
        _Keeping(writer).run()


class _Keeping:
    """One batch's steps; what a step would find nothing to do in is left out."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def run(self) -> None:
        self._step("new_facts", "new_messages", "new_deliveries", "new_ranges")
        if self._any("new_ranges") or self._any("range_rows"):
            self._step("ranged_deliveries")
        self._step("new_claims", "touched", "new_hops", "old_hops")
        self._writer.execute(
            "insert into hop_rows by name "
            "select * exclude (parent_span_id, before_trace_id, before_span_id) from new_hops"
        )
        self._step("changed_causes")
        if self._any("old_causes"):
            self._step("replace_causes")
        self._writer.execute("insert into cause_rows by name from new_causes")
        self._step("touched_splits", "whole_parts", "whole_hop_parts")
        if self._any("touched_splits"):
            self._step("split_members", "replace_splits", "resolved_flows", "split_parts")

    def _step(self, *names: str) -> None:
        for name in names:
            self._writer.execute(_steps()[name])

    def _any(self, table: str) -> bool:
        return bool(self._writer.execute(f"select exists (from {table})")[0][0])
