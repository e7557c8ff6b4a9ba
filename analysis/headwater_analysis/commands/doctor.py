"""`headwater doctor`: what keeps messages from being followed, with its evidence and the line that mends it."""

import time
from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

from headwater_analysis import format as fmt
from headwater_analysis.doctor.examination import Examination, examine
from headwater_analysis.doctor.finding import Finding
from headwater_analysis.settings import COLLECTOR, JSON, STORE, TOKEN, Command, Option, read
from headwater_analysis.window import Window

from .printing import console, count_of, opened, plain, print_json, status_text

DOCTOR = Command(
    "doctor",
    "Finds what keeps messages from being followed, each with its evidence and the lines that mend it: clients "
    "without instrumentation, context that is not continued or not sent, missing attributes, handlers outside "
    "of spans, wrong clocks. It knows what services sent and what Kafka says of groups and topics. "
    "The exit code is 1 while there is a problem; hints leave it 0.",
    (
        "headwater doctor",
        "headwater doctor --last 15m      # only what came since you mended something",
        "headwater doctor --json | jq -r '.[] | [.severity, .who, .what] | @tsv'",
        "headwater doctor > /dev/null || echo 'the telemetry has gaps'",
        "headwater doctor --store ./data",
    ),
    options=(
        Option("last", "What arrived within this time, such as 15m, 2h or 7d.", "1h", metavar="DURATION"),
        COLLECTOR,
        TOKEN,
        STORE,
        JSON,
    ),
)


def run(argv: list[str]) -> int:
    """The command; gives its exit code."""
    settings = read(DOCTOR, argv)
    window = Window.last(settings.last)
    with opened(settings) as source:
        found = examine(source, window)
    if settings.json:
        print_json(found.findings)
    else:
        out = console()
        if found.findings:
            out.print(_table(found.findings), Text())
        for line in _summary(found, settings.last):
            out.print(line)
    return 1 if found.problems else 0


def _table(findings: tuple[Finding, ...]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 1, 1, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for one in findings:
        table.add_row(status_text(one.severity), Text("\n").join(_lines(one)))
    return table


def _lines(one: Finding) -> Iterator[Text]:
    yield Text.assemble((plain(one.who).plain, "bold"), ": ", plain(one.what).plain)
    yield plain(one.evidence)
    for line in one.mend:
        yield Text.assemble(("  $ " if _of_shell(line) else "    "), (plain(line).plain, "green"))
    if one.example:
        yield Text(plain(f"for example: headwater flow {one.example}").plain, style="dim")
    yield Text(f"see {one.docs}", style="dim")


def _of_shell(line: str) -> bool:
    return line.split(" ")[0] in (
        "pip", "export", "unset", "headwater", "sudo", "java", "go", "npm", "opentelemetry-instrument"
    )  # fmt: skip


def _summary(found: Examination, last: str) -> Iterator[Text]:
    facts = found.facts
    spans = sum(one.spans for one in facts.spans)
    groups = len({one.consumer_group for one in facts.activity if one.consumer_group})
    if facts.spans or facts.activity:
        since = f"the newest, since {_clock(facts.since_ns)}" if facts.narrowed else f"the last {last}"
        yield plain(
            f"Examined {count_of(spans, 'Kafka span')} of {count_of(len(facts.services), 'service')} and "
            f"{count_of(groups, 'group')} that committed, in {since}."
        )
    elif facts.newest_ns is not None:
        age = fmt.age(facts.newest_ns, time.time_ns())
        nothing = "No span came" if not facts.services else "No Kafka span came"
        yield plain(f"{nothing} in the last {last}; the newest span came {age}. --last looks further back.")
    if found.findings:
        yield Text(f"{count_of(found.problems, 'problem')}, {count_of(found.hints, 'hint')}.", style="bold")
    elif facts.spans:
        yield Text.assemble(("✓ ", "green"), "Nothing found: every message seen can be followed.")


def _clock(ns: int) -> str:
    return time.strftime("%H:%M:%S", time.localtime(ns / 1e9))
