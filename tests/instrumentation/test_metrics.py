"""Counters, sketches and the in-flight report, as an SDK collects them."""

import asyncio
import math
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from blocking_helpers import ConfluentRig, KafkaPythonRig, polled, until_now
from headwater_instrumentation import attributes as names
from headwater_instrumentation import process, process_batch
from headwater_instrumentation.counting import BUCKETS_AT_MOST, FLOWS_AT_MOST, GAMMA, Counts
from headwater_instrumentation.guard import guard
from instrumentation_helpers import Rig, got, provider_of

HERE = ("127.0.0.1", 9092)


class Meters:
    """What a reader of its own collects."""

    def __init__(self) -> None:
        self.reader = InMemoryMetricReader()
        self.provider = MeterProvider([self.reader], shutdown_on_exit=False)

    def metrics(self) -> dict[str, Any]:
        """All metrics by name."""
        data = self.reader.get_metrics_data()
        if data is None:
            return {}
        return {
            metric.name: metric
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def points(self, name: str) -> list[Any]:
        """The points of one."""
        found = self.metrics().get(name)
        return [] if found is None else list(found.data.data_points)

    def numbers(self, name: str, *attributes: str) -> Mapping[tuple[Any, ...], Any]:
        """Values by some attributes, summed up over the others."""
        found: dict[tuple[Any, ...], Any] = {}
        for point in self.points(name):
            place = tuple(point.attributes.get(attribute) for attribute in attributes)
            value = point.count if isinstance(point, HistogramDataPoint) else point.value
            found[place] = found.get(place, 0) + value
        return found


@pytest.fixture
def meters() -> Iterator[Meters]:
    made = Meters()
    yield made
    made.provider.shutdown()


async def there_and_back(rig: Rig, number: int) -> None:
    producer = await rig.producer()
    for i in range(number):
        await producer.send_and_wait("orders", b"1", partition=i % 2)
    consumer = await rig.consumer("orders")
    for record in await got(consumer, number):
        with process(record):
            pass
    await consumer.stop()


async def test_every_message_is_counted_though_no_span_is_sampled(rig: Rig, meters: Meters) -> None:
    off = provider_of(InMemorySpanExporter(), sampler=ALWAYS_OFF)
    rig.instrument(tracer_provider=off, meter_provider=meters.provider)
    await there_and_back(rig, 20)
    assert meters.numbers(names.SENT_MESSAGES, names.TOPIC, names.PARTITION) == {
        ("orders", "0"): 10,
        ("orders", "1"): 10,
    }
    assert meters.numbers(names.CONSUMED_MESSAGES, names.TOPIC, names.PARTITION, names.GROUP) == {
        ("orders", "0", "g"): 10,
        ("orders", "1", "g"): 10,
    }
    highest = meters.numbers(names.FLOW_OFFSET, names.DIRECTION, names.PARTITION)
    assert highest == {(way, partition): 9 for way in ("out", "in") for partition in ("0", "1")}
    assert meters.numbers(names.FLOW_LATENCY, names.MEASURED) == {("send",): 20, ("wait",): 20, ("work",): 20}
    assert rig.spans() == []
    assert not guard.errors


async def test_names_units_and_attributes(rig: Rig, meters: Meters) -> None:
    rig.instrument(meter_provider=meters.provider)
    await there_and_back(rig, 2)
    found = meters.metrics()
    assert {name: metric.unit for name, metric in found.items()} == {
        "messaging.client.sent.messages": "{message}",
        "messaging.client.consumed.messages": "{message}",
        "messaging.client.operation.duration": "s",
        "messaging.process.duration": "s",
        "headwater.flow.messages": "{message}",
        "headwater.flow.latency": "{message}",
        "headwater.flow.offset": "{offset}",
    }
    host, _, port = rig.address.rpartition(":")
    (point, _) = meters.points("messaging.client.sent.messages")
    assert dict(point.attributes) == {
        "messaging.system": "kafka",
        "messaging.operation.name": "send",
        "messaging.destination.name": "orders",
        "messaging.destination.partition.id": "0",
        "server.address": host,
        "server.port": int(port),
    }
    (point,) = meters.points("messaging.process.duration")
    assert dict(point.attributes) == {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.destination.name": "orders",
        "messaging.consumer.group.name": "g",
        "server.address": host,
        "server.port": int(port),
    }
    assert tuple(point.explicit_bounds)[:3] == (0.005, 0.01, 0.025) and len(point.explicit_bounds) == 14
    pathways = [
        {point.attributes[names.PATHWAY] for point in meters.points("headwater.flow.messages")
         if point.attributes[names.DIRECTION] == direction}
        for direction in ("out", "in")
    ]  # fmt: skip
    assert [len(found) for found in pathways] == [1, 1] and pathways[0] != pathways[1]


async def test_errors_are_counted_by_their_class(rig: Rig, meters: Meters) -> None:
    rig.instrument(meter_provider=meters.provider)
    producer = await rig.producer(value_serializer=lambda value: value.encode())
    for value in ("1", "2", 3):
        try:
            await producer.send_and_wait("orders", value)
        except AttributeError:
            assert value == 3
    consumer = await rig.consumer("orders")
    good, bad = await got(consumer, 2)
    with process(good):
        pass
    with pytest.raises(ValueError), process(bad):
        raise ValueError
    await consumer.stop()
    assert meters.numbers(names.SENT_MESSAGES, names.ERROR_TYPE) == {(None,): 2, ("AttributeError",): 1}
    assert meters.numbers(names.FLOW_ERRORS, names.DIRECTION, names.ERROR_TYPE) == {
        ("out", "AttributeError"): 1,
        ("in", "ValueError"): 1,
    }
    assert meters.numbers(names.CONSUMED_MESSAGES) == {(): 2}


async def test_batches_count_every_record(rig: Rig, meters: Meters) -> None:
    rig.instrument(meter_provider=meters.provider)
    producer = await rig.producer()
    for _ in range(300):
        await producer.send("orders", b"1", partition=0)
    await producer.flush()
    consumer = await rig.consumer("orders")
    seen, batches = 0, 0
    while seen < 300:
        for records in (await consumer.getmany(timeout_ms=500)).values():
            with process_batch(records):
                seen, batches = seen + len(records), batches + 1
    await consumer.stop()
    assert meters.numbers(names.CONSUMED_MESSAGES, names.PARTITION) == {("0",): 300}
    assert meters.numbers(names.FLOW_OFFSET, names.DIRECTION) == {("out",): 299, ("in",): 299}
    assert meters.numbers(names.PROCESS_DURATION) == {(): batches}
    way = {point.attributes[names.PATHWAY] for point in meters.points(names.FLOW_MESSAGES)}
    assert len(way) == 2


async def test_what_a_handler_holds_is_known_before_it_ends(rig: Rig, meters: Meters) -> None:
    rig.instrument(meter_provider=meters.provider)
    producer = await rig.producer()
    for _ in range(3):
        await producer.send_and_wait("orders", b"1", partition=1)
    consumer = await rig.consumer("orders")
    records = [await consumer.getone() for _ in range(3)]
    release = asyncio.Event()

    async def handle(record: Any) -> None:
        with process(record):
            await release.wait()

    tasks = [asyncio.create_task(handle(record)) for record in reversed(records)]
    await asyncio.sleep(0)
    where = (names.TOPIC, names.PARTITION, names.GROUP)
    assert meters.numbers(names.HELD_OFFSET, *where) == {("orders", "1", "g"): 0}
    (since,) = meters.numbers(names.HELD_SINCE, *where).values()
    assert since > 1.7e9
    release.set()
    await asyncio.gather(*tasks)
    await consumer.stop()
    assert meters.points(names.HELD_OFFSET) == meters.points(names.HELD_SINCE) == []


async def test_pathways_of_tasks_that_interleave_stay_apart(rig: Rig, meters: Meters) -> None:
    rig.instrument(meter_provider=meters.provider)
    producer = await rig.producer()
    for topic in ("left", "right"):
        for _ in range(5):
            await producer.send_and_wait(topic, b"1", partition=0)

    async def pass_on(topic: str) -> None:
        consumer = await rig.consumer(topic, group_id=topic)
        for _ in range(5):
            record = await consumer.getone()
            await asyncio.sleep(0)
            await producer.send_and_wait("both", record.value, partition=0)
        await consumer.stop()

    await asyncio.gather(pass_on("left"), pass_on("right"))
    ways = meters.numbers(names.FLOW_MESSAGES, names.TOPIC, names.DIRECTION, names.PATHWAY)
    assert sorted(number for (topic, _, _), number in ways.items() if topic == "both") == [5, 5]


@pytest.mark.parametrize("switch", ["counters", "off"])
async def test_the_switch(rig: Rig, meters: Meters, switch: str) -> None:
    rig.instrument({"metrics": switch}, meter_provider=meters.provider)
    await there_and_back(rig, 1)
    found = set(meters.metrics())
    assert (names.SENT_MESSAGES in found) is (switch == "counters")
    assert names.OPERATION_DURATION not in found and names.PROCESS_DURATION not in found


def test_confluent_kafka_counts_the_same(confluent: ConfluentRig, meters: Meters) -> None:
    confluent.instrument(meter_provider=meters.provider)
    producer = confluent.producer()
    for _ in range(4):
        producer.produce("orders", b"1", partition=0)
    producer.flush(10)
    consumer = confluent.consumer("orders")
    polled(consumer, 1)
    seen = 1
    while seen < 4:
        seen += len(consumer.consume(10, 0.5))
    consumer.close()
    assert meters.numbers(names.SENT_MESSAGES, names.PARTITION) == {("0",): 4}
    assert meters.numbers(names.CONSUMED_MESSAGES, names.PARTITION, names.GROUP) == {("0", "g"): 4}


def test_kafka_python_counts_the_same(kafka_python: KafkaPythonRig, meters: Meters) -> None:
    kafka_python.instrument(meter_provider=meters.provider)
    producer = kafka_python.producer()
    for _ in range(4):
        producer.send("orders", b"1", partition=0).get(10)
    consumer = kafka_python.consumer("orders")
    for _ in range(4):
        next(consumer)
    consumer.close()
    until_now(lambda: meters.numbers(names.SENT_MESSAGES) == {(): 4})
    assert meters.numbers(names.CONSUMED_MESSAGES, names.PARTITION, names.GROUP) == {("0", "g"): 4}


@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=200), st.floats(0, 1))
def test_a_quantile_of_a_sketch_is_within_one_percent(seconds: list[float], quantile: float) -> None:
    counts = Counts()
    for value in seconds:
        counts.sent(HERE, "orders", 0, 1, "w", value, None)
    ((_, count, _, _, sketches),) = counts.snapshot()
    assert count == len(seconds) == sum(sketches.values())
    rank = math.floor(quantile * (len(seconds) - 1))
    true = sorted(seconds)[rank]
    passed = 0
    for (_, index), number in sorted(sketches.items()):
        passed += number
        if passed > rank:
            found = 2 * GAMMA**index / (GAMMA + 1)
            assert found == pytest.approx(true, rel=0.0101)
            return
    raise AssertionError


def test_keys_and_buckets_are_bounded_and_nothing_goes_uncounted() -> None:
    counts = Counts()
    for i in range(3 * FLOWS_AT_MOST):
        counts.sent(HERE, f"t{i}", 0, i, "w", 1.001**i, None)
    found = counts.snapshot()
    assert len(found) == FLOWS_AT_MOST + 1
    assert sum(count for _, count, _, _, _ in found) == 3 * FLOWS_AT_MOST
    assert sum(len(sketches) for *_, sketches in found) <= BUCKETS_AT_MOST


def test_a_forked_process_begins_anew() -> None:
    script = """
import os
from headwater_instrumentation.counting import Counts
counts = Counts()
counts.sent(("", 0), "orders", 0, 1, "w", 1.0, None)
counts._lock.acquire()
child = os.fork()
if child == 0:
    counts.sent(("", 0), "orders", 0, 1, "w", 1.0, None)
    os._exit(counts.snapshot()[0][1])
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert subprocess.run([sys.executable, "-c", script], timeout=60).returncode == 1
