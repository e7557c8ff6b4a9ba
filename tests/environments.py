"""Python environments with other versions than the pinned ones, made once and kept."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
KEPT = ROOT / ".cache" / "environments"
INSTRUMENTATION = ROOT / "instrumentation"
PATIENCE_SECONDS = 300


def environment(*requirements: str) -> Path:
    """Folder of the commands of an environment with these and the instrumentation as it is in the work tree."""
    metadata = (INSTRUMENTATION / "pyproject.toml").read_text()
    told = "\n".join((sys.version, metadata, *sorted(requirements)))
    folder = KEPT / hashlib.sha256(told.encode()).hexdigest()[:16]
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        _make(folder, requirements)
        (folder / "complete").touch()
    return folder / "bin"


def _make(folder: Path, requirements: tuple[str, ...]) -> None:
    wanted = [*requirements, "-e", str(INSTRUMENTATION)]
    uv = shutil.which("uv")
    if uv is not None:
        _run(uv, "venv", "--quiet", "--python", sys.executable, str(folder))
        _run(
            uv,
            "pip",
            "install",
            "--quiet",
            "--prerelease=allow",
            "--python",
            str(folder / "bin" / "python"),
            *wanted,
        )
    else:
        _run(sys.executable, "-m", "venv", str(folder))
        _run(str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *wanted)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    assert done.returncode == 0, done.stderr
