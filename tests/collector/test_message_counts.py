"""What services counted of all their messages, by stretches of time: metrics' wire bytes in, SQL out."""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

import store_helpers as told
from builders import attributes_of
from headwater_collector.receivers.otlp_metrics import read_metrics
from headwater_collector.store import Store, Writer
from headwater_collector.store.append_metrics import append_metrics

BEGIN_S = told.START_NS // 10**9 // 3600 * 3600
GAMMA = 1.01 / 0.99
STEPS = {"10 seconds": 10, "1 minute": 60, "1 hour": 3600}


class Process:
    """Counts as a service does, and exports running totals."""

    def __init__(self, instance: str, since_s: int) -> None:
        self._instance = instance
        self._since_s = since_s
        self._messages: Counter[int] = Counter()
        self._buckets: Counter[tuple[int, int]] = Counter()

    def handle(self, partition: int, wait_s: float) -> None:
        self._messages[partition] += 1
        self._buckets[partition, math.ceil(math.log(wait_s) / math.log(GAMMA))] += 1

    def export(self, at_s: int) -> bytes:
        request = ExportMetricsServiceRequest()
        of_resource = request.resource_metrics.add()
        named = {"service.name": "payments", "service.instance.id": self._instance}
        of_resource.resource.attributes.extend(attributes_of(named))
        metrics = of_resource.scope_metrics.add().metrics
        messages, latency = (metrics.add(name=f"headwater.flow.{name}") for name in ("messages", "latency"))
        for partition, number in self._messages.items():
            self._point(messages, at_s, number, partition, {})
        for (partition, bucket), number in self._buckets.items():
            self._point(
                latency,
                at_s,
                number,
                partition,
                {"headwater.measured": "wait", "headwater.bucket": bucket},
            )
        found: bytes = request.SerializeToString()
        return found

    def _point(self, metric: Any, at_s: int, number: int, partition: int, said: dict[str, object]) -> None:
        point = metric.sum.data_points.add(
            time_unix_nano=at_s * 10**9, start_time_unix_nano=self._since_s * 10**9, as_int=number
        )
        point.attributes.extend(
            attributes_of(
                {
                    "messaging.system": "kafka",
                    "messaging.destination.name": "orders",
                    "messaging.destination.partition.id": str(partition),
                    "messaging.consumer.group.name": "payments",
                    "headwater.direction": "in",
                    "headwater.pathway": "00000000000000aa",
                    **said,
                }
            )
        )


Told = tuple[Store, dict[int, list[float]]]


@pytest.fixture(scope="module")
def ten_minutes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """Two processes, one of which is started again; beside the store, the waits by export."""
    dice = random.Random(7)
    store = told.open_store(tmp_path_factory.mktemp("counts") / "headwater.duckdb")
    waits: dict[int, list[float]] = defaultdict(list)
    steady, restarted = Process("p-1", BEGIN_S), Process("p-2", BEGIN_S)
    exports: list[tuple[int, bytes]] = []
    for number in range(1, 60):
        at_s = BEGIN_S + 10 * number
        if number == 25:
            restarted = Process("p-2", at_s - 5)
        for process in (steady, restarted):
            for _ in range(dice.randrange(40)):
                wait_s = dice.lognormvariate(-3, 1)
                process.handle(dice.randrange(3), wait_s)
                waits[at_s].append(wait_s)
            exports.append((at_s, process.export(at_s)))

    def write(writer: Writer) -> None:
        for at_s, body in exports:
            append_metrics(writer, read_metrics(body, False, at_s * 10**9).tables)

    store.write(write)
    yield store, waits
    store.close()


def by_step(waits: dict[int, list[float]], step: int, since_s: int) -> dict[datetime, list[float]]:
    found: dict[datetime, list[float]] = defaultdict(list)
    for at_s, some in waits.items():
        if at_s >= since_s and some:
            found[datetime.fromtimestamp(at_s // step * step, UTC).replace(tzinfo=None)] += some
    return found


def nearest_rank(some: list[float], q: float) -> float:
    return sorted(some)[math.floor(q * (len(some) - 1))] * 1e3


@pytest.mark.parametrize("since_s", [BEGIN_S, BEGIN_S + 305])
@pytest.mark.parametrize("step", STEPS)
def test_each_stretch_has_its_messages_and_their_waits_across_restarts(
    ten_minutes: Told, step: str, since_s: int
) -> None:
    store, waits = ten_minutes
    expected = by_step(waits, STEPS[step], since_s)
    found = told.rows(
        store,
        f"from message_counts(interval '{step}', make_timestamp(?)) order by counted_at",
        [since_s * 10**6],
    )
    assert [row["counted_at"] for row in found] == sorted(expected)
    for row in found:
        some = expected[row["counted_at"]]
        assert row["messages"] == len(some)
        assert row["wait_p95_ms"] == pytest.approx(nearest_rank(some, 0.95), rel=0.0101)
        assert row["work_p95_ms"] is None


def test_sketches_of_stretches_merge_into_that_of_the_whole(ten_minutes: Told) -> None:
    store, waits = ten_minutes
    merged = (
        "select sketch_quantile_ms(flatten(list(latencies)), 'wait', q) from message_counts(interval 10 seconds, "
        f"make_timestamp({BEGIN_S * 10**6})), (select unnest([0.0, 0.5, 0.99, 1.0]) as q) group by q order by q"
    )
    every = [wait_s for some in waits.values() for wait_s in some]
    for (found,), q in zip(store.read(merged), (0.0, 0.5, 0.99, 1.0), strict=True):
        assert found == pytest.approx(nearest_rank(every, q), rel=0.0101)
