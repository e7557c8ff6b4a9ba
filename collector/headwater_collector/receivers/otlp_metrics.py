"""Metrics that speak of messages, out of OTLP: our own counters and in-flight reports, the conventions' counters
and durations, and what the OpenTelemetry collector's kafka receiver says. Everything else is counted and let go.

Pure: the same request gives the same rows. Metrics come every few seconds, so plain protobuf objects will do.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from google.protobuf import json_format  # type: ignore[import-untyped]
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from headwater_collector.errors import Malformed

from .attributes import Attributes, plain_value, promoted

Row = dict[str, object]
METRICS = 16
"""Added to the kind of a request in the log that brings metrics."""
MARKS = (b"headwater.", b"messaging.", b"kafka.")
"""Beginnings of the names that are kept: a request without any of these bytes need not be logged."""
MOST_POINTS = 100_000
"""Of one request: our own reports have some thousands."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COUNTS = {
    "headwater.flow.messages": "messages",
    "headwater.flow.errors": "errors",
    "headwater.flow.offset": "highest_offset",
}
_LATENCY = "headwater.flow.latency"
_HELD = {"headwater.inflight.offset": "message_offset", "headwater.inflight.since": "since"}
_COMMITS = {"kafka.consumer_group.offset": "committed", "kafka.consumer_group.lag": "lag"}
_OFFSETS = {"kafka.partition.current_offset": "end_offset", "kafka.partition.oldest_offset": "log_start"}


@dataclass
class MetricRows:
    """Rows by table, and how many metrics were kept and not."""

    tables: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    """metric_rows, flow_count_rows, reporter_rows, held_rows, commit_samples, offset_samples."""
    kept: int = 0
    not_kept: int = 0

    def add(self, other: MetricRows) -> None:
        """Take in another request's."""
        for table, rows in other.tables.items():
            self.tables[table] += rows
        self.kept += other.kept
        self.not_kept += other.not_kept


@dataclass(frozen=True)
class _Reporter:
    """Who sent a metric."""

    received: datetime
    service: str
    instance: str
    cluster_name: str | None
    """What the kafka receiver's resource says of its cluster: its id, else its alias."""


def speaks_of_messages(body: bytes) -> bool:
    """Whether a request may hold anything that is kept; never False for one that does."""
    return any(mark in body for mark in MARKS)


def read_metrics(body: bytes, is_json: bool, received_ns: int) -> MetricRows:
    """The rows of one request; raises Malformed."""
    try:
        request = _from_json(body) if is_json else ExportMetricsServiceRequest.FromString(body)
    except (DecodeError, json_format.ParseError, orjson.JSONDecodeError, ValueError, TypeError) as error:
        raise Malformed(f"Metrics could not be read: {error}") from error
    found = MetricRows()
    for of_resource in request.resource_metrics:
        resource = _attributes(of_resource.resource.attributes)
        reporter = _Reporter(
            _time(received_ns),
            str(resource.get("service.name") or "unknown_service"),
            str(resource.get("service.instance.id") or ""),
            _text(resource.get("kafka.cluster.id") or resource.get("kafka.cluster.alias")),
        )
        metrics = [metric for of_scope in of_resource.scope_metrics for metric in of_scope.metrics]
        _read_resource(found, reporter, metrics)
    return found


def _read_resource(found: MetricRows, reporter: _Reporter, metrics: list[Any]) -> None:
    flows: dict[tuple[object, ...], Row] = {}
    held: dict[tuple[object, ...], Row] = {}
    samples: dict[tuple[object, ...], Row] = {}
    left = MOST_POINTS
    ours = None
    for metric in metrics:
        points = _points(metric)
        left -= len(points)
        if not metric.name.startswith(("headwater.", "messaging.", "kafka.")) or left < 0:
            found.not_kept += 1
            continue
        found.kept += 1
        if metric.name.startswith("headwater."):
            ours = max((_time(point.time_unix_nano) for point in points), default=reporter.received)
        for point in points:
            said = _attributes(point.attributes)
            if metric.name in _COUNTS:
                row = _keyed(flows, _flow_row(reporter, point, said))
                name, before = _COUNTS[metric.name], row.get("errors")
                # One point for each class of error.
                more = before if name == "errors" and isinstance(before, int) else 0
                row[name] = _number(point) + more
            elif metric.name == _LATENCY:
                row = _keyed(flows, _flow_row(reporter, point, said))
                bucket = {"measured": _text(said.get("headwater.measured")), "messages": _number(point)}
                bucket["bucket"] = said.get("headwater.bucket")
                latencies = row.setdefault("latencies", [])
                assert isinstance(latencies, list)
                latencies.append(bucket)
            elif metric.name in _HELD:
                row = _keyed(held, _held_row(reporter, point, said))
                value = _value(point)
                of_clock = metric.name.endswith("since")
                row[_HELD[metric.name]] = _time(max(round(value * 1e9), 0)) if of_clock else int(value)
            elif metric.name in _COMMITS or metric.name in _OFFSETS:
                table = "commit_samples" if metric.name in _COMMITS else "offset_samples"
                row = _keyed(samples, _sample_row(table, reporter, point, said))
                number = _number(point)  # -1 where a group has not committed
                row[(_COMMITS | _OFFSETS)[metric.name]] = number if number >= 0 else None
            else:
                found.tables["metric_rows"].append(_metric_row(reporter, metric, point, said))
    found.tables["flow_count_rows"] += flows.values()
    found.tables["held_rows"] += (row for row in held.values() if row.get("message_offset") is not None)
    for row in samples.values():
        found.tables[str(row.pop("table"))].append(row)
    if ours is not None:
        who = {"service": reporter.service, "instance": reporter.instance}
        found.tables["reporter_rows"].append({"sampled_at": ours, **who})


