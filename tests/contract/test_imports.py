"""What loading a room costs and brings along, seen from a fresh interpreter."""

import json
import subprocess
import sys

import pytest

HEAVY = ("duckdb", "pyarrow", "textual", "dash", "plotly", "grpc", "aiokafka", "confluent_kafka", "uvicorn",
         "opentelemetry.sdk", "numpy", "pandas")  # fmt: skip


def loaded_by(module: str) -> set[str]:
    """Which of the heavy packages a fresh interpreter holds after importing a module."""
    code = (
        f"import json, sys, {module}; print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )
    return set(json.loads(done.stdout))


@pytest.mark.parametrize(
    ("sentence", "module", "allowed"),
    [
        ("the command line loads no room before it is asked for", "headwater_analysis.cli", set()),
        ("a question over HTTP needs no database", "headwater_analysis.remote", set()),
        ("the terminal starts without database and columns", "headwater_tui.app", {"textual"}),
        ("a service pays for opentelemetry's API only", "headwater_instrumentation", set()),
        ("the aiokafka shim brings no client along", "headwater_instrumentation.aiokafka", set()),
    ],
)
def test_loading(sentence: str, module: str, allowed: set[str]) -> None:
    assert loaded_by(module) <= allowed, sentence
