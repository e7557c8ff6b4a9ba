"""Several decoded chunks as one batch, so that what is committed at once fills the store's row groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from .errors import Malformed
from .log_segment import LogRecord
from .receivers.otlp_decode import Kind
from .receivers.otlp_metrics import METRICS, MetricRows, read_metrics
from .records import LogPosition, Quarantined, RequestSeen, SpanBatch


@dataclass(frozen=True)
class Decoded:
    """What some records hold."""

    spans: SpanBatch
    metrics: MetricRows
    repairs: Counter[str]
    """What was stored although it was odd, by a word."""


@dataclass
class Gathered:
    """What has been read and decoded and not yet been stored."""

    position: LogPosition
    """In the log, after the last record read."""
    records: list[LogRecord] = field(default_factory=list)
    """Those that are no repetitions, one for each of `seen`."""
    seen: list[RequestSeen] = field(default_factory=list)
    repeated: int = 0
    chunks: list[Decoded] = field(default_factory=list)
    log_bytes: int = 0
    rows: int = 0

    def decoded(self) -> Decoded:
        """All of it."""
        metrics, repairs = MetricRows(), Counter[str]()
        for chunk in self.chunks:
            metrics.add(chunk.metrics)
            repairs += chunk.repairs
        return Decoded(joined([chunk.spans for chunk in self.chunks]), metrics, repairs)


def read_metric_records(records: Sequence[LogRecord]) -> tuple[MetricRows, list[Quarantined]]:
    """The rows of the requests that bring metrics, and those that cannot be read."""
    found, bad = MetricRows(), []
    for record in records:
        kind = Kind(record.kind & ~METRICS)
        try:
            found.add(read_metrics(record.body, kind is Kind.HTTP_JSON, record.received_at_ns))
        except Malformed as error:
            raw = record.body[: 64 * 1024]
            bad.append(Quarantined(record.received_at_ns, kind.door, "malformed", str(error), raw))
    return found, bad


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
