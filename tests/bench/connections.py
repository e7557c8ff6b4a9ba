"""Ten thousand connections at once against a real `headwater serve`, and a service that goes on sending."""

from __future__ import annotations

import argparse
import json
import resource
import socket
import statistics
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from builders import a_request, a_span  # noqa: E402
from collector_process import CollectorProcess, a_collector  # noqa: E402

# What the connections of a flood send, in turn: nothing, a head that does not end, a body that does not come.
_SENT = (b"", b"POST /v1/tra", b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n\r\n")


@dataclass
class Sender:
    """Sends a request again and again on one connection, and notes how long each took."""

    collector: CollectorProcess
    milliseconds: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self.over.is_set():
            body = a_request(*(a_span() for _ in range(20))).SerializeToString()
            began = time.perf_counter()
            status = self.collector.send(body).status
            self.milliseconds.append((time.perf_counter() - began) * 1000)
            self.statuses[status] = self.statuses.get(status, 0) + 1


def flood(address: str, number: int) -> tuple[list[socket.socket], int]:
    """Connections that were made, and how many were not even that."""
    host, port = address.split(":")
    made: list[socket.socket] = []
    failed = 0
    for one in range(number):
        try:
            connection = socket.create_connection((host, int(port)), 30)
            connection.sendall(_SENT[one % len(_SENT)])
            made.append(connection)
        except OSError:
            failed += 1
    return made, failed


def turned_away(connections: list[socket.socket]) -> int:
    """How many of them the collector has closed, or told that it is busy."""
    closed = 0
    for connection in connections:
        connection.setblocking(False)
        try:
            closed += connection.recv(12) in (b"", b"HTTP/1.1 503")
        except BlockingIOError:
            pass
        except OSError:
            closed += 1
    return closed


def measure(number: int, door: str, seconds: float) -> dict[str, object]:
    """One flood on one door."""
    with tempfile.TemporaryDirectory() as directory, a_collector(Path(directory)) as collector:
        pid = collector.process.pid
        sender = Sender(collector)
        thread = threading.Thread(target=sender.run)
        thread.start()
        began = time.monotonic()
        connections, failed = flood(collector.addresses[door], number)
        took = time.monotonic() - began
        most = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        sender.over.wait(max(0.0, seconds - took))
        closed = turned_away(connections)
        sender.over.set()
        thread.join()
        alive = collector.process.poll() is None
        for connection in connections:
            connection.close()
        status = Path(f"/proc/{pid}/status").read_text()
        peak = int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
        acked = sorted(sender.milliseconds)
        return {
            "door": door,
            "connections": number,
            "made": len(connections),
            "failed": failed,
            "flood_seconds": round(took, 1),
            "closed_by_collector": closed,
            "descriptors": most,
            "alive": alive,
            "answers": sender.statuses,
            "ack_p50_ms": round(statistics.median(acked), 1),
            "ack_p99_ms": round(acked[int(len(acked) * 0.99)], 1),
            "peak_megabytes": peak >> 10,
            "ended_with": collector.stop(),
        }


def main() -> int:
    """`python -m tests.bench.connections`"""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--door", choices=("otlp_http", "otlp_grpc", "api"), action="append")
    parser.add_argument("--seconds", type=float, default=15.0, help="how long the flood stays")
    given = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < given.connections + 100:
        sys.stderr.write(
            f"This user may open {hard} files; give fewer --connections, or raise `ulimit -n`.\n"
        )
        return 2
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, given.connections + 100), hard))
    for door in given.door or ("otlp_http", "otlp_grpc", "api"):
        sys.stdout.write(json.dumps(measure(given.connections, door, given.seconds)) + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
