"""The same over Apache Kafka."""

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from headwater_instrumentation import AIOKafkaInstrumentor
from headwater_instrumentation import attributes as names
from instrumentation_helpers import Rig, attributes, got, parent_id, provider_of, span_id
from kafka_harness import KafkaBroker


@pytest.mark.kafka
async def test_a_chain_over_a_real_broker(kafka: KafkaBroker) -> None:
    kafka.create_topic("traced-orders", 1)
    kafka.create_topic("traced-invoices", 1)
    exporter = InMemorySpanExporter()
    rig = Rig(kafka.bootstrap, provider_of(exporter), exporter)
    rig.instrument()
    async with rig.stack:
        producer = await rig.producer()
        sent = await producer.send_and_wait("traced-orders", b"1")
        consumer = await rig.consumer("traced-orders", group_id="traced")
        (record,) = await got(consumer, 1)
        await producer.send_and_wait("traced-invoices", b"2", headers=record.headers)
        await consumer.stop()
        first, body, second = (
            rig.span(name) for name in ("send traced-orders", "process traced-orders", "send traced-invoices")
        )
        assert attributes(first)[names.OFFSET] == sent.offset == attributes(body)[names.OFFSET]
        assert attributes(first)[names.CLUSTER_ID] == attributes(body)[names.CLUSTER_ID]
        assert (parent_id(body), parent_id(second)) == (span_id(first), span_id(body))
    AIOKafkaInstrumentor().uninstrument()
