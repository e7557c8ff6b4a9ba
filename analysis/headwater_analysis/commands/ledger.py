"""`headwater ledger`: what became of every message, as a picture, and the rows worth looking at."""

import time

from headwater_analysis import format as fmt
from headwater_analysis import ledger as question
from headwater_analysis.coordinates import Coordinates, parse
from headwater_analysis.errors import UsageError
from headwater_analysis.flows import NotFound
from headwater_analysis.settings import COLLECTOR, JSON, STORE, TOKEN, Command, Option, Positional, read
from headwater_analysis.source import Source
from headwater_analysis.window import Window

from .ledger_drawing import entries, picture
from .ledger_lists import LISTS, Asked
from .printing import console, empty, opened, plain, print_json

LEDGER = Command(
    "ledger",
    "Shows for every message, and every group that reads its topic, what became of it: done, given up, handled "
    "twice, skipped, expired, stuck. Counts come first, then the rows worth a look, the worst first, each with "
    "what proves it. Nothing is configured: what is too long, and what must follow, is learned from the last "
    "days; `limits` and `successors` list it. A state rests on spans and on Kafka's own offsets; where spans are "
    "sampled or missing, nothing is concluded from what was not seen (passed).",
    (
        "headwater ledger                             # the last 15 minutes",
        "headwater ledger --topic orders --state skipped --last 1h",
        "headwater ledger --stuck                     # waits or works longer than its pathway ever did",
        "headwater ledger --message orders@3:1042     # one message, group by group",
        "headwater ledger limits --topic orders       # what is usual, and what is too long",
        "headwater ledger successors                  # what handling leads to",
        "headwater ledger ordering --last 1h          # overtaken by a later message with the same key",
        "headwater ledger --json | jq '.counts[] | select(.state == \"skipped\")'",
    ),
    (Positional("what", "limits, successors, ordering or compensations; without it, the ledger", optional=True),),
    (
        Option("topic", "Only this topic.", None),
        Option("group", "Only this consumer group.", None),
        Option("state", "List the rows of this state.", None, "choice", (*question.STATES, question.UNKNOWN)),
        Option("stuck", "List what waits or is handled longer than its pathway's learned limit.", False, "flag"),
        Option("last", "Messages sent within this time, such as 15m, 2h or 7d.", "15m", metavar="DURATION"),
        Option("message", "Only this message: topic@partition:offset or topic/partition/offset.", None),
        Option("limit", "How many rows at most.", 20, "whole"),
        COLLECTOR,
        TOKEN,
        STORE,
        JSON,
    ),
)  # fmt: skip


def run(argv: list[str]) -> int:
    """The command; gives its exit code."""
    settings = read(LEDGER, argv)
    if settings.what is not None and settings.what not in LISTS:
        raise UsageError(f"There is no {settings.what!r} to list; there are {', '.join(LISTS)}.")
    where = parse(settings.message) if settings.message else None
    window = Window.last(settings.last)
    with opened(settings) as source:
        if settings.what is not None:
            LISTS[settings.what](
                source, Asked(window, settings.topic, settings.group, settings.limit, settings.json)
            )
        elif where is not None:
            _message(source, where, settings.json)
        else:
            _ledger(
                source, window, settings.topic, settings.group, settings.state, settings.stuck, settings.limit,
                settings.last, settings.json,
            )  # fmt: skip
    return 0


def _ledger(
    source: Source, window: Window, topic: str | None, group: str | None, state: str | None, stuck: bool, limit: int,
    last: str, as_json: bool,
) -> None:  # fmt: skip
    found = question.look(source, window, topic, group, state, stuck, limit)
    if as_json:
        print_json(found)
        return
    if not found.counts:
        _say_why_empty(source, topic, group, last)
        return
    out = console()
    for line in picture(found.counts, min(out.width, 100)):
        out.print(line, no_wrap=True, overflow="ellipsis")
    out.print()
    for part in entries(found.rows, time.time_ns()):
        out.print(part)
    if not found.total:
        messages = sum(one.messages for one in found.counts)
        said = f"is {state.replace('_', ' ')}" if state else "is stuck" if stuck else "needs a look"
        out.print(plain(f"None of {fmt.count(messages)} {said}, sent in the last {last}."))
    elif found.total > len(found.rows):
        way = (
            "--limit shows more"
            if state or stuck
            else "--state, --stuck, --topic and --group list more of a kind"
        )
        empty(f"{len(found.rows):,} of {found.total:,} that need a look; {way}.")


def _message(source: Source, where: Coordinates, as_json: bool) -> None:
    rows = question.message(source, where)
    if not rows:
        raise NotFound(
            f"No group is known to read {where}, or no span names it; `headwater ledger --topic {where.topic}` "
            "shows what is known of its topic."
        )
    if as_json:
        print_json(rows)
        return
    out = console()
    for line in entries(rows, time.time_ns(), whole=True):
        out.print(line)


def _say_why_empty(source: Source, topic: str | None, group: str | None, last: str) -> None:
    known = question.known(source)
    if known.newest_ns is None:
        empty(
            "No message has been seen yet; point an OTLP exporter at the collector, or try `headwater demo`."
        )
    elif topic is not None and topic not in known.topics:
        empty(f"No message on a topic {topic!r} is known; there are {', '.join(known.topics)}.")
    elif group is not None and group not in known.groups:
        empty(f"No group {group!r} is known; there are {', '.join(known.groups) or 'none'}.")
    elif not known.groups:
        empty(
            "Messages are known, and no group that reads them: neither process spans nor polls of Kafka name one."
        )
    else:
        age = fmt.age(known.newest_ns, time.time_ns())
        empty(f"No message was sent in the last {last}; the newest was {age}. --last looks further back.")
