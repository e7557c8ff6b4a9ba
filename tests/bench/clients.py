"""Clients that nobody here wrote: `python -m tests.bench.clients`, or `make bench-clients`.

Gets OpenTelemetry's SDK for Node (npm) and telemetrygen (Go) into a temporary folder, lets them and the Python
SDK export through every door of a real `headwater serve`, and asks for what they sent, span for span.
Exit code 1 when a span is missing, is not as it was sent, or a client complained; 3 when npm or go is missing.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

# pytest puts the tests' helpers on the path; a benchmark is run without it.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from client_spans import Span, as_sent, differences, stored_spans  # noqa: E402
from collector_process import CollectorProcess, a_collector  # noqa: E402

TELEMETRYGEN = "github.com/open-telemetry/opentelemetry-collector-contrib/cmd/telemetrygen"
TELEMETRYGEN_VERSION = "v0.161.0"
CHILD_SPANS = 3
NODE_CLIENT = Path(__file__).parent / "node_client"
PYTHON_CLIENT = Path(__file__).resolve().parents[1] / "sdk_client.py"


@dataclass(frozen=True)
class Found:
    """One client at one door."""

    client: str
    version: str
    door: str
    sent: int
    stored: int
    """Spans that are stored once and exactly as sent."""
    complaints: list[str]
    """What is wrong with the rest, and what the client printed that is a warning."""


Runs = Callable[[CollectorProcess, int], list[Found]]


class Missing(Exception):
    """A program that a client needs is not on this machine."""


def python_sdk(tools: Path) -> Runs:
    """OpenTelemetry's SDK for Python, as requirements.lock pins it."""
    version = metadata.version("opentelemetry-sdk")
    doors = ("http", "http gzip", "grpc", "grpc gzip")
    return _sdk("python", version, doors, [sys.executable, str(PYTHON_CLIENT)])


def node_sdk(tools: Path) -> Runs:
    """OpenTelemetry's SDK for Node, as node_client/package.json pins it; no script of a package is run."""
    folder = tools / "node"
    shutil.copytree(NODE_CLIENT, folder, dirs_exist_ok=True)
    _install(
        ["npm", "install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund"], folder, {}
    )
    pinned = json.loads((folder / "package.json").read_text())["dependencies"]
    version = f"{pinned['@opentelemetry/sdk-trace-node']} / {pinned['@opentelemetry/exporter-trace-otlp-http']}"
    return _sdk("node", version, ("http protobuf", "http json", "grpc"), ["node", str(folder / "client.js")])


def _sdk(client: str, version: str, doors: Sequence[str], program: list[str]) -> Runs:
    """Runs of a program that prints what it sent, as client_spans says."""

    def run(collector: CollectorProcess, spans: int) -> list[Found]:
        found = []
        for door in doors:
            endpoint = collector.addresses["otlp_grpc" if "grpc" in door else "otlp_http"]
            done = subprocess.run([*program, door, endpoint, str(spans)], capture_output=True, text=True)
            sent = as_sent(done.stdout) if done.returncode == 0 else []
            _wait_until_stored(collector)
            wrong = differences(sent, stored_spans(collector.sql, f"{client} {door}"))
            stored = sum(span["span_id"] not in wrong for span in sent)
            complaints = done.stderr.splitlines() + [f"{span_id}: {what}" for span_id, what in wrong.items()]
            found.append(Found(client, version, door, max(len(sent), spans), stored, complaints))
        return found

    return run


def telemetrygen(tools: Path) -> Runs:
    """The load generator of OpenTelemetry's collector; building it takes some minutes."""
    _install(["go", "install", f"{TELEMETRYGEN}@{TELEMETRYGEN_VERSION}"], tools, {"GOBIN": str(tools)})

    def run(collector: CollectorProcess, spans: int) -> list[Found]:
        found = []
        for door, options in (("grpc", []), ("http", ["--otlp-http"])):
            service = f"telemetrygen {door}"
            done = subprocess.run(
                [
                    str(tools / "telemetrygen"),
                    "traces",
                    *options,
                    "--otlp-insecure",
                    f"--otlp-endpoint={collector.addresses[f'otlp_{door}']}",
                    f"--service={service}",
                    f"--traces={spans // (CHILD_SPANS + 1)}",
                    f"--child-spans={CHILD_SPANS}",
                    '--telemetry-attributes=of="span"',
                    '--otlp-attributes=of="resource"',
                ],
                capture_output=True,
                text=True,
            )
            lines = (done.stdout + done.stderr).splitlines()
            # It names no ids, only how many traces each of its workers made.
            traces = sum(int(number) for line in lines for number in re.findall(r'"traces": ?(\d+)', line))
            _wait_until_stored(collector)
            held = stored_spans(collector.sql, service)
            wrong = [f"odd: {json.dumps(span)[:300]}" for span in held if not _is_whole(span, held)]
            complaints = [line for line in lines if re.search(r"WARN|ERROR|FATAL|panic", line, re.I)] + wrong
            sent = traces * (CHILD_SPANS + 1)
            if len(held) > sent:
                complaints.append(f"{len(held) - sent} more spans than it reports")
            found.append(
                Found("telemetrygen", TELEMETRYGEN_VERSION, door, sent, len(held) - len(wrong), complaints)
            )
        return found

    return run
