"""`headwater flow --view critical-path` and `headwater pathway`, from bytes at the door to what is read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import api_helpers as api
import builders
import store_helpers as told
import store_stories as stories
from collector_process import JSON, SHARED_DATA, CollectorProcess, a_collector
from store_helpers import open_store

EVER = ("--last", "9999d")
RECORDING = SHARED_DATA / "otel-demo-2024-10-traces.jsonl"


def orders(count: int, work_ms: float = 90.0) -> list[told.Told]:
    """Orders of one pathway, one every 100 ms, handled one after another; each calls a gateway in its handling."""
    spans: list[told.Told] = []
    free = 0.0
    for number in range(count):
        name, begun = f"order-{number}", number * 100.0
        place = ("orders", 0, number)
        start = max(begun + 40, free)
        free = start + work_ms
        root, sent, handled = (f"{name} {what}" for what in ("root", "send", "handle"))
        spans += [
            _named(told.work("checkout", name, root, begun, 30), "POST /orders"),
            _named(told.send("checkout", name, sent, place, begun + 5, 10, root), "send orders"),
            _named(told.process("payments", name, handled, place, start, work_ms, sent), "handle order"),
            _named(told.work("payments", name, f"{name} charge", start + 5, work_ms - 10, handled), "charge"),
        ]
    return spans


def _named(span: told.Told, name: str) -> told.Told:
    span[1].name = name
    return span


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    """A real collector that was sent these orders as OTLP, and the same in a store nobody holds."""
    with a_collector(tmp_path_factory.mktemp("paths")) as running:
        request = builders.a_request()
        for service in ("checkout", "payments"):
            builders.add_to(request, *(span for by, span in orders(20) if by == service), service=service)
        assert running.send(request.SerializeToString()).status == 200
        running.wait_for("select count(*) from hops", 20)
        yield running


def text(collector: CollectorProcess, *words: str, columns: int = 80) -> str:
    done = api.headwater(
        *words, "--collector", f"http://{collector.addresses['api']}", environ={"COLUMNS": str(columns)}
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def document(collector: CollectorProcess, *words: str) -> Any:
    return json.loads(text(collector, *words, "--json"))


def pathway_of(collector: CollectorProcess) -> str:
    (row,) = document(collector, "pathway")
    found: str = row["pathway_id"]
    return found


def test_a_flows_path_as_json_adds_up_to_its_total(collector: CollectorProcess) -> None:
    found = document(collector, "flow", "orders@0:3", "--view", "critical-path")
    (run,) = found["runs"]
    kinds = [(one["kind"], one["step"]["operation"] or one["step"]["topic"]) for one in run["segments"]]
    assert kinds == [
        ("work", "POST /orders"), ("send", "send orders"), ("wait", "orders"), ("work", "handle order"),
        ("work", "charge"), ("work", "handle order"),
    ]  # fmt: skip
    assert (
        sum(one["to_ns"] - one["from_ns"] for one in run["segments"]) == run["ended_ns"] - run["started_ns"]
    )
    flow = document(collector, "flow", "orders@0:3")["flow"]
    assert (flow["total_ms"], flow["flow_id"]) == (run["total_ms"], found["flow_id"])


def test_a_flows_path_is_drawn_in_eighty_columns(collector: CollectorProcess) -> None:
    lines = text(collector, "flow", "orders@0:3", "--view", "critical-path").splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[2] == "critical path   total 130 ms   6 segments"
    wait = next(line for line in lines if line.startswith("wait in orders for payments"))
    assert "┄" in wait
    assert wait.rstrip().endswith("25 ms   19 %")
    assert any(line.startswith("payments: charge") and "█" in line for line in lines)


def test_a_pathway_says_how_often_each_step_is_on_the_path(collector: CollectorProcess) -> None:
    found = document(collector, "pathway", pathway_of(collector)[:8], *EVER)
    assert (found["flows"], found["flows_in_window"], found["total_p50_ms"]) == (20, 20, 130.0)
    rows = {row["step"]["operation"] or row["step"]["topic"]: row for row in found["steps"]}
    assert {name: row["frequency"] for name, row in rows.items()} == dict.fromkeys(
        ("charge", "orders", "send orders", "handle order", "POST /orders"), 1.0
    )
    assert sum(row["share"] for row in rows.values()) == pytest.approx(1)
    assert rows["charge"]["p95_ms"] == 80.0


def test_a_what_if_counts_the_flows_anew(collector: CollectorProcess) -> None:
    identity = pathway_of(collector)
    nothing = document(collector, "pathway", identity, *EVER, "--what-if", "work x1")["what_if"]
    assert (nothing["total_p50_before_ms"], nothing["total_p50_after_ms"]) == (130.0, 130.0)
    assert (nothing["method"], nothing["became_critical"]) == ("recomputed", [])
    halved = document(collector, "pathway", identity, *EVER, "--what-if", "work operation=charge x0.5")
    # Each is begun 10 ms after both it and its consumer are there, and its consumer is free 40 ms sooner.
    assert halved["what_if"]["total_p50_after_ms"] == 75.0
    drawn = text(collector, "pathway", identity, *EVER, "--what-if", "wait topic=orders group=payments x0")
    assert "total p50 130 ms → 105 ms   -19 %" in drawn
    assert "43 % of the waiting was behind no known handling" in drawn.replace("\n", " ")
    assert max(map(len, drawn.splitlines())) <= 80


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("pathway", "nothing"), 1, "No pathway has the id 'nothing'; `headwater pathways` lists them."),
        (("pathway", "", "--what-if", "wiat x0"), 2, "'wiat' is no kind"),
        (("pathway", "--what-if", "wait x0"), 2, "--what-if needs the id of a pathway"),
        (("flow", "nothing", "--view", "critical-path"), 1, "No flow holds 'nothing'"),
        (
            ("flow", "x", "--view", "map"),
            2,
            "--view is 'map', but takes one of waterfall, critical-path, sequence, graph, table.",
        ),
    ],
)
def test_what_cannot_be_answered_is_said_in_a_sentence(
    collector: CollectorProcess, words: tuple[str, ...], code: int, says: str
) -> None:
    done = api.headwater(*words, "--collector", f"http://{collector.addresses['api']}")
    assert (done.returncode, done.stdout) == (code, b"")
    assert done.stderr.decode().startswith(says)


def test_a_supposition_that_means_nothing_names_what_there_is(collector: CollectorProcess) -> None:
    done = api.headwater(
        "pathway", pathway_of(collector), *EVER, "--what-if", "wait topic=ordres x0",
        "--collector", f"http://{collector.addresses['api']}",
    )  # fmt: skip
    assert done.returncode == 1
    assert "of this kind there are: wait in orders for payments" in done.stderr.decode()


def test_nothing_stored_is_said_with_what_to_do_next(tmp_path: Path) -> None:
    open_store(tmp_path / "headwater.duckdb").close()
    done = api.headwater("pathway", "--store", str(tmp_path))
    assert (done.returncode, done.stdout) == (0, b"")
    assert done.stderr.decode().startswith("No flow has arrived yet;")


def test_flows_too_old_for_the_window_are_said_to_be(collector: CollectorProcess) -> None:
    done = api.headwater(
        "pathway",
        pathway_of(collector),
        "--last",
        "1s",
        "--collector",
        f"http://{collector.addresses['api']}",
    )
    assert done.returncode == 1
    assert "has no flow in this time; --last looks further back" in done.stderr.decode()


def test_many_segments_are_drawn_together_where_they_are_short(tmp_path: Path) -> None:
    spans = [told.work("shop", "A", "root", 0, 1000)]
    spans += [told.work("shop", "A", f"call {n}", n * 10 + 1, 8, "root") for n in range(99)]
    told.a_store(tmp_path, spans).close()
    done = api.headwater(
        "flow", told.trace("A"), "--view", "critical-path", "--store", str(tmp_path),
        environ={"PYTHONIOENCODING": "ascii:replace", "COLUMNS": "80"},
    )  # fmt: skip
    lines = done.stdout.decode("ascii").splitlines()
    assert lines[2] == "critical path   total 1.00 s   199 segments"
    assert 20 < len(lines) < 60
    assert any("short segments" in line and "#" in line for line in lines)


def test_a_store_that_nobody_holds_gives_the_same(tmp_path: Path) -> None:
    told.a_store(tmp_path, stories.retries_and_dead_letter()).close()
    done = api.headwater(
        "flow", told.trace("A"), "--view", "critical-path", "--json", "--store", str(tmp_path)
    )
    (run,) = json.loads(done.stdout)["runs"]
    assert [one["kind"] for one in run["segments"]] == [
        "work", "send", "wait", "work", "send", "backoff", "wait", "work", "send",
    ]  # fmt: skip
    assert run["segments"][5]["attempt"] == 2


def test_a_message_sent_again_after_all_is_a_replay(tmp_path: Path) -> None:
    again = told.send(
        "tool", "T", "again", ("orders", 0, 9), 500, 5, attributes={"headwater.origin": "orders:0:5"}
    )
    handled = told.process("pay", "T", "handle again", ("orders", 0, 9), 520, 10, "again")
    told.a_store(tmp_path, [*stories.chain(), again, handled]).close()
    done = api.headwater(
        "flow", told.trace("A"), "--view", "critical-path", "--json", "--store", str(tmp_path)
    )
    run, replay = json.loads(done.stdout)["runs"]
    assert (run["total_ms"], replay["kind"], replay["total_ms"]) == (120.0, "replay", 30.0)
    assert [one["kind"] for one in replay["segments"]] == ["send", "wait", "work"]


@pytest.mark.parametrize("story", ["chain", "two_groups", "retries_and_dead_letter", "batch"])
def test_spans_of_several_flows_are_those_of_each(tmp_path: Path, story: str) -> None:
    store = told.a_store(tmp_path, getattr(stories, story)())
    ids = [row["flow_id"] for row in told.rows(store, "select flow_id from flows")]
    columns = (
        "flow_id, trace_id, span_id, service, started_at, cause_kind, cause_trace_id, cause_span_id, shared"
    )
    several = told.rows(store, f"select {columns} from spans_of_flows(?) order by all", [ids])
    each = [row for one in ids for row in told.rows(store, f"select {columns} from flow_spans(?)", [one])]
    store.close()
    assert several == sorted(each, key=lambda row: (row["flow_id"], row["trace_id"], row["span_id"]))


def test_nothing_was_fetched_where_no_poll_tells(tmp_path: Path) -> None:
    store = told.a_store(tmp_path, stories.chain())
    found = told.rows(store, "select distinct local_wait_ms from hops")
    store.close()
    assert found == [{"local_wait_ms": None}]


@pytest.mark.skipif(not RECORDING.is_file(), reason="the recorded data is not beside this repository")
def test_every_recorded_flow_has_a_path_that_adds_up(tmp_path: Path) -> None:
    with a_collector(tmp_path) as collector:
        for line in RECORDING.read_bytes().splitlines():
            assert collector.send(line, JSON).status == 200
        collector.wait_for("select count(*) from spans", 547)
        flows = collector.sql("select flow_id, total_ms from flows order by spans desc limit 12")
        for flow_id, total_ms in flows:
            (run,) = document(collector, "flow", flow_id, "--view", "critical-path")["runs"]
            reached = run["started_ns"]
            for segment in run["segments"]:
                assert segment["from_ns"] == reached
                reached = segment["to_ns"]
            assert (reached, run["total_ms"]) == (run["ended_ns"], total_ms)
        (identity,) = collector.sql("select pathway_id from flows order by spans desc limit 1")[0]
        drawn = text(collector, "pathway", identity, *EVER, "--what-if", "work x0.5")
        assert re.search(r"total p50 .* → ", drawn)
