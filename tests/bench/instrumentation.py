"""What the instrumentation of aiokafka adds to a message, beside plain aiokafka, OpenTelemetry's own, and the floor.

Every cell is a process of its own, three times in turn, and the least of them counts; all ratios are of one run.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from environments import environment

REQUIREMENTS = ("aiokafka", "opentelemetry-sdk", "opentelemetry-instrumentation-aiokafka")
CELL = Path(__file__).with_name("instrumentation_cell.py")
SDKS = {"none": "no SDK", "off": "sampled out", "sdk": "SDK"}
COLUMNS = [
    ("plain", "none"),
    *((who, sdk) for who in ("contrib", "headwater") for sdk in SDKS),
    ("headwater", "metrics"),
]
Cell = dict[str, float]


def cell(python: Path, who: str, sdk: str) -> Cell:
    """Microseconds by operation."""
    done = subprocess.run(
        [str(python), str(CELL), who, sdk], capture_output=True, text=True, timeout=300, env=dict(os.environ)
    )
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    found: Cell = json.loads(done.stdout.splitlines()[-1])
    return found


def least(found: list[Cell]) -> Cell:
    """The fastest of several, operation by operation."""
    return {name: min(one[name] for one in found) for name in found[0]}


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="times that every cell is measured (default 3)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    options = parser.parse_args()
    python = environment(*REQUIREMENTS) / "python"
    wanted = [*COLUMNS, ("floor", "sdk")]
    found: dict[tuple[str, str], list[Cell]] = {place: [] for place in wanted}
    for _ in range(options.rounds):
        for place in wanted:
            found[place].append(cell(python, *place))
            sys.stderr.write(".")
            sys.stderr.flush()
    sys.stderr.write("\n")
    cells = {place: least(several) for place, several in found.items()}
    floor = cells.pop(("floor", "sdk"))
    if options.json:
        told = {f"{who} {sdk}": values for (who, sdk), values in cells.items()}
        sys.stdout.write(json.dumps({"floor": floor, **told, "added": added(cells, floor)}) + "\n")
        return
    sys.stdout.write(table(cells) + "\n" + verdict(cells, floor) + "\n" + machine() + "\n")


def added(cells: dict[tuple[str, str], Cell], floor: Cell) -> Cell:
    """What is compared with the targets."""
    plain, ours, theirs = (
        cells[place] for place in (("plain", "none"), ("headwater", "sdk"), ("contrib", "sdk"))
    )
    return {
        "send ÷ floor": (ours["send"] - plain["send"]) / floor["send"],
        "process ÷ floor": (ours["getone"] - plain["getone"]) / floor["process"],
        "send ÷ floor beside the client": (ours["send"] - plain["send"])
        / (floor["send beside"] - plain["send"]),
        "process ÷ floor beside the client": (ours["getone"] - plain["getone"])
        / (floor["process beside"] - plain["getone"]),
        "send ÷ contrib": (ours["send"] - plain["send"]) / (theirs["send"] - plain["send"]),
        "getone ÷ contrib": (ours["getone"] - plain["getone"]) / (theirs["getone"] - plain["getone"]),
        "send without SDK, µs": cells["headwater", "none"]["send"] - plain["send"],
        "record of a batch of 500, µs": ours["getmany"] - plain["getmany"],
    }


TARGETS = {
    "send ÷ floor": 1.3,
    "process ÷ floor": 1.3,
    "send ÷ floor beside the client": 1.3,
    "process ÷ floor beside the client": 1.3,
    "send ÷ contrib": 1.0,
    "getone ÷ contrib": 1.0,
    "send without SDK, µs": 8.0,
    "record of a batch of 500, µs": 2.0,
}


def verdict(cells: dict[tuple[str, str], Cell], floor: Cell) -> str:
    """The targets beside what was seen."""
    plain = cells["plain", "none"]
    beside = floor["send beside"] - plain["send"], floor["process beside"] - plain["getone"]
    lines = [
        f"floor: send {floor['send']:.1f} µs, process {floor['process']:.1f} µs; "
        f"beside the client's call {beside[0]:.1f} and {beside[1]:.1f} µs",
        "",
    ]
    lines += ["| added | seen | target |", "|---|---|---|"]
    for name, value in added(cells, floor).items():
        lines.append(f"| {name} | {value:.2f} | ≤ {TARGETS[name]} |")
    return "\n".join(lines) + "\n"


def table(cells: dict[tuple[str, str], Cell]) -> str:
    """Microseconds a message in all."""
    heads = [who if who == "plain" else f"{who} {SDKS.get(sdk, 'SDK and metrics')}" for who, sdk in COLUMNS]
    lines = ["| µs a message | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    for operation in next(iter(cells.values())):
        name = "getmany (500 a call)" if operation == "getmany" else operation
        lines.append(
            f"| {name} | " + " | ".join(f"{cells[place][operation]:.1f}" for place in COLUMNS) + " |"
        )
    return "\n".join(lines) + "\n"


def machine() -> str:
    """Where it ran."""
    model = next(
        (line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
         if line.startswith("model name")),
        platform.machine(),
    )  # fmt: skip
    return (
        f"{os.cpu_count()} CPUs ({model}), {platform.system()}, CPython {platform.python_version()}, "
        f"opentelemetry-api {version('opentelemetry-api')} where the tests run"
    )


if __name__ == "__main__":
    main()
