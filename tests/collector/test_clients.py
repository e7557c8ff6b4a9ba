"""OpenTelemetry's own SDK and exporters export over both doors without a complaint; all they sent is found again."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from client_spans import as_sent, differences, stored_spans
from collector_process import CollectorProcess, a_collector, command

SPANS = 600
CLIENT = Path(__file__).resolve().parents[1] / "sdk_client.py"


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    """One for all clients, who have a service name each."""
    with a_collector(tmp_path_factory.mktemp("clients")) as running:
        yield running


def client(door: str, endpoint: str, spans: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(CLIENT), door, endpoint, str(spans)], capture_output=True, text=True, timeout=120
    )


def by_api(collector: CollectorProcess, statement: str) -> list[list[Any]]:
    return collector.sql(statement)


def by_command(collector: CollectorProcess, statement: str) -> list[list[Any]]:
    process = command("sql", statement, f"--collector=http://{collector.addresses['api']}", "--format=json")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    return [list(row.values()) for row in json.loads(output)]


@pytest.mark.parametrize(
    ("door", "asked"),
    [("http", by_api), ("http gzip", by_api), ("grpc", by_api), ("grpc gzip", by_command)],
)
def test_all_that_the_sdk_sends_is_found_again(
    collector: CollectorProcess, door: str, asked: Callable[[CollectorProcess, str], list[list[Any]]]
) -> None:
    done = client(door, collector.addresses["otlp_grpc" if "grpc" in door else "otlp_http"], SPANS)
    assert (done.returncode, done.stderr) == (0, "")
    sent = as_sent(done.stdout)
    assert len({span["span_id"] for span in sent}) == SPANS
    assert all(
        sum(len(span[part]) for span in sent) > SPANS / 4 for part in ("attributes", "events", "links")
    )
    service = f"python {door}"
    collector.wait_for(f"select count(*) from spans where service = '{service}'", SPANS)
    assert differences(sent, stored_spans(partial(asked, collector), service)) == {}
    assert collector.sql("select quarantined from ingest_health") == [[0]]


def test_an_exporter_that_is_refused_does_complain(tmp_path: Path) -> None:
    """Else its silence above would prove nothing."""
    with a_collector(tmp_path, environment={"HEADWATER_TOKEN": "secret"}) as guarded:
        for door in ("http", "grpc"):
            done = client(door, guarded.addresses[f"otlp_{door}"], 1)
            assert "ERROR" in done.stderr
            assert done.returncode == 0
