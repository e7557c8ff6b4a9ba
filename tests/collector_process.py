"""A real `headwater serve` as a child process on free ports, and ways to talk to it."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import store_helpers

PROTOBUF = {"Content-Type": "application/x-protobuf"}
JSON = {"Content-Type": "application/json"}
CACHE = Path(__file__).resolve().parents[1] / ".cache" / "headwater"
"""Where the tests' collectors find the compiled decoder: compiled once, and not again for each."""
SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
FREE_DOORS = ("--otlp-grpc=127.0.0.1:0", "--otlp-http=127.0.0.1:0", "--api=127.0.0.1:0")
_COMMAND = "import sys; from headwater_analysis.cli import main; sys.exit(main())"


@dataclass(frozen=True)
class Response:
    """What a door answered."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


@dataclass
class CollectorProcess:
    """A collector that has opened its doors."""

    process: subprocess.Popen[str]
    data: Path
    addresses: dict[str, str]
    _connections: dict[str, http.client.HTTPConnection] = field(default_factory=dict)

    def request(
        self, door: str, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Response:
        """One HTTP request, on a connection that is kept; opened again where the server has closed it."""
        kept = self._connections.pop(door, None)
        if kept is not None:
            try:
                return self._request(door, kept, method, path, body, headers)
            except (ConnectionError, http.client.RemoteDisconnected):
                kept.close()
        fresh = http.client.HTTPConnection(self.addresses[door], timeout=60)
        return self._request(door, fresh, method, path, body, headers)

    def _request(
        self,
        door: str,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: bytes,
        headers: Mapping[str, str] | None,
    ) -> Response:
        connection.request(method, path, body, dict(headers or {}))
        answer = connection.getresponse()
        found = Response(
            answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        )
        if answer.will_close:
            connection.close()
        else:
            self._connections[door] = connection
        return found

    def send(self, body: bytes, headers: Mapping[str, str] = PROTOBUF, signal: str = "traces") -> Response:
        """POST to an OTLP path."""
        return self.request("otlp_http", "POST", f"/v1/{signal}", body, headers)

    def sql(self, statement: str, params: Sequence[object] = ()) -> list[list[Any]]:
        """Rows of a question."""
        document = json.dumps({"sql": statement, "params": list(params)}).encode()
        accept = {**JSON, "Accept": "application/json"}
        answer = self.request("api", "POST", "/v1/sql", document, accept)
        assert answer.status == 200, answer.body.decode()
        rows: list[list[Any]] = json.loads(answer.body)["rows"]
        return rows

    def health(self) -> dict[str, Any]:
        """What the collector says of itself."""
        found: dict[str, Any] = json.loads(self.request("api", "GET", "/v1/health").body)
        return found

    def wait_for(self, statement: str, expected: object, seconds: float = 60.0, every: float = 0.05) -> None:
        """Ask, each `every` seconds, until the first column of the first row is what is expected."""
        until = time.monotonic() + seconds
        while True:
            rows = self.sql(statement)
            found = rows[0][0] if rows else None
            if found == expected:
                return
            assert time.monotonic() < until, f"{statement}: {found!r}, not {expected!r}"
            time.sleep(every)

    def stop(self) -> int:
        """Ask it to end and wait; its exit code."""
        self.close()
        self.process.terminate()
        return self.process.wait(60)

    def kill(self) -> None:
        """kill -9"""
        self.close()
        self.process.kill()
        self.process.wait(10)

    def close(self) -> None:
        """Close the connections to it."""
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()


def command(
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    stdin: int | None = None,
    prelude: str = "",
) -> subprocess.Popen[str]:
    """Start a `headwater` command; standard error comes with standard output.

    `prelude` is code that the process runs first.
    """
    return subprocess.Popen(
        [sys.executable, "-c", f"{prelude}\n{_COMMAND}", *arguments],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={
            **os.environ,
            "XDG_CONFIG_HOME": "/nonexistent",
            "HEADWATER_CACHE": str(CACHE),
            **(environment or {}),
        },
    )


def start_collector(
    data: Path, *arguments: str, environment: Mapping[str, str] | None = None, prelude: str = ""
) -> CollectorProcess:
    """Start `headwater serve` on free ports and wait for its doors; raises AssertionError with its output."""
    store_helpers.place_empty(data / "headwater.duckdb")
    path = data / "addresses.json"
    path.unlink(missing_ok=True)
    process = command(
        "serve", f"--data={data}", *FREE_DOORS, *arguments, environment=environment, prelude=prelude
    )
    until = time.monotonic() + 60
    while not path.exists():
        code = process.poll()
        if code is not None or time.monotonic() > until:
            process.kill()
            told = "no door after a minute" if code is None else f"ended with {code}"
            raise AssertionError(f"{told}: {process.communicate()[0]}")
        time.sleep(0.02)
    return CollectorProcess(process, data, json.loads(path.read_text()))


@contextmanager
def a_collector(
    data: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> Iterator[CollectorProcess]:
    """A collector for as long as a `with` lasts; never left behind."""
    collector = start_collector(data, *arguments, environment=environment)
    try:
        yield collector
    finally:
        if collector.process.poll() is None:
            collector.stop()
        if collector.process.stdout is not None:
            collector.process.stdout.close()
