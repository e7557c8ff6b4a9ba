"""`headwater blockers`: what groups cannot get over, from the partition down to the failing call."""

import time
from collections.abc import Iterator

from rich.text import Text

from headwater_analysis import blockers as question
from headwater_analysis import format as fmt
from headwater_analysis.blockers import Blocker
from headwater_analysis.settings import COLLECTOR, JSON, STORE, TOKEN, Command, Option, read

from .groups import asked_for
from .printing import console, count_of, empty, opened, plain, print_json, status_text, when

BLOCKERS = Command(
    "blockers",
    "Says what consumer groups cannot get over. For every partition that does not move, and of each group that is "
    "not well the one furthest behind: the offset it is on, the message, its deliveries, what is in flight, the call "
    "that fails or takes long, and what waits behind. Where a link is not known the sentence stops, and the line "
    "below says what would tell.",
    (
        "headwater blockers",
        "headwater blockers --group payments",
        "headwater blockers --json | jq -r '.[].verdict'",
    ),
    options=(
        Option("group", "Only this consumer group.", None),
        COLLECTOR,
        TOKEN,
        STORE,
        JSON,
    ),
)


def run(argv: list[str]) -> int:
    """The command; gives its exit code."""
    settings = read(BLOCKERS, argv)
    with opened(settings) as source:
        found = question.find(source, time.time_ns(), settings.group)
        if settings.json:
            print_json(found)
        elif not found:
            if mine := asked_for(source, settings.group):
                empty(f"Nothing is blocked: {count_of(len(mine), 'group')} on topics, all well.")
        else:
            _print(found)
    return 0


def _print(found: tuple[Blocker, ...]) -> None:
    out = console()
    for number, blocker in enumerate(found):
        if number:
            out.print()
        out.print(
            Text("  ").join((status_text(blocker.chain.status), plain(blocker.verdict))), soft_wrap=True
        )
        for name, value in _links(blocker):
            out.print(plain(f"    {name:<11} {value}"), soft_wrap=True)


def _links(blocker: Blocker) -> Iterator[tuple[str, str]]:
    chain, last = blocker.chain, blocker.culprit
    yield "verdict", f"{chain.evidence}"
    if chain.sent_ns is not None:
        size = f", {count_of(chain.size, 'byte')}" if chain.size is not None else ""
        key = f", key {chain.key_hash}" if chain.key_hash else ""
        yield "message", f"sent by {chain.sent_by} at {when(chain.sent_ns)}{size}{key}"
    if chain.deliveries:
        failed = f", {chain.failures} failed" if chain.failures else ""
        error = f", the last with {chain.error_type}" if chain.error_type else ""
        yield (
            "deliveries",
            f"{chain.deliveries} by {chain.service} since {when(chain.first_delivery_ns)}{failed}{error}",
        )
    if chain.held_seconds is not None:
        yield "in flight", f"{chain.service}, for {fmt.duration_ms(chain.held_seconds * 1000)}"
    if last is not None:
        error = f", {last.error_type}" if last.error_type else ""
        yield "call", f"{last.service}: {last.what}{error}, span {last.span_id} of trace {last.trace_id}"
    if blocker.missing:
        yield "unknown", blocker.missing
    if chain.flow_id and chain.message_offset is not None:
        yield "look at", f"headwater flow {fmt.place(chain.topic, chain.partition, chain.message_offset)}"
