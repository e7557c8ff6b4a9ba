"""`headwater flow --view sequence` and `--view table`: from stored spans to lines."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

import api_helpers as api
import store_helpers as told
from store_helpers import open_store


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The two orders, and a third whose checkout calls a quote service before it sends."""
    store = open_store(tmp_path_factory.mktemp("views") / "headwater.duckdb")
    api.fill_with_a_story(store)
    called = [
        told.work("checkout", "order-3", "order-3 POST /orders", 0, 90),
        told.work("quotes", "order-3", "order-3 quote", 5, 20, "order-3 POST /orders"),
        told.work("quotes", "order-3", "order-3 look up", 6, 10, "order-3 quote"),
    ]
    told.fill(store, called)
    with api.serving(store) as served:
        yield served
    store.close()


def shown(url: str, flow: str, *words: str, **environ: str) -> str:
    done = api.headwater("flow", flow, *words, "--collector", url, environ=environ)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode(environ.get("PYTHONIOENCODING", "utf-8"))


def test_the_sequence_goes_from_service_to_topic_to_service(url: str) -> None:
    found = json.loads(shown(url, "orders@0:8", "--view", "sequence", "--json"))
    names = [one["name"] for one in found["participants"]]
    assert names == ["checkout", "orders", "payments", "paid", "inventory"]
    assert [one["kind"] for one in found["participants"]] == [
        "service",
        "topic",
        "service",
        "topic",
        "service",
    ]
    assert [(one["kind"], names[one["source"]], names[one["target"]], one["wait_ms"]) for one in found["steps"]] == [
        ("start", "checkout", "checkout", None), ("send", "checkout", "orders", None),
        ("deliver", "orders", "payments", 2000.0), ("send", "payments", "paid", None),
        ("deliver", "paid", "inventory", 300.0),
    ]  # fmt: skip
    assert [one["failed"] for one in found["steps"]] == [False, False, True, False, False]
    assert not found["cut"]


def test_a_call_is_an_arrow_and_work_inside_of_a_service_is_none(url: str) -> None:
    found = json.loads(shown(url, told.trace("order-3"), "--view", "sequence", "--json"))
    assert [(one["kind"], one["label"]) for one in found["steps"]] == [
        ("start", "order-3 POST /orders"), ("call", "order-3 quote"),
    ]  # fmt: skip


@pytest.mark.parametrize("columns", ["80", "160"])
def test_the_diagram(url: str, columns: str) -> None:
    head, *lines = shown(url, "orders@0:8", "--view", "sequence", COLUMNS=columns).splitlines()
    assert head.split()[:2] == ["checkout", "orders"] and len(lines) == 5
    assert max(len(line) for line in [head, *lines]) <= int(columns)
    charged = next(line for line in lines if "2.02 s" in line)
    assert "waited 2.00 s" in charged and charged.index("▶") < head.index("payments")
    assert charged.index("▶") > head.index("orders")


def test_a_terminal_without_signs_gets_ascii(url: str) -> None:
    text = shown(url, "orders@0:8", "--view", "sequence", PYTHONIOENCODING="ascii")
    assert ">" in text and "waited 2.00 s" in text


def test_the_table_has_a_row_a_hop(url: str) -> None:
    head, *rows = shown(url, "orders@0:8", "--view", "table", COLUMNS="160").splitlines()
    assert head.split()[:5] == ["message", "group", "try", "from", "to"]
    assert rows[0].split()[:5] == ["orders@0:8", "payments", "1", "checkout", "payments"]
    assert "2.00 s" in rows[0] and "✗ error" in rows[0] and len(rows) == 2
    narrow = shown(url, "orders@0:8", "--view", "table", COLUMNS="80").splitlines()
    assert len(narrow) == 3 and "from" not in narrow[0].split()
    found = json.loads(shown(url, "orders@0:8", "--view", "table", "--json"))
    assert [hop["topic"] for hop in found] == ["orders", "paid"]


def test_a_flow_without_messages_says_so(url: str) -> None:
    done = api.headwater("flow", told.trace("order-3"), "--view", "table", "--collector", url)
    assert done.returncode == 0 and "No message" in done.stderr.decode()
