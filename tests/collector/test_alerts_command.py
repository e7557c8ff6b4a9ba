"""`headwater serve` with alert rules, and `headwater alerts`, as real processes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from api_helpers import headwater
from collector_process import CollectorProcess, a_collector
from prometheus_text import parse
from webhook_receiver import Receiver, a_receiver

CONFIG = """
[alerts]
every = "1s"
[[alerts.rules]]
name = "a collector runs"
sql = "select version from ingest_health"
labels = ["version"]
summary = "version {version}"
[[alerts.rules]]
name = "dead letters"
sql = "select topic, count(*) as letters from dead_letters group by topic"
labels = ["topic"]
[alerts.webhooks.team]
url = "${TEAM_HOOK}"
"""


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with a_receiver() as running:
        yield running


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[CollectorProcess]:
    folder = tmp_path_factory.mktemp("alerts")
    (folder / "headwater.toml").write_text(CONFIG)
    given = f"--config={folder / 'headwater.toml'}"
    with a_collector(folder / "data", given, environment={"TEAM_HOOK": receiver.url}) as running:
        running.wait_for("select count(*) from ingest_health", 1)
        yield running


def test_the_command_shows_rules_alerts_and_who_was_told(
    collector: CollectorProcess, receiver: Receiver
) -> None:
    asked = f"--collector=http://{collector.addresses['api']}"
    until = time.monotonic() + 60
    while not (found := json.loads(headwater("alerts", "--json", asked).stdout))["webhooks"][0]["sent"]:
        assert time.monotonic() < until, found
    assert [message["alerts"][0]["rule"] for message in receiver.messages] == ["a collector runs"]
    runs, letters = found["rules"]
    assert (runs["name"], runs["error"], runs["alerts"][0]["state"]) == ("a collector runs", None, "firing")
    assert runs["alerts"][0]["told"] == {"team": "firing"}
    assert letters["alerts"] == []
    shown = headwater("alerts", asked).stdout.decode()
    assert "a collector runs" in shown and "firing" in shown and "quiet" in shown and "1 message" in shown
    assert "secret" not in shown + json.dumps(found)
    samples, _ = parse(collector.request("api", "GET", "/metrics").body.decode())
    firing = {"rule": "a collector runs", "severity": "warning", "state": "firing"}
    assert samples["headwater_alerts", frozenset(firing.items())] == 1
    assert samples["headwater_alert_messages_sent_total", frozenset({("webhook", "team")})] == 1


def test_a_wrong_rule_ends_the_start_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "headwater.toml").write_text(CONFIG.replace("version from", "versoin from"))
    words = ("serve", f"--data={tmp_path}", f"--config={tmp_path / 'headwater.toml'}", "--otlp-grpc=127.0.0.1:0",
             "--otlp-http=127.0.0.1:0", "--api=127.0.0.1:0")  # fmt: skip
    done = headwater(*words, environ={"TEAM_HOOK": "http://127.0.0.1:1/"})
    assert done.returncode == 2
    assert b'Alert rule "a collector runs" cannot be asked' in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_store_without_a_collector_has_no_alerts(tmp_path: Path) -> None:
    done = headwater("alerts", f"--store={tmp_path / 'none.duckdb'}")
    assert done.returncode == 3
