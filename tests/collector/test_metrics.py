"""GET /metrics: what a Prometheus server would read, read here by its rules."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from api_helpers import headwater
from builders import a_request, a_span
from collector_process import JSON, a_collector
from headwater_collector.api.metrics import lines
from headwater_collector.rates import COUNTED, Rates
from prometheus_text import Samples, parse


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[f"headwater_{name}", frozenset(labels.items())]


def test_a_collector_counts_what_it_does(tmp_path: Path) -> None:
    with a_collector(tmp_path, "--max-body=1") as collector:
        body = a_request(a_span(), a_span(span_id="0" * 16)).SerializeToString()
        for _ in range(2):
            assert collector.send(body).status == 200
        assert collector.send(b"\xff\xff").status == 400
        assert collector.send(b"[]", JSON).status == 400
        assert collector.send(b"\0" * (2 << 20)).status == 413
        assert (
            collector.send(b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{}]}]}]}', JSON, "logs").status
            == 200
        )
        collector.wait_for("select repeated_requests from ingest_health", 1)
        answer = collector.request("api", "GET", "/metrics")
        assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        samples, types = parse(answer.body.decode())
        until = time.monotonic() + 60
        while not json.loads(collector.request("api", "GET", "/v1/health").body)["per_second"]:
            assert time.monotonic() < until
            time.sleep(0.1)
        done = headwater("ingest", f"--collector=http://{collector.addresses['api']}")
    assert value(samples, "requests_received_total") == 6
    assert value(samples, "requests_acknowledged_total") == 3
    assert value(samples, "requests_repeated_total") == 1
    assert value(samples, "requests_refused_total", reason="malformed") == 2
    assert value(samples, "requests_refused_total", reason="toolarge") == 1
    assert value(samples, "spans_stored_total") == 1
    assert value(samples, "quarantined_total") == 1
    assert value(samples, "logs_not_kept_total") == 1
    assert value(samples, "log_bytes") > len(body)
    assert value(samples, "log_unstored_bytes") == 0
    assert value(samples, "log_oldest_unstored_seconds") == 0
    assert value(samples, "disk_free_bytes") > 1 << 20
    assert value(samples, "connections", door="otlp_http") == 1
    assert value(samples, "connections_refused_total", door="otlp_http") == 0
    assert value(samples, "calls", door="otlp_grpc") == 0
    assert types["headwater_log_waiting_requests"] == "gauge"
    assert value(samples, "start_time_seconds") > 1.7e9
    assert done.returncode == 0
    for word in (b"disk left", b"wait for the disk", b"otlp_http", b"refused_toolarge", b"/s"):
        assert word in done.stdout, done.stdout.decode()


def test_labels_are_escaped_and_what_is_unknown_is_left_out() -> None:
    state = {
        "version": 'a"b\\c\nd',
        "disk_free_bytes": None,
        "started_at": datetime(2026, 1, 1, tzinfo=UTC),
        "clusters": [{"name": "prod", "state": "up"}, {"name": "dr", "state": "down"}],
    }
    samples, types = parse("".join(f"{line}\n" for line in lines(state)))
    assert value(samples, "info", version='a\\"b\\\\c\\nd') == 1
    assert "headwater_disk_free_bytes" not in types
    assert value(samples, "cluster_up", cluster="prod") == 1
    assert value(samples, "cluster_up", cluster="dr") == 0
    assert value(samples, "start_time_seconds") == 1767225600
    assert list(lines({})) == []


@pytest.mark.parametrize(("looks", "expected"), [(1, None), (2, 5.0), (30, 5.0)])
def test_rates_are_over_the_last_seconds(looks: int, expected: float | None) -> None:
    counted = dict.fromkeys(COUNTED, 0)
    rates = Rates(lambda: counted)
    for second in range(looks):
        rates.look(100.0 + second)
        counted = {name: number + 5 for name, number in counted.items()}
    assert rates.per_second().get("stored_spans") == expected
