"""A critical path drawn in lines of text: a row a segment, its bar in proportion, in order of time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.text import Text

from headwater_analysis import format as fmt
from headwater_analysis.critical_path.asking import CriticalPath
from headwater_analysis.critical_path.segments import Run, Segment, Step

from .printing import count_of, cut

MOST_ROWS = 40
"""Segments drawn each for itself; of more, neighbours that are short are drawn as one."""
MOST_BESIDE = 8
"""Rows of what is not on the path, those with the least slack first."""
LABEL_SHARE = 0.5
"""Share of the width for what a segment is."""
NUMBERS = 19
"""Characters for its duration and its share."""

_COLOURS = {
    "send": "cyan", "wait": "yellow", "local_wait": "yellow", "txn_wait": "magenta", "backoff": "magenta", "gap": "dim",
}  # fmt: skip
_MARKS = {
    "work": "█",
    "send": "▓",
    "wait": "┄",
    "local_wait": "╌",
    "txn_wait": "┈",
    "backoff": "·",
    "gap": "?",
}
_ASCII = {
    "work": "#",
    "send": "=",
    "wait": "-",
    "local_wait": "~",
    "txn_wait": ":",
    "backoff": ".",
    "gap": "?",
}
_LEGEND = (
    ("work", "work"),
    ("send", "send"),
    ("wait", "wait"),
    ("backoff", "back-off"),
    ("gap", "nothing known"),
)


@dataclass(frozen=True)
class _Row:
    """One line: a segment, or several short ones together."""

    label: str
    kind: str
    service: str | None
    from_ns: int
    to_ns: int
    skewed: bool = False


def draw_path(found: CriticalPath, width: int, ascii_only: bool = False) -> Iterator[Text]:
    """The lines of a picture ``width`` characters wide."""
    marks = _ASCII if ascii_only else _MARKS
    yield Text(f"flow {found.flow_id}", style="bold")
    if not found.runs:
        yield Text("No span of this flow is stored any more.")
        return
    yield Text("   ".join(f"{marks[kind]} {word}" for kind, word in _LEGEND), style="dim")
    for number, run in enumerate(found.runs):
        if number:
            yield Text("")
        yield from _run(run, number, width, marks)
    if found.cut:
        yield Text("The flow has more spans than were looked at; its path may be another.", style="yellow")


def bar(share: float | None, cells: int, mark: str) -> str:
    """A bar of a share of ``cells``, of at least one cell where there is anything."""
    return mark * max(round((share or 0.0) * cells), 1 if share else 0)


def step_style(step: Step) -> str:
    """The colour of a kind, and of work that of its service."""
    return fmt.service_colour(step.service) if step.kind == "work" else _COLOURS[step.kind]


def step_mark(kind: str, ascii_only: bool) -> str:
    """What a bar of a kind is made of."""
    return (_ASCII if ascii_only else _MARKS)[kind]


def _run(run: Run, number: int, width: int, marks: dict[str, str]) -> Iterator[Text]:
    what = f"replay {number}" if number else "critical path"
    yield Text(f"{what}   total {fmt.duration_ms(run.total_ms)}   {count_of(len(run.segments), 'segment')}")
    labels = int(width * LABEL_SHARE)
    cells = width - labels - NUMBERS
    whole = max(run.ended_ns - run.started_ns, 1)
    for row in _rows(run.segments):
        line = Text(cut(row.label, labels - 1).ljust(labels - 1))
        line.append(" ")
        first = min(int((row.from_ns - run.started_ns) / whole * cells), cells - 1)
        last = max(int((row.to_ns - run.started_ns) / whole * cells), first + 1)
        mark = "!" if row.skewed else marks[row.kind]
        style = fmt.service_colour(row.service) if row.kind == "work" else _COLOURS[row.kind]
        line.append(" " * first)
        line.append(mark * (last - first), "red" if row.skewed else style)
        line.append(" " * (cells - last))
        length = row.to_ns - row.from_ns
        line.append(f"{fmt.duration_ms(length / 1e6):>12}{fmt.ratio(length / whole):>7}", "dim")
        yield line
    yield from _beside(run, width)


def _beside(run: Run, width: int) -> Iterator[Text]:
    if not run.off_path:
        return
    yield Text("not on the path, and how much later it could have ended:", style="dim")
    for slack in run.off_path[:MOST_BESIDE]:
        times = f" x{slack.spans}" if slack.spans > 1 else ""
        room = width - 2 * NUMBERS - 2
        line = Text(f"  {cut(f'{slack.step}{times}', room).ljust(room)}")
        line.append(
            f"{fmt.duration_ms(slack.duration_ms):>{NUMBERS}}{fmt.duration_ms(slack.slack_ms):>{NUMBERS}}",
            "dim",
        )
        yield line
    if len(run.off_path) > MOST_BESIDE:
        yield Text(f"  and {len(run.off_path) - MOST_BESIDE:,} more; --json has them all.", style="dim")


def _rows(segments: Sequence[Segment]) -> Iterator[_Row]:
    """The segments; of too many, the longest and those marked, with what lies between them as one row."""
    if len(segments) <= MOST_ROWS:
        yield from map(_row, segments)
        return
    longest = sorted(
        range(len(segments)), key=lambda i: (not segments[i].skewed, -segments[i].duration_ms, i)
    )
    shown = set(longest[: MOST_ROWS // 2])
    short: list[Segment] = []
    for place, segment in enumerate(segments):
        if place not in shown:
            short.append(segment)
            continue
        yield from _together(short)
        short = []
        yield _row(segment)
    yield from _together(short)


def _together(short: Sequence[Segment]) -> Iterator[_Row]:
    if len(short) == 1:
        yield _row(short[0])
    elif short:
        lengths: dict[str, float] = {}
        for one in short:
            lengths[one.kind] = lengths.get(one.kind, 0.0) + one.duration_ms
        kind = max(lengths, key=lambda name: (lengths[name], name))
        yield _Row(f"… {len(short):,} short segments", kind, None, short[0].from_ns, short[-1].to_ns)


def _row(segment: Segment) -> _Row:
    attempt = f", attempt {segment.attempt}" if segment.attempt and segment.attempt > 1 else ""
    skewed = " (clocks)" if segment.skewed else ""
    return _Row(
        f"{segment.step}{attempt}{skewed}", segment.kind, segment.step.service, segment.from_ns, segment.to_ns,
        segment.skewed,
    )  # fmt: skip
