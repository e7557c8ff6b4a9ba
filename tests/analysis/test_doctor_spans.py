"""The doctor on what spans say, on the collector, and how it is printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import api_helpers as api
import builders
import store_helpers as told
from doctor_helpers import (
    BY_HAND,
    EVER,
    NOON,
    WATCHED,
    Part,
    Patient,
    commits,
    members,
    processes,
    sends,
    without,
)
from store_helpers import open_store


@pytest.fixture
def patient(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Patient:
    return Patient(tmp_path, capsys)


@pytest.mark.parametrize(
    ("attribute", "severity", "evidence"),
    [
        ("messaging.destination.name", "problem", "they belong to no topic"),
        ("messaging.destination.partition.id", "problem", "their messages are not known"),
        ("messaging.kafka.offset", "problem", "sending and handling cannot be joined"),
        ("messaging.consumer.group.name", "hint", "they belong to no group's lag"),
        ("messaging.kafka.cluster.id", "hint", "topics of one name in two clusters are mixed"),
    ],
)
def test_an_attribute_that_is_missing(patient: Patient, attribute: str, severity: str, evidence: str) -> None:
    lacking = without(processes("payments"), attribute)
    diagnosis = patient.tell(
        Part("checkout", without(sends(), attribute) if severity == "hint" else sends()),
        Part("payments", lacking, BY_HAND),
    ).diagnosis()
    (finding,) = [one for one in diagnosis.findings if one["who"] == "payments"]
    assert (finding["rule"], finding["severity"]) == ("missing_attribute", severity)
    assert finding["what"] == f"process spans have no {attribute}"
    assert finding["evidence"] == f"3 of 3 process spans of shop lack it: {evidence}."
    assert finding["example"] in {told.trace(f"m{n}") for n in range(3)}
    assert finding["mend"]


def test_an_event_id_that_stands_on_too_many_messages(patient: Patient) -> None:
    constant = {"headwater.event.id": "the same"}
    patient.tell(
        Part("checkout", sends(21, attributes=constant)), Part("payments", processes("payments", 21))
    )
    finding = patient.diagnosis().the("event_id_repeated")
    assert (finding["severity"], finding["who"], finding["count"]) == ("hint", "orders", 21)
    assert (
        "1 event id on orders (such as the same, sent by checkout) stands on more than 20 messages"
        in finding["evidence"]
    )


def test_an_event_id_on_a_message_and_its_copies_is_no_finding(patient: Patient) -> None:
    patient.tell(
        Part("checkout", sends(20, attributes={"headwater.event.id": "e1"})),
        Part("payments", processes("payments", 20)),
    )
    assert patient.diagnosis().findings == []


def test_sends_that_failed_and_batches_need_no_offset(patient: Patient) -> None:
    failed = without(sends(error="KafkaTimeoutError"), "messaging.kafka.offset")
    batch = without(sends(attributes={"messaging.batch.message_count": 9}), "messaging.kafka.offset")
    patient.tell(Part("checkout", failed), Part("importer", batch))
    assert patient.diagnosis().findings == []


def test_few_stragglers_are_no_finding(patient: Patient) -> None:
    cut_off = without(sends(1, topic="orders"), "messaging.kafka.offset")
    patient.tell(Part("checkout", [*sends(30), *cut_off]), Part("payments", processes("payments", 30)))
    assert patient.diagnosis().findings == []


@pytest.mark.parametrize("name", ["", "unknown_service", "unknown_service:python"])
def test_a_service_without_a_name(patient: Patient, name: str) -> None:
    patient.tell(Part("", sends(), resource={"service.name": name}))
    diagnosis = patient.diagnosis()
    assert diagnosis.rules == {("unknown_service", "problem", name or "unknown_service")}
    assert diagnosis.findings[0]["mend"] == ["export OTEL_SERVICE_NAME=checkout"]


@pytest.mark.parametrize(("metrics", "found"), [(12, {("no_instance", "hint", "payments")}), (0, set())])
def test_no_instance_id_matters_where_metrics_are_counted(
    patient: Patient, metrics: int, found: set[tuple[str, str, str]]
) -> None:
    counted = {"sampled_at": NOON, "started_at": NOON, "version": "0.1.0", "metrics_not_kept": metrics}
    patient.tell(
        Part("checkout", sends(), resource={"service.instance.id": "a"}),
        Part("payments", processes("payments")),
        rows={"ingest_samples": [counted]},
    )
    assert patient.diagnosis().rules == found


@pytest.mark.parametrize(
    ("why", "ms", "with_child", "found"),
    [
        ("the span ends before the work", 0.03, False, {("handler_not_covered", "hint", "payments")}),
        ("the work is in a child", 0.03, True, set()),
        ("the work is in the span", 5, False, set()),
    ],
)
def test_handlers_outside_of_their_spans(
    patient: Patient, why: str, ms: float, with_child: bool, found: set[tuple[str, str, str]]
) -> None:
    handled = processes("payments", 25, ms=ms)
    children = [
        builders.a_span(
            "charge", trace_id=one.trace_id.hex(), parent=one.span_id.hex(), start_ns=told.at(101)
        )
        for one in handled
    ]
    patient.tell(Part("checkout", sends(25)), Part("payments", [*handled, *(children if with_child else [])]))
    diagnosis = patient.diagnosis()
    assert diagnosis.rules == found, why
    if found:
        assert "25 of 25 process spans on orders last less than 0.1 ms" in diagnosis.findings[0]["evidence"]
        assert diagnosis.findings[0]["mend"][0].startswith("async with process(record):")


@pytest.mark.parametrize(
    ("why", "handled", "found"),
    [
        ("only the fetching is recorded", [], {("handler_not_covered", "problem", "payments")}),
        ("the handling is recorded, without the group", ["messaging.consumer.group.name"], set()),
    ],
)
def test_fetching_without_handling(
    patient: Patient, why: str, handled: list[str], found: set[tuple[str, str, str]]
) -> None:
    fetched = processes("payments", attributes={"messaging.operation.type": "receive"})
    own = [] if not handled else without(processes("payments", 30, span_id=None), *handled)
    patient.tell(
        Part("checkout", sends(30)), Part("payments", fetched, BY_HAND), Part("payments", own, BY_HAND)
    )
    rules = {one for one in patient.diagnosis().rules if one[0] != "missing_attribute"}
    assert rules == found, why


def test_what_senders_dropped_and_clocks_from_the_future(patient: Patient) -> None:
    handled = processes("payments")
    for span in handled:
        span.dropped_links_count = 72
    ahead = sends(start_ns=told.at(9e8), ms=1)
    patient.tell(Part("checkout", sends()), Part("payments", handled), Part("ahead", ahead[:0]))
    dropped = patient.diagnosis()
    assert dropped.rules == {("dropped", "hint", "payments")}
    assert dropped.findings[0]["mend"] == ["export OTEL_SPAN_LINK_COUNT_LIMIT=1000"]
    future = [builders.a_span("tick", start_ns=told.at(9e9))]
    assert ("far_future", "problem", "ahead") in patient.tell(Part("ahead", future)).diagnosis().rules


def test_what_the_collector_could_not_keep(patient: Patient) -> None:
    counted = {"sampled_at": NOON, "started_at": NOON, "version": "0.1.0", "received_requests": 9,
               "refused_requests": 2, "quarantined": 3, "quarantine_reasons": '{"zero id": 3}'}  # fmt: skip
    patient.tell(Part("checkout", sends()), rows={"ingest_samples": [counted]})
    diagnosis = patient.diagnosis()
    assert diagnosis.rules == {("not_kept", "problem", "collector"), ("refused", "hint", "collector")}
    assert (
        "3 spans or requests since its start are no valid OTLP: 3 × zero id."
        in diagnosis.the("not_kept")["evidence"]
    )


@pytest.mark.parametrize(
    "said",
    [
        {"server.address": "kafka", "server.port": 9094},
        {"server.address": '"kafka:9094"'},
        {"server.address": '["kafka:9094", "kafka-2:9094"]'},
    ],
)
def test_a_cluster_that_is_not_watched(patient: Patient, said: dict[str, object]) -> None:
    unwatched = patient.tell(Part("checkout", sends(attributes=said)), watched=False).diagnosis()
    assert unwatched.rules == {("cluster_not_watched", "hint", "collector")}
    assert unwatched.findings[0]["mend"] == ["headwater up --kafka kafka:9094"]


def test_a_cluster_that_is_away(patient: Patient) -> None:
    down = WATCHED | {"state": "down", "reason": "no broker answers"}
    patient.tell(Part("checkout", sends()), rows={"cluster_rows": [down]}, watched=False)
    assert patient.diagnosis().rules == {("cluster_away", "problem", "prod")}


def test_no_spans_yet_and_none_lately(patient: Patient) -> None:
    code, printed = patient.tell(watched=False).text()
    assert code == 1
    assert "collector: no span has arrived yet" in printed
    assert "$ export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318" in printed
    patient.tell(Part("checkout", [builders.a_span(start_ns=told.at(0))]))
    code, printed = patient.text("--last", "1s")
    assert (code, printed.startswith("No span came in the last 1s; the newest span came ")) == (0, True)
    code, printed = patient.text()
    assert (code, printed.startswith("No Kafka span came in the last 9999d;")) == (0, True)


def test_it_is_readable_on_80_columns(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    patient.tell(
        Part("checkout", sends()),
        Part("payments", processes("payments")),
        Part("audit", processes("audit", joined=False), BY_HAND),
        Part("evil\x1b[31m", [builders.a_span(start_ns=told.at(9e9))]),
        rows={
            "commit_samples": commits("reports", "orders", [0, 1, 3]),
            "group_samples": members("reports", "aiokafka-0.14.0"),
        },
    )
    code, printed = patient.text()
    lines = [line.rstrip() for line in printed.splitlines()]
    assert code == 1
    assert all(len(line) <= 80 for line in lines)
    assert "\x1b" not in printed
    assert lines[0] == "✗ problem group reports: consumes without leaving a span"
    assert "              from headwater_instrumentation import AIOKafkaInstrumentor" in lines
    assert "            $ pip install headwater-instrumentation" in lines
    assert "          for example: headwater flow orders@0:2" in lines
    assert lines[-1] == "3 problems, 0 hints."


def test_it_asks_a_collector_and_says_when_there_is_none(tmp_path: Path) -> None:
    store = open_store(tmp_path / "headwater.duckdb")
    api.fill_with_a_story(store)
    with api.serving(store) as url:
        done = api.headwater("doctor", *EVER, "--json", "--collector", url)
    store.close()
    assert {one["rule"] for one in json.loads(done.stdout)} == {"not_kept", "refused", "no_instance"}
    assert (done.returncode, done.stderr) == (1, b"")
    away = api.headwater("doctor", "--collector", url)
    assert (away.returncode, away.stdout) == (3, b"")
    assert away.stderr.startswith(b"No collector answers at ")
