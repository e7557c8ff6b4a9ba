"""The health rules over all lines of a history: sought by columns, spoken one by one where a rule may apply."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from .health_columns import Columns, known_or_none, told_or_none
from .health_facts import BUDGET_SECONDS, Facts, Loss
from .health_hand import Hand
from .health_history import NONE
from .health_rules import CAUGHT_UP, LEAST_GROWTH, RULES, Rule, Verdict, judge
from .rates import Flags, Floats, Integers, Lines, Slope


@dataclass(frozen=True)
class Said:
    """What samples do not tell; a value a line, but for those by line."""

    lag_seconds: Floats
    """NaN where unknown."""
    unreadable: Mapping[int, str] = field(default_factory=dict)
    """Line -> why the newest poll could not read it."""
    nothing_readable: Flags | None = None
    """No record lies between committed and last stable offset (looked up)."""
    owner: Mapping[int, str] = field(default_factory=dict)
    state: Sequence[str] | None = None
    others_moving: tuple[Integers, Integers] | None = None
    """Partitions of the group on this topic that moved, and all others of it."""
    hands: Mapping[int, Sequence[Hand]] = field(default_factory=dict)


def judge_all(columns: Columns, said: Said, rules: tuple[Rule, ...] = RULES) -> list[Verdict]:
    """The first verdict of the rules in their order, by line."""
    may = _may_apply(columns, said)
    first = np.full(columns.history.lines, len(rules) - 1)
    for place in range(len(rules) - 2, -1, -1):
        first[may[rules[place].__name__]] = place
    told = np.flatnonzero((first < len(rules) - 1) | columns.empty_tail | ~columns.caught_up)
    verdicts = [CAUGHT_UP] * columns.history.lines
    for line, place, facts in zip(
        told.tolist(), first[told].tolist(), facts_of(columns, said, told), strict=True
    ):
        verdicts[line] = judge(facts, rules[place:])
    return verdicts


def _may_apply(columns: Columns, said: Said) -> dict[str, Flags]:
    """By rule: the lines of which it may say something; of all others it surely says nothing."""
    history, patience = columns.history, columns.patience
    times, numbers, marks = history.times, history.numbers, history.marks
    unmoved = columns.now - times["committed_since"]
    late, low = columns.behind & ~columns.caught_up, columns.growth[0]
    held = (numbers["stable"] != NONE) & (numbers["stable"] < columns.end)
    grows = (low > 0) & (low > LEAST_GROWTH * columns.in_rate)
    return {
        "unknown": _marked(columns, said.unreadable) | ~columns.polled_twice,
        "lost": columns.recently("lost_at"),
        "truncated": columns.known & (columns.committed > columns.end),
        "frozen": held & (columns.committed != NONE) & (columns.since("held_since") >= patience),
        "blocked": _marked(columns, said.hands),
        "stopped": columns.behind & _unowned_twice(columns) & (unmoved > 0),
        "rewound": columns.recently("fell_at"),
        "skipped_ahead": columns.recently("leapt_at"),
        "rebalancing": _in_change_twice(columns) | columns.recently("other_members_at"),
        "no_commit": (columns.committed == NONE)
        & marks["owned"]
        & (columns.since("silent_since") >= patience),
        "stalled": late & marks["owned"] & (unmoved >= patience),
        "falling_behind": late & ~columns.hardly_any_traffic & grows,
        "slow": columns.behind & (said.lag_seconds > BUDGET_SECONDS),
    }


def facts_of(columns: Columns, said: Said, lines: Lines) -> Iterator[Facts]:
    """Facts of those lines, as the rules want them; one at a time, since many would be much to hold."""
    history, numbers = columns.history, columns.history.numbers
    each = lines.tolist()
    found: dict[str, Iterable[object]] = {
        "at": [columns.now] * len(each),
        "unreadable": [said.unreadable.get(line) for line in each],
        "committed": known_or_none(columns.committed[lines]),
        "end": known_or_none(columns.end[lines]),
        "stable": known_or_none(numbers["stable"][lines]),
        "log_start": known_or_none(numbers["log_start"][lines]),
        "owner": [said.owner.get(line) for line in each],
        "state": ["stable"] * len(each) if said.state is None else [said.state[line] for line in each],
        "lag": [
            lag if known else None
            for lag, known in zip(columns.lag[lines].tolist(), columns.known[lines].tolist(), strict=True)
        ],
        "lag_seconds": told_or_none(said.lag_seconds[lines]),
        "hands": [said.hands.get(line, ()) for line in each],
        "others_moving": (
            [None] * len(each)
            if said.others_moving is None
            else zip(*(counts[lines].tolist() for counts in said.others_moving), strict=True)
        ),
        "poll_seconds": [columns.poll_seconds] * len(each),
        "growth": (
            None if low != low else Slope(low, middle, high)
            for low, middle, high in zip(*columns.growth[:, lines].tolist(), strict=True)
        ),
        "loss": _told(
            lines,
            columns.recently("lost_at"),
            lambda those: map(
                Loss, numbers["lost_committed"][those].tolist(), numbers["lost_start"][those].tolist()
            ),
        ),
        "rewind": _told(lines, columns.recently("fell_at"), columns.rewinds),
        "jump": _told(lines, columns.recently("leapt_at"), lambda those: map(columns.jump, those.tolist())),
        "member_changes": _told(lines, columns.recently("other_members_at"), columns.member_changes, 0),
    }
    nothing = np.zeros(history.lines, bool)
    by_column: dict[str, Flags | Floats] = {
        "polled_twice": columns.polled_twice,
        "empty_tail": columns.empty_tail,
        "nothing_readable": nothing if said.nothing_readable is None else said.nothing_readable,
        "patience": columns.patience,
        "committed_unmoved": columns.now - history.times["committed_since"],
        "held_back_for": columns.since("held_since"),
        "reads_uncommitted": columns.recently("ahead_at"),
        "unowned_twice": _unowned_twice(columns),
        "unowned_for": columns.since("unowned_since"),
        "assigns_by_hand": columns.recently("by_hand_after_before"),
        "in_change_twice": _in_change_twice(columns),
        "owned_silently_for": columns.since("silent_since"),
        "caught_up": columns.caught_up,
        "hardly_any_traffic": columns.hardly_any_traffic,
        "in_rate": columns.in_rate,
    }
    found |= {name: values[lines].tolist() for name, values in by_column.items()}
    return map(Facts._make, zip(*(found[name] for name in Facts._fields), strict=True))


def _told(
    lines: Lines, which: Flags, tell: Callable[[Lines], Iterable[object]], nothing: object = None
) -> list[object]:
    """What is told of some of the lines; nothing of the others."""
    found = [nothing] * len(lines)
    places = np.flatnonzero(which[lines])
    for place, each in zip(places.tolist(), tell(lines[places]), strict=True):
        found[place] = each
    return found


def _unowned_twice(columns: Columns) -> Flags:
    marks = columns.history.marks
    return ~marks["owned"] & ~marks["in_change"] & marks["unowned_before"] & columns.polled_twice


def _in_change_twice(columns: Columns) -> Flags:
    marks = columns.history.marks
    return marks["in_change"] & marks["in_change_before"] & columns.polled_twice


def _marked(columns: Columns, lines: Iterable[int]) -> Flags:
    found = np.zeros(columns.history.lines, bool)
    found[list(lines)] = True
    return found
