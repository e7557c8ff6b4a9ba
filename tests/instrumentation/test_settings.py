"""What an environment, an SDK or a caller switches off, and what samplers, processes and readers are told."""

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import SpanKind

from blocking_helpers import ConfluentRig, KafkaPythonRig, polled
from headwater_instrumentation import attributes as names
from headwater_instrumentation import mark_compensation, shim
from headwater_instrumentation.config import Config
from headwater_instrumentation.guard import guard
from instrumentation_helpers import FOREIGN, Rig, attributes, got, parent_id, provider_of, span_id, values


async def test_nothing_is_recorded_of_aiokafka_while_instrumentation_is_suppressed(rig: Rig) -> None:
    producer = await rig.producer()
    with suppress_instrumentation():
        await producer.send_and_wait("orders", b"1", partition=0)
        batch = producer.create_batch()
        batch.append(timestamp=None, key=None, value=b"2")
        await (await producer.send_batch(batch, "orders", partition=0))
        consumer = await rig.consumer("orders")
        await got(consumer, 2)
        await consumer.commit()
        await consumer.seek_to_beginning()
        assert sum(map(len, (await consumer.getmany(timeout_ms=5000)).values())) > 0
        await consumer.stop()
    assert rig.spans() == []
    assert all(record.headers == () for record in await rig.raw("orders", 2))


def test_nothing_is_recorded_of_the_others_while_instrumentation_is_suppressed(
    confluent: ConfluentRig, kafka_python: KafkaPythonRig
) -> None:
    with suppress_instrumentation():
        producer = confluent.producer()
        producer.produce("orders", b"1", partition=0)
        producer.flush(10)
        consumer = confluent.consumer("orders")
        (message,) = polled(consumer, 1)
        consumer.commit(message, asynchronous=False)
        consumer.close()
        kafka_python.producer().send("orders", b"1", partition=0).get(10)
        pure = kafka_python.consumer("orders")
        record = next(pure)
        pure.commit()
        pure.close()
    assert confluent.spans() == []
    # kafka-python joins its group in a thread of its own, which is not its caller's.
    assert {span.name for span in kafka_python.spans()} <= {"rebalance"}
    assert message.headers() is None and list(record.headers) == []


