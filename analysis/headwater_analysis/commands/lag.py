"""`headwater lag`: how far groups are behind, in messages and seconds, with a verdict and its evidence."""

import time
from collections.abc import Iterable

from headwater_analysis import format as fmt
from headwater_analysis import lag as question
from headwater_analysis.settings import COLLECTOR, JSON, STORE, TOKEN, Command, Option, read
from headwater_analysis.source import Source

from .groups import say_none_watched, say_pairs, say_shared, wanted
from .printing import console, empty, opened, print_json, print_table, status_text

LAG = Command(
    "lag",
    "Shows how far consumer groups are behind, in messages and in seconds, and whether that is healthy, with "
    "the evidence. Unknown is a dash; ≈ is an estimate with its bound, ≥ a lower limit.",
    (
        "headwater lag",
        "headwater lag --group payments --partitions",
        "headwater lag --watch",
        "headwater lag --json",
    ),
    options=(
        Option("group", "Only this consumer group.", None),
        Option("topic", "Only this topic.", None),
        Option("partitions", "Every partition by itself.", False, "flag"),
        Option("watch", "Show it again every few seconds until Ctrl-C.", False, "flag"),
        Option("every", "Seconds between two looks of --watch; the poller's own interval is 5.", 5, "number"),
        COLLECTOR,
        TOKEN,
        STORE,
        JSON,
    ),
)


def run(argv: list[str]) -> int:
    """The command; gives its exit code."""
    settings = read(LAG, argv)
    with opened(settings) as source:
        while True:
            if settings.watch and not settings.json:
                console().clear()
            if settings.partitions:
                _partitions(source, settings.group, settings.topic, settings.json)
            else:
                _groups(source, settings.group, settings.topic, settings.json)
            if not settings.watch:
                return 0
            time.sleep(max(settings.every, 0.5))


def _groups(source: Source, group: str | None, topic: str | None, as_json: bool) -> None:
    known = question.groups(source)
    rows = [row for row in known if wanted(row, group, topic)]
    if as_json:
        print_json(rows)
    elif not rows:
        _say_why_empty(source, group, known)
    else:
        print_table(
            ("group", "topic", "status", "lag", "lag time", "in", "out", "members", "partitions", "evidence"),
            (
                (
                    row.consumer_group,
                    row.topic,
                    status_text(row.status),
                    fmt.count(row.lag),
                    fmt.lag_time(row.lag_seconds, row.lag_method, row.lag_error_seconds),
                    fmt.rate(row.in_rate),
                    fmt.rate(row.out_rate),
                    fmt.count(row.members),
                    fmt.count(row.partitions),
                    row.evidence or "",
                )
                for row in rows
            ),
            right=("lag", "lag time", "in", "out", "members", "partitions"),
        )


def _partitions(source: Source, group: str | None, topic: str | None, as_json: bool) -> None:
    known = question.all_partitions(source)
    rows = [row for row in known if wanted(row, group, topic)]
    if as_json:
        print_json(rows)
    elif not rows:
        _say_why_empty(source, group, known)
    else:
        print_table(
            ("group", "partition", "status", "lag", "lag time", "committed", "end", "member", "evidence"),
            (
                (
                    row.consumer_group,
                    f"{row.topic}/{row.partition}",
                    status_text(row.status),
                    fmt.count(row.lag),
                    fmt.lag_time(row.lag_seconds, row.lag_method, row.lag_error_seconds),
                    fmt.count(row.committed),
                    fmt.count(row.end_offset),
                    row.member or fmt.UNKNOWN,
                    row.evidence or "",
                )
                for row in rows
            ),
            right=("lag", "lag time", "committed", "end"),
        )


def _say_why_empty(
    source: Source, group: str | None, known: Iterable[question.GroupRow | question.PartitionRow]
) -> None:
    if say_shared(source, group) or say_pairs(known):
        return
    clusters = question.clusters(source)
    if not clusters:
        say_none_watched()
    for cluster in clusters:
        state = fmt.state(cluster.state)
        reason = f": {cluster.reason}" if cluster.reason else "; no consumer group has committed yet"
        empty(f"{cluster.name} ({cluster.bootstrap}) is {state.word}{reason}")
