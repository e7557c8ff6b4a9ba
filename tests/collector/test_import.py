"""`headwater import`: files of other tools into a real collector, and what flows they become."""

from __future__ import annotations

import gzip
import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from builders import a_request, a_span
from collector_process import SHARED_DATA, CollectorProcess, a_collector, command

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
recorded = pytest.mark.skipif(
    not SHARED_DATA.is_dir(), reason="the recorded data is not beside this repository"
)


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    with a_collector(tmp_path_factory.mktemp("import")) as made:
        yield made


def given(door: str, *arguments: str, stdin: bytes | None = None) -> tuple[int, str]:
    """Exit code and output of an import."""
    process = command("import", *arguments, f"--to={door}", stdin=subprocess.PIPE)
    output, _ = process.communicate(None if stdin is None else stdin.decode("latin-1"), timeout=60)
    return process.returncode, output


def imported(collector: CollectorProcess, *arguments: str, stdin: bytes | None = None) -> dict[str, Any]:
    """What the command says as JSON."""
    code, output = given(collector.addresses["otlp_http"], *arguments, "--json", stdin=stdin)
    assert code == 0, output
    answer: dict[str, Any] = json.loads(output)
    return answer


def edges(collector: CollectorProcess, trace_id: str) -> set[tuple[str, str, str]]:
    """(kind, cause, effect) of a flow's edges, by service and name."""
    rows = collector.sql(
        f"""select e.kind, c.service || ' ' || c.name, f.service || ' ' || f.name
        from flow_edges('{trace_id}') e
        join spans c on c.trace_id = e.from_trace_id and c.span_id = e.from_span_id
        join spans f on f.trace_id = e.to_trace_id and f.span_id = e.to_span_id"""
    )
    return {(kind, cause, effect) for kind, cause, effect in rows}


@recorded
def test_a_table_of_train_tickets_becomes_flows(collector: CollectorProcess) -> None:
    said = imported(collector, str(SHARED_DATA / "nezha-trainticket.csv"))
    assert (said["sent"], said["refused"], said["skipped"]) == (4445, 0, {})
    assert said["first"].startswith("2023-01-29T08:4")
    collector.wait_for("select count(*) from spans where service like 'ts-%'", 4445)
    assert collector.sql("select count(distinct trace_id) from spans where service like 'ts-%'") == [[53]]
    assert collector.sql("select count(distinct service) from spans where service like 'ts-%'") == [[27]]
    trace_id = "5d0bbaa5c74d96842aabc39c7b39d067"
    between = "ts-food-service <default> send", "ts-delivery-service food_delivery process"
    collector.wait_for(f"select count(*) from flow_spans('{trace_id}') where kind = 'consumer'", 2)
    assert ("parent", *between) in edges(collector, trace_id)


@recorded
def test_zipkins_kafka_trace_becomes_one_flow(collector: CollectorProcess) -> None:
    said = imported(collector, str(SHARED_DATA / "zipkin-messaging-kafka.json"))
    assert said["sent"] == 28
    trace_id = "00000000000000000562809467078eab"
    collector.wait_for(f"select count(*) from flow_spans('{trace_id}')", 28)
    joined = edges(collector, trace_id)
    assert ("parent", "servicea send", "serviceb poll") in joined
    assert ("parent", "servicea send", "servicea poll") in joined
    topics = collector.sql(
        f"select distinct topic from trace('{trace_id}') where topic is not null order by all"
    )
    assert topics == [["central.messages"], ["command-messages"], ["messages"]]
    assert collector.sql(f"select count(*) from trace('{trace_id}') where status = 'error'") == [[3]]


