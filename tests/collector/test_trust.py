"""A collector with a certificate and tokens, met by real clients: OTLP over both doors, questions, commands."""

from __future__ import annotations

import http.client
import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

from api_helpers import headwater
from builders import a_request, a_span
from collector_process import CollectorProcess, a_collector, command
from door_helpers import PROTOBUF, TRACES, make_certificate, trusting
from headwater_analysis.errors import Unavailable, UsageError
from headwater_analysis.remote import RemoteSource
from headwater_collector.tls import Tls
from headwater_collector.tokens import TokenFile

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates")
BODY = a_request(a_span()).SerializeToString()
OWN = "the-one-of-the-command-line"


@dataclass
class Secured:
    collector: CollectorProcess
    cert: Path
    ingest: str
    viewer: str

    def https(
        self, door: str, method: str, path: str, body: bytes = b"", token: str | None = None, **headers: str
    ) -> tuple[int, bytes]:
        connection = http.client.HTTPSConnection(
            self.collector.addresses[door], context=trusting(self.cert), timeout=20
        )
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def send(self, token: str | None) -> int:
        return self.https("otlp_http", "POST", "/v1/traces", BODY, token, **PROTOBUF)[0]

    def source(self, token: str | None, cert: Path | None) -> RemoteSource:
        return RemoteSource(f"https://{self.collector.addresses['api']}", token, cert)


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    directory = tmp_path_factory.mktemp("trust")
    cert, key = make_certificate(directory)
    data = directory / "data"
    file = TokenFile(data)
    ingest, viewer = file.create("ingest")[1], file.create("viewer")[1]
    options = (f"--tls-cert={cert}", f"--tls-key={key}", f"--token={OWN}", "--otlp-http=0.0.0.0:0")
    with a_collector(data, *options) as collector:
        collector.addresses["otlp_http"] = collector.addresses["otlp_http"].replace("0.0.0.0", "127.0.0.1")
        yield Secured(collector, cert, ingest, viewer)
        assert collector.stop() == 0
        assert collector.process.stdout is not None
        said = collector.process.stdout.read()
        assert "https://" in said
        for secret in (OWN, ingest, viewer):
            assert secret not in said, "a secret stands in the output"


def test_otlp_over_https_needs_the_role(secured: Secured) -> None:
    assert [secured.send(token) for token in (None, "wrong", secured.viewer)] == [401, 401, 403]
    assert [secured.send(token) for token in (secured.ingest, OWN)] == [200, 200]


def test_otlp_over_grpc_with_tls_needs_the_role(secured: Secured) -> None:
    address = secured.collector.addresses["otlp_grpc"]

    def code(token: str | None) -> str:
        credentials = grpc.ssl_channel_credentials(secured.cert.read_bytes())
        metadata = (("authorization", f"Bearer {token}"),) if token else ()
        with grpc.secure_channel(address, credentials) as channel:
            try:
                channel.unary_unary(TRACES)(BODY, timeout=60, metadata=metadata)
            except grpc.RpcError as error:
                return str(error.code().name)
        return "OK"

    assert code(None) == "UNAUTHENTICATED"
    assert code(secured.viewer) == "PERMISSION_DENIED"
    assert code(secured.ingest) == "OK"


def test_the_standard_exporters_get_in(secured: Secured, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):  # they would win over the exporter's own setting
        monkeypatch.delenv(name, raising=False)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    exporter = OTLPSpanExporter(
        endpoint=f"https://{secured.collector.addresses['otlp_http']}/v1/traces",
        certificate_file=str(secured.cert),
        headers={"authorization": f"Bearer {secured.ingest}"},
    )
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    provider.get_tracer("t").start_span("by the exporter").end()
    provider.shutdown()
    source = secured.source(secured.viewer, secured.cert)
    for _ in range(200):
        if source.query("select 1 from spans where name = 'by the exporter'").rows:
            break
        threading.Event().wait(0.05)
    else:
        raise AssertionError("the span does not arrive")
    source.close()


