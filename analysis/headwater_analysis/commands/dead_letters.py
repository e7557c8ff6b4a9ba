"""`headwater dead-letters`: what lies in the dead-letter topics, grouped by cause."""

from headwater_analysis import dead_letters as question
from headwater_analysis import format as fmt
from headwater_analysis.coordinates import parse
from headwater_analysis.flows import NotFound
from headwater_analysis.settings import COLLECTOR, JSON, STORE, TOKEN, Command, Option, Positional, read
from headwater_analysis.source import Source
from headwater_analysis.window import Window

from .printing import empty, opened, print_fields, print_json, print_table, when

DEAD_LETTERS = Command(
    "dead-letters",
    "Lists dead letters grouped by cause; with a failure group's id its messages, with a message's "
    "coordinates that one whole: origin, error, headers, and the flow it belongs to.",
    (
        "headwater dead-letters --last 1d",
        "headwater dead-letters 3f2a9c1d5b7e8f60",
        "headwater dead-letters orders-dlq@0:17 --json",
    ),
    (Positional("what", "a failure group's id, or a message as topic@partition:offset", optional=True),),
    (
        Option(
            "last", "Failure groups seen within this time, such as 15m, 2h or 7d.", "7d", metavar="DURATION"
        ),
        Option("limit", "How many at most.", 100, "whole"),
        COLLECTOR,
        TOKEN,
        STORE,
        JSON,
    ),
)


def run(argv: list[str]) -> int:
    """The command; gives its exit code."""
    settings = read(DEAD_LETTERS, argv)
    with opened(settings) as source:
        what = settings.what
        if what is None:
            _groups(source, Window.last(settings.last), settings.limit, settings.json)
        elif any(mark in what for mark in "@/:"):
            _one(source, what, settings.json)
        else:
            _letters(source, what, settings.limit, settings.json)
    return 0


def _groups(source: Source, window: Window, limit: int, as_json: bool) -> None:
    rows = question.failure_groups(source, window, limit)
    if as_json:
        print_json(rows)
    elif not rows:
        empty(
            "No dead letters in this time; the collector reads topics named like one, see `--dead-letters`."
        )
    else:
        print_table(
            ("messages", "error", "origin", "group", "attempts", "last seen", "cause", "failure group"),
            (
                (
                    fmt.count(row.messages),
                    row.error_type or fmt.UNKNOWN,
                    row.origin_topic or fmt.UNKNOWN,
                    row.consumer_group or fmt.UNKNOWN,
                    fmt.count(row.attempts_max),
                    when(row.last_seen_ns),
                    row.normalised_error or "",
                    row.failure_group_id,
                )
                for row in rows
            ),
            right=("messages", "attempts"),
        )


def _letters(source: Source, group: str, limit: int, as_json: bool) -> None:
    rows = question.letters(source, group, limit)
    if not rows:
        raise NotFound(f"No failure group has the id {group!r}; `headwater dead-letters` lists them.")
    if as_json:
        print_json(rows)
    else:
        print_table(
            ("message", "origin", "time", "attempts", "error", "flow"),
            (
                (
                    fmt.place(row.topic, row.partition, row.message_offset),
                    question.origin(row),
                    when(row.record_time_ns),
                    fmt.count(row.attempts),
                    row.error_message or row.error_type or fmt.UNKNOWN,
                    row.flow_id or fmt.UNKNOWN,
                )
                for row in rows
            ),
            right=("attempts",),
        )


def _one(source: Source, text: str, as_json: bool) -> None:
    row = question.letter(source, parse(text))
    if as_json:
        print_json(row)
        return
    fields: list[tuple[str, object]] = [
        ("message", fmt.place(row.topic, row.partition, row.message_offset)),
        ("origin", question.origin(row)),
        ("group", row.origin_group),
        ("time", when(row.record_time_ns)),
        ("error", row.error_type),
        ("says", row.error_message),
        ("attempts", fmt.count(row.attempts)),
        ("headers of", row.family),
        ("flow", row.flow_id),
        ("failure group", row.failure_group_id),
        ("key", row.key),
        ("value", row.value),
    ]
    fields += [("header", f"{header[0]}: {header[1]}") for header in row.headers or ()]
    print_fields(((name, fmt.UNKNOWN if value is None else str(value)) for name, value in fields), 14)
