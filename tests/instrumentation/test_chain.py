"""Three services, one for each client, under ``opentelemetry-instrument``, in one flow over Apache Kafka."""

import sys
from pathlib import Path
from uuid import uuid4

import pytest

from chain_services import NUMBER
from collector_process import CollectorProcess, a_collector
from environments import under_instrumentation
from kafka_harness import KafkaBroker

pytestmark = pytest.mark.kafka
SERVICES = Path(__file__).parents[1] / "chain_services.py"


def run(collector: CollectorProcess, name: str, *arguments: str) -> None:
    """Runs a service to its end as its author would, with the pinned clients all installed."""
    instrument = Path(sys.executable).with_name("opentelemetry-instrument")
    under_instrumentation(
        [instrument, sys.executable, SERVICES, *arguments],
        OTEL_SERVICE_NAME=name,
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{collector.addresses['otlp_http']}",
        OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
        OTEL_TRACES_EXPORTER="otlp",
    )


@pytest.mark.parametrize("third", ["mailing", "mailing-without-headers"])
def test_three_services_with_three_clients_are_one_flow(
    kafka: KafkaBroker, tmp_path: Path, third: str
) -> None:
    orders, invoices = (f"{name}-{uuid4().hex[:8]}" for name in ("orders", "invoices"))
    for topic in (orders, invoices):
        kafka.create_topic(topic, 3)
    with a_collector(tmp_path) as collector:
        run(collector, "checkout", "checkout", kafka.bootstrap, orders)
        run(collector, "billing", "billing", kafka.bootstrap, orders, invoices)
        run(collector, "mailing", third, kafka.bootstrap, invoices)
        collector.wait_for(
            "select count(*) from spans where service = 'mailing' and name like 'process%'", NUMBER
        )
        flows = [flow_id for (flow_id,) in collector.sql("select flow_id from flows order by flow_id")]
        assert len(flows) == NUMBER
        for flow_id in flows:
            spans = {
                (service, name): (span_id, parent, partition, offset)
                for service, name, span_id, parent, partition, offset in collector.sql(
                    "select service, name, span_id, parent_span_id, partition, message_offset "
                    "from flow_spans(?)",
                    [flow_id],
                )
            }
            sent, worked, passed_on, mailed = (
                spans[place]
                for place in (
                    ("checkout", f"send {orders}"),
                    ("billing", f"process {orders}"),
                    ("billing", f"send {invoices}"),
                    ("mailing", f"process {invoices}"),
                )
            )
            assert len(spans) == 4
            assert sent[1] is None and worked[1] == sent[0] and passed_on[1] == worked[0]
            assert mailed[1] == (passed_on[0] if third == "mailing" else None)
            assert sent[2:] == worked[2:] and passed_on[2:] == mailed[2:]
            assert None not in (*sent[2:], *mailed[2:])
            edges = collector.sql(
                "select from_span_id, to_span_id, topic, partition, message_offset, consumer_group "
                "from flow_edges(?) where kind = 'message' order by topic = ? desc",
                [flow_id, orders],
            )
            assert edges == [
                [sent[0], worked[0], orders, *sent[2:], "billing"],
                [passed_on[0], mailed[0], invoices, *mailed[2:], "mailing"],
            ]