def test_questions_need_a_viewer_and_a_certificate_that_is_trusted(secured: Secured) -> None:
    with closing(secured.source(secured.viewer, secured.cert)) as source:
        assert source.query("select 1").rows == [(1,)]
    for token, cert, says in (
        (None, secured.cert, "asks for a token"),
        (secured.ingest, secured.cert, "role viewer is needed"),
        (secured.viewer, None, "--tls-ca FILE"),
    ):
        with closing(secured.source(token, cert)) as source, pytest.raises(Unavailable, match=says):
            source.query("select 1")
    plain = RemoteSource(f"http://{secured.collector.addresses['api']}", secured.viewer)
    with closing(plain), pytest.raises(Unavailable, match="https://"):
        plain.query("select 1")


def test_live_changes_come_over_tls(secured: Secured) -> None:
    stop = threading.Event()
    source = secured.source(secured.viewer, secured.cert)
    for number, change in enumerate(iter_changes(source, stop, secured)):
        if change == "spans" or number > 50:
            assert change == "spans"
            break
    stop.set()
    source.close()


def iter_changes(source: RemoteSource, stop: threading.Event, secured: Secured) -> Iterator[str]:
    sender = threading.Timer(
        0.3,
        lambda: secured.https(
            "otlp_http",
            "POST",
            "/v1/traces",
            a_request(a_span()).SerializeToString(),
            secured.ingest,
            **PROTOBUF,
        ),
    )
    sender.start()
    for change in source.changes(stop):
        yield change.relation
    sender.join()


def test_commands_ask_over_tls(secured: Secured) -> None:
    words = (f"--collector=https://{secured.collector.addresses['api']}", f"--tls-ca={secured.cert}")
    done = headwater("sql", "select 42 as n", "--json", *words, environ={"HEADWATER_TOKEN": secured.viewer})
    assert (done.returncode, json.loads(done.stdout)) == (0, [{"n": 42}]), done.stderr
    done = headwater("ingest", "--json", *words, f"--token={secured.viewer}")
    assert json.loads(done.stdout)["version"], done.stderr


def test_a_token_made_or_revoked_meanwhile_is_noticed(secured: Secured) -> None:
    file = TokenFile(secured.collector.data)
    token, text = file.create("ingest")
    assert secured.send(text) == 200
    file.revoke(token.id)
    assert secured.send(text) == 401


def test_no_secret_stands_in_the_list_of_processes(secured: Secured) -> None:
    line = Path(f"/proc/{secured.collector.process.pid}/cmdline").read_bytes()
    assert b"serve" in line
    assert OWN.encode() not in line


def test_metrics_need_a_viewer(secured: Secured) -> None:
    assert secured.https("api", "GET", "/metrics")[0] == 401
    assert secured.https("api", "GET", "/metrics", token=secured.ingest)[0] == 403
    status, text = secured.https("api", "GET", "/metrics", token=secured.viewer)
    assert status == 200
    assert b'headwater_requests_refused_total{reason="wrongrole"}' in text


def test_wrong_certificate_files_get_one_sentence(tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path)
    _, other = make_certificate(tmp_path, "other")
    (tmp_path / "text").write_text("no PEM")
    for given, says in (
        ((cert, other), "does not belong to"),
        ((tmp_path / "text", key), "in PEM"),
        ((tmp_path / "none", key), "--tls-cert .*none cannot be read"),
    ):
        with pytest.raises(UsageError, match=says):
            Tls.load(*given)
    with pytest.raises(UsageError, match="holds no certificate"):
        RemoteSource("https://127.0.0.1:1", None, tmp_path / "text")
    process = command("serve", f"--data={tmp_path / 'data'}", f"--tls-cert={cert}")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert output == "--tls-cert and --tls-key belong together: give both, or none.\n"
