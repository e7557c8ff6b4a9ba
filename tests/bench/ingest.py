"""How much a collector takes in: `python -m tests.bench.ingest`, or `make bench-ingest`.

Drives a real `headwater serve` over its doors with the same bytes each time, and prints spans per CPU-second
of its process (user and system time, everything from socket to store), acknowledgement times, and bytes a
span on disk; each without and with the summaries of flows, messages and hops that questions rest on.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import sys
import tempfile
import threading
import time
from itertools import product
from pathlib import Path

# pytest puts the tests' helpers on the path; a benchmark is run without it.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.load import bodies, numbered, over_grpc, over_http, replay  # noqa: E402
from bench.yardstick import million_loops_ms  # noqa: E402
from builders import a_request, a_span  # noqa: E402
from collector_process import CollectorProcess, start_collector  # noqa: E402

WITHOUT_SUMMARIES = "from headwater_collector.store import append; append.keep = lambda writer, batch: None"
"""No setting switches them off, since most screens would stay empty: so the process is told in its own words."""


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_megabytes(pid: int) -> int:
    """Largest resident size so far."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) // 1024
    return 0


class Behind:
    """Watches how old the oldest request not yet stored becomes."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.most_seconds = 0.0

    def __enter__(self) -> Behind:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        connection = http.client.HTTPConnection(self._address, timeout=60)
        while not self._ended.wait(0.2):
            connection.request("GET", "/v1/health")
            seconds = json.loads(connection.getresponse().read())["oldest_unstored_seconds"]
            self.most_seconds = max(self.most_seconds, seconds)
        connection.close()


def measure(
    door: str,
    decoder: str,
    summaries: bool,
    spans: int,
    requests: int,
    connections: int,
    seed: int,
    rate: float | None,
) -> dict[str, object]:
    """One run on a fresh store."""
    with tempfile.TemporaryDirectory(prefix="headwater-bench-") as directory:
        data = Path(directory)
        prelude = "" if summaries else WITHOUT_SUMMARIES
        collector = start_collector(data, f"--decoder={decoder}", prelude=prelude)
        try:
            _settle(collector, decoder)
            pace = million_loops_ms()
            found = _measure(collector, door, spans, requests, connections, seed, rate)
            paces = (pace, million_loops_ms())
            return {
                "door": door,
                "decoder": decoder,
                "summaries": summaries,
                **found,
                "million_loops_ms": paces,
            }
        finally:
            if collector.process.poll() is None:
                collector.kill()
            if collector.process.stdout is not None:
                collector.process.stdout.close()


def _settle(collector: CollectorProcess, decoder: str) -> None:
    """Wait until spans are read the way that is to be measured."""
    until = time.monotonic() + 600
    sent = 0
    while collector.health()["decoder"] != decoder:
        assert time.monotonic() < until
        collector.send(a_request(a_span()).SerializeToString())
        sent += 1
        time.sleep(0.5)
    collector.wait_for("select coalesce(max(stored_spans), 0) from ingest_health", sent)


def _measure(
    collector: CollectorProcess,
    door: str,
    spans: int,
    requests: int,
    connections: int,
    seed: int,
    rate: float | None,
) -> dict[str, object]:
    pid = collector.process.pid
    prepared = bodies(min(requests, 40 if spans > 100 else 400), spans, seed, time.time_ns())
    wire = sum(map(len, prepared)) / len(prepared) / spans
    address = collector.addresses["otlp_grpc" if door == "grpc" else "otlp_http"]
    make = over_grpc(address) if door == "grpc" else over_http(address)
    stored_before = int(collector.sql("select coalesce(max(stored_spans), 0) from ingest_health")[0][0])
    before, began = cpu_seconds(pid), time.monotonic()
    with Behind(collector.addresses["api"]) as behind:
        sent = replay(make, numbered(prepared, requests), connections, spans, rate)
    # Seldom, since each question costs the collector some of what is measured.
    stored = "select stored_spans from ingest_health"
    collector.wait_for(stored, stored_before + sent.acknowledged, seconds=300, every=0.5)
    stored_seconds = time.monotonic() - began
    cpu = cpu_seconds(pid) - before
    peak = peak_megabytes(pid)
    data = collector.data
    assert collector.stop() == 0  # checkpoints, so that the file is what stays
    disk = (data / "headwater.duckdb").stat().st_size / max(sent.acknowledged, 1)
    return {
        "spans_a_request": spans,
        "connections": connections,
        "wire_bytes_a_span": round(wire),
        "spans": sent.acknowledged,
        "refused_requests": sent.refused,
        "spans_per_cpu_second": round(sent.acknowledged / cpu),
        "acknowledged_per_second": round(sent.acknowledged / sent.seconds),
        "stored_per_second": round(sent.acknowledged / stored_seconds),
        "longest_unstored_seconds": behind.most_seconds,
        "ack_p50_ms": round(sent.quantile(0.5), 1),
        "ack_p99_ms": round(sent.quantile(0.99), 1),
        "disk_bytes_a_span": round(disk),
        "peak_megabytes": peak,
    }


def main() -> None:
    """Measure and print, one JSON object a line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--door", choices=("http", "grpc", "both"), default="both")
    parser.add_argument("--decoder", choices=("fast", "protobuf", "both"), default="both")
    parser.add_argument("--summaries", choices=("with", "without", "both"), default="both")
    parser.add_argument("--spans", type=int, default=512, help="spans a request")
    parser.add_argument("--requests", type=int, default=1800)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, help="spans a second at most; as fast as it goes if left out")
    given = parser.parse_args()
    doors = ("http", "grpc") if given.door == "both" else (given.door,)
    decoders = ("protobuf", "fast") if given.decoder == "both" else (given.decoder,)
    summaries = ("without", "with") if given.summaries == "both" else (given.summaries,)
    for door, decoder, kept in product(doors, decoders, summaries):
        found = measure(
            door,
            decoder,
            kept == "with",
            given.spans,
            given.requests,
            given.connections,
            given.seed,
            given.rate,
        )
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
