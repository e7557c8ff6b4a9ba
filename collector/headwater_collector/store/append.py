"""One batch of decoded requests into the store: rows, meaning and log position, all or nothing."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import pyarrow as pa
import pyarrow.compute as pc

from headwater_collector.records import LogPosition, Quarantined, SpanBatch

from .keeper import keep
from .writer import Writer

_JSON = pa.json_(pa.utf8())


@dataclass(frozen=True)
class AppendCounts:
    """What a batch added."""

    spans: int
    links: int
    events: int
    quarantined: int


def append_spans(
    writer: Writer, batch: SpanBatch, position: LogPosition, *, summaries: bool = True
) -> AppendCounts:
    """Stores a batch and everything kept ready for questions about it, in the writer's transaction.

    Afterwards the store says that the append log has been taken in up to ``position``. Without ``summaries`` only
    the rows are stored, so that a benchmark can tell the two apart.
    """
    counts = AppendCounts(
        spans=writer.append("span_rows", _json(batch.spans)),
        links=writer.append("link_rows", _json(batch.links)),
        events=writer.append("event_rows", _json(batch.events)),
        quarantined=writer.append("quarantine_rows", _quarantine(batch.quarantined)),
    )
    _append_unseen(writer, "resource_rows", "resource_id", batch.resources)
    _append_unseen(writer, "scope_rows", "scope_id", batch.scopes)
    if batch.requests:
        hashes = pa.table(
            {
                "received_at": pa.array([r.received_at_ns for r in batch.requests], pa.timestamp("ns")),
                "hash": [r.hash for r in batch.requests],
            }
        )
        writer.append("request_hashes", hashes)
    if counts.spans:
        if summaries:
            keep(writer, batch)
        bounds = pc.min_max(batch.spans["started_at"].cast(pa.int64())).as_py()
        for relation in ("spans", "flows"):
            writer.changed(relation, bounds["min"], bounds["max"])
    writer.replace("log_position", [asdict(position)])
    return counts


def _append_unseen(writer: Writer, table: str, key: str, rows: pa.Table) -> None:
    if rows.num_rows == 0:
        return
    names = ", ".join(rows.column_names)
    with writer.registered(_json(rows)) as source:
        writer.execute(
            f"insert into {table} ({names}) select {names} from {source} new "
            f"where not exists (from {table} old where old.{key} = new.{key})"
        )


def _json(table: pa.Table) -> pa.Table:
    """The text of ``attributes`` declared as JSON, so that DuckDB does not parse it once more."""
    at = table.column_names.index("attributes")
    if table.schema.field(at).type != pa.utf8():
        return table
    chunks = [pa.ExtensionArray.from_storage(_JSON, chunk) for chunk in table.column(at).chunks]
    return table.set_column(at, "attributes", pa.chunked_array(chunks, _JSON))


def _quarantine(items: Sequence[Quarantined]) -> pa.Table:
    return pa.table(
        {
            "received_at": pa.array([q.received_at_ns for q in items], pa.timestamp("ns")),
            "door": pa.array([q.door for q in items], pa.utf8()),
            "reason": pa.array([q.reason for q in items], pa.utf8()),
            "detail": pa.array([q.detail for q in items], pa.utf8()),
            "bytes": pa.array([q.raw for q in items], pa.binary()),
        }
    )
