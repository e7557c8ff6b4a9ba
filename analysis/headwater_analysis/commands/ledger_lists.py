"""What `headwater ledger` lists beside messages: what is learned, what was overtaken, what was taken back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from headwater_analysis import format as fmt
from headwater_analysis import ledger_lists as question
from headwater_analysis.source import Source
from headwater_analysis.window import Window

from .printing import console, empty, plain, print_json, print_table, when

PATHWAYS = 20
"""Pathways listed by themselves; those without a limit stand back."""


@dataclass(frozen=True)
class Asked:
    """What the command was asked to list, and how."""

    window: Window
    topic: str | None
    group: str | None
    limit: int
    json: bool


def _limits(source: Source, asked: Asked) -> None:
    rows = question.limits(source, asked.topic, asked.group)
    if asked.json:
        print_json(rows)
    elif not rows:
        empty(
            "Nothing is learned yet: limits come from deliveries whose flow is known; `headwater doctor` may tell why."
        )
    else:
        entries = dict.fromkeys((one.entry_service, one.entry_name) for one in rows)
        shown = [entry for entry in entries if len(entries) <= PATHWAYS or _taught(rows, entry)][:PATHWAYS]
        for entry in shown:
            console().print(plain(" ".join(entry)), style="bold")
            _limit_table([one for one in rows if (one.entry_service, one.entry_name) == entry])
        if len(entries) > len(shown):
            empty(f"{len(entries) - len(shown):,} more pathways; --json, --topic and --group show them.")
        empty("A limit is three times the 99.9th percentile, and needs 200 observations.")


def _taught(rows: Sequence[question.Limit], entry: tuple[str, str]) -> bool:
    """Whether a pathway has any limit yet."""
    return any(
        one.wait_limit_ms is not None or one.work_limit_ms is not None
        for one in rows
        if (one.entry_service, one.entry_name) == entry
    )


def _limit_table(rows: Sequence[question.Limit]) -> None:
    print_table(
        ("topic → group", "wait p99.9", "limit", "seen", "work p99.9", "limit ", "seen "),
        (
            (
                f"{one.topic} → {one.consumer_group}", fmt.duration_ms(one.wait_p999_ms), _verdict(one.wait_limit_ms),
                fmt.count(one.wait_observations), fmt.duration_ms(one.work_p999_ms), _verdict(one.work_limit_ms),
                fmt.count(one.work_observations),
            )
            for one in rows
        ),
        right=("wait p99.9", "limit", "seen", "work p99.9", "limit ", "seen "),
    )  # fmt: skip


def _successors(source: Source, asked: Asked) -> None:
    rows = question.successors(source, asked.topic, asked.group)
    if asked.json:
        print_json(rows)
    elif not rows:
        empty("Nothing is learned yet: no message was seen whose handling sent another.")
    else:
        print_table(
            ("topic", "group", "service", "leads to", "share", "seen", "p99.9", "limit"),
            (
                (
                    one.topic, one.consumer_group, one.service, one.successor_topic, fmt.ratio(one.share),
                    fmt.count(one.messages), fmt.duration_ms(one.p999_ms), _verdict(one.limit_ms),
                )
                for one in rows
            ),
            right=("share", "seen", "p99.9", "limit"),
        )  # fmt: skip
        empty(
            "A limit needs 200 messages of which 99 in 100 led on; it is three times the 99.9th percentile."
        )


def _verdict(limit_ms: float | None) -> str:
    return "none" if limit_ms is None else fmt.duration_ms(limit_ms)


def _ordering(source: Source, asked: Asked) -> None:
    rows = question.overtaken(source, asked.window, asked.topic, asked.group, asked.limit)
    if asked.json:
        print_json(rows)
    elif not rows:
        empty(
            "No delivery began after one of a later message with its key. Keys are known by their hashes only where "
            "the instrumentation records them: HEADWATER_KAFKA_CAPTURE_KEY=hash with HEADWATER_KEY_SECRET."
        )
    else:
        print_table(
            ("delivery", "group", "began", "place", "overtaken by", "key"),
            (
                (
                    fmt.place(one.topic, one.partition, one.message_offset),
                    one.consumer_group or fmt.UNKNOWN,
                    when(one.started_ns),
                    fmt.place(one.origin_topic, one.origin_partition, one.origin_offset),
                    str(one.overtaken_by_offset),
                    one.key_hash,
                )
                for one in rows
            ),
            right=("overtaken by",),
        )


def _compensations(source: Source, asked: Asked) -> None:
    rows = question.compensations(source, asked.window)
    if asked.json:
        print_json(rows)
    elif not rows:
        empty("No message was declared to take back another; a service says so with mark_compensation().")
    else:
        print_table(
            ("entry", "topic", "messages", "events taken back"),
            (
                (
                    f"{one.entry_service or '?'} {one.entry_name or ''}".strip(),
                    one.topic,
                    fmt.count(one.messages),
                    fmt.count(one.events),
                )
                for one in rows
            ),
            right=("messages", "events taken back"),
        )


LISTS: Mapping[str, Callable[[Source, Asked], None]] = {
    "limits": _limits,
    "successors": _successors,
    "ordering": _ordering,
    "compensations": _compensations,
}
"""By the word that the command takes."""
