"""Dead letters: causes, the messages of a cause, and one message whole."""

import time
from typing import Any

from dash import html

from headwater_analysis import dead_letters
from headwater_analysis import format as fmt
from headwater_analysis.coordinates import Coordinates
from headwater_analysis.dead_letters import LetterRow
from headwater_analysis.source import Source
from headwater_analysis.window import Window
from headwater_dashboard.parts import empty, facts, link, table

TITLE = "Dead letters"


def content(source: Source, rest: tuple[str, ...], query: dict[str, str]) -> Any:
    """Failure groups beside the messages of one, or one message."""
    if len(rest) == 3 and rest[1].isdigit() and rest[2].isdigit():
        return _one(dead_letters.letter(source, Coordinates(rest[0], int(rest[1]), int(rest[2]))))
    last = query.get("from", "7d")
    groups = dead_letters.failure_groups(source, Window.last(last))
    if not groups:
        return empty(f"No dead letters in the last {last}. That is how it should be.")
    chosen = query.get("group", groups[0].failure_group_id)
    letters = dead_letters.letters(source, chosen)
    now = time.time_ns()
    total = sum(row.messages for row in groups)
    return html.Div(
        [
            html.H2(f"{fmt.count(total)} dead letters in {fmt.count(len(groups))} failure groups"),
            table(
                ("messages", "error", "origin", "group", "attempts", "first seen", "last seen", "cause"),
                (
                    (
                        fmt.count(row.messages),
                        link(row.error_type or fmt.UNKNOWN, f"/dead-letters?group={row.failure_group_id}"),
                        row.origin_topic,
                        row.consumer_group,
                        fmt.count(row.attempts_max),
                        fmt.age(row.first_seen_ns, now),
                        fmt.age(row.last_seen_ns, now),
                        row.normalised_error,
                    )
                    for row in groups
                ),
                ("messages", "attempts"),
                "failure groups",
            ),
            html.H2(
                next(
                    (f"Messages: {row.error_type}" for row in groups if row.failure_group_id == chosen),
                    "Messages",
                )
            ),
            table(
                ("message", "origin", "when", "attempts", "says", "flow"),
                (
                    (
                        link(fmt.place(row.topic, row.partition, row.message_offset), _place(row)),
                        dead_letters.origin(row),
                        fmt.age(row.record_time_ns, now),
                        fmt.count(row.attempts),
                        row.error_message or row.error_type,
                        link("open flow", f"/flow/{row.flow_id}") if row.flow_id else fmt.UNKNOWN,
                    )
                    for row in letters
                ),
                ("attempts",),
                "dead letters of the failure group",
            ),
        ]
    )


def _one(row: LetterRow) -> Any:
    kept = row.value is not None or row.headers is not None
    return html.Div(
        [
            html.H2(fmt.place(row.topic, row.partition, row.message_offset)),
            facts(
                [
                    ("origin", dead_letters.origin(row)),
                    ("group", row.origin_group),
                    ("error", row.error_type),
                    ("says", row.error_message),
                    ("attempts", fmt.count(row.attempts)),
                    ("headers of", row.family),
                    ("flow", link(row.flow_id, f"/flow/{row.flow_id}") if row.flow_id else None),
                    (
                        "failure group",
                        link(row.failure_group_id, f"/dead-letters?group={row.failure_group_id}"),
                    ),
                    ("key", row.key),
                    ("size", f"{fmt.count(row.size)} bytes" if row.size is not None else None),
                ]
            ),
            html.H3("Value"),
            html.Pre(fmt.pretty_json(row.value))
            if row.value is not None
            else html.P(
                "Not kept." if kept else "Keys, values and headers are not kept; --capture full keeps them."
            ),
            html.H3("Headers"),
            table(("name", "value"), ((one[0], one[1]) for one in row.headers or ()), (), "headers"),
        ]
    )


def _place(row: LetterRow) -> str:
    return f"/dead-letters/{row.topic}/{row.partition}/{row.message_offset}"