async def test_a_disabled_sdk_means_that_a_trace_is_only_passed_on(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    reader = InMemoryMetricReader()
    meters = MeterProvider([reader], shutdown_on_exit=False)
    rig.instrument(tracer_provider=provider_of(rig.exporter), meter_provider=meters)
    producer = await rig.producer()
    await producer.send_and_wait("orders", b"1", partition=0, headers=[("traceparent", FOREIGN.encode())])
    consumer = await rig.consumer("orders")
    await got(consumer, 1)
    await producer.send_and_wait("invoices", b"2")
    await consumer.stop()
    assert rig.spans() == [] and reader.get_metrics_data() is None
    (record,) = await rig.raw("invoices")
    assert record.headers == (("traceparent", FOREIGN.encode()),)


class Recording(Sampler):
    """Notes what a sampler is told when it decides."""

    def __init__(self) -> None:
        self.told: dict[str, tuple[SpanKind | None, dict[str, Any]]] = {}

    def should_sample(
        self,
        parent_context: Any,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Any = None,
        links: Sequence[Any] | None = None,
        trace_state: Any = None,
    ) -> SamplingResult:
        self.told[name] = kind, dict(attributes or {})
        return SamplingResult(Decision.RECORD_AND_SAMPLE)

    def get_description(self) -> str:
        return "recording"


CREATION = {names.SYSTEM: "kafka", names.TOPIC: "orders"}


def judge(sampler: Recording) -> None:
    kind, send = sampler.told["send orders"]
    assert kind is SpanKind.PRODUCER
    shared = {names.SERVER_ADDRESS, names.SERVER_PORT, names.OPERATION_NAME, names.OPERATION_TYPE}
    assert send.items() >= CREATION.items() and shared <= send.keys()
    kind, body = sampler.told["process orders"]
    assert kind is SpanKind.CONSUMER
    assert body.items() >= CREATION.items() and shared <= body.keys()
    assert (body[names.PARTITION], body[names.OFFSET], body[names.GROUP]) == ("0", 0, "g")


async def test_samplers_are_told_all_that_is_known_at_the_start(
    rig: Rig, confluent: ConfluentRig, kafka_python: KafkaPythonRig
) -> None:
    sampler = Recording()
    rig.instrument(tracer_provider=TracerProvider(sampler=sampler, shutdown_on_exit=False))
    producer = await rig.producer()
    await producer.send_and_wait("orders", b"1", partition=0)
    consumer = await rig.consumer("orders")
    await got(consumer, 1)
    await consumer.stop()
    judge(sampler)
    sampler.told.clear()
    confluent.instrument(tracer_provider=TracerProvider(sampler=sampler, shutdown_on_exit=False))
    sending = confluent.producer()
    sending.produce("orders", b"1", partition=0)
    sending.flush(10)
    polled(confluent.consumer("orders"), 1)
    judge(sampler)
    sampler.told.clear()
    kafka_python.instrument(tracer_provider=TracerProvider(sampler=sampler, shutdown_on_exit=False))
    kafka_python.producer().send("orders", b"1", partition=0).get(10)
    next(kafka_python.consumer("orders"))
    judge(sampler)


async def test_flags_beside_the_sampled_one_are_kept(rig: Rig) -> None:
    """The SDK sets the bit of random trace ids since 1.45."""
    rig.instrument({"topics_exclude": "orders"})
    producer = await rig.producer()
    await producer.send_and_wait("orders", b"1", headers=[("traceparent", FOREIGN[:-2].encode() + b"03")])
    rig.instrument()
    await got(await rig.consumer("orders"), 1)
    await producer.send_and_wait("invoices", b"2")
    (record,) = await rig.raw("invoices")
    send = rig.span("send invoices").get_span_context()
    assert send is not None and f"{send.trace_id:032x}" == FOREIGN.split("-")[1]
    assert send.trace_flags.sampled
    (header,) = values(record.headers, "traceparent")
    assert header.endswith(f"-{send.trace_flags:02x}")


async def test_an_event_has_the_id_that_its_service_gives_it(rig: Rig) -> None:
    rig.instrument({"event_id_headers": "order-id", "ctx_header": "off"})
    producer = await rig.producer()
    mine = [("order-id", b"00000000000000aa"), ("ce_id", b"00000000000000bb")]
    await producer.send_and_wait("orders", b"1", headers=mine)
    (record,) = await got(await rig.consumer("orders"), 1)
    assert mark_compensation(record) == [("headwater-compensates", b"00000000000000aa")]
    await rig.stack.aclose()
    said = [attributes(rig.span(f"{name} orders"))[names.EVENT_ID] for name in ("send", "process")]
    assert said == ["00000000000000aa"] * 2


def test_a_version_of_the_conventions_that_is_not_there_is_said_and_ignored(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert Config.read(environ={"HEADWATER_KAFKA_SEMCONV": "1.44"}) == Config()
    assert Config.read({"semconv": "1.20"}) == Config()
    assert "HEADWATER_KAFKA_SEMCONV='1.20' is not known" in caplog.text


async def test_internal_errors_are_counted_by_site_and_once_for_all_clients(
    rig: Rig, confluent: ConfluentRig
) -> None:
    reader = InMemoryMetricReader()
    meters = MeterProvider([reader], shutdown_on_exit=False)

    def fails(*_: Any) -> None:
        raise ValueError

    confluent.instrument(meter_provider=meters)
    rig.instrument(meter_provider=meters, produce_hook=fails)
    producer = await rig.producer()
    for _ in range(3):
        await producer.send_and_wait("orders", b"1")
    data = reader.get_metrics_data()
    assert data is not None
    found = [
        (point.value, dict(point.attributes or {}), metric.unit)  # type: ignore[union-attr]
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == "headwater.internal.errors"
        for point in metric.data.data_points
    ]
    assert found == [(3, {"site": "hook"}, "{error}")]
    meters.shutdown()


async def test_a_resource_without_an_instance_is_complained_of_once(
    rig: Rig, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shim, "_said", set())
    exporter = InMemorySpanExporter()
    named = TracerProvider(resource=Resource({"service.instance.id": "1"}), shutdown_on_exit=False)
    for provider, times in ((named, 0), (provider_of(exporter), 1), (provider_of(exporter), 1)):
        rig.instrument(tracer_provider=provider)
        await (await rig.producer()).send_and_wait("orders", b"1")
        assert caplog.text.count("no service.instance.id") == times


def test_a_forked_process_is_not_stuck_and_counts_anew() -> None:
    script = """
import os, threading
from headwater_instrumentation.guard import guard
from headwater_instrumentation.records import memory
def fails():
    raise ValueError
guard.run("before", fails)
locks = guard._lock, memory._lock
for lock in locks:
    lock.acquire()
child = os.fork()
if child == 0:
    guard.run("after", fails)
    memory.put(type("R", (), {"topic": "t", "partition": 0, "offset": 0})(), 1)
    os._exit(dict(guard.errors) == {"after": 1})
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], timeout=60, env=dict(os.environ))
    assert done.returncode == 1


async def test_no_thread_is_added(rig: Rig) -> None:
    before = threading.active_count()
    producer = await rig.producer()
    await producer.send_and_wait("orders", b"1")
    consumer = await rig.consumer("orders")
    await got(consumer, 1)
    await consumer.stop()
    assert threading.active_count() == before
    assert parent_id(rig.span("process orders")) == span_id(rig.span("send orders"))
    assert not guard.errors
