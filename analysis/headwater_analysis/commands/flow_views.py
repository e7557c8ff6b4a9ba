"""A flow as a sequence diagram and as a table of its hops, in lines of text."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rich.text import Text

from headwater_analysis import format as fmt
from headwater_analysis.flow_bounds import DOUBT, SENTENCES
from headwater_analysis.flows import FlowDetail, HopRow
from headwater_analysis.layout.sequence import Step, sequence

from .printing import console, cut, empty, plain, print_table, status_text

TIME = 9
"""Characters of the times on the left."""
NARROWEST, WIDEST = 6, 22
"""Characters of a column."""
WIDE = 110
"""Characters from which on the table has all its columns."""


def draw_sequence(detail: FlowDetail, width: int, ascii_only: bool = False) -> Iterator[Text]:
    """The lines of the diagram; what each arrow says stands behind the columns."""
    found = sequence(detail)
    notes = max(width // 3, 24)
    columns = len(found.participants)
    if not columns:
        yield Text("Nothing in this flow went from one service or topic to another.", style="dim")
        return
    room = max((width - TIME - notes) // columns, NARROWEST)
    room = min(room, WIDEST)
    marks = _Marks(ascii_only)
    head = Text(" " * TIME)
    for one in found.participants:
        name = cut(one.name, room - 1)
        style = "reverse" if one.kind == "topic" else f"bold {fmt.service_colour(one.name)}"
        head.append(name, style=style).append(" " * (room - len(name)))
    yield head
    first = found.steps[0].at_ns
    for step in found.steps:
        yield _line(step, first, columns, room, marks)
    if found.cut:
        yield Text("Only the first steps are drawn.", style="yellow")


class _Marks:
    def __init__(self, ascii_only: bool) -> None:
        self.life, self.line, self.right, self.left, self.own = "|->:*" if ascii_only else "│─▶◀●"
        if ascii_only:
            self.left = "<"


def _line(step: Step, first: int, columns: int, room: int, marks: _Marks) -> Text:
    cells = list((marks.life + " " * (room - 1)) * columns)
    start, end = step.source * room, step.target * room
    if start == end:
        cells[start] = marks.own
    else:
        low, high = min(start, end), max(start, end)
        cells[low + 1 : high] = marks.line * (high - low - 1)
        if start < end:
            cells[end - 1] = marks.right
        else:
            cells[end + 1] = marks.left
    style = "red" if step.failed else "yellow" if step.kind == "deliver" and (step.wait_ms or 0) > 0 else ""
    text = Text(f"{fmt.duration_ms((step.at_ns - first) / 1e6):>{TIME - 1}} ", style="dim")
    text.append("".join(cells), style=style)
    if step.wait_ms:
        text.append(f"waited {fmt.duration_ms(step.wait_ms)}  ", style="yellow")
    if step.attempt is not None and step.attempt > 1:
        text.append(f"attempt {step.attempt}  ", style="yellow")
    text.append_text(plain(step.label))
    if step.failed:
        text.append("  ✗", style="red")
    return text


def notes(detail: FlowDetail) -> Iterator[Text]:
    """What a picture of a flow does not show, and what of it is in doubt."""
    for bound in detail.cut:
        yield Text(SENTENCES[bound], style="yellow")
    if detail.flow.doubtful:
        yield Text(DOUBT.format(fmt.count(detail.flow.doubtful)), style="yellow")


def print_hops(detail: FlowDetail) -> None:
    """The flow's hops as a table, in order of time; where there is little room, less of each."""
    if not detail.hops:
        empty("No message of this flow was handled where it could be seen; --view waterfall shows its spans.")
        return
    hops = sorted(detail.hops, key=lambda hop: (hop.started_ns, hop.span_id))
    columns: dict[str, Callable[[HopRow], str | Text]] = {
        "message": lambda hop: fmt.place(hop.topic, hop.partition, hop.message_offset),
        "group": lambda hop: hop.consumer_group or "",
        "try": lambda hop: str(hop.attempt),
        "from": lambda hop: hop.producer_service or "?",
        "to": lambda hop: hop.consumer_service or "?",
        "send": lambda hop: fmt.duration_ms(hop.send_ms),
        "wait": lambda hop: fmt.duration_ms(hop.wait_ms),
        "local": lambda hop: fmt.duration_ms(hop.local_wait_ms),
        "work": lambda hop: fmt.duration_ms(hop.work_ms),
        "back-off": lambda hop: fmt.duration_ms(hop.backoff_ms),
        "total": lambda hop: fmt.duration_ms(hop.total_ms),
        "status": lambda hop: status_text(hop.status),
    }
    if console().width < WIDE:
        for name in ("from", "to", "local", "back-off"):
            del columns[name]
    print_table(
        tuple(columns),
        (tuple(cell(hop) for cell in columns.values()) for hop in hops),
        right=("try", "send", "wait", "local", "work", "back-off", "total"),
    )
