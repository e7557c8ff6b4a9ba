"""`headwater topology`: services and topics as one picture, with rates, waits and lag on the edges."""

from __future__ import annotations

import time
from collections.abc import Iterator

from rich.text import Text

from headwater_analysis import format as fmt
from headwater_analysis import topology as question
from headwater_analysis.settings import COLLECTOR, JSON, STORE, TOKEN, Command, Option, note, read
from headwater_analysis.topology import Reads, Sends, Topology
from headwater_analysis.window import Window

from .printing import console, cut, empty, opened, print_json, status_text

BARS = " ▁▂▃▄▅▆▇█"

TOPOLOGY = Command(
    "topology",
    "Draws who sends to which topic and who reads it, with rates, how long messages waited (p95, and a histogram of "
    "up to 10 ms, 100 ms, 1 s, 10 s, 1 min and above) and how far each group is behind now. A group in brackets is "
    "known from Kafka alone: it has no spans.",
    ("headwater topology", "headwater topology --last 1h --topic orders", "headwater topology --json"),
    options=(
        Option("last", "How far back to look, such as 30s, 15m, 2h or 7d.", "15m", metavar="DURATION"),
        Option("topic", "Only this topic.", None),
        COLLECTOR,
        TOKEN,
        STORE,
        JSON,
    ),
)


def run(argv: list[str]) -> int:
    """The command; gives its exit code."""
    settings = read(TOPOLOGY, argv)
    window = Window.last(settings.last)
    with opened(settings) as source:
        found = question.topology(source, window, time.time_ns())
    if settings.json:
        print_json(found)
        return 0
    topics = [
        node.removeprefix("topic ") for layer in found.layers for node in layer if node.startswith("topic ")
    ]
    if settings.topic is not None:
        topics = [topic for topic in topics if topic == settings.topic]
    if not topics:
        empty(
            f"No message was sent or handled in the last {settings.last}; `headwater doctor` says what is missing."
        )
        return 0
    out = console()
    for topic in topics:
        for line in _block(topic, found, out.width):
            out.print(line, soft_wrap=True)
    if found.cut:
        note(f"Only the {question.EDGES_AT_MOST:,} busiest edges are drawn.")
    return 0


def _block(topic: str, found: Topology, width: int) -> Iterator[Text]:
    """A topic with its senders on the left and its readers on the right, a line each."""
    sends = [one for one in found.sends if one.topic == topic]
    reads = [one for one in found.reads if one.topic == topic]
    side = max(min((width - 44) // 3, 28), 10)
    for at in range(max(len(sends), len(reads), 1)):
        line = _sender(sends[at] if at < len(sends) else None, at, len(sends), side)
        name = cut(topic, side) if at == 0 else ""
        line.append(name.center(side), style="bold reverse" if name else "")
        line.append_text(_reader(reads[at] if at < len(reads) else None, at, len(reads), side))
        line.rstrip()
        yield line
    yield Text()


def _sender(one: Sends | None, at: int, of: int, side: int) -> Text:
    if one is None:
        return Text(" " * (side + 12))
    rate = _rate(one.per_second)
    joint = "▶" if at == 0 else "┘" if at == of - 1 else "┤"
    line = Text(cut(one.service, side).rjust(side), style=fmt.service_colour(one.service))
    return line.append(
        f" {rate:─>9} {joint}" if at else f" {rate:─>9}─{joint}", style="red" if one.errors else ""
    )


def _reader(one: Reads | None, at: int, of: int, side: int) -> Text:
    if one is None:
        return Text()
    joint = "─" if at == 0 else "└" if at == of - 1 else "├"
    line = Text(f"{joint}{_rate(one.per_second):─>9}▶ ", style="red" if one.errors else "")
    if one.service is None:
        line.append(cut(f"[{one.consumer_group}]", side).ljust(side), style="dim")
    else:
        named = (
            one.service
            if one.consumer_group in (None, one.service)
            else f"{one.service} ({one.consumer_group})"
        )
        line.append(cut(named, side).ljust(side), style=fmt.service_colour(one.service))
    if one.messages:
        line.append(f" {_bars(one.ages)} p95 {fmt.duration_ms(one.wait_p95_ms)}")
    if one.status is not None:
        line.append(f"  lag {fmt.count(one.lag)} ")
        line.append(f"{fmt.lag_time(one.lag_seconds, one.lag_method, one.lag_error_seconds)} ")
        line.append_text(status_text(one.status))
    return line


def _rate(per_second: float) -> str:
    """Per second, or per minute or hour of what is rarer."""
    if per_second >= 1:
        return fmt.rate(per_second)
    if per_second * 60 >= 1:
        return f"{per_second * 60:.1f}/min"
    return f"{per_second * 3600:.0f}/h" if per_second * 3600 >= 1 else "<1/h"


def _bars(counts: tuple[int, ...]) -> str:
    most = max(counts, default=0) or 1
    return "".join(BARS[-(-count * (len(BARS) - 1) // most)] for count in counts)
