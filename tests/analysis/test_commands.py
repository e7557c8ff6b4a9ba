"""The commands that ask, as real processes before a real API: what people read and what machines read."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

import api_helpers as api
import store_helpers as told
from headwater_collector.api.sql import SqlLimits
from store_helpers import open_store

EVER = ("--last", "9999d")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    store = open_store(tmp_path_factory.mktemp("commands") / "headwater.duckdb")
    api.fill_with_a_story(store)
    with api.serving(store, limits=SqlLimits(rows=50)) as served:
        yield served
    store.close()


@pytest.fixture(scope="module")
def empty_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    store = open_store(tmp_path_factory.mktemp("empty") / "headwater.duckdb")
    with api.serving(store) as served:
        yield served
    store.close()


def text(url: str, *words: str, stdin: str | None = None) -> str:
    """What a command prints, when all is well."""
    done = api.headwater(*words, "--collector", url, stdin=stdin)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def document(url: str, *words: str) -> Any:
    return json.loads(text(url, *words, "--json"))


def test_flows_are_listed_with_where_their_time_went(url: str) -> None:
    lines = text(url, "flows", *EVER).splitlines()
    assert lines[0].split() == "started entry status total wait work spans errors dead path flow".split()
    assert len(lines) == 3
    assert any("✗ error" in line and told.trace("order-2") in line for line in lines)
    assert all("checkout → payments → inventory" in line and "2.30 s" in line for line in lines[1:])


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("--status", "error"), ["order-2"]),
        (("--filter", "service:inventory wait>2s"), ["order-1", "order-2"]),
        (("--filter", "errors>0"), ["order-2"]),
        (("--limit", "1", "--sort", "errors"), ["order-2"]),
    ],
)
def test_flows_as_json_are_those_asked_for(url: str, words: tuple[str, ...], found: list[str]) -> None:
    rows = document(url, "flows", *EVER, *words)["rows"]
    assert sorted(row["flow_id"] for row in rows) == sorted(told.trace(name) for name in found)


@pytest.mark.parametrize(
    "what", ["orders@0:7", "orders/0/7", "c1/paid@0:7", told.trace("order-1"), told.span("order-1 charge")]
)
def test_a_flow_is_found_by_anything_and_drawn_with_its_waits(url: str, what: str) -> None:
    lines = text(url, "flow", what).splitlines()
    assert lines[0] == f"flow {told.trace('order-1')}"
    assert lines[1] == "checkout → orders → payments → paid → inventory"
    assert "total 2.37 s   wait 2.30 s   work 100 ms" in lines[2]
    drawn = {line.split("order-1 ")[1].split("  ")[0]: line for line in lines[5:]}
    assert list(drawn) == ["POST /orders", "send orders", "charge", "send paid", "reserve"]
    assert drawn["charge"].rstrip().endswith("80 ms after 2.00 s in orders")
    assert drawn["charge"].index("┄") < drawn["charge"].index("█")
    assert "≈1.99 s≈" in lines[4]
    assert "┄" not in drawn["send orders"]


def test_a_linear_axis_folds_nothing_and_ascii_is_enough(url: str) -> None:
    done = api.headwater(
        "flow", "orders@0:7", "--axis", "linear", "--collector", url, environ={"PYTHONIOENCODING": "ascii:replace"}
    )  # fmt: skip
    lines = done.stdout.decode("ascii").splitlines()
    assert set(lines[4].strip()) == {"-"}
    assert any("...." in line or "--##" in line for line in lines)


def test_a_flow_as_json_holds_spans_edges_and_hops(url: str) -> None:
    detail = document(url, "flow", "orders@0:7")
    assert detail["flow"]["flow_id"] == told.trace("order-1")
    assert {span["service"] for span in detail["spans"]} == {"checkout", "payments", "inventory"}
    assert {hop["topic"]: hop["wait_ms"] for hop in detail["hops"]} == {"orders": 2000.0, "paid": 300.0}
    assert detail["edges"]


def test_lag_is_shown_with_its_verdict_and_evidence(url: str) -> None:
    printed = text(url, "lag")
    assert "■ stalled" in printed
    assert "≈1 min 04 s ±5.00 s" in printed
    assert "12 messages and no commit for 2 min" in printed
    (row,) = document(url, "lag", "--partitions", "--group", "payments")
    assert (row["topic"], row["partition"], row["lag"], row["end_offset"]) == ("orders", 0, 12, 21)
    nobody = api.headwater("lag", "--group", "nobody", "--collector", url)
    assert nobody.stderr.decode() == "No group and topic are named so; there are payments on orders.\n"


def test_dead_letters_lead_from_cause_to_message_to_flow(url: str) -> None:
    (group,) = document(url, "dead-letters", *EVER)
    assert (group["error_type"], group["messages"]) == ("ValueError", 1)
    (letter,) = document(url, "dead-letters", group["failure_group_id"])
    place = f"{letter['topic']}@{letter['partition']}:{letter['message_offset']}"
    one = document(url, "dead-letters", place)
    assert one["flow_id"] == told.trace("order-2")
    assert one["headers"] == [["kafka_dlt-original-topic", "orders"]]
    assert "no such currency" in text(url, "dead-letters", *EVER)
    whole = text(url, "dead-letters", place)
    assert "origin         orders@0:8" in whole
    assert "header         kafka_dlt-original-topic: orders" in whole


def test_ingest_says_what_came_and_what_was_kept(url: str) -> None:
    assert document(url, "ingest")["received_requests"] == 10
    printed = text(url, "ingest")
    assert "requests received    10" in printed
    assert "zero id            2" in printed


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("flows",), "No flow has arrived yet; point an OTLP exporter at the collector, or try `headwater demo`."),
        (("lag",), "The collector watches no cluster; start it with --kafka HOST:PORT."),
        (("dead-letters",), "No dead letters in this time; the collector reads topics named like one"),
    ],
)  # fmt: skip
def test_nothing_there_is_said_with_what_to_do_next(
    empty_url: str, words: tuple[str, ...], says: str
) -> None:
    done = api.headwater(*words, "--collector", empty_url)
    assert (done.returncode, done.stdout) == (0, b"")
    assert done.stderr.decode().startswith(says)
    assert json.loads(text(empty_url, *words, "--json")) is not None


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("flow", "nothing"), "No flow holds 'nothing'"),
        (("dead-letters", "nothing"), "No failure group has the id 'nothing'"),
        (("dead-letters", "orders@0:3"), "No dead letter is known at orders@0:3."),
    ],
)
def test_what_is_not_there_is_a_bad_answer(url: str, words: tuple[str, ...], says: str) -> None:
    done = api.headwater(*words, "--collector", url)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.decode().startswith(says)


QUESTION = "select service, count(*) as n, max(ended_at) as last from spans group by all order by service"


def test_sql_prints_every_format(url: str) -> None:
    rows = json.loads(text(url, "sql", QUESTION, "--format", "json"))
    assert rows[0] == {"service": "checkout", "n": 4, "last": "2026-09-21T14:13:20.030000000Z"}
    read = list(csv.DictReader(io.StringIO(text(url, "sql", QUESTION, "--format", "csv"))))
    assert read == [{name: str(value) for name, value in row.items()} for row in rows]
    columns = ["service", "n", "last"]
    asked = api.headwater("sql", QUESTION, "--format", "arrow", "--collector", url).stdout
    arrow = pa.ipc.open_stream(asked).read_all()
    asked = api.headwater("sql", QUESTION, "--format", "parquet", "--collector", url).stdout
    parquet = pyarrow.parquet.read_table(io.BytesIO(asked))
    for table in (arrow, parquet):
        assert table.column_names == columns
        assert table.column("n").to_pylist() == [row["n"] for row in rows]
    assert text(url, "sql", QUESTION).splitlines()[0].split() == columns
    assert text(url, "sql", "-", "--json", stdin="select 1 as one") == '[{"one": 1}]\n'


@pytest.mark.parametrize("form", ["table", "json", "csv", "arrow", "parquet"])
def test_a_cut_answer_says_so_on_standard_error(url: str, form: str) -> None:
    done = api.headwater("sql", "from range(1000)", "--format", form, "--collector", url)
    assert done.returncode == 0
    assert done.stderr.decode().splitlines()[-1].startswith("Cut at 50 rows;")


def test_sql_reads_a_file_that_nobody_holds(tmp_path: Path) -> None:
    store = open_store(tmp_path / "headwater.duckdb")
    api.fill_with_a_story(store)
    store.close()
    done = api.headwater("sql", "select count(*) as n from spans", "--json", "--store", str(tmp_path))
    assert json.loads(done.stdout) == [{"n": 10}]


def test_the_prompt_takes_several_lines_lists_relations_and_goes_on_after_an_error(
    url: str, tmp_path: Path
) -> None:
    typed = "select 1 +\n 1 as two;\n\\d\n\\d flows\n\\d wat\nselec;\nselect 3 as three;\n\\q\n"
    main, child = pty.openpty()
    words = [
        sys.executable,
        "-c",
        "from headwater_analysis.cli import main; main()",
        "sql",
        "--collector",
        url,
    ]
    environ = {**os.environ, "XDG_STATE_HOME": str(tmp_path), "TERM": "dumb", "COLUMNS": "200"}
    with subprocess.Popen(words, stdin=child, stdout=child, stderr=child, env=environ) as prompt:
        os.close(child)
        os.write(main, typed.encode())
        printed = b""
        while True:
            try:
                printed += os.read(main, 65536)
            except OSError:
                break
        assert prompt.wait(30) == 0
    os.close(main)
    seen = printed.decode()
    for part in ("two", "failure_groups", "flow_id", "no relation 'wat'", "line 1, column 1", "three"):
        assert part in seen
    assert "three" in (tmp_path / "headwater" / "sql_history").read_text()


def test_columns_are_not_written_to_a_terminal(url: str) -> None:
    main, child = pty.openpty()
    words = [sys.executable, "-c", "import sys; from headwater_analysis.cli import main; sys.exit(main())"]
    words += ["sql", "select 1", "--format", "parquet", "--collector", url]
    done = subprocess.run(words, stdout=child, stderr=subprocess.PIPE, timeout=60)
    os.close(child)
    os.close(main)
    assert done.returncode == 2
    assert b"parquet is not for a terminal" in done.stderr


def test_what_a_span_is_called_cannot_steer_the_terminal_or_the_table(tmp_path: Path) -> None:
    evil = "\x1b]0;owned\x07[red]\n[/nope]"
    store = open_store(tmp_path / "headwater.duckdb")
    told.fill(store, [told.work("shop", "evil", evil, 0, 5)])
    with api.serving(store) as url:
        printed = [
            text(url, "flows", *EVER),
            text(url, "flow", told.trace("evil")),
            text(url, "sql", "select name from spans"),
        ]
    store.close()
    for one in printed:
        assert "\x1b" not in one
        assert "\x07" not in one
        assert "[red]⏎[/nope]" in one
