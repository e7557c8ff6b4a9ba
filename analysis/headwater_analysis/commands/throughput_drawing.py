"""Latency against throughput in lines of text: the rates there were, what flows took and waited at them, the knee."""

import textwrap
from collections.abc import Iterator, Sequence

from rich.text import Text

from headwater_analysis import format as fmt
from headwater_analysis.quantiles import quantile
from headwater_analysis.throughput import Point, Throughput

from .path_drawing import bar
from .printing import ascii_only, console, plain, print_json

LINES = 15
"""Rates that are drawn; points beside each other become one line."""
NUMBERS = 58
"""Characters for a line's numbers."""
LONGEST_BAR = 40
"""Characters of the longest bar, however wide the line."""


def print_throughput(found: Throughput, as_json: bool) -> int:
    """The answer of a command that was asked for it; gives its exit code."""
    if as_json:
        print_json(found)
        return 0
    target = console()
    for line in draw_throughput(found, max(target.width, 80), ascii_only()):
        target.print(line, no_wrap=True, overflow="ellipsis")
    return 0


def draw_throughput(found: Throughput, width: int, in_ascii: bool = False) -> Iterator[Text]:
    """The lines of a picture ``width`` characters wide."""
    if found.pathway is not None:
        yield Text(f"pathway {found.pathway.pathway_id}", style="bold")
        yield plain(found.pathway.path)
    else:
        of = f" on {found.topic}" if found.topic is not None else ""
        yield plain(Text(f"group {found.consumer_group}{of}", style="bold"))
    yield Text(
        f"{len(found.points)} stretches of {fmt.duration_ms(found.stretch_seconds * 1000)}", style="dim"
    )
    head = f"{'per second':>12}{'total p50':>11}{'p95':>11}{'wait p50':>11}{'p95':>11}  wait p95"
    yield Text(head, style="bold")
    lines = [_together(some) for some in _parts(found.points)]
    longest = max((line.wait_p95_ms or 0.0 for line in lines), default=0.0)
    told = False
    for line in lines:
        if found.knee is not None and not told and line.rate > found.knee.rate:
            told = True
            yield Text(f"{'':>12}waiting begins to grow here", style="yellow")
        numbers = (line.total_p50_ms, line.total_p95_ms, line.wait_p50_ms, line.wait_p95_ms)
        text = Text(f"{line.rate:>12.3g}" + "".join(f"{fmt.duration_ms(one):>11}" for one in numbers) + "  ")
        share = (line.wait_p95_ms or 0.0) / longest if longest else 0.0
        cells = min(max(width - NUMBERS, 6), LONGEST_BAR)
        yield text.append(bar(share, cells, "#" if in_ascii else "█"), "yellow")
    for sentence in textwrap.wrap(found.evidence, width):
        yield plain(Text(sentence, style="dim"))


def _parts(points: Sequence[Point]) -> Iterator[Sequence[Point]]:
    count = min(len(points), LINES)
    for number in range(count):
        yield points[number * len(points) // count : (number + 1) * len(points) // count]


def _together(points: Sequence[Point]) -> Point:
    """Points beside each other as one: the median of each of their numbers."""

    def middle(name: str) -> float | None:
        known = [value for value in (getattr(point, name) for point in points) if value is not None]
        return quantile(known, 0.5)

    return Point(
        points[0].started_ns, sum(point.count for point in points), middle("rate") or 0.0, middle("total_p50_ms"),
        middle("total_p95_ms"), middle("wait_p50_ms"), middle("wait_p95_ms"),
    )  # fmt: skip
