"""`headwater up`: collector and dashboard as two processes, started in this order and stopped together."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path
from secrets import token_urlsafe
from types import FrameType

from headwater_analysis.errors import HeadwaterError, Unavailable
from headwater_analysis.settings import Command, Settings, read

from .config import OPTIONS, from_settings
from .doors import Addresses
from .receivers.addresses import free_address, split
from .tokens import TokenFile

UP = Command(
    "up",
    "Collector and dashboard together.",
    ("headwater up", "headwater up --data ./data --kafka main=localhost:9092 --web 127.0.0.1:8080"),
    options=OPTIONS,
)
START_SECONDS = 60.0
"""A store of many gigabytes replays its log before the doors open."""
STOP_SECONDS = 40.0
"""The collector drains for up to 30."""


def child(command: str, arguments: Sequence[str], token: str | None = None) -> subprocess.Popen[bytes]:
    """Start another `headwater` command by its entry point, in this interpreter's environment.

    The token goes by the environment: arguments can be read by every user of the machine.
    Raises Unavailable where the command is not installed.
    """
    if not entry_points(group="headwater.commands", name=command):
        raise Unavailable(f"`headwater {command}` is not installed; install headwater again.")
    environment = {**os.environ, **({"HEADWATER_TOKEN": token} if token else {})}
    line = "import sys; from headwater_analysis.cli import main; sys.exit(main())"
    return subprocess.Popen([sys.executable, "-c", line, command, *arguments], env=environment)


def serve_arguments(settings: Settings) -> list[str]:
    """The flags that tell `serve` what `up` was told; what came by environment reaches it that way too."""
    arguments: list[str] = []
    for option in OPTIONS:
        value = getattr(settings, option.key)
        if option.key not in settings.given or option.key in ("token", "web"):
            continue
        if option.kind == "flag":
            arguments += [f"--{option.name}"] if value else []
        else:
            for one in value if option.kind == "list" else (value,):
                arguments.append(f"--{option.name}={one}")
    if settings.config is not None:
        arguments.append(f"--config={settings.config}")
    return arguments


def wait_for_addresses(data: Path, serve: subprocess.Popen[bytes], since: float) -> Addresses:
    """Addresses of a collector that was started at `since` (time.time). Raises HeadwaterError if it ended."""
    path = data / "addresses.json"
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if serve.poll() is not None:
            raise HeadwaterError("The collector did not start; its message is above.")
        if path.exists() and path.stat().st_mtime >= since - 0.01:
            found = json.loads(path.read_text(encoding="utf-8"))
            return Addresses(found["otlp_grpc"], found["otlp_http"], found["api"])
        time.sleep(0.05)
    raise Unavailable(f"The collector has not opened its doors within {START_SECONDS:.0f} s.")


def wait_for_port(address: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until a child listens. Raises HeadwaterError if it ended, Unavailable if it takes too long."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            raise HeadwaterError("The dashboard did not start; its message is above.")
        try:
            socket.create_connection(split(address), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise Unavailable(f"The dashboard does not listen on {address} within {START_SECONDS:.0f} s.")


def stop_child(process: subprocess.Popen[bytes]) -> int:
    """Ask a child to end, wait for it, kill it if it does not; its exit code."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def run(argv: list[str]) -> int:
    """`headwater up`"""
    settings = read(UP, argv)
    wanted = from_settings(settings)  # what is wrong is said once, before anything starts
    signal.signal(signal.SIGTERM, _interrupt)
    children: list[subprocess.Popen[bytes]] = []
    try:
        since = time.time()
        # Where tokens are asked for, the dashboard gets one that lasts as long as this command.
        secured = TokenFile(wanted.data).stamp() is not None
        token = wanted.token or (token_urlsafe(32) if secured else None)
        serve = child("serve", serve_arguments(settings), token)
        children.append(serve)
        addresses = wait_for_addresses(wanted.data, serve, since)
        web = free_address(settings.web)
        arguments = [f"--collector={wanted.scheme}://{addresses.api}", f"--web={web}"]
        if wanted.tls_cert is not None:
            arguments.append(f"--tls-ca={wanted.tls_cert}")
        if settings.config is not None:
            arguments.append(f"--config={settings.config}")
        dashboard = child("dashboard", arguments, token)
        children.append(dashboard)
        addresses.write(wanted.data, web=web)
        wait_for_port(web, dashboard)
        sys.stdout.write(f"  dashboard  http://{web}\n")
        sys.stdout.flush()
        while serve.poll() is None and dashboard.poll() is None:
            time.sleep(0.2)
        name = "collector" if dashboard.poll() is None else "dashboard"
        raise HeadwaterError(f"The {name} has ended by itself; the other was stopped too.")
    except KeyboardInterrupt:
        return 0
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave a child behind
        for process in reversed(children):
            stop_child(process)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
