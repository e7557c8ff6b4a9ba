"""`headwater pathways` (and `pathway`, the same): where the time of an entry's flows goes, and what if it did not."""

import textwrap
from collections.abc import Iterator

from rich.text import Text

from headwater_analysis import format as fmt
from headwater_analysis.critical_path.asking import PathwayPaths, WhatIf, pathway_paths
from headwater_analysis.critical_path.what_if import KEYS_OF
from headwater_analysis.errors import UsageError
from headwater_analysis.pathways import pathways
from headwater_analysis.settings import COLLECTOR, JSON, STORE, TOKEN, Command, Option, Positional, read
from headwater_analysis.throughput import of_pathway
from headwater_analysis.window import Window

from .path_drawing import bar, step_mark, step_style
from .printing import ascii_only, console, count_of, empty, opened, plain, print_json, print_table, when
from .throughput_drawing import print_throughput

COMMAND = Command(
    "pathway",
    "Shows where the time of a pathway's flows goes: how often each segment is on the critical path, through "
    "queues too, what it contributes, and how much later the rest could have come. --what-if counts all starts "
    "and ends anew as if some segments had taken another time. Without an id it lists the pathways; "
    "`pathways` and `pathway` are one command.",
    (
        "headwater pathways",
        "headwater pathway 3f2a --last 24h",
        "headwater pathway 3f2a --throughput --last 24h    # waits against rates, and where they begin to grow",
        'headwater pathway 3f2a --what-if "wait topic=orders group=payments x0"',
        'headwater pathway 3f2a --what-if "work service=checkout operation=charge x0.5; send topic=orders x0"',
        "headwater pathway 3f2a --json | jq '.steps[0]'",
    ),
    (Positional("id", "id of a pathway, or the beginning of it", optional=True),),
    (
        Option("what-if", "Suppositions: kind, what is meant by name=value (* for any text), x and a factor; "
               f"; between several. Kinds: {', '.join(KEYS_OF)}; names: service, operation, topic, group.", None,
               metavar="TEXT"),
        Option("throughput", "What its flows take and wait at the rates there were, and from which on waiting grows.",
               False, "flag"),
        Option("last", "How far back to look, such as 30s, 15m, 2h or 7d.", "1h", metavar="DURATION"),
        Option("limit", "How many flows at most, the newest first.", 500, "whole"),
        COLLECTOR,
        TOKEN,
        STORE,
        JSON,
    ),
)  # fmt: skip
MOST_ROWS = 30
"""Steps that are drawn; --json has all."""
NUMBERS = 42
"""Characters for a step's numbers."""


def run(argv: list[str]) -> int:
    """The command; gives its exit code."""
    settings = read(COMMAND, argv)
    window = Window.last(settings.last)
    for given, name in ((settings.what_if is not None, "--what-if"), (settings.throughput, "--throughput")):
        if settings.id is None and given:
            raise UsageError(f"{name} needs the id of a pathway; `headwater pathways` lists them.")
    if settings.throughput and settings.what_if is not None:
        raise UsageError("--throughput and --what-if are two questions; ask them one after another.")
    with opened(settings) as source:
        if settings.throughput:
            return print_throughput(of_pathway(source, settings.id, window), settings.json)
        if settings.id is None:
            found = pathways(source)
        else:
            paths = pathway_paths(source, settings.id, window, settings.what_if, max(settings.limit, 1))
    if settings.json:
        print_json(found if settings.id is None else paths)
        return 0
    if settings.id is not None:
        target = console()
        for line in draw(paths, max(target.width, 80), ascii_only()):
            target.print(line, no_wrap=True, overflow="ellipsis")
        return 0
    if not found:
        empty("No flow has arrived yet; point an OTLP exporter at the collector, or try `headwater demo`.")
        return 0
    print_table(
        ("pathway", "entry", "flows", "errors", "total p50", "p95", "last", "path"),
        (
            (
                row.pathway_id,
                f"{row.entry_service or '?'} {row.entry_name or ''}".strip(),
                fmt.count(row.flows),
                fmt.count(row.errors),
                fmt.duration_ms(row.total_p50_ms),
                fmt.duration_ms(row.total_p95_ms),
                when(row.last_seen_ns),
                row.path,
            )
            for row in found
        ),
        right=("flows", "errors", "total p50", "p95"),
    )
    return 0


def draw(paths: PathwayPaths, width: int, ascii_only: bool = False) -> Iterator[Text]:
    """The lines of a picture ``width`` characters wide."""
    row = paths.pathway
    yield Text(f"pathway {row.pathway_id}", style="bold")
    yield plain(row.path)
    of = f" of {paths.flows_in_window:,}" if paths.flows_in_window > paths.flows else ""
    yield Text(
        f"{count_of(paths.flows, 'flow')}{of}   total p50 {fmt.duration_ms(paths.total_p50_ms)}   "
        f"p95 {fmt.duration_ms(paths.total_p95_ms)}"
    )
    cells = max((width - NUMBERS) // 4 - 3, 6)
    labels = width - NUMBERS - cells - 1
    head = f"{'on path':>8}{'share':>7}{'p50':>9}{'p95':>9}{'slack':>9}"
    yield Text(f"{'critical path':<{labels}}{'':<{cells + 1}}{head}", style="bold")
    for step in paths.steps[:MOST_ROWS]:
        label = plain(str(step.step)).plain
        line = Text(label[: labels - 1].ljust(labels))
        drawn = bar(step.share, cells, step_mark(step.step.kind, ascii_only))
        line.append(drawn.ljust(cells + 1), step_style(step.step))
        line.append(
            f"{fmt.ratio(step.frequency):>8}{fmt.ratio(step.share):>7}{fmt.duration_ms(step.p50_ms):>9}"
            f"{fmt.duration_ms(step.p95_ms):>9}{fmt.duration_ms(step.slack_p50_ms):>9}",
            "dim",
        )
        yield line
    if len(paths.steps) > MOST_ROWS:
        yield Text(f"and {len(paths.steps) - MOST_ROWS:,} more; --json has them all.", style="dim")
    if paths.what_if is not None:
        yield Text("")
        yield from _supposed(paths.what_if, width)


def _supposed(found: WhatIf, width: int) -> Iterator[Text]:
    yield plain(Text(f"what if {found.text}", style="bold"))
    for name, before, after in (
        ("p50", found.total_p50_before_ms, found.total_p50_after_ms),
        ("p95", found.total_p95_before_ms, found.total_p95_after_ms),
    ):
        bound = change = ""
        if before and after is not None:
            change = f"   {(after - before) / before * 100:+.0f} %"
            if found.method == "lower_bound":
                bound = "at most " if after <= before else "at least "
        yield Text(f"total {name} {fmt.duration_ms(before)} → {bound}{fmt.duration_ms(after)}{change}")
    for shift in found.became_critical[:5]:
        yield plain(
            f"became critical: {shift.step} ({fmt.ratio(shift.frequency_before)} → "
            f"{fmt.ratio(shift.frequency_after)} of flows)"
        )
    if not found.became_critical:
        yield Text("no other branch became critical")
    lower = "A lower bound. " if found.method == "lower_bound" else ""
    for line in textwrap.wrap(lower + found.evidence, width):
        yield plain(Text(line, style="dim"))
