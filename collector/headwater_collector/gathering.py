"""Several decoded chunks as one batch, so that what is committed at once fills the store's row groups."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pyarrow as pa

from .log_segment import LogRecord
from .records import LogPosition, RequestSeen, SpanBatch


@dataclass
class Gathered:
    """What has been read and decoded and not yet been stored."""

    position: LogPosition
    """In the log, after the last record read."""
    records: list[LogRecord] = field(default_factory=list)
    """Those that are no repetitions, one for each of `seen`."""
    seen: list[RequestSeen] = field(default_factory=list)
    repeated: int = 0
    batches: list[SpanBatch] = field(default_factory=list)
    repairs: Counter[str] = field(default_factory=Counter)
    log_bytes: int = 0
    rows: int = 0

    def batch(self) -> SpanBatch:
        """All of it."""
        return joined(self.batches)


def joined(batches: list[SpanBatch]) -> SpanBatch:
    """One batch of several; resources and scopes stay distinct."""
    if len(batches) == 1:
        return batches[0]
    return SpanBatch(
        spans=pa.concat_tables([batch.spans for batch in batches]),
        links=pa.concat_tables([batch.links for batch in batches]),
        events=pa.concat_tables([batch.events for batch in batches]),
        resources=_distinct(pa.concat_tables([batch.resources for batch in batches]), "resource_id"),
        scopes=_distinct(pa.concat_tables([batch.scopes for batch in batches]), "scope_id"),
        quarantined=[item for batch in batches for item in batch.quarantined],
        requests=[request for batch in batches for request in batch.requests],
    )


def _distinct(table: pa.Table, key: str) -> pa.Table:
    """The first row of each key."""
    first: dict[int, int] = {}
    for row, value in enumerate(table[key].to_pylist()):
        first.setdefault(value, row)
    return table if len(first) == table.num_rows else table.take(list(first.values()))
