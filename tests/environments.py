"""Python environments with other versions than the pinned ones, made once and kept, and services run in them."""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from blocking_helpers import broker_in_a_thread

ROOT = Path(__file__).parents[1]
KEPT = ROOT / ".cache" / "environments"
INSTRUMENTATION = ROOT / "instrumentation"
PATIENCE_SECONDS = 300


def environment(*requirements: str) -> Path:
    """Folder of the commands of an environment with these and the instrumentation as it is in the work tree."""
    metadata = (INSTRUMENTATION / "pyproject.toml").read_text()
    told = "\n".join((sys.version, metadata, *sorted(requirements)))
    folder = KEPT / hashlib.sha256(told.encode()).hexdigest()[:16]
    KEPT.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        # Another process of the same test run may want the same one.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            _make(folder, requirements)
            (folder / "complete").touch()
    return folder / "bin"


def _make(folder: Path, requirements: tuple[str, ...]) -> None:
    """By uv, in seconds; by pip where uv finds no index, since it reads none of pip's settings."""
    wanted = [*requirements, "-e", str(INSTRUMENTATION)]
    python = str(folder / "bin" / "python")
    uv = str(Path(sys.executable).with_name("uv"))
    _run(uv, "venv", "--quiet", "--seed", "--python", sys.executable, str(folder))
    by_uv = (uv, "pip", "install", "--quiet", "--prerelease=allow", "--python", python, *wanted)
    if _done(*by_uv).returncode:
        _run(python, "-m", "pip", "install", "--quiet", *wanted)


def _run(*command: str) -> None:
    done = _done(*command)
    assert done.returncode == 0, done.stderr


def _done(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS)


def run(
    service: Path, commands: Path, name: str, broker: str | None = None, topic: str = "orders", **more: str
) -> tuple[list[dict[str, Any]], str]:
    """Spans that a service wrote to the console, and what it said; over a broker, or an embedded one.

    The service is given its name, the broker's address and the topic.
    """
    with nullcontext(broker) if broker is not None else broker_in_a_thread() as address:
        command: list[str | Path] = [
            commands / "opentelemetry-instrument",
            commands / "python",
            service,
            name,
            str(address),
            topic,
        ]
        done = under_instrumentation(command, OTEL_TRACES_EXPORTER="console", **more)
    return list(_documents(done.stdout)), done.stderr


def under_instrumentation(
    command: Sequence[str | Path], **environment: str
) -> subprocess.CompletedProcess[str]:
    """Runs ``opentelemetry-instrument …`` to its good end; of OpenTelemetry's switches only these are set."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
    done = subprocess.run(
        [str(part) for part in command],
        env={
            **inherited,
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done


def _documents(text: str) -> Iterator[dict[str, Any]]:
    decoder, at = json.JSONDecoder(), 0
    while (at := text.find("{", at)) >= 0:
        document, at = decoder.raw_decode(text, at)
        yield document
