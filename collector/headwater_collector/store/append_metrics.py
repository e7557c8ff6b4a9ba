"""Metrics of messaging into the store, in the transaction that moves the log position over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from .writer import Writer

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PUBLIC = {"metric_rows": "messaging_metrics", "flow_count_rows": "flow_counts"}
_SAMPLES = ("commit_samples", "offset_samples")


def append_metrics(writer: Writer, tables: Mapping[str, Sequence[dict[str, Any]]]) -> None:
    """Adds rows by table; what handlers hold replaces what their process reported before."""
    for table in _PUBLIC:
        if rows := tables.get(table):
            writer.append(table, rows)
            _told(writer, _PUBLIC[table], rows)
    # A cluster that is polled tells more and in the right order; what a receiver says of it besides is left out.
    known = writer.execute("select name, cluster from cluster_rows") if tables else []
    polled = {each for row in known for each in row if each is not None}
    for table in _SAMPLES:
        rows = [row for row in tables.get(table, ()) if row["cluster"] not in polled]
        if rows:
            writer.append(table, rows)
            _told(writer, table, rows)
    if reporters := tables.get("reporter_rows"):
        _replace_held(writer, reporters, tables.get("held_rows", ()))


def _replace_held(
    writer: Writer, reporters: Sequence[dict[str, Any]], held: Sequence[dict[str, Any]]
) -> None:
    newest: dict[tuple[str, str], list[Any]] = {}
    for row in reporters:
        newest.setdefault((row["service"], row["instance"]), []).append(row["sampled_at"])
    for (service, instance), times in newest.items():
        who = {"service": service, "instance": instance}
        known = writer.execute(
            "select epoch_us(sampled_at) from reporter_rows where service = ? and instance = ?",
            [service, instance],
        )
        stored = [_EPOCH + timedelta(microseconds=at) for (at,) in known]
        times = sorted({*times, *stored})
        if times[-1] in stored:
            continue  # a report that was overtaken
        before = times[-2] if len(times) > 1 else None
        writer.replace("reporter_rows", [{"sampled_at": times[-1], "before_at": before, **who}], **who)
        rows = [
            row
            for row in held
            if (row["service"], row["instance"]) == (service, instance) and row["sampled_at"] == times[-1]
        ]
        writer.replace("held_rows", rows, **who)
        _told(writer, "in_flight", [{"sampled_at": times[-1]}])


def _told(writer: Writer, relation: str, rows: Sequence[Mapping[str, Any]]) -> None:
    times = [round(row["sampled_at"].timestamp() * 1e9) for row in rows]
    writer.changed(relation, min(times), max(times))
