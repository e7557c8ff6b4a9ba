"""What goes wrong in the instrumentation stays there; importing it costs nothing."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace

from blocking_helpers import ConfluentRig
from headwater_instrumentation import current_event
from headwater_instrumentation.guard import ERRORS_AT_MOST, guard
from instrumentation_helpers import Rig, attributes, got

SERVICE = """
import asyncio, sys
from aiokafka import AIOKafkaProducer, AIOKafkaConsumer
async def main():
    async with AIOKafkaProducer(bootstrap_servers=sys.argv[1]) as producer:
        await producer.send_and_wait("orders", b"1")
    options = dict(bootstrap_servers=sys.argv[1], group_id="g", auto_offset_reset="earliest")
    async with AIOKafkaConsumer("orders", **options) as consumer:
        record = await asyncio.wait_for(consumer.getone(), 20)
        print(sorted(key for key, _ in record.headers))
asyncio.run(main())
"""


class Failing:
    """A provider whose spans cannot be begun, or cannot be ended."""

    def __init__(self, provider: Any, at_start: bool) -> None:
        self.tracer, self.at_start = provider.get_tracer("failing"), at_start

    def get_tracer(self, *args: Any, **kwargs: Any) -> Any:
        return self

    def start_span(self, *args: Any, **kwargs: Any) -> Any:
        if self.at_start:
            raise RuntimeError("no span today")
        span = self.tracer.start_span(*args, **kwargs)

        def end(*args: Any) -> None:
            raise RuntimeError("no end today")

        span.end = end
        return span


@pytest.mark.parametrize("at_start", [True, False])
async def test_a_tracer_that_fails_loses_no_record(rig: Rig, at_start: bool) -> None:
    rig.instrument(tracer_provider=Failing(rig.provider, at_start))
    producer = await rig.producer()
    for i in range(3):
        await producer.send_and_wait("orders", b"%d" % i, partition=0)
    consumer = await rig.consumer("orders")
    assert [record.value for record in await got(consumer, 3)] == [b"0", b"1", b"2"]
    await consumer.stop()
    assert guard.errors.total() >= 6
    assert current_event() is None


async def test_the_circuit_opens_and_that_client_is_left_alone(rig: Rig, confluent: ConfluentRig) -> None:
    producer = await rig.producer()
    await producer.send_and_wait("orders", b"first", partition=0)
    consumer = await rig.consumer("orders")
    await got(consumer, 1)
    assert current_event() is not None
    rig.instrument(tracer_provider=Failing(rig.provider, True))
    for _ in range(ERRORS_AT_MOST + 5):
        await producer.send_and_wait("orders", b"x", partition=0)
    assert guard.errors["send"] == ERRORS_AT_MOST
    other = confluent.producer()
    other.produce("orders", b"x")
    other.flush(10)
    assert len(confluent.spans("send")) == 1
    rig.instrument()
    await producer.send_and_wait("orders", b"x", partition=0)
    assert len(rig.spans("send")) == 1
    await got(consumer, ERRORS_AT_MOST + 6)
    assert current_event() is None and not trace.get_current_span().get_span_context().is_valid
    await consumer.stop()
    assert len(rig.spans("process")) == 1


async def test_hooks_are_called_and_may_fail(rig: Rig) -> None:
    seen: list[str] = []

    async def on_send(span: Any, args: Any, kwargs: Any) -> None:
        await asyncio.sleep(0)
        span.set_attribute("till", 4)
        seen.append(args[0])

    def on_record(span: Any, record: Any) -> None:
        seen.append(record.topic)
        raise RuntimeError("hook")

    rig.instrument(produce_hook=on_send, consume_hook=on_record)
    producer = await rig.producer()
    await producer.send_and_wait("orders", b"1")
    consumer = await rig.consumer("orders")
    assert len(await got(consumer, 1)) == 1
    await consumer.stop()
    assert seen == ["orders", "orders"] and guard.errors == {"hook": 1}
    assert attributes(rig.span("send orders"))["till"] == 4


async def ran(*command: str, **environ: str) -> str:
    def work() -> str:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=60, env={**os.environ, **environ}
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return await asyncio.to_thread(work)


async def test_importing_loads_neither_a_client_nor_the_sdk() -> None:
    code = "import sys, headwater_instrumentation; print([m for m in sys.modules if m.startswith(%r)])"
    for module in ("aiokafka", "opentelemetry.sdk"):
        assert (await ran(sys.executable, "-c", code % module)).strip() == "[]"


async def test_opentelemetry_instrument_instruments_a_service(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "service.py").write_text(SERVICE)
    said = await ran(
        str(Path(sys.executable).with_name("opentelemetry-instrument")),
        sys.executable,
        str(tmp_path / "service.py"),
        rig.address,
        OTEL_TRACES_EXPORTER="none",
        OTEL_METRICS_EXPORTER="none",
        OTEL_LOGS_EXPORTER="none",
    )
    assert said.strip() == "['headwater-ctx', 'traceparent']"
