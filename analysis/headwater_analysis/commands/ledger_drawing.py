"""The ledger in lines of text: counts by topic, group and state as bars, then rows with what proves them."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.padding import Padding
from rich.text import Text

from headwater_analysis import format as fmt
from headwater_analysis.ledger import STATES, UNKNOWN, Count, LedgerRow, listed

from .printing import TONES, count_of, plain, status_text

PICTURES = 12
"""Topics and groups drawn, the worst first; the rest is counted."""
_EIGHTHS = " ▏▎▍▌▋▊▉"


def picture(counts: Sequence[Count], width: int) -> Iterator[Text]:
    """A heading a topic and group, and a bar a state, at most ``width`` characters wide."""
    pairs = [
        (pair, list(some))
        for pair, some in groupby(
            sorted(counts, key=lambda one: (one.topic, one.consumer_group)),
            key=lambda one: (one.topic, one.consumer_group),
        )
    ]
    pairs.sort(key=lambda each: (-_trouble(each[1]), each[0]))
    for (topic, group), some in pairs[:PICTURES]:
        total = sum(one.messages for one in some)
        number = count_of(total, "message")
        name = plain(f"{topic} → {group}").plain
        yield Text(f"{name:<{max(width - len(number) - 1, 1)}} {number}", style="bold")
        for one in sorted(some, key=lambda one: _order(one.state)):
            yield _bar(one, total, width)
    if len(pairs) > PICTURES:
        yield Text(
            f"and {len(pairs) - PICTURES} more topics and groups; --topic and --group choose.", style="dim"
        )


def _trouble(some: Sequence[Count]) -> int:
    """Messages worth a look."""
    return sum(map(listed, some))


def _order(state: str | None) -> int:
    return STATES.index(state) if state in STATES else len(STATES)


def _bar(one: Count, total: int, width: int) -> Text:
    state = fmt.state(one.state or UNKNOWN)
    room = max(width - 48, 10)
    full, part = divmod(max(round(one.messages / total * room * 8), 1), 8)
    bar = "█" * full + _EIGHTHS[part].strip()
    notes = [f"{fmt.count(one.stuck)} stuck"] if one.stuck else []
    notes += [f"{fmt.count(one.no_successor)} led nowhere"] if one.no_successor else []
    line = Text(
        f"  {state.glyph} {state.word:<14}{fmt.count(one.messages):>10} {fmt.ratio(one.messages / total):>6} "
    )
    line.append(bar, TONES[state.tone])
    if notes:
        line.append(f" {', '.join(notes)}", "red")
    return line


def entries(rows: Sequence[LedgerRow], now_ns: int, whole: bool = False) -> Iterator[Text | Padding]:
    """Each row: state, message, group and age, then its evidence; the spans too where it is to be ``whole``."""
    for row in rows:
        line = status_text(row.state or UNKNOWN)
        line.append(" " * max(16 - len(line.plain), 1))
        line.append(plain(str(row.coordinates)).plain if whole else _short(row), "bold")
        line.append(f" → {plain(row.consumer_group).plain}")
        if row.since_ns is not None:
            line.append(f", {fmt.age(row.since_ns, now_ns)}", "dim")
        for flag, said in ((row.stuck, "stuck"), (row.no_successor, "led nowhere")):
            if flag:
                line.append(f" {said}", "red")
        yield line
        yield Padding(plain(_says(row)), (0, 0, 0, 4), expand=False)
        if whole:
            yield from _proof(row)
    if rows:
        yield Text(f"for example: headwater flow {_short(rows[0])}", style="dim")


def _short(row: LedgerRow) -> str:
    return plain(fmt.place(row.topic, row.partition, row.message_offset)).plain


def _says(row: LedgerRow) -> str:
    said = str(row.evidence.get("says") or "")
    if "limit_ms" in row.evidence:
        elapsed, limit = (fmt.duration_ms(row.evidence[name]) for name in ("elapsed_ms", "limit_ms"))
        said += f" For {elapsed}; its limit is {limit}."
    if missing := row.evidence.get("missing_successor"):
        said += (
            f" No message on {missing['topic']} followed, as {fmt.ratio(missing['share'])} of the others had "
            f"within {fmt.duration_ms(missing['limit_ms'])}."
        )
    if row.confidence is not None and row.confidence < 1:
        said += f" Confidence {row.confidence:.2f}."
    return said


def _proof(row: LedgerRow) -> Iterator[Padding]:
    for span in row.evidence.get("spans") or ():
        said = f"attempt {span['attempt']} {span['status']}: trace {span['trace_id']} span {span['span_id']}"
        yield Padding(plain(said), (0, 0, 0, 4), style="dim", expand=False)
    if row.trace_id is not None:
        yield Padding(
            plain(f"sent: trace {row.trace_id} span {row.span_id}"), (0, 0, 0, 4), style="dim", expand=False
        )
