"""Clients that nobody here wrote: `python -m tests.bench.clients`, or `make bench-clients`.

Gets OpenTelemetry's SDK for Node (npm) and telemetrygen (Go) into a temporary folder, lets them and the Python
SDK export through every door of a real `headwater serve`, and asks for what they sent, span for span.
Exit code 1 when a span is missing, is not as it was sent, or a client complained; 3 when npm or go is missing.
"""

from __future__ import annotations

import argparse
import contextlib
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
MOST_TRACES = 500
"""A call: the queue of Go's SDK holds 2,048 spans, and drops what is more without a word."""
SHOWN_COMPLAINTS = 5
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
    version = (
        f"{pinned['@opentelemetry/sdk-trace-node']} / {pinned['@opentelemetry/exporter-trace-otlp-http']}"
    )
    return _sdk("node", version, ("http protobuf", "http json", "grpc"), ["node", str(folder / "client.js")])


def _sdk(client: str, version: str, doors: Sequence[str], program: list[str]) -> Runs:
    """Runs of a program that prints what it sent, as client_spans says."""

    def run(collector: CollectorProcess, spans: int) -> list[Found]:
        found = []
        for door in doors:
            endpoint = collector.addresses["otlp_grpc" if "grpc" in door else "otlp_http"]
            done = subprocess.run([*program, door, endpoint, str(spans)], capture_output=True, text=True)
            sent = as_sent(done.stdout) if done.returncode == 0 else []
            service = f"{client} {door}"
            _wait_until_stored(collector, service, len(sent))
            wrong = differences(sent, stored_spans(collector.sql, service))
            stored = sum(span["span_id"] not in wrong for span in sent)
            complaints = done.stderr.splitlines() + [f"{span_id}: {what}" for span_id, what in wrong.items()]
            found.append(Found(client, version, door, spans, stored, complaints))
        return found

    return run


def telemetrygen(tools: Path) -> Runs:
    """The load generator of OpenTelemetry's collector. It names no ids, so its traces are held against their shape."""
    _install(["go", "install", f"{TELEMETRYGEN}@{TELEMETRYGEN_VERSION}"], tools, {"GOBIN": str(tools)})

    def run(collector: CollectorProcess, spans: int) -> list[Found]:
        return [_telemetrygen(tools, collector, door, spans) for door in ("http", "grpc")]

    return run


def _telemetrygen(tools: Path, collector: CollectorProcess, door: str, spans: int) -> Found:
    service = f"telemetrygen {door}"
    arguments = [
        "--otlp-insecure", f"--otlp-endpoint={collector.addresses[f'otlp_{door}']}", f"--service={service}",
        f"--child-spans={CHILD_SPANS}", "--rate=0",
        '--telemetry-attributes=of="span"', '--otlp-attributes=of="resource"',
        *(["--otlp-http"] if door == "http" else []),
    ]  # fmt: skip
    printed, ended_badly, left = "", 0, spans // (CHILD_SPANS + 1)
    while left > 0:
        number = min(left, MOST_TRACES)
        left -= number
        command = [str(tools / "telemetrygen"), "traces", f"--traces={number}", *arguments]
        done = subprocess.run(command, capture_output=True, text=True)
        printed += done.stdout + done.stderr
        ended_badly += done.returncode != 0
    # An entry of its log begins with the time and may run over many lines; what has no level is an error of Go's.
    entries = re.split(r"^(?=\d{4}[-/]\d)", printed, flags=re.MULTILINE)
    traces = sum(map(int, re.findall(r'"traces": ?(\d+)', printed)))
    sent = traces * (CHILD_SPANS + 1)
    _wait_until_stored(collector, service, sent)
    whole = odd = 0
    for trace in _by_trace(stored_spans(collector.sql, service)):
        if _is_whole(trace):
            whole += len(trace)
        else:
            odd += len(trace)
    complaints = [entry.strip() for entry in entries if entry.strip() and "\tINFO\t" not in entry]
    if ended_badly:
        complaints.append(f"it ended with an error {ended_badly} times")
    if odd:
        complaints.append(f"{odd} spans of traces that do not have the shape it sends")
    if whole + odd > sent:
        complaints.append(f"{whole + odd - sent} more spans than it reports")
    return Found("telemetrygen", TELEMETRYGEN_VERSION, door, sent, whole, complaints)


