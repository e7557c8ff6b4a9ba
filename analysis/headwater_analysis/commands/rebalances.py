"""`headwater rebalances`: when groups were rebalanced, who holds what since, and what it cost."""

from headwater_analysis import format as fmt
from headwater_analysis import rebalances as question
from headwater_analysis.rebalances import Rebalance
from headwater_analysis.settings import COLLECTOR, JSON, STORE, TOKEN, Command, Option, read
from headwater_analysis.window import Window

from .groups import asked_for
from .printing import console, count_of, empty, opened, plain, print_json, when

MOST_PARTITIONS = 12
"""Of one member, in a line for people."""

REBALANCES = Command(
    "rebalances",
    "Lists the rebalances of consumer groups, the newest first: members before and after, who has come and gone, who "
    "holds what since, how long nothing was read, and what was handled again. A rebalance is seen by polls: one that "
    "begins and ends between two of them and changes nothing is not.",
    (
        "headwater rebalances",
        "headwater rebalances --group payments --last 30m",
        "headwater rebalances --json | jq '.[] | {consumer_group, silent_seconds}'",
    ),
    options=(
        Option("group", "Only this consumer group.", None),
        Option("last", "Within this time, such as 30m, 6h or 2d.", "6h", metavar="DURATION"),
        Option("limit", "How many at most.", 20, "whole"),
        COLLECTOR,
        TOKEN,
        STORE,
        JSON,
    ),
)


def run(argv: list[str]) -> int:
    """The command; gives its exit code."""
    settings = read(REBALANCES, argv)
    window = Window.last(settings.last)
    with opened(settings) as source:
        found = question.rebalances(source, window, settings.group, settings.limit)
        if settings.json:
            print_json(found)
        elif not found:
            if asked_for(source, settings.group):
                empty(f"No rebalance was seen in the last {settings.last}; --last looks further back.")
        else:
            _print(found)
    return 0


def _print(found: tuple[Rebalance, ...]) -> None:
    out = console()
    for number, one in enumerate(found):
        if number:
            out.print()
        members = f"{one.members_before} → {count_of(one.members_after, 'member')}"
        out.print(
            plain(
                f"{when(one.ended_ns)}  {one.consumer_group}: {members}, "
                f"{count_of(one.partitions_moved, 'partition')} moved, {_cost(one)}"
            ),
            soft_wrap=True,
        )
        before, after = question.held(one.assignment_before), question.held(one.assignment_after)
        for name in sorted({*before, *after}):
            sign = "+" if name not in before else "-" if name not in after else " "
            out.print(plain(f"    {sign} {name:<24} {_partitions(after.get(name, before.get(name, ())))}"))


def _cost(one: Rebalance) -> str:
    parts = [] if one.generation is None else [f"generation {one.generation}"]
    if one.silent_seconds is not None:
        parts.append(f"nothing read for {fmt.duration_ms(one.silent_seconds * 1000)}")
    if one.lag_before is not None and one.lag_after is not None and one.lag_after > one.lag_before:
        parts.append(f"lag {fmt.count(one.lag_before)} → {fmt.count(one.lag_after)}")
    if one.handled_again:
        parts.append(f"{count_of(one.handled_again, 'message')} handled again")
    return ", ".join(parts) or "nothing more is known of it"


def _partitions(places: tuple[str, ...]) -> str:
    if not places:
        return "nothing"
    rest = len(places) - MOST_PARTITIONS
    return " ".join(places[:MOST_PARTITIONS]) + (f" and {rest} more" if rest > 0 else "")
