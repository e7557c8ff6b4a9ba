"""`queues`, `advice`, `blockers`, `rebalances` and `lag --watch` as people call them, where there is little to say."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import api_helpers as api
import store_helpers as told
from builders import a_send
from headwater_analysis.lag import ClusterRow, share_groups_line
from headwater_analysis.local import LocalSource
from headwater_analysis.queues import hot_key, queues
from headwater_analysis.window import Window
from headwater_collector.records import LogPosition
from headwater_collector.store import Store, append_spans
from store_helpers import open_store

COMMANDS = ("queues", "advice", "blockers", "rebalances")


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, str]]:
    """A group that is stalled on offset 9, of which no span speaks."""
    store = open_store(tmp_path_factory.mktemp("queues") / "headwater.duckdb")
    api.fill_with_a_story(store)
    with api.serving(store) as url:
        yield store, url
    store.close()


def asked(url: str, *words: str) -> subprocess.CompletedProcess[bytes]:
    done = api.headwater(*words, "--collector", url)
    assert done.returncode == 0, done.stderr.decode()
    return done


def test_a_stalled_group_shows_in_each(story: tuple[Store, str]) -> None:
    _, url = story
    line = asked(url, "queues").stdout.decode().splitlines()[1]
    assert line.split()[:6] == ["orders", "payments", "■", "stalled", "12", "≈1"]
    [blocker] = json.loads(asked(url, "blockers", "--json").stdout)
    assert (blocker["chain"]["message_offset"], blocker["chain"]["assumed"]) == (9, True)
    assert "11 messages wait behind it." in blocker["verdict"]
    printed = asked(url, "advice").stdout.decode()
    assert "Nobody reads: start a consumer of this group." in printed


def test_share_groups_are_named_and_nothing_is_said_of_their_lag(story: tuple[Store, str]) -> None:
    _, url = story
    last = asked(url, "queues").stdout.decode().splitlines()[-1]
    assert last == "share groups, whose lag cannot be asked for: billing-[share]"
    assert b"billing" not in asked(url, "queues", "--group", "payments").stdout
    assert asked(url, "queues", "--share-groups").stdout.decode() == "prod: billing-[share]\n"
    told_apart = [{"cluster": api.CLUSTER, "name": "prod", "share_groups": ["billing-[share]"]}]
    assert json.loads(asked(url, "queues", "--share-groups", "--json").stdout) == told_apart
    for command in ("queues", "advice", "lag"):
        done = asked(url, command, "--group", "billing-[share]")
        assert done.stdout == b""
        assert done.stderr.decode() == "billing-[share] is a share group, whose lag cannot be asked for.\n"


@pytest.mark.parametrize(
    ("clusters", "line"),
    [
        ((("a", None), ("b", ())), None),
        ((("a", None), ("b", ("x", "y"))), "share groups, whose lag cannot be asked for: x, y"),
        ((("a", ("z",)), ("b", ("x",))), "share groups, whose lag cannot be asked for: a: z; b: x"),
        (
            (("a", tuple(f"g{number}" for number in range(10, 25))),),
            "share groups, whose lag cannot be asked for: "
            "g10, g11, g12, g13, g14, g15, g16, g17, g18, g19 and 5 more",
        ),
    ],
)
def test_share_groups_of_several_clusters_stand_in_one_line(
    clusters: tuple[tuple[str, tuple[str, ...] | None], ...], line: str | None
) -> None:
    rows = (ClusterRow("c", name, "b:1", "up", None, 1, None, None, groups) for name, groups in clusters)
    assert share_groups_line(rows) == line


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_there_is_said_with_what_to_do_next(command: str, tmp_path: Path) -> None:
    open_store(tmp_path / "headwater.duckdb").close()
    done = api.headwater(command, "--store", str(tmp_path))
    assert (done.returncode, done.stdout) == (0, b"")
    assert done.stderr.decode() == (
        "No consumer group is known; `headwater lag` says whether a cluster is watched.\n"
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("queues", "--group", "nobody"), "No group and topic are named so; there are payments on orders."),
        (("advice", "--topic", "nothing"), "No group and topic are named so; there are payments on orders."),
        (("rebalances", "--group", "nobody"), "No group is named 'nobody'; there are payments."),
        (("rebalances",), "No rebalance was seen in the last 6h; --last looks further back."),
        (("rebalances", "--limit", "5", "--last", "1h"), "No rebalance was seen in the last 1h;"),
        (("advice", "--keda"), "No ScaledObject: of no group is known what one consumer can do"),
    ],
)
def test_an_empty_answer_says_why(story: tuple[Store, str], words: tuple[str, ...], says: str) -> None:
    done = asked(story[1], *words)
    assert done.stdout == b""
    assert done.stderr.decode().startswith(says)


def test_lag_is_shown_again_until_it_is_ended(story: tuple[Store, str]) -> None:
    store, url = story
    words = [
        sys.executable,
        "-u",
        "-c",
        # Started in the background, a process ignores Ctrl-C and hands that down.
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from headwater_analysis.cli import main; sys.exit(main())",
    ]
    words += ["lag", "--watch", "--every", "0.5", "--collector", url]
    wide = {**os.environ, "COLUMNS": "200"}
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=wide) as watching:
        assert watching.stdout is not None

        def line_with(part: str) -> str:
            assert watching.stdout is not None
            until = time.monotonic() + 60
            for line in watching.stdout:
                if part in line:
                    return line
                assert time.monotonic() < until, f"no line with {part}"
            raise AssertionError(f"it ended without {part}")

        assert "payments" in line_with("stalled")
        store.write(lambda w: w.execute("update group_health_now set lag = 4321"))
        assert "4,321" in line_with("4,321")
        watching.send_signal(signal.SIGINT)
        watching.communicate(timeout=60)
        assert watching.returncode == 130


def test_a_key_that_takes_most_of_a_topic_is_named(tmp_path: Path) -> None:
    now = time.time_ns()
    sends = [
        ("shop", a_send("orders", 3 if n % 2 else n % 3, n, start_ns=now - 10**9, attributes={"headwater.key.hash":
                        "hot" if n % 2 else f"k{n}"}))
        for n in range(60)
    ]  # fmt: skip
    store = open_store(tmp_path / "headwater.duckdb")
    health: dict[str, Any] = {"cluster": "c1", "consumer_group": "pay", "topic": "orders", "status": "ok"}
    store.write(lambda w: append_spans(w, told.batch_of(sends, now), LogPosition(1, 0)))
    store.write(lambda w: w.append("group_health_now", [{**health, "partitions": 4, "lag": 0}]))
    store.close()
    source = LocalSource(tmp_path)
    [queue] = queues(source, Window.last("15m"))
    source.close()
    assert hot_key(queue) == "key hot is 50 % of the topic's messages (partition 3)"
