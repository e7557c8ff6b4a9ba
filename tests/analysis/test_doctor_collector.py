"""The doctor before a real collector, on spans as the OpenTelemetry SDK exports them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, set_span_in_context

import api_helpers as api
from collector_process import CollectorProcess, a_collector

MESSAGES = 5


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    with a_collector(tmp_path_factory.mktemp("doctor")) as running:
        yield running


def a_provider(collector: CollectorProcess, service: str) -> TracerProvider:
    """The SDK as a service sets it up."""
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    exporter = OTLPSpanExporter(f"http://{collector.addresses['otlp_http']}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def test_what_opentelemetrys_own_instrumentation_of_aiokafka_sends(collector: CollectorProcess) -> None:
    providers = [a_provider(collector, name) for name in ("checkout", "payments")]
    sending, receiving = (one.get_tracer("opentelemetry.instrumentation.aiokafka") for one in providers)
    common = {
        "messaging.system": "kafka",
        "server.address": '"127.0.0.1:9092"',
        "messaging.client.id": "aiokafka-0.14.0",
        "messaging.destination.name": "orders",
        "messaging.destination.partition.id": "0",
    }
    for offset in range(MESSAGES):
        sent = {**common, "messaging.operation.name": "send", "messaging.operation.type": "publish"}
        with sending.start_as_current_span("orders send", kind=SpanKind.PRODUCER, attributes=sent) as send:
            pass
        got: dict[str, str | int] = {
            **common,
            "messaging.operation.name": "receive",
            "messaging.operation.type": "receive",
            "messaging.consumer.group.name": "payments",
            "messaging.kafka.message.offset": offset,
            "messaging.message.id": f"orders.0.{offset}",
        }
        context = set_span_in_context(send)
        receiving.start_span("orders receive", context, SpanKind.CONSUMER, got).end()
    for provider in providers:
        provider.shutdown()
    collector.wait_for("select count(*) from spans", 2 * MESSAGES)

    done = api.headwater("doctor", "--json", "--collector", f"http://{collector.addresses['api']}")
    assert (done.returncode, done.stderr) == (1, b"")
    findings = {(one["rule"], one["who"]): one for one in json.loads(done.stdout)}
    assert set(findings) == {
        ("handler_not_covered", "payments"),
        ("missing_attribute", "checkout"),
        ("other_instrumentation", "checkout"),
        ("other_instrumentation", "payments"),
        ("cluster_not_watched", "collector"),
    }
    assert findings["cluster_not_watched", "collector"]["mend"] == ["headwater up --kafka 127.0.0.1:9092"]
    advice = findings["other_instrumentation", "payments"]
    assert advice["mend"][-1] == "AIOKafkaInstrumentor().instrument()"
    assert "old names are used: messaging.kafka.message.offset." in advice["evidence"]