def _by_trace(spans: list[Span]) -> list[list[Span]]:
    traces: dict[str, list[Span]] = {}
    for span in spans:
        traces.setdefault(span["trace_id"], []).append(span)
    return list(traces.values())


def _is_whole(trace: list[Span]) -> bool:
    """One client span, and under it the servers' spans, all with the attributes that were asked for."""
    root = next((span for span in trace if span["name"] == "lets-go"), None)
    names = ["lets-go", *(f"okey-dokey-{child}" for child in range(CHILD_SPANS))]
    return (
        root is not None
        and sorted(span["name"] for span in trace) == names
        and all(
            span["parent_span_id"] == (None if span is root else root["span_id"])
            and span["kind"] == ("client" if span is root else "server")
            and span["attributes"].get("of") == "span"
            and span["resource"].get("of") == "resource"
            and span["ended_ns"] >= span["started_ns"]
            for span in trace
        )
    )


def _install(program: Sequence[str], folder: Path, environment: dict[str, str]) -> None:
    """Run npm or go in a folder; raises Missing with what it said."""
    sys.stderr.write(f"{' '.join(program)}\n")
    try:
        done = subprocess.run(
            program, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True
        )
    except FileNotFoundError:
        raise Missing(f"{program[0]} is not on this machine; leave its client out with --client.") from None
    if done.returncode != 0:
        raise Missing(f"{program[0]} could not get the client: {(done.stderr or done.stdout).strip()}")


def _wait_until_stored(collector: CollectorProcess, service: str, spans: int) -> None:
    """Until so many are stored, or long enough that the rest must be called short."""
    with contextlib.suppress(AssertionError):
        collector.wait_for(f"select count(*) from spans where service = '{service}'", spans, seconds=30)


def table(found: Sequence[Found]) -> str:
    """What came of it, one client and door a row, and then the first complaints."""
    heads = ("client", "version", "door", "sent", "stored", "warnings")
    rows = [
        (
            each.client,
            each.version,
            each.door,
            f"{each.sent:,}",
            f"{each.stored:,}",
            str(len(each.complaints)),
        )
        for each in found
    ]
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in (heads, *rows)]
    for each in found:
        lines += [
            f"{each.client} {each.door}: {complaint}" for complaint in each.complaints[:SHOWN_COMPLAINTS]
        ]
    return "\n".join(lines) + "\n"


CLIENTS: dict[str, Callable[[Path], Runs]] = {
    "python": python_sdk,
    "node": node_sdk,
    "telemetrygen": telemetrygen,
}


def main() -> int:
    """`python -m tests.bench.clients`"""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--client", choices=tuple(CLIENTS), action="append", help="repeatable; all without")
    parser.add_argument("--spans", type=int, default=2_000, help="spans of each client at each door")
    parser.add_argument("--tools", type=Path, help="a folder for what is installed, which then stays")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="headwater-clients-") as directory:
        tools = given.tools.resolve() if given.tools else Path(directory) / "tools"
        tools.mkdir(parents=True, exist_ok=True)
        try:
            runs = [CLIENTS[client](tools) for client in given.client or CLIENTS]
        except Missing as error:
            sys.stderr.write(f"{error}\n")
            return 3
        with a_collector(Path(directory) / "data") as collector:
            found = [each for run in runs for each in run(collector, given.spans)]
    sys.stdout.write(table(found))
    return 0 if all(each.sent == each.stored > 0 and not each.complaints for each in found) else 1


if __name__ == "__main__":
    sys.exit(main())