def test_both_ends_of_a_call_that_share_an_id_are_two_spans(collector: CollectorProcess) -> None:
    common = {"traceId": "a" * 32, "name": "get", "timestamp": START // 1000, "duration": 5}
    spans = [
        {**common, "id": "b" * 16, "kind": "CLIENT", "localEndpoint": {"serviceName": "front"}},
        {
            **common,
            "id": "b" * 16,
            "kind": "SERVER",
            "shared": True,
            "localEndpoint": {"serviceName": "back"},
        },
        {**common, "id": "c" * 16, "parentId": "b" * 16, "localEndpoint": {"serviceName": "back"}},
        {"id": "d" * 16, "traceId": "a" * 32},
    ]
    said = imported(collector, "-", stdin=json.dumps(spans).encode())
    assert said["sent"] == 3 and said["skipped"] == {"without a trace id, an id or a time": 1}
    collector.wait_for(f"select count(*) from trace('{'a' * 32}')", 3)
    assert edges(collector, "a" * 32) == {
        ("parent", "front get", "back get"),
        ("parent", "back get", "back get"),
    }
    assert collector.sql(
        f"select p.service, p.kind from spans s join spans p on p.span_id = s.parent_span_id "
        f"where s.span_id = '{'c' * 16}' and p.trace_id = s.trace_id"
    ) == [["back", "server"]]


def test_jaegers_download(collector: CollectorProcess) -> None:
    def tag(key: str, value: Any) -> dict[str, Any]:
        return {"key": key, "type": "string", "value": value}

    span = {
        "traceID": "1" * 32, "spanID": "2" * 16, "operationName": "send orders", "processID": "p1",
        "startTime": START // 1000, "duration": 7, "references": [],
        "tags": [tag("span.kind", "producer"), tag("messaging.system", "kafka"), tag("error", True)],
        "logs": [{"timestamp": START // 1000 + 1, "fields": [tag("event", "retry"), tag("n", 2)]}],
    }  # fmt: skip
    before = [{"refType": "CHILD_OF", "traceID": "1" * 32, "spanID": "2" * 16}]
    below = {**span, "spanID": "3" * 16, "references": before, "tags": [], "logs": []}
    document = {
        "data": [{"traceID": "1" * 32, "spans": [span, below], "processes": {"p1": {"serviceName": "shop"}}}]
    }
    assert imported(collector, "-", stdin=json.dumps(document).encode())["sent"] == 2
    collector.wait_for(f"select count(*) from trace('{'1' * 32}')", 2)
    assert collector.sql(
        f"select service, name, kind, status, parent_span_id, attributes->>'messaging.system' "
        f"from trace('{'1' * 32}') order by span_id"
    ) == [
        ["shop", "send orders", "producer", "error", None, "kafka"],
        ["shop", "send orders", "internal", "unset", "2" * 16, None],
    ]
    assert collector.sql("select name, attributes->>'n' from span_events where name = 'retry'") == [
        ["retry", "2"]
    ]


@pytest.mark.parametrize("packed", [False, True])
def test_protobuf_packed_or_not(collector: CollectorProcess, tmp_path: Path, packed: bool) -> None:
    request = a_request(*[a_span(name=f"proto {packed}") for _ in range(1200)])
    raw = request.SerializeToString()
    (tmp_path / "traces.pb").write_bytes(gzip.compress(raw) if packed else raw)
    assert imported(collector, str(tmp_path / "traces.pb"))["sent"] == 1200
    collector.wait_for(f"select count(*) from spans where name = 'proto {packed}'", 1200)
    sent = {span.span_id.hex() for span in request.resource_spans[0].scope_spans[0].spans}
    stored = collector.sql(f"select span_id from spans where name = 'proto {packed}'")
    assert {span_id for (span_id,) in stored} == sent


def test_lines_with_a_broken_one_and_times_moved_to_the_present(
    collector: CollectorProcess, tmp_path: Path
) -> None:
    span = {
        "traceId": "4" * 32, "spanId": "5" * 16, "name": "old", "startTimeUnixNano": str(START),
        "endTimeUnixNano": str(START + SECOND), "events": [{"timeUnixNano": str(START + 5), "name": "in between"}],
    }  # fmt: skip
    line = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})
    (tmp_path / "lines.jsonl").write_text(f"{line}\n{line[:-9]}\n")
    said = imported(collector, str(tmp_path / "lines.jsonl"), "--now")
    assert said["sent"] == 1 and said["skipped"] == {"in a line that is no JSON": 1}
    collector.wait_for(
        f"select count(*) from trace('{'4' * 32}') where started_at > ago(interval '5 minutes')", 1
    )
    assert collector.sql(
        f"select epoch_ns(s.ended_at) - epoch_ns(s.started_at), epoch_ns(e.occurred_at) - epoch_ns(s.started_at) "
        f"from trace('{'4' * 32}') s join span_events e using (trace_id, span_id)"
    ) == [[SECOND, 5]]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"hello,world\n1,2\n", "is neither OTLP"),
        (b"{}", "is neither OTLP"),
        (b"[1, 2]", "is neither OTLP"),
        (b'{"resourceSpans": []}', "no span with a start and an end"),
        (b"\x1f\x8bnonsense", "is damaged gzip"),
        (gzip.compress(b'{"resourceSpans": []}', mtime=0)[:-6], "gzip that ends too early"),
    ],
    ids=["empty", "text", "object", "numbers", "no spans", "damaged", "cut off"],
)  # fmt: skip
def test_what_cannot_be_read_is_said_in_a_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "file").write_bytes(content)
    code, output = given("127.0.0.1:1", str(tmp_path / "file"))
    assert code == 2 and sentence in output and "Traceback" not in output


def test_a_file_or_a_collector_that_is_not_there(tmp_path: Path) -> None:
    code, output = given("127.0.0.1:1", str(tmp_path / "nothing"))
    assert code == 2 and "cannot be read" in output
    (tmp_path / "one.pb").write_bytes(a_request(a_span()).SerializeToString())
    code, output = given("127.0.0.1:1", str(tmp_path / "one.pb"))
    assert code == 3 and "headwater serve" in output and "Traceback" not in output


def test_a_door_that_is_busy_or_takes_only_small_requests_gets_everything_once(tmp_path: Path) -> None:
    got: list[int] = []
    turned_away: list[int] = []

    class Small(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            spans = sum(len(scope["spans"]) for held in body["resourceSpans"] for scope in held["scopeSpans"])
            if not turned_away:
                turned_away.append(spans)
                self.answer(503)
            elif spans > 200:
                self.answer(413)
            else:
                got.append(spans)
                self.answer(200)

        def answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Retry-After", "0")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *args: Any) -> None: ...

    (tmp_path / "many.pb").write_bytes(a_request(*[a_span() for _ in range(700)]).SerializeToString())
    with ThreadingHTTPServer(("127.0.0.1", 0), Small) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        code, output = given(f"127.0.0.1:{server.server_port}", str(tmp_path / "many.pb"))
        server.shutdown()
    assert code == 0 and "700 spans imported" in output
    assert sum(got) == 700 and max(got) <= 200 and turned_away == [500]
