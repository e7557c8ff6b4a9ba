"""`headwater demo` as a child process on free ports, and waiting for what it must bring."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collector_process import CACHE
from headwater_analysis.errors import HeadwaterError
from headwater_analysis.remote import RemoteSource

COMMAND = (sys.executable, "-c", "import sys; from headwater_analysis.cli import main; sys.exit(main())")
PATIENCE_SECONDS = 60.0
"""A loaded machine with two cores; a few seconds on an idle one."""


@dataclass
class Demo:
    """A demo that has opened its doors."""

    process: subprocess.Popen[str]
    data: Path
    addresses: dict[str, str]

    @property
    def api(self) -> str:
        """URL of the collector."""
        return f"http://{self.addresses['api']}"

    def rows(self, statement: str, params: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Rows of a question."""
        with contextlib.closing(RemoteSource(self.api)) as source:
            return source.query(statement, params).dicts()

    def command(self, *arguments: str) -> str:
        """What a `headwater` command says of this demo; fails with its error."""
        done = subprocess.run(
            [*COMMAND, *arguments, "--collector", self.api],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "COLUMNS": "160"},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def sql(self, statement: str) -> list[dict[str, Any]]:
        """Rows of a question as `headwater sql --format json` gives them."""
        found: list[dict[str, Any]] = json.loads(self.command("sql", "--format", "json", statement))
        return found

    def until(
        self, ready: Callable[[], Any], what: str, seconds: float = PATIENCE_SECONDS, every: float = 0.2
    ) -> Any:
        """Asks until the answer is true and gives it; fails naming what did not come."""

        def answer() -> Any:
            assert self.process.poll() is None, f"the demo has ended: {self.process.communicate()[0]}"
            with contextlib.suppress(HeadwaterError):
                return ready()

        return wait_until(answer, what, seconds, every)

    def interrupt(self) -> tuple[int, str]:
        """Ctrl-C: the exit code, and all that was written."""
        self.process.send_signal(signal.SIGINT)
        output, _ = self.process.communicate(timeout=40)
        return self.process.returncode, output


def wait_until(ready: Callable[[], Any], what: str, seconds: float, every: float = 0.2) -> Any:
    """Asks until the answer is true and gives it; fails naming what did not come."""
    end = time.monotonic() + seconds
    while not (found := ready()):
        assert time.monotonic() < end, f"{what} did not come within {seconds:.0f} s"
        time.sleep(every)
    return found


def children_of(pid: int) -> list[int]:
    """Ids of a process's children."""
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True)
    return [int(word) for word in found.stdout.split()]


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits for its parent does not."""
    found = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return bool(found.stdout.strip()) and not found.stdout.strip().startswith("Z")


@contextmanager
def running_demo(data: Path, *arguments: str) -> Iterator[Demo]:
    """Starts `headwater demo` and waits for its addresses; whatever happens, it is ended."""
    # A later flag wins over an earlier one.
    doors = [f"--{name}=127.0.0.1:0" for name in ("otlp-grpc", "otlp-http", "api", "web")]
    process = subprocess.Popen(
        [*COMMAND, "demo", f"--data={data}", *doors, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "XDG_CONFIG_HOME": "/nonexistent", "HEADWATER_CACHE": str(CACHE)},
    )
    demo = Demo(process, data, {})
    try:

        def addresses() -> dict[str, str] | None:
            path = data / "addresses.json"
            read: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
            return read if "kafka" in read else None

        demo.addresses = demo.until(addresses, "addresses.json")
        yield demo
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.communicate(timeout=40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
