"""Rebalances out of what polls saw: settled states are compared, and what lies around them says what it cost."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import store_helpers as told
from builders import a_process, a_span
from headwater_analysis.local import LocalSource
from headwater_analysis.rebalances import Rebalance, held, rebalances
from headwater_analysis.window import Window
from headwater_collector.records import LogPosition
from headwater_collector.store import Writer, append_spans
from store_helpers import open_store

NOW_NS = time.time_ns()
POLL = 5
Seen = tuple[str, dict[str, list[int]]]
"""The coordinator's state, and who has which partition of `orders`."""


def seconds_ago(polls: float) -> int:
    return NOW_NS - round(polls * POLL * 1e9)


def found_in(
    folder: Path, seen: Sequence[Seen], committed: Sequence[int] = (), spans: Sequence[told.Told] = ()
) -> list[Rebalance]:
    """The rebalances, the oldest first; the last poll is now."""
    start = datetime.fromtimestamp(NOW_NS / 1e9, UTC).replace(tzinfo=None) - timedelta(
        seconds=POLL * (len(seen) - 1)
    )

    def work(writer: Writer) -> None:
        for poll, (state, members) in enumerate(seen):
            sampled = {
                "sampled_at": start + timedelta(seconds=POLL * poll),
                "cluster": "c1",
                "consumer_group": "pay",
            }
            said = [
                {
                    "member": f"{name}-1",
                    "client": name,
                    "host": "h",
                    "partitions": [["orders", one] for one in parts],
                }
                for name, parts in members.items()
            ]
            writer.append("group_samples", [
                {**sampled, "state": state, "protocol": "classic", "members": len(said), "assignment": json.dumps(said)}
            ])  # fmt: skip
            if committed:
                place = {"topic": "orders", "incarnation": 1, "partition": 0, "committed": committed[poll]}
                writer.append("commit_samples", [{**sampled, **place, "lag": 100 - committed[poll]}])
        if spans:
            append_spans(writer, told.batch_of(spans, NOW_NS), LogPosition(1, 0))

    store = open_store(folder / "headwater.duckdb")
    store.write(work)
    store.close()
    source = LocalSource(folder)
    found = rebalances(source, Window(0))
    source.close()
    return list(reversed(found))


BOTH: Seen = ("stable", {"a": [0], "b": [1]})
TURNED: Seen = ("stable", {"b": [1], "a": [0]})
ALONE: Seen = ("stable", {"a": [0, 1]})
JOINING: Seen = ("preparing", {"a": [], "b": []})


def test_who_left_who_has_what_and_how_long_nothing_was_read(tmp_path: Path) -> None:
    [one] = found_in(tmp_path, [BOTH, TURNED, JOINING, JOINING, ALONE, ALONE], [10, 20, 20, 20, 20, 30])
    assert (one.members_before, one.members_after, one.partitions_moved) == (2, 1, 1)
    assert (one.members_joined, one.members_left) == ((), ("b-1",))
    assert (held(one.assignment_before), held(one.assignment_after)) == (
        {"a": ("orders/0",), "b": ("orders/1",)}, {"a": ("orders/0", "orders/1")},
    )  # fmt: skip
    assert (one.silent_seconds, one.lag_before, one.lag_after) == (4 * POLL, 80, 80)
    assert (one.ended_ns - one.started_ns) == 3 * POLL * 10**9
    assert (one.handled_again, one.reported_by) == (0, None)


def test_one_that_changed_nothing_is_known_by_its_state_and_none_is_made_up(tmp_path: Path) -> None:
    [one] = found_in(tmp_path, [BOTH, JOINING, BOTH, TURNED, BOTH])
    assert (one.members_before, one.members_after, one.partitions_moved) == (2, 2, 0)
    assert one.silent_seconds is None


def test_a_group_that_is_started_and_ended_is_two(tmp_path: Path) -> None:
    found = found_in(tmp_path, [("empty", {}), BOTH, ("empty", {})])
    assert [(one.members_before, one.members_after, one.partitions_moved) for one in found] == [
        (0, 2, 2),
        (2, 0, 2),
    ]


def test_messages_handled_before_and_again_after_are_counted(tmp_path: Path) -> None:
    def handled(offset: int, polls_ago: float, name: str) -> told.Told:
        more: dict[str, Any] = {"trace_id": told.trace(f"m {offset}"), "span_id": told.span(name), "ms": 10}
        return "pay", a_process("orders", 0, offset, "pay", start_ns=seconds_ago(polls_ago), **more)

    said: dict[str, Any] = {
        "messaging.system": "kafka", "messaging.operation.type": "control", "messaging.operation.name": "rebalance",
        "messaging.consumer.group.name": "pay",
    }  # fmt: skip
    reported: told.Told = (
        "pay",
        a_span("rebalance", kind="client", start_ns=seconds_ago(2.5), ms=700, attributes=said),
    )
    spans = [handled(5, 4.5, "before"), handled(5, 1.5, "after"), handled(6, 1.2, "once"), reported]
    [one] = found_in(tmp_path, [BOTH, BOTH, JOINING, ALONE, ALONE], spans=spans)
    assert (one.handled_again, one.reported_by, one.longest_ms) == (1, 1, 700.0)
