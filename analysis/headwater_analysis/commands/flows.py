"""`headwater flows` and `headwater flow`: what ran end to end, and one of them drawn."""

import time
from collections.abc import Callable, Iterable

from rich.console import Console
from rich.text import Text

from headwater_analysis import flows as question
from headwater_analysis import format as fmt
from headwater_analysis.critical_path.asking import path_of_flow
from headwater_analysis.errors import UsageError
from headwater_analysis.filter import KEYS, FilterError
from headwater_analysis.layout.graph import graph
from headwater_analysis.layout.sequence import sequence
from headwater_analysis.settings import COLLECTOR, JSON, STORE, TOKEN, Command, Option, Positional, read
from headwater_analysis.window import Window

from .drawing import draw
from .flow_views import draw_sequence, notes, print_hops
from .graph_drawing import draw_graph
from .path_drawing import draw_path
from .printing import ascii_only, console, empty, opened, print_json, print_table, status_text, when

LAST = Option("last", "How far back to look, such as 30s, 15m, 2h or 7d.", "1h", metavar="DURATION")

FLOWS = Command(
    "flows",
    "Lists flows: runs end to end, over all traces, topics and retries that one cause set off.",
    (
        "headwater flows --last 15m --status error",
        'headwater flows --filter "service:payments topic:orders* wait>2s" --sort wait',
        "headwater flows --json | jq '.rows[].flow_id'",
    ),
    options=(
        LAST,
        Option(
            "filter",
            f"Which flows: words, ~regex, or {', '.join(KEYS)} with : ~ > < =; - in front excludes.",
            "",
        ),
        Option("status", "Only flows of this status.", None, "choice", ("ok", "error", "open")),
        Option("sort", "By what; the largest or newest first.", "started", "choice", question.SORTS),
        Option("limit", "How many at most.", 50, "whole"),
        COLLECTOR,
        TOKEN,
        STORE,
        JSON,
    ),
)

FLOW = Command(
    "flow",
    "Draws one flow as a waterfall, the waits in its topics included, or its critical path: what its total is "
    "made of, from the last end back through queues to the first start. It is found by its id, a trace id, a "
    "span id, an event id, or a message as topic@partition:offset.",
    (
        "headwater flow 4bf92f3577b34da6a3ce929d0e0e4736",
        "headwater flow orders@3:1042",
        "headwater flow ID --view critical-path",
        "headwater flow ID --view graph",
        "headwater flow ID --json",
    ),
    (Positional("id", "a flow, trace, span or event id, or topic@partition:offset"),),
    (
        Option("view", "What is drawn, and printed by --json.", "waterfall", "choice",
               ("waterfall", "critical-path", "sequence", "graph", "table")),
        Option("axis", "Fold idle time away, or not; auto folds what mostly waits.", "auto", "choice",
               ("auto", "elastic", "linear")),
        COLLECTOR,
        TOKEN,
        STORE,
        JSON,
    ),
)  # fmt: skip


def run_flows(argv: list[str]) -> int:
    """The command; gives its exit code."""
    settings = read(FLOWS, argv)
    window = Window.last(settings.last)
    line = settings.filter + (f" status:{settings.status}" if settings.status else "")
    with opened(settings) as source:
        try:
            found = question.list_flows(source, window, line, settings.sort, limit=settings.limit)
        except FilterError as error:
            raise UsageError(f"{error}\n{error.pointed}") from None
    if settings.json:
        print_json(found)
        return 0
    if not found.rows:
        _say_why_empty(found, settings.last)
        return 0
    print_table(
        ("started", "entry", "status", "total", "wait", "work", "spans", "errors", "dead", "path", "flow"),
        (
            (
                when(row.started_ns),
                f"{row.entry_service or '?'} {row.entry_name or ''}".strip(),
                status_text(row.status),
                fmt.duration_ms(row.total_ms),
                fmt.duration_ms(row.wait_ms),
                fmt.duration_ms(row.work_ms),
                fmt.count(row.spans),
                fmt.count(row.errors),
                fmt.count(row.dead_letters),
                " → ".join(row.services),
                row.flow_id,
            )
            for row in found.rows
        ),
        right=("total", "wait", "work", "spans", "errors", "dead"),
    )
    if found.total > len(found.rows):
        empty(f"{len(found.rows):,} of {found.total:,}; --limit shows more.")
    return 0


def _say_why_empty(found: question.FlowList, last: str) -> None:
    if found.newest_ns is None:
        empty("No flow has arrived yet; point an OTLP exporter at the collector, or try `headwater demo`.")
    elif found.unfiltered:
        empty(f"0 of {found.unfiltered:,} flows pass the filter.")
    else:
        empty(f"No flow in the last {last}; the newest started {fmt.age(found.newest_ns, time.time_ns())}.")


def run_flow(argv: list[str]) -> int:
    """The command; gives its exit code."""
    settings = read(FLOW, argv)
    if settings.view == "critical-path":
        with opened(settings) as source:
            found = path_of_flow(source, settings.id)
        if settings.json:
            print_json(found)
        else:
            target = console()
            _print(draw_path(found, max(target.width, 80), ascii_only()), target)
        return 0
    with opened(settings) as source:
        detail = question.load_flow(source, settings.id)
    if settings.json:
        pictures: dict[str, Callable[[], object]] = {
            "sequence": lambda: sequence(detail),
            "graph": lambda: graph(detail),
            "table": lambda: detail.hops,
        }
        print_json(pictures.get(settings.view, lambda: detail)())
        return 0
    target = console()
    width = max(target.width, 80)
    if settings.view == "table":
        print_hops(detail)
    elif settings.view == "sequence":
        _print(draw_sequence(detail, width, ascii_only()), target)
    elif settings.view == "graph":
        _print(draw_graph(graph(detail), ascii_only()), target)
    else:
        elastic = {"auto": None, "elastic": True, "linear": False}[settings.axis]
        _print(draw(detail, width, elastic, ascii_only()), target)
    _print(notes(detail), target)
    return 0


def _print(lines: Iterable[Text], target: Console) -> None:
    for line in lines:
        target.print(line, no_wrap=True, overflow="ellipsis")
