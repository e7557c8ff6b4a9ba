"""Wire bytes in at the real doors, rows out by SQL; and what each door says to wrong input."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path

import duckdb
import grpc
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from builders import a_process, a_request, a_send, a_span, a_span_id, a_trace_id
from collector_process import JSON, PROTOBUF, SHARED_DATA, CollectorProcess, a_collector

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    with a_collector(tmp_path_factory.mktemp("doors"), "--max-body=8", "--max-log=64") as running:
        yield running


def export(collector: CollectorProcess, body: bytes, path: str = TRACES, **keywords: object) -> bytes:
    with grpc.insecure_channel(collector.addresses["otlp_grpc"]) as channel:
        answer: bytes = channel.unary_unary(path)(body, timeout=60, **keywords)
        return answer


def stored(collector: CollectorProcess, trace_id: str, spans: int = 1) -> None:
    collector.wait_for(f"select count(*) from spans where trace_id = '{trace_id}'", spans)


def test_protobuf_over_http(collector: CollectorProcess) -> None:
    trace = a_trace_id()
    answer = collector.send(a_request(a_span(trace_id=trace), service="p").SerializeToString())
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["content-type"] == "application/x-protobuf"
    stored(collector, trace)
    assert collector.sql("select service from spans where trace_id = ?", [trace]) == [["p"]]


def test_json_over_http(collector: CollectorProcess) -> None:
    trace = a_trace_id()
    span = {"traceId": trace, "spanId": a_span_id(), "name": "json", "kind": 2, "startTimeUnixNano": "5"}
    document = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
    answer = collector.send(
        json.dumps(document).encode(), {"Content-Type": "application/json; charset=utf-8"}
    )
    assert (answer.status, answer.body) == (200, b"{}")
    stored(collector, trace)


def test_gzip_over_http(collector: CollectorProcess) -> None:
    small, large = a_trace_id(), a_trace_id()
    first = a_request(a_span(trace_id=small)).SerializeToString()
    spans = [a_span(f"{a_span_id()}{a_span_id()}", trace_id=large) for _ in range(3000)]
    second = a_request(*spans).SerializeToString()
    for body in (first, second):
        assert collector.send(gzip.compress(body), {**PROTOBUF, "Content-Encoding": "gzip"}).status == 200
    stored(collector, small)
    stored(collector, large, 3000)


def test_grpc(collector: CollectorProcess) -> None:
    plain, packed = a_trace_id(), a_trace_id()
    assert export(collector, a_request(a_span(trace_id=plain)).SerializeToString()) == b""
    export(
        collector, a_request(a_span(trace_id=packed)).SerializeToString(), compression=grpc.Compression.Gzip
    )
    stored(collector, plain)
    stored(collector, packed)


def test_metrics_and_logs_are_taken_and_counted_as_not_kept(collector: CollectorProcess) -> None:
    metrics, logs = ExportMetricsServiceRequest(), ExportLogsServiceRequest()
    scope = metrics.resource_metrics.add().scope_metrics.add()
    for name in ("a", "b"):
        scope.metrics.add(name=name)
    logs.resource_logs.add().scope_logs.add().log_records.add(severity_text="INFO")
    assert collector.send(metrics.SerializeToString(), signal="metrics").status == 200
    assert (
        collector.send(b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{}]}]}]}', JSON, "logs").status == 200
    )
    export(
        collector,
        logs.SerializeToString(),
        "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    )
    collector.wait_for("select metrics_not_kept from ingest_health", 2)
    collector.wait_for("select logs_not_kept from ingest_health", 2)


def test_a_repeated_request_is_stored_once(collector: CollectorProcess) -> None:
    trace = a_trace_id()
    body = a_request(a_span(trace_id=trace)).SerializeToString()
    (before,) = collector.sql("select coalesce(max(repeated_requests), 0) from ingest_health")[0]
    assert collector.send(body).status == 200
    stored(collector, trace)
    assert collector.send(body).status == 200
    export(collector, body)
    collector.wait_for("select repeated_requests from ingest_health", before + 2)
    stored(collector, trace)


@pytest.mark.parametrize(
    ("body", "headers", "status", "says"),
    [
        (b"\xff\xff\xff", PROTOBUF, 400, "no OTLP"),
        (b"this is text", PROTOBUF, 400, "no OTLP"),
        (a_request(a_span()).SerializeToString()[:-3], PROTOBUF, 400, "no OTLP"),
        (b"", JSON, 400, "no JSON"),
        (b"{incomplete", JSON, 400, "no JSON"),
        (b"[]", JSON, 400, "no OTLP/JSON"),
        (b'{"resourceSpans": {"a": 1}}', JSON, 400, "not a list"),
        (b"x", {"Content-Type": "text/plain"}, 415, "text/plain"),
        (b"x", {}, 415, "(none)"),
        (b"x", {**PROTOBUF, "Content-Encoding": "br"}, 415, "br"),
        (b"not gzip", {**PROTOBUF, "Content-Encoding": "gzip"}, 400, "gzip"),
        (gzip.compress(b"cut off" * 50)[:-9], {**PROTOBUF, "Content-Encoding": "gzip"}, 400, "too early"),
        (gzip.compress(b"\0" * (9 << 20)), {**PROTOBUF, "Content-Encoding": "gzip"}, 413, "unpacks"),
        (b"\0" * (9 << 20), PROTOBUF, 413, "at most"),
        (b"[" * 100_000, JSON, 400, "no JSON"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_wrong_input_gets_one_clear_sentence(
    collector: CollectorProcess, body: bytes, headers: dict[str, str], status: int, says: str
) -> None:
    answer = collector.send(body, headers)
    assert answer.status == status, answer.body
    assert says.encode() in answer.body
    assert b"Traceback" not in answer.body
    if headers.get("Content-Type") == PROTOBUF["Content-Type"]:
        assert answer.headers["content-type"] == "application/x-protobuf"
        assert answer.body[:1] == b"\x08", "google.rpc.Status begins with its code"
    else:
        document = json.loads(answer.body)
        assert document["code"] and document["message"].endswith(".")
    trace = a_trace_id()
    assert collector.send(a_request(a_span(trace_id=trace)).SerializeToString()).status == 200
    stored(collector, trace)


def test_an_oversize_body_without_a_length_is_refused(collector: CollectorProcess) -> None:
    chunks = (b"\x0a" * (1 << 20) for _ in range(9))
    connection_body: bytes = chunks  # type: ignore[assignment]  # http.client sends an iterable in chunks
    answer = collector.request("otlp_http", "POST", "/v1/traces", connection_body, PROTOBUF)
    assert answer.status == 413


def test_an_empty_request_is_fine(collector: CollectorProcess) -> None:
    assert collector.send(b"").status == 200
    assert collector.send(b"{}", JSON).body == b"{}"
    assert export(collector, b"") == b""
    warned = json.loads(collector.send(b'{"invalid": "not otlp json"}', JSON).body)
    assert "resourceSpans" in warned["partialSuccess"]["errorMessage"]


def test_other_paths_and_methods(collector: CollectorProcess) -> None:
    assert collector.request("otlp_http", "GET", "/v1/traces").status == 405
    assert collector.request("otlp_http", "POST", "/v1/profiles", b"").status == 404


@pytest.mark.parametrize(
    "body", [b"\xff\xff\xff", a_request(a_span()).SerializeToString()[:-3]], ids=["no framing", "cut off"]
)
def test_grpc_refuses_what_is_no_otlp(collector: CollectorProcess, body: bytes) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        export(collector, body)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "no OTLP" in caught.value.details()


def test_grpc_refuses_what_is_too_large(collector: CollectorProcess) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        export(collector, b"\0" * (9 << 20))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_bad_span_goes_to_the_quarantine_and_its_neighbours_do_not(collector: CollectorProcess) -> None:
    trace = a_trace_id()
    (before,) = collector.sql("select coalesce(max(quarantined), 0) from ingest_health")[0]
    request = a_request(a_span(trace_id=trace), a_span(span_id="0" * 16), a_span(trace_id=trace))
    assert collector.send(request.SerializeToString()).status == 200
    stored(collector, trace, 2)
    collector.wait_for("select quarantined from ingest_health", before + 1)
    assert collector.sql("select quarantine_reasons->>'span_id' from ingest_health")[0][0] != "0"


MALFORMED = SHARED_DATA / "otlp-malformed"


@pytest.mark.skipif(not MALFORMED.is_dir(), reason="the recorded data is not beside this repository")
def test_every_malformed_file_is_answered_and_costs_nothing(collector: CollectorProcess) -> None:
    def names() -> set[str]:
        return {name for (name,) in collector.sql("select distinct name from spans")}

    for file in sorted(MALFORMED.iterdir()):
        data = file.read_bytes()
        whole = collector.send(data, PROTOBUF)
        assert whole.status in (200, 400), file.name
        with grpc.insecure_channel(collector.addresses["otlp_grpc"]) as channel:
            try:
                channel.unary_unary(TRACES)(data, timeout=60)
            except grpc.RpcError as error:
                assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
        for line in data.splitlines():
            assert collector.send(line, JSON).status in (200, 400), (file.name, line[:60])
    trace = a_trace_id()
    assert collector.send(a_request(a_span("the last", trace_id=trace)).SerializeToString()).status == 200
    stored(collector, trace)
    assert names() >= {
        "test_span",
        "first-span",
        "minimal_span",
        "empty_metadata",
        "no_parent",
        "deep_nested_span",
    }
    assert "valid span" not in names(), "its ids are no hex of the right length"


def test_odd_spans_are_stored_and_readable_with_stock_duckdb(tmp_path: Path) -> None:
    huge = {f"attribute.{number}": f"{number}" for number in range(10_000)}
    spans = [
        a_span("backwards", ms=-5),
        a_span("future", start_ns=2**62),
        a_span("huge", attributes=huge),
        a_send("orders", 0, 1, attributes={"nul": "a\0b", "deep": {"x": [1, {"y": "z"}]}}),
        a_process("orders", 0, 1, "g", name="nul\0name"),
    ]
    with a_collector(tmp_path) as collector:
        assert collector.send(a_request(*spans).SerializeToString()).status == 200
        collector.wait_for("select count(*) from spans", 5)
        assert collector.stop() == 0
    with duckdb.connect(str(tmp_path / "headwater.duckdb"), read_only=True) as store:
        asked = "select attributes->>'$.\"attribute.9999\"' from spans where name = 'huge'"
        assert store.execute(asked).fetchall() == [("9999",)]
        asked = "select attributes->>'$.deep.x[1].y' from spans where kind = 'producer'"
        assert store.execute(asked).fetchall() == [("z",)]
        asked = "select name, marks from spans where marks is not null order by name"
        assert store.execute(asked).fetchall() == [
            ("backwards", ["ends_before_start"]),
            ("future", ["far_future"]),
        ]


def test_errors_are_what_google_rpc_reads() -> None:
    from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]
    from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]

    from headwater_collector.receivers.otlp_wire import status_bytes

    status = Status.FromString(status_bytes(14, "später " * 30, 300))
    assert (status.code, status.message) == (14, "später " * 30)
    retry = RetryInfo()
    assert status.details[0].Unpack(retry)
    assert retry.retry_delay.seconds == 300
    assert Status.FromString(status_bytes(3, "no")).details == []


def test_unpacking_takes_members_one_after_another() -> None:
    from headwater_collector.receivers.unpack import gunzip

    packed = gzip.compress(b"one") + gzip.compress(b"two")
    assert gunzip(packed, 100) == b"onetwo"
    assert zlib.crc32(gunzip(gzip.compress(b"x" * 99), 99)) == zlib.crc32(b"x" * 99)
