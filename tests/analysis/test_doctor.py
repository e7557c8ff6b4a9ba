"""The doctor on context, clients and spans: OTLP bytes in, the command's answer out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

import builders
import store_helpers as told
from doctor_helpers import (
    BY_HAND,
    OURS,
    Part,
    Patient,
    commits,
    ends,
    members,
    process,
    processes,
    renamed,
    send,
    sends,
    without,
)

REMOTE, LOCAL = 0x300, 0x100
"""OTLP flags of a span whose parent is in another process, and of one whose parent is in its own."""


@pytest.fixture
def patient(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Patient:
    return Patient(tmp_path, capsys)


def test_a_healthy_shop_gives_no_finding(patient: Patient) -> None:
    batch = builders.a_span(
        "process orders",
        kind="consumer",
        start_ns=told.at(200),
        links=[told.link(f"m{n}", f"m{n} send", ("orders", 0, n)) for n in range(3)],
        attributes={"messaging.system": "kafka", "messaging.operation.type": "process",
                    "messaging.destination.name": "orders", "messaging.batch.message_count": 3,
                    "messaging.consumer.group.name": "search", "messaging.kafka.cluster.id": "c1",
                    "headwater.offsets": ["orders:0:0-2"]},
    )  # fmt: skip
    patient.tell(
        Part("checkout", sends()),
        Part("payments", processes("payments")),
        Part("search", [batch]),
        rows={
            "commit_samples": commits("payments", "orders", [0, 2, 3]),
            "offset_samples": [*ends("orders", [0, 3]), *ends("__consumer_offsets", [0, 9])],
        },
    )
    assert patient.diagnosis().findings == []
    code, printed = patient.text()
    assert code == 0
    assert "Examined 7 Kafka spans of 3 services and 1 group that committed" in printed
    assert "✓ Nothing found: every message seen can be followed." in printed


@pytest.mark.parametrize(
    ("why", "parts", "found", "mend"),
    [
        (
            "others continue what checkout sends, so audit does not read headers",
            [
                Part("checkout", sends()),
                Part("payments", processes("payments")),
                Part("audit", processes("audit", joined=False), BY_HAND),
            ],
            ("context_not_continued", "problem", "audit on orders"),
            "pip install headwater-instrumentation",
        ),
        (
            "payments continues what others send, so legacy writes no headers",
            [
                Part("legacy", sends(), BY_HAND),
                Part("payments", processes("payments", joined=False)),
            ],
            ("sent_without_context", "problem", "legacy on orders"),
            "opentelemetry-instrument python service.py",
        ),
        (
            "the agent's propagation was switched off",
            [
                Part("legacy", sends(), "io.opentelemetry.kafka-clients-0.11"),
                Part("payments", processes("payments", joined=False)),
            ],
            ("sent_without_context", "problem", "legacy on orders"),
            "export OTEL_INSTRUMENTATION_KAFKA_PRODUCER_PROPAGATION_ENABLED=true",
        ),
        (
            "neither is known to do its part",
            [Part("legacy", sends(), BY_HAND), Part("audit", processes("audit", joined=False), BY_HAND)],
            ("context_not_continued", "problem", "audit on orders"),
            "pip install headwater-instrumentation",
        ),
        (
            "fetching without context counts where nothing is handled",
            [
                Part("checkout", sends()),
                Part("payments", processes("payments")),
                Part(
                    "audit",
                    processes("audit", joined=False, attributes={"messaging.operation.type": "receive"}),
                    BY_HAND,
                ),
            ],
            ("context_not_continued", "problem", "audit on orders"),
            "pip install headwater-instrumentation",
        ),
    ],
)
def test_context_that_is_lost_names_whose_part_is_missing(
    patient: Patient, why: str, parts: list[Part], found: tuple[str, str, str], mend: str
) -> None:
    diagnosis = patient.tell(*parts).diagnosis()
    assert diagnosis.code == 1
    assert found in diagnosis.rules, why
    finding = diagnosis.the(found[0])
    assert finding["count"] == 3
    assert finding["evidence"].startswith("3 of 3 messages from ")
    assert finding["example"] == "orders@0:2"
    assert mend in finding["mend"]


def test_links_count_as_context_and_so_does_one_that_the_caller_gave(patient: Patient) -> None:
    linked = process("m0", 0, "linked", joined=False, links=[told.link("m0", "m0 send")])
    given = send("m1", 1, links=[(told.trace("given"), told.span("made elsewhere"))])
    below = process(
        "m1", 1, "linked", joined=False, trace_id=told.trace("given"), parent=told.span("made elsewhere")
    )
    patient.tell(Part("checkout", [send("m0", 0), given]), Part("linked", [linked, below]))
    assert patient.diagnosis().findings == []


def test_a_batch_with_more_messages_than_links_loses_nothing(patient: Patient) -> None:
    batch = builders.a_span(
        "process orders", kind="consumer", start_ns=told.at(200),
        links=[told.link("m0", "m0 send", ("orders", 0, 0))],
        attributes={"messaging.system": "kafka", "messaging.operation.type": "process",
                    "messaging.destination.name": "orders", "messaging.batch.message_count": 3,
                    "messaging.consumer.group.name": "search", "messaging.kafka.cluster.id": "c1",
                    "headwater.offsets": ["orders:0:0-2"]},
    )  # fmt: skip
    patient.tell(Part("checkout", sends()), Part("search", [batch]))
    assert patient.diagnosis().findings == []


@pytest.mark.parametrize(
    ("scope", "found"),
    [(OURS, ("no_context", "hint", "orders")), (BY_HAND, ("no_context", "problem", "payments on orders"))],
)
def test_messages_of_unknown_senders_without_context(
    patient: Patient, scope: str, found: tuple[str, str, str]
) -> None:
    diagnosis = patient.tell(Part("payments", processes("payments", joined=False), scope)).diagnosis()
    assert diagnosis.rules == {found}
    assert diagnosis.code == (1 if found[1] == "problem" else 0)
    assert diagnosis.the("no_context")["count"] == 3


def flagged(spans: list[Span], flags: int) -> list[Span]:
    for span in spans:
        span.flags = flags
    return spans


@pytest.mark.parametrize(
    ("why", "flags", "later_s", "found"),
    [
        ("a remote parent that never came", REMOTE, 60, {("sender_not_stored", "problem", "orders")}),
        ("its sender's spans may be on their way", REMOTE, 5, set()),
        ("a span of its own that is still open", LOCAL, 60, set()),
    ],
)
def test_context_of_spans_that_never_came(
    patient: Patient, why: str, flags: int, later_s: float, found: set[Any]
) -> None:
    handled = flagged(processes("payments"), flags)
    later = builders.a_span("heartbeat", start_ns=told.at(0))
    diagnosis = patient.tell(
        Part("payments", handled), Part("payments", [later], after_s=later_s)
    ).diagnosis()
    assert diagnosis.rules == found, why
    if found:
        assert "export OTEL_EXPORTER_OTLP_ENDPOINT=http://COLLECTOR:4318" in diagnosis.findings[0]["mend"]


def test_messages_of_a_topic_made_anew_are_neither_lost_nor_early(patient: Patient) -> None:
    before = processes("payments", joined=False, start_ns=told.at(-3_600_000))
    assert patient.tell(Part("checkout", sends()), Part("payments", before)).diagnosis().findings == []


def test_what_confluents_own_limits_lose_is_a_hint(patient: Patient) -> None:
    patient.tell(
        Part("checkout", sends(), "headwater_instrumentation.confluent_kafka"),
        Part("payments", processes("payments", joined=False)),
    )
    diagnosis = patient.diagnosis()
    assert diagnosis.rules == {("sent_without_context", "hint", "checkout on orders")}
    assert diagnosis.findings[0]["evidence"].endswith("AIOProducer and produce_batch send none.")


def test_clocks_that_differ(patient: Patient) -> None:
    early = processes("payments", start_ns=told.at(-4000))
    diagnosis = patient.tell(Part("checkout", sends()), Part("payments", early)).diagnosis()
    assert diagnosis.rules == {("clock_skew", "problem", "checkout and payments")}
    assert "by up to 4,000 ms" in diagnosis.findings[0]["evidence"]


@pytest.mark.parametrize(
    ("client", "used", "mend"),
    [
        ("aiokafka-0.14.0", ", which is aiokafka.", "AIOKafkaInstrumentor().instrument()"),
        ("rdkafka", ", which is librdkafka", "ConfluentKafkaInstrumentor().instrument()"),
        ("kafka-python-3.0.12", ", which is kafka-python.", "KafkaPythonInstrumentor().instrument()"),
        ("consumer-audit-1", ", which is the Java client.", "java -javaagent:opentelemetry-javaagent.jar"),
        ("sarama", ", which is sarama", "go get github.com/dnwe/otelsarama"),
        ("kafkajs", ", which is kafkajs", "npm install @opentelemetry/instrumentation-kafkajs"),
        ("auditor", "are auditor at 10.0.0.7.", "opentelemetry-instrument python service.py"),
    ],
)
def test_a_group_that_commits_and_leaves_no_span(patient: Patient, client: str, used: str, mend: str) -> None:
    patient.tell(
        Part("checkout", sends()),
        Part("payments", processes("payments")),
        rows={
            "commit_samples": [
                *commits("payments", "orders", [0, 2, 3]),
                *commits("audit", "orders", [0, 1, 3]),
                *commits("reset-by-hand", "orders", [0, 3, 3]),
                *commits("idle", "orders", [3, 3, 3]),
            ],
            "group_samples": members("audit", client),
        },
    )
    diagnosis = patient.diagnosis()
    assert diagnosis.rules == {("group_without_spans", "problem", "group audit")}
    finding = diagnosis.the("group_without_spans")
    assert finding["count"] == 3
    assert "unless a sampler left all of them out" in finding["evidence"]
    assert f"Its members are {client} at 10.0.0.7" in finding["evidence"]
    assert used in finding["evidence"]
    assert any(line.startswith(mend) for line in finding["mend"])


def test_a_group_whose_spans_do_not_name_it_is_not_taken_for_silent(patient: Patient) -> None:
    nameless = without(processes("payments"), "messaging.consumer.group.name")
    patient.tell(
        Part("checkout", sends()), Part("payments", nameless),
        rows={"commit_samples": commits("payments", "orders", [0, 2, 3])},
    )  # fmt: skip
    diagnosis = patient.diagnosis()
    assert diagnosis.rules == {("missing_attribute", "hint", "payments")}
    assert diagnosis.code == 0


def test_a_topic_that_grows_without_sends(patient: Patient) -> None:
    patient.tell(
        Part("checkout", sends()),
        Part("payments", processes("payments")),
        rows={
            "offset_samples": [*ends("orders", [0, 3]), *ends("invoices", [5, 47]), *ends("still", [9, 9])]
        },
    )
    diagnosis = patient.diagnosis()
    assert diagnosis.rules == {("topic_without_sends", "problem", "invoices")}
    assert "It grew by 42 offsets" in diagnosis.findings[0]["evidence"]


def test_aiokafka_under_opentelemetrys_own_instrumentation(patient: Patient) -> None:
    contrib = "opentelemetry.instrumentation.aiokafka"
    receive = {"messaging.operation.type": "receive"}
    patient.tell(
        Part("checkout", without(sends(attributes={"messaging.operation.type": "publish"}), "messaging.kafka.offset"),
             contrib),
        Part("payments", renamed(processes("payments", attributes=receive, ms=0.04),
                                 messaging__kafka__offset="messaging.kafka.message.offset"), contrib),
    )  # fmt: skip
    diagnosis = patient.diagnosis()
    assert diagnosis.rules == {
        ("handler_not_covered", "problem", "payments"),
        ("missing_attribute", "problem", "checkout"),
        ("other_instrumentation", "hint", "checkout"),
        ("other_instrumentation", "hint", "payments"),
    }
    install = [
        "pip install headwater-instrumentation",
        "from headwater_instrumentation import AIOKafkaInstrumentor",
        "AIOKafkaInstrumentor().instrument()",
    ]
    assert [one["mend"] for one in diagnosis.findings] == [install] * 4
    said = {
        one["who"]: one["evidence"] for one in diagnosis.findings if one["rule"] == "other_instrumentation"
    }
    assert "3 of 3 sends say no offset" in said["checkout"]
    assert "none covers a handler; old names are used: messaging.kafka.message.offset." in said["payments"]


def test_one_client_under_two_instrumentations(patient: Patient) -> None:
    twice = [send(f"m{n}", n, span_id=told.span(f"contrib {n}")) for n in range(3)]
    patient.tell(
        Part("checkout", sends()),
        Part("checkout", twice, "opentelemetry.instrumentation.aiokafka"),
        Part("payments", processes("payments")),
    )
    diagnosis = patient.diagnosis()
    assert diagnosis.rules == {("two_instrumentations", "problem", "checkout")}
    assert "export OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=aiokafka" in diagnosis.findings[0]["mend"]


def test_old_names_of_another_language_are_a_hint(patient: Patient) -> None:
    old = renamed(sends(), messaging__kafka__offset="messaging.kafka.message.offset")
    patient.tell(
        Part("billing", old, "io.opentelemetry.kafka-clients-0.11"), Part("payments", processes("payments"))
    )
    diagnosis = patient.diagnosis()
    assert diagnosis.rules == {("old_names", "hint", "billing")}
    assert diagnosis.code == 0
    assert "have messaging.kafka.message.offset." in diagnosis.findings[0]["evidence"]
