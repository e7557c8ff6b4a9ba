"""`headwater import`: traces recorded elsewhere become flows."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from headwater_analysis import format as fmt
from headwater_analysis.commands.printing import print_json
from headwater_analysis.errors import UsageError
from headwater_analysis.settings import JSON, TLS_CA, TOKEN, Command, Option, Positional, note, out, read

from . import reading, requests
from .door import Door
from .spans import Json

IMPORT = Command(
    "import",
    "Reads traces that were recorded elsewhere and gives them to a running collector: OTLP (JSON lines as the file "
    "exporter writes them, one JSON document, or protobuf), the JSON of Zipkin v2 and of Jaeger, and CSV with a line a "
    "span; all of them packed with gzip or not. What the file is, is found out by looking.",
    (
        "headwater import traces.jsonl",
        "headwater import zipkin.json --now",
        "zcat spans.csv.gz | headwater import - --to https://collector:4318 --token hw_…",
    ),
    (Positional("files", "files to read; - is standard input", many=True),),
    (
        Option("to", "The collector's OTLP/HTTP door.", "http://127.0.0.1:4318", "text", metavar="URL"),
        Option("now", "Move all times so that the last span has just ended.", False, "flag"),
        TOKEN,
        TLS_CA,
        JSON,
    ),
)


def run(argv: list[str]) -> int:
    """The command; exit code 1 where the door refused spans."""
    settings = read(IMPORT, argv)
    if not settings.files:
        raise UsageError("Say which file: `headwater import traces.jsonl`, or - for standard input.")
    resource_spans: list[Json] = []
    skipped: dict[str, int] = {}
    for path in settings.files:
        found = reading.read(path)
        resource_spans += found.resource_spans
        for reason, number in found.skipped.items():
            skipped[reason] = skipped.get(reason, 0) + number
    between = requests.bounds(resource_spans)
    if between is None:
        raise UsageError("There is no span with a start and an end in it; nothing was sent.")
    if settings.now:
        by_ns = time.time_ns() - between[1]
        requests.move(resource_spans, by_ns)
        between = between[0] + by_ns, between[1] + by_ns
    sent, refused = _send(Door(settings.to, settings.token, settings.tls_ca), resource_spans, settings.json)
    first, last = (datetime.fromtimestamp(at / 1e9, UTC) for at in between)
    if settings.json:
        answer: dict[str, Any] = {"sent": sent, "refused": refused, "skipped": skipped}
        print_json({**answer, "first": first.isoformat(), "last": last.isoformat()})
    else:
        left_out = "".join(f"; {fmt.count(number)} left out {reason}" for reason, number in skipped.items())
        refusals = f"; {fmt.count(refused)} refused" if refused else ""
        out(
            f"{fmt.count(sent - refused)} spans imported, {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC"
        )
        out(f"{refusals}{left_out}.\n")
        days = int((time.time() - between[0] / 1e9) // 86400) + 1
        note(
            f"See them: `headwater flows --last {days}d`."
            + ("" if days < 8 else " --now brings them up to date.")
        )
    return 1 if refused else 0


def _send(door: Door, resource_spans: list[Json], quiet: bool) -> tuple[int, int]:
    from rich.console import Console
    from rich.progress import Progress

    bodies = list(requests.requests(resource_spans))
    sent = refused = 0
    screen = Console(stderr=True)
    try:
        with Progress(console=screen, transient=True, disable=quiet or not screen.is_terminal) as progress:
            task = progress.add_task("importing", total=sum(spans for _, spans in bodies))
            for body, spans in bodies:
                refused += door.send(body, spans)
                sent += spans
                progress.advance(task, spans)
    finally:
        door.close()
    return sent, refused
