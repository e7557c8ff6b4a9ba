"""`headwater serve` and `headwater up` as a person starts them: addresses, messages, a clean end."""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
import socket
import threading
import time
from pathlib import Path

import duckdb
import grpc
import pytest

from builders import a_request, a_span, a_trace_id
from collector_process import (
    JSON,
    PROTOBUF,
    SHARED_DATA,
    CollectorProcess,
    a_collector,
    command,
    start_collector,
)

FREE = ("--otlp-grpc=127.0.0.1:0", "--otlp-http=127.0.0.1:0", "--api=127.0.0.1:0")


def said(*arguments: str) -> tuple[int, str]:
    """Exit code and output of a command that ends by itself."""
    process = command(*arguments)
    output, _ = process.communicate(timeout=60)
    return process.returncode, output


@pytest.mark.parametrize("option", ["otlp-grpc", "otlp-http", "api"])
def test_a_port_in_use_names_the_option(tmp_path: Path, option: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, output = said("serve", f"--data={tmp_path}", *FREE, f"--{option}=127.0.0.1:{port}")
    assert code == 3
    assert f"127.0.0.1:{port}" in output
    assert f"--{option}" in output
    assert "Traceback" not in output
    assert not (tmp_path / "addresses.json").exists()
    with duckdb.connect(str(tmp_path / "headwater.duckdb"), read_only=True):
        pass  # a failed start has let go of the store


def test_two_collectors_never_share_a_port_or_a_store(tmp_path: Path) -> None:
    with a_collector(tmp_path / "one") as first:
        grpc = first.addresses["otlp_grpc"]
        code, output = said("serve", f"--data={tmp_path / 'two'}", *FREE, f"--otlp-grpc={grpc}")
        assert code == 3
        assert "--otlp-grpc" in output
        code, output = said("serve", f"--data={tmp_path / 'one'}", *FREE)
        assert code == 3
        assert str(first.process.pid) in output
        assert "--data" in output
        assert (tmp_path / "one" / "addresses.json").exists()


def test_a_newer_store_is_refused_and_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "headwater.duckdb"
    with a_collector(tmp_path):
        pass
    with duckdb.connect(str(path)) as store:
        tables = [name for (name,) in store.execute("select table_name from duckdb_tables()").fetchall()]
        (version,) = [name for name in tables if "version" in name]
        store.execute(f'update "{version}" set version = 999')
    before = path.read_bytes()
    code, output = said("serve", f"--data={tmp_path}", *FREE)
    assert code == 3
    assert "newer" in output
    assert "999" in output
    assert path.read_bytes() == before


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_cleanly(tmp_path: Path, ending: signal.Signals) -> None:
    collector = start_collector(tmp_path)
    trace = a_trace_id()
    assert collector.send(a_request(a_span(trace_id=trace)).SerializeToString()).status == 200
    collector.close()
    collector.process.send_signal(ending)
    output, _ = collector.process.communicate(timeout=60)
    assert collector.process.returncode == 0, output
    assert "Traceback" not in output
    assert not (tmp_path / "addresses.json").exists()
    with duckdb.connect(str(tmp_path / "headwater.duckdb"), read_only=True) as store:
        assert store.execute("select count(*) from spans where trace_id = ?", [trace]).fetchall() == [(1,)]


def test_asked_to_end_while_services_send_it_has_all_that_it_acknowledged(tmp_path: Path) -> None:
    collector = start_collector(tmp_path)
    acknowledged: set[str] = set()
    enough = threading.Event()

    def service() -> None:
        own = CollectorProcess(collector.process, tmp_path, collector.addresses)
        with contextlib.suppress(OSError, http.client.HTTPException):  # the door closes in the end
            while True:
                trace = a_trace_id()
                if own.send(a_request(a_span(trace_id=trace)).SerializeToString()).status == 200:
                    acknowledged.add(trace)
                if len(acknowledged) > 100:
                    enough.set()
        own.close()

    services = [threading.Thread(target=service) for _ in range(4)]
    for one in services:
        one.start()
    assert enough.wait(60)
    assert collector.stop() == 0
    for one in services:
        one.join()
    with duckdb.connect(str(tmp_path / "headwater.duckdb"), read_only=True) as store:
        stored = {trace for (trace,) in store.execute("select trace_id from spans").fetchall()}
    assert acknowledged <= stored
    assert collector.process.stdout is not None
    assert "Traceback" not in collector.process.stdout.read()
    collector.process.stdout.close()


def test_it_says_where_it_listens(tmp_path: Path) -> None:
    with a_collector(tmp_path) as collector:
        assert set(collector.addresses) == {"otlp_grpc", "otlp_http", "api"}
        assert collector.stop() == 0
        assert collector.process.stdout is not None
        output = collector.process.stdout.read()
        for address in collector.addresses.values():
            assert address in output


def test_beyond_this_machine_only_with_a_token(tmp_path: Path) -> None:
    code, output = said("serve", f"--data={tmp_path}", *FREE, "--otlp-http=0.0.0.0:0")
    assert code == 2
    assert "--token" in output
    assert "--insecure" in output
    with a_collector(
        tmp_path, "--otlp-http=0.0.0.0:0", environment={"HEADWATER_TOKEN": "secret"}
    ) as collector:
        body = a_request(a_span()).SerializeToString()
        assert collector.send(body).status == 401
        assert collector.send(body, {**PROTOBUF, "Authorization": "Bearer wrong"}).status == 401
        assert collector.send(body, {**PROTOBUF, "Authorization": "Bearer secret"}).status == 200


def fill_by_grpc(collector: CollectorProcess) -> int:
    """Send by gRPC until it is told to come later; spans taken."""
    taken = 0
    with grpc.insecure_channel(collector.addresses["otlp_grpc"]) as channel:
        export = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
        for _ in range(60):
            spans = [a_span(attributes={"text": "x" * 900}) for _ in range(900)]
            try:
                export(a_request(*spans).SerializeToString(), timeout=60)
            except grpc.RpcError as error:
                assert error.code() is grpc.StatusCode.UNAVAILABLE
                trailing = dict(error.trailing_metadata())
                assert b"google.rpc.RetryInfo" in trailing["grpc-status-details-bin"]
                return taken
            taken += len(spans)
    raise AssertionError("4 MB of log took 54 MB at once")


def test_a_full_log_says_later_and_loses_nothing_it_took(tmp_path: Path) -> None:
    with a_collector(tmp_path, "--max-body=1", "--max-log=4") as collector:
        spans = [a_span(attributes={"text": "x" * 900}) for _ in range(900)]
        taken = refused = 0
        for number in range(60):
            for span in spans:
                span.span_id = (number << 32 | id(span) & 0xFFFFFFFF).to_bytes(8, "big")
            answer = collector.send(a_request(*spans).SerializeToString())
            assert answer.status in (200, 503), answer.body
            if answer.status == 200:
                taken += len(spans)
            else:
                refused += 1
                assert int(answer.headers["retry-after"]) > 0
        assert refused, "4 MB of log took 54 MB at once"
        taken += fill_by_grpc(collector)
        collector.wait_for("select count(*) from spans", taken, seconds=60)
        until = time.monotonic() + 60
        while collector.send(a_request(a_span()).SerializeToString()).status != 200:
            assert time.monotonic() < until, "the log stays full"
            time.sleep(0.1)


RECORDING = SHARED_DATA / "otel-demo-2024-10-traces.jsonl"


@pytest.mark.skipif(not RECORDING.is_file(), reason="the recorded data is not beside this repository")
def test_the_recorded_demo_arrives_whole(tmp_path: Path) -> None:
    wanted = {}
    with a_collector(tmp_path) as collector:
        for line in RECORDING.read_bytes().splitlines():
            assert collector.send(line, JSON).status == 200
            for resource in json.loads(line)["resourceSpans"]:
                for scope in resource["scopeSpans"]:
                    for span in scope["spans"]:
                        for attribute in span.get("attributes", ()):
                            ((kind, value),) = attribute["value"].items()
                            if kind in ("stringValue", "intValue"):
                                wanted[span["spanId"], attribute["key"]] = str(value)
        collector.wait_for("select count(*) from spans", 547)
        assert collector.sql("select count(distinct trace_id) from spans") == [[141]]
        assert collector.sql("select count(*) from span_links") == [[53]]
        assert collector.stop() == 0
    with duckdb.connect(str(tmp_path / "headwater.duckdb"), read_only=True) as store:
        found = store.execute(
            "select span_id, key, attributes->>key from "
            "(select span_id, attributes, unnest(json_keys(attributes)) as key from spans)"
        ).fetchall()
    read = {(span_id, key): value for span_id, key, value in found}
    assert len(wanted) > 1000
    assert {place: read.get(place) for place in wanted} == wanted


def test_a_service_with_the_plain_sdk_shows_up(tmp_path: Path) -> None:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    with a_collector(tmp_path) as collector:
        provider = TracerProvider(resource=Resource.create({"service.name": "plain"}))
        endpoint = f"http://{collector.addresses['otlp_http']}/v1/traces"
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
        tracer = provider.get_tracer("tests")
        with tracer.start_as_current_span("outer"), tracer.start_as_current_span("inner") as inner:
            inner.set_attribute("answer", 42)
            inner.record_exception(ValueError("no"))
        provider.shutdown()
        collector.wait_for("select count(*) from spans where service = 'plain'", 2)
        rows = collector.sql("select name, error_type, attributes->>'answer' from spans order by name")
        assert rows == [["inner", "ValueError", "42"], ["outer", None, None]]
        assert collector.sql("select service from services") == [["plain"]]


def mentions(command_line: Path, text: str) -> bool:
    """Whether a process that is still there was started with a text among its arguments."""
    try:
        return text.encode() in command_line.read_bytes()
    except OSError:
        return False


def test_up_starts_both_and_stops_both(tmp_path: Path) -> None:
    # A test run in the background has Ctrl-C ignored, and so have its children.
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    process = command("up", f"--data={tmp_path}", *FREE, "--web=127.0.0.1:0", prelude=heard)
    assert process.stdout is not None
    lines: list[str] = []
    try:
        for line in process.stdout:
            lines.append(line)
            if line.startswith("  dashboard"):
                break
        addresses = json.loads((tmp_path / "addresses.json").read_text())
        assert addresses["web"] in lines[-1], "".join(lines)
        for address in addresses.values():
            host, port = address.split(":")
            socket.create_connection((host, int(port)), 5).close()
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=120)  # each of the two may take up's own patience of 40 s
    except BaseException:
        process.terminate()
        process.communicate(timeout=120)
        raise
    assert process.returncode == 0, output
    left = [path for path in Path("/proc").glob("[0-9]*/cmdline") if mentions(path, str(tmp_path))]
    assert left == [], "a child is left behind"
