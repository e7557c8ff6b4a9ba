"""`headwater topology`: from stored spans to the graph and its picture; layers of any graph."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

import api_helpers as api
import store_helpers as told
from headwater_analysis.layout.topology import layers
from store_helpers import open_store


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Two orders through payments to inventory, and an audit that reads what payments reads."""
    store = open_store(tmp_path_factory.mktemp("topology") / "headwater.duckdb")
    api.fill_with_a_story(store)
    audits = [
        told.process(
            "audit", "order-1", "audit", ("orders", 0, 7), 90_015, 5, "order-1 send orders", group="books"
        )
    ]
    told.fill(store, audits)
    store.write(
        lambda writer: writer.append(
            "group_health_now",
            [
                {"sampled_at": api.POLLED, "since": api.POLLED, "cluster": api.CLUSTER, "partitions": 1,
                 "consumer_group": "legacy", "topic": "paid", "status": "stopped", "lag": 44},
            ],
        )
    )  # fmt: skip
    with api.serving(store) as served:
        yield served
    store.close()


def printed(url: str, *words: str, columns: int | None = None) -> str:
    environ = {} if columns is None else {"COLUMNS": str(columns)}
    done = api.headwater("topology", "--last", "9999d", *words, "--collector", url, environ=environ)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode() + done.stderr.decode()


def test_the_graph_says_who_sends_and_who_reads(url: str) -> None:
    found = json.loads(printed(url, "--json"))
    assert {(one["service"], one["topic"], one["messages"]) for one in found["sends"]} == {
        ("checkout", "orders", 2), ("payments", "paid", 2),
    }  # fmt: skip
    reads = {(one["topic"], one["consumer_group"], one["service"]): one for one in found["reads"]}
    assert set(reads) == {
        ("orders", "payments", "payments"), ("orders", "books", "audit"), ("paid", "inventory", "inventory"),
        ("paid", "legacy", None),
    }  # fmt: skip
    assert reads["orders", "payments", "payments"]["wait_p95_ms"] == 2000.0
    assert reads["orders", "payments", "payments"]["status"] == "stalled"
    assert reads["orders", "payments", "payments"]["errors"] == 1
    assert reads["orders", "payments", "payments"]["ages"] == [0, 0, 0, 2, 0, 0]
    assert reads["orders", "books", "audit"]["ages"] == [0, 0, 0, 0, 0, 1]
    assert reads["paid", "inventory", "inventory"]["ages"] == [0, 0, 2, 0, 0, 0]
    assert (reads["paid", "legacy", None]["messages"], reads["paid", "legacy", None]["lag"]) == (0, 44)


def test_layers_go_from_what_starts_to_what_ends(url: str) -> None:
    found = json.loads(printed(url, "--json"))["layers"]
    assert found[:2] == [["service checkout"], ["topic orders"]]
    assert sorted(found[2]) == ["service audit", "service payments"]
    assert found[3] == ["topic paid"] and sorted(found[4]) == ["group legacy", "service inventory"]


@pytest.mark.parametrize("columns", [None, 80, 200])
def test_the_picture(url: str, columns: int | None) -> None:
    lines = printed(url, columns=columns).splitlines()
    (orders,) = [line for line in lines if " checkout ─" in line]
    assert "orders" in orders and "p95 2.00 s" in orders and "■ stalled" in orders
    assert any("audit (b" in line and line.strip().startswith("└") for line in lines)
    assert any("[legacy]" in line and "lag 44" in line for line in lines)
    if columns == 80:
        assert max(line.index("p95") for line in lines if "p95" in line) < 80


def test_one_topic_alone(url: str) -> None:
    assert "orders" not in printed(url, "--topic", "paid")
    assert "No message" in printed(url, "--topic", "nothing")


graphs = st.sets(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("abcdefgh")), max_size=25)


@given(graphs, st.randoms())
def test_every_node_has_one_place_whatever_the_order_and_the_circles(
    edges: set[tuple[str, str]], shuffling: object
) -> None:
    mixed = list(edges)
    shuffling.shuffle(mixed)  # type: ignore[attr-defined]
    found = layers(mixed)
    assert found == layers(sorted(edges))
    placed = [node for row in found for node in row]
    assert sorted(placed) == sorted({node for edge in edges for node in edge})
    assert all(row for row in found)


@given(graphs)
def test_without_a_circle_every_edge_leads_to_the_right(edges: set[tuple[str, str]]) -> None:
    forward = {(min(edge), max(edge)) for edge in edges if edge[0] != edge[1]}
    depth = {node: at for at, row in enumerate(layers(forward)) for node in row}
    assert all(depth[start] < depth[end] for start, end in forward)


def test_a_long_chain_is_no_recursion() -> None:
    chain = [(f"{at:06}", f"{at + 1:06}") for at in range(20_000)]
    assert len(layers(chain)) == 20_001
