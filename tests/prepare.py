"""What `make test` does before pytest: get Java, Maven, a Chromium and tmux where they are missing, and compile the
decoder of spans, since every collector of a test would begin to do so beside the test.

As root on Debian and its kin it installs packages; otherwise it says what to install. It never fails the
run: tests that miss something skip with the reason (and fail under CI=true). With everything there it costs
nothing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

PACKAGES: Mapping[str, tuple[str, ...]] = {  # Debian's package -> any of these commands shows it is there
    "openjdk-17-jre-headless": ("java",),
    "maven": ("mvn",),
    "chromium": ("chromium", "chromium-browser", "google-chrome"),
    "tmux": ("tmux",),
}
TIMEOUT_SECONDS = 900


def missing_packages() -> list[str]:
    return [package for package, commands in PACKAGES.items() if not any(map(shutil.which, commands))]


def compile_decoder() -> None:
    """Into the cache of this tree, where the tests' collectors look; done once for a state of the code."""
    code = (
        "from collector_process import CACHE; "
        "from headwater_collector.receivers.decoding import compiled_decoder; "
        "compiled_decoder(CACHE)"
    )
    try:
        done: object = subprocess.run(
            [sys.executable, "-c", code], cwd=Path(__file__).parent, timeout=TIMEOUT_SECONDS
        ).returncode
    except (OSError, subprocess.TimeoutExpired) as error:
        done = str(error)
    if done:
        _say(
            f"The decoder could not be compiled beforehand ({done}); collectors will try it beside the tests."
        )


def main() -> int:
    compile_decoder()
    packages = missing_packages()
    if not packages:
        return 0
    by_hand = f"apt-get install {' '.join(packages)}"
    if shutil.which("apt-get") is None or not hasattr(os, "geteuid") or os.geteuid() != 0:
        _say(f"Some tests will be skipped; on Debian, as root: {by_hand}")
        return 0
    _say(f"Installing for the tests: {' '.join(packages)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    commands = (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages],
    )
    for command in commands:
        try:
            done = subprocess.run(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                timeout=TIMEOUT_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            _say(
                f"{' '.join(command)} did not work ({error}); some tests will be skipped; by hand: {by_hand}"
            )
            return 0
        if done.returncode != 0:
            reason = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
            _say(f"{' '.join(command[:2])} did not work ({reason[0]}); some tests may be skipped")
    return 0


def _say(sentence: str) -> None:
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
