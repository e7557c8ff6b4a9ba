"""Requests of metrics as processes and the kafka receiver send them, and the way from the intake into the store."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from builders import attributes_of
from headwater_collector.access import Access
from headwater_collector.counters import IngestCounters
from headwater_collector.log import AppendLog
from headwater_collector.pipeline import Pipeline
from headwater_collector.receivers.intake import Intake
from headwater_collector.receivers.otlp_decode import Kind
from store_helpers import open_store

ORDERS: dict[str, object] = {
    "messaging.system": "kafka",
    "messaging.destination.name": "orders",
    "messaging.destination.partition.id": "3",
    "messaging.consumer.group.name": "payments",
    "server.address": "kafka-1",
    "server.port": 9092,
}
IN = {**ORDERS, "headwater.direction": "in", "headwater.pathway": "00000000000000aa"}


class Export:
    """One request of one process."""

    def __init__(self, at_ns: int | None = None, resource: Mapping[str, object] | None = None) -> None:
        self.request = ExportMetricsServiceRequest()
        self.at_ns = at_ns or time.time_ns()
        of_resource = self.request.resource_metrics.add()
        named = {"service.name": "payments", "service.instance.id": "p-1", **(resource or {})}
        of_resource.resource.attributes.extend(attributes_of(named))
        self._metrics = of_resource.scope_metrics.add().metrics

    def number(self, name: str, value: float, said: Mapping[str, object], gauge: bool = False) -> Export:
        metric = next((one for one in self._metrics if one.name == name), None)
        if metric is None:
            metric = self._metrics.add(name=name, unit="1")
        point = (metric.gauge if gauge else metric.sum).data_points.add(
            time_unix_nano=self.at_ns, start_time_unix_nano=1_790_000_000_000_000_000
        )
        point.attributes.extend(attributes_of(said))
        if isinstance(value, int):
            point.as_int = value
        else:
            point.as_double = value
        return self

    def held(self, offset: int, since: float) -> Export:
        self.number("headwater.inflight.offset", offset, ORDERS, gauge=True)
        return self.number("headwater.inflight.since", since, ORDERS, gauge=True)

    def histogram(self, name: str, said: Mapping[str, object]) -> Export:
        point = self._metrics.add(name=name, unit="s").histogram.data_points.add(
            time_unix_nano=self.at_ns, count=3, sum=0.6, explicit_bounds=[0.1, 1.0], bucket_counts=[1, 2, 0]
        )
        point.attributes.extend(attributes_of(said))
        return self

    @property
    def body(self) -> bytes:
        found: bytes = self.request.SerializeToString()
        return found


class Collector:
    """From the doors' intake into the store."""

    def __init__(self, folder: Path) -> None:
        self.store = open_store(folder / "headwater.duckdb")
        self.log = AppendLog(folder / "log")
        self.log.open(Pipeline.stored_position(self.store))
        self.counters = IngestCounters("test")
        self.pipeline = Pipeline(self.store, self.log, self.counters)
        self.intake = Intake(self.log, self.counters, Access())
        self.pipeline.start()

    def take(self, body: bytes, kind: Kind = Kind.HTTP_PROTOBUF) -> None:
        assert asyncio.run(self.intake.keep("metrics", kind, body)).rejected == 0

    def drain(self) -> None:
        self.log.close()
        self.pipeline.stop()

    def close(self) -> None:
        self.drain()
        self.log.close_reader()
        self.store.close()
