"""What ships: wheels with every file that a room needs and no tests, and a lock that names no host."""

import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import entry_points
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = {
    "headwater_collector": ROOT / "collector",
    "headwater_analysis": ROOT / "analysis",
    "headwater_tui": ROOT / "tui",
    "headwater_dashboard": ROOT / "dashboard",
}


def build(project: Path, target: Path) -> set[str]:
    """The names inside the wheel of a project."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)],
        cwd=project,
        check=True,
        capture_output=True,
        timeout=120,
    )
    (wheel,) = target.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    return build(ROOT, tmp_path_factory.mktemp("console"))


def tracked(folder: Path, package: str) -> set[str]:
    listed = subprocess.run(
        ["git", "ls-files", package], cwd=folder, check=True, capture_output=True, text=True, timeout=30
    )
    return set(listed.stdout.split())


@pytest.mark.parametrize("package", ROOMS)
def test_the_console_wheel_holds_every_file_of_a_room(console: set[str], package: str) -> None:
    missing = tracked(ROOMS[package], package) - console
    assert missing == set()


def test_the_console_wheel_holds_the_four_rooms_and_nothing_else(console: set[str]) -> None:
    tops = {name.split("/")[0] for name in console if ".dist-info" not in name}
    assert tops == set(ROOMS)


def test_the_instrumentation_wheel_is_a_distribution_of_its_own(tmp_path: Path) -> None:
    names = build(ROOT / "instrumentation", tmp_path)
    missing = tracked(ROOT / "instrumentation", "headwater_instrumentation") - names
    assert missing == set()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"headwater_instrumentation"}


def test_both_distributions_have_one_version_and_one_floor_of_python() -> None:
    console = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    shim = tomllib.loads((ROOT / "instrumentation" / "pyproject.toml").read_text())["project"]
    assert console["version"] == shim["version"]
    assert console["requires-python"] == shim["requires-python"]


def test_every_command_can_be_loaded() -> None:
    commands = {entry.name: entry.load() for entry in entry_points(group="headwater.commands")}
    assert {
        "serve",
        "up",
        "demo",
        "tui",
        "dashboard",
        "sql",
        "flows",
        "flow",
        "lag",
        "dead-letters",
        "ingest",
    } <= set(commands)
    assert all(callable(command) for command in commands.values())


def test_the_lock_pins_with_hashes_and_names_no_host() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    assert not re.search(r"https?://|--index|--find-links|@ file", lock)
    assert lock.count("==") <= lock.count("--hash=sha256:")