def _keyed(rows: dict[tuple[object, ...], Row], row: Row) -> Row:
    """The row of the same key, so that metrics that say of one thing meet in one row."""
    return rows.setdefault(tuple(row.values()), row)


def _place(said: Attributes) -> Row:
    """Topic, partition and group by the conventions' names, else by the kafka receiver's."""
    _, topic, partition, _, group, _, _ = promoted(said)
    number = said.get("partition") if partition is None else partition
    return {
        "topic": topic or _text(said.get("topic")),
        "partition": int(number) if number is not None and str(number).isdigit() else None,
        "consumer_group": group or _text(said.get("group")),
    }


def _times(reporter: _Reporter, point: Any) -> Row:
    at = point.time_unix_nano
    return {"sampled_at": _time(at) if at else reporter.received}


def _flow_row(reporter: _Reporter, point: Any, said: Attributes) -> Row:
    start = point.start_time_unix_nano
    return {
        **_times(reporter, point),
        "counted_since": _time(start) if start else None,
        "service": reporter.service,
        "instance": reporter.instance,
        "server": _server(said),
        "direction": _text(said.get("headwater.direction")),
        **_place(said),
        "prefix_id": _text(said.get("headwater.pathway")),
    }


def _held_row(reporter: _Reporter, point: Any, said: Attributes) -> Row:
    who = {"service": reporter.service, "instance": reporter.instance, "server": _server(said)}
    return {**_times(reporter, point), **who, **_place(said)}


def _sample_row(table: str, reporter: _Reporter, point: Any, said: Attributes) -> Row:
    row = {"table": table, **_times(reporter, point), "cluster": reporter.cluster_name, **_place(said)}
    if table == "offset_samples":
        del row["consumer_group"]
    return row


def _metric_row(reporter: _Reporter, metric: Any, point: Any, said: Attributes) -> Row:
    body = getattr(metric, metric.WhichOneof("data"))
    start = point.start_time_unix_nano
    histogram = hasattr(point, "explicit_bounds")
    return {
        **_times(reporter, point),
        "counted_since": _time(start) if start else None,
        "service": reporter.service,
        "instance": reporter.instance,
        "metric": metric.name,
        "unit": metric.unit or None,
        "delta": getattr(body, "aggregation_temporality", 0) == 1,
        "operation": _text(said.get("messaging.operation.name") or said.get("messaging.operation.type")),
        **_place(said),
        "error_type": _text(said.get("error.type")),
        "server": reporter.cluster_name if metric.name.startswith("kafka.") else _server(said),
        "value": None if hasattr(point, "count") else _value(point),
        "count": int(point.count) if hasattr(point, "count") else None,
        "sum": float(point.sum) if hasattr(point, "sum") else None,
        "bounds": list(point.explicit_bounds) if histogram else None,
        "buckets": list(point.bucket_counts) if histogram else None,
    }


def _points(metric: Any) -> list[Any]:
    which = metric.WhichOneof("data")
    return [] if which is None else list(getattr(metric, which).data_points)


def _value(point: Any) -> float:
    return float(point.as_int if point.WhichOneof("value") == "as_int" else point.as_double)


def _number(point: Any) -> int:
    return int(point.as_int) if point.WhichOneof("value") == "as_int" else int(point.as_double)


def _attributes(values: Any) -> Attributes:
    return {item.key: plain_value(item.value, _as_is) for item in values}


def _as_is(text: Any) -> str:
    return str(text)


def _text(value: object) -> str | None:
    return None if value is None or value == "" else str(value)


def _server(said: Mapping[str, object]) -> str | None:
    address, port = said.get("server.address"), said.get("server.port")
    return None if not address else f"{address}:{port}" if port else str(address)


def _time(nanoseconds: int) -> datetime:
    """UTC; beyond the year 2262, which the store's other times end with too, its end."""
    return _EPOCH + timedelta(microseconds=min(nanoseconds, 2**63 - 1) // 1000)


def _from_json(body: bytes) -> ExportMetricsServiceRequest:
    document = orjson.loads(body)
    if not isinstance(document, dict):
        raise ValueError("the body is no object")
    # Exemplars hold ids in hex where protobuf's own JSON expects base64, and nobody reads them here.
    _without(document, "exemplars")
    found = ExportMetricsServiceRequest()
    json_format.ParseDict(document, found, ignore_unknown_fields=True, max_recursion_depth=100)
    return found


def _without(value: object, key: str) -> None:
    stack = [value]
    while stack:
        one = stack.pop()
        if isinstance(one, dict):
            one.pop(key, None)
            stack += one.values()
        elif isinstance(one, list):
            stack += one
