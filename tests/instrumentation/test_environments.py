"""``opentelemetry-instrument python service.py`` with one client, all of them, contrib's, the oldest and the newest."""

from pathlib import Path
from typing import Any

import pytest

from environments import environment, run
from kafka_harness import KafkaBroker
from lone_service import NUMBER

SERVICE = Path(__file__).parents[1] / "lone_service.py"
DISTRO = ("opentelemetry-distro", "opentelemetry-sdk")
NEWEST = {"aiokafka": "aiokafka", "confluent_kafka": "confluent-kafka", "kafka_python": "kafka-python"}
OLDEST = {
    # 1.8.2 and 1.9 have no wheels for Python 3.11.
    "aiokafka": ("aiokafka==0.8.0", "kafka-python==2.0.2"),
    "confluent_kafka": ("confluent-kafka==2.0.2",),
    "kafka_python": ("kafka-python==2.0.0",),
}
OLDEST_API = (
    "opentelemetry-api==1.30.0",
    "opentelemetry-sdk==1.30.0",
    "opentelemetry-instrumentation==0.51b0",
    "opentelemetry-semantic-conventions==0.51b0",
    "opentelemetry-distro==0.51b0",
)
ALL = (*NEWEST, *(f"headwater_{client}" for client in NEWEST), "kafka", "kafka-python")
"""Names of all entry points, so that only the service itself instruments."""
CONTRIB = (
    "opentelemetry-instrumentation-aiokafka",
    "opentelemetry-instrumentation-confluent-kafka",
    "opentelemetry-instrumentation-kafka-python",
)


def judge(spans: list[dict[str, Any]], said: str, clients: int = 1) -> None:
    """Every message has one send and one body under it, and one trace header; besides, only what groups do."""
    sends = {span["context"]["span_id"]: span for span in spans if span["name"].startswith("send ")}
    bodies = [span for span in spans if span["name"].startswith("process ")]
    assert len(sends) == len(bodies) == clients * NUMBER, [span["name"] for span in spans]
    for body in bodies:
        send = sends.pop(body["parent_id"])
        for name in ("messaging.destination.partition.id", "messaging.kafka.offset"):
            assert send["attributes"][name] == body["attributes"][name]
    others = {span["name"].split()[0] for span in spans} - {"send", "process"}
    assert others <= {"commit", "rebalance"}, others
    # What the group does comes from no handler and goes into no flow.
    assert all(span["parent_id"] is None for span in spans if span["name"] == "rebalance")
    assert said.count("headers ['headwater-ctx', 'traceparent']") == clients * NUMBER, said


@pytest.mark.parametrize("client", sorted(NEWEST))
def test_one_client_alone(client: str) -> None:
    judge(*run(SERVICE, environment(*DISTRO, NEWEST[client]), client))


@pytest.mark.parametrize("client", sorted(OLDEST))
def test_the_oldest_client_with_the_oldest_api(kafka: KafkaBroker, client: str) -> None:
    topic = f"oldest-{client}"
    kafka.create_topic(topic, 3)
    judge(*run(SERVICE, environment(*OLDEST_API, *OLDEST[client]), client, kafka.bootstrap, topic))


@pytest.mark.parametrize("client", sorted(NEWEST))
def test_all_clients_and_the_other_instrumentations_of_them(client: str) -> None:
    judge(*run(SERVICE, environment(*DISTRO, *NEWEST.values(), *CONTRIB), client))


@pytest.mark.parametrize("order", ["ours,theirs", "theirs,ours"])
def test_one_span_and_one_header_in_whatever_order_both_are_started(order: str) -> None:
    commands = environment(*DISTRO, *NEWEST.values(), *CONTRIB)
    ordered = SERVICE.with_name("ordered_service.py")
    spans, said = run(ordered, commands, order, OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=",".join(ALL))
    judge(spans, said, len(NEWEST))


def test_both_record_where_that_is_wanted() -> None:
    commands = environment(*DISTRO, *NEWEST.values(), *CONTRIB)
    spans, said = run(SERVICE, commands, "aiokafka", HEADWATER_KAFKA_TAKE_OVER="0")
    assert len([span for span in spans if "send" in span["name"]]) == 2 * NUMBER
    assert said.count("'traceparent'") == NUMBER


def test_a_version_that_is_not_supported_is_left_alone_and_others_load() -> None:
    spans, said = run(
        SERVICE, environment(*DISTRO, "kafka-python==1.4.7", "confluent-kafka"), "confluent_kafka"
    )
    judge(spans, said)
    assert "kafka-python 1.4.7 is not instrumented; kafka-python >= 2.0, < 4.0 is supported." in said
