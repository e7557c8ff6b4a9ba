"""What else the ledger knows: what was overtaken, what was taken back, and when a flow had converged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import api_helpers as api
import store_helpers as told
import store_stories as stories

KEY = {"headwater.key.hash": "k1"}
EVER = ("--last", "9999d")


def asked(folder: Path, *words: str) -> Any:
    """What the command says to machines."""
    done = api.headwater("ledger", *words, *EVER, "--store", str(folder), "--json")
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def sent(offset: int, topic: str = "orders", **marks: str) -> told.Told:
    return told.send(
        "shop", f"t{offset}", f"send {topic} {offset}", (topic, 0, offset), 0, 5, attributes=KEY | marks
    )


def handled(offset: int, start_ms: float, topic: str = "orders", nth: int = 1, **more: Any) -> told.Told:
    name = f"{topic} {offset} {nth}"
    return told.process(
        "pay", f"t{offset}", name, (topic, 0, offset), start_ms, 10, f"send {topic} {offset}", **more
    )


ORIGIN = {"headwater.origin": "orders:0:5", "headwater.retry.origin": "orders:0:5"}


@pytest.mark.parametrize(
    ("sentence", "spans", "found"),
    [
        ("handled in the order of offsets", [sent(5), sent(6), handled(5, 100), handled(6, 200)], []),
        ("a later one began first", [sent(5), sent(6), handled(5, 200), handled(6, 100)], [("orders", 5, 6)]),
        ("another key may go first",
         [sent(5), sent(6, **{"headwater.key.hash": "k2"}), handled(5, 200), handled(6, 100)], []),
        ("trying again at once keeps the order",
         [sent(5), sent(6), handled(5, 100, error="x"), handled(5, 200, nth=2), handled(6, 300)], []),
        ("read again after a later one does not",
         [sent(5), sent(6), handled(5, 100), handled(6, 200), handled(5, 300, nth=2)], [("orders", 5, 6)]),
        ("overtaken by way of a retry topic",
         [sent(5), sent(6), handled(5, 100, error="x"), handled(6, 200), sent(1, "orders-retry", **ORIGIN),
          handled(1, 300, "orders-retry", group="pay-retry")], [("orders-retry", 1, 6)]),
    ],
)  # fmt: skip
def test_what_began_after_a_later_message_with_its_key_is_out_of_order(
    tmp_path: Path, sentence: str, spans: list[told.Told], found: list[tuple[str, int, int]]
) -> None:
    told.a_store(tmp_path, spans).close()
    rows = asked(tmp_path, "ordering")
    assert [(row["topic"], row["message_offset"], row["overtaken_by_offset"]) for row in rows] == found, (
        sentence
    )


def test_without_hashes_of_keys_it_says_how_to_record_them(tmp_path: Path) -> None:
    told.a_store(tmp_path, stories.chain()).close()
    done = api.headwater("ledger", "ordering", *EVER, "--store", str(tmp_path))
    assert "HEADWATER_KAFKA_CAPTURE_KEY=hash" in done.stderr.decode()


def test_compensations_are_counted_by_the_pathway_that_they_happen_in(tmp_path: Path) -> None:
    event, undone = {"headwater.event.id": "e-5"}, {"headwater.compensates": "e-5"}
    spans = [
        told.work("shop", "A", "checkout", 0, 500),
        told.send("shop", "A", "reserve", ("orders", 0, 5), 5, 5, "checkout", attributes=event),
        told.send("shop", "A", "undo", ("orders", 0, 6), 300, 5, "checkout", attributes=undone),
        told.send("shop", "A", "undo again", ("orders", 0, 7), 400, 5, "checkout", attributes=undone),
    ]
    store = told.a_store(tmp_path, spans)
    rows = told.rows(store, "from compensations_since(make_timestamp_ns(0)) order by message_offset")
    store.close()
    assert [(row["message_offset"], row["of_topic"], row["of_offset"]) for row in rows] == [
        (6, "orders", 5), (7, "orders", 5),
    ]  # fmt: skip
    [counted] = asked(tmp_path, "compensations")
    assert (counted["entry_service"], counted["entry_name"]) == ("shop", "checkout")
    assert (counted["topic"], counted["messages"], counted["events"]) == ("orders", 2, 1)


def test_a_flow_has_converged_when_it_is_complete(tmp_path: Path) -> None:
    store = told.a_store(tmp_path, stories.chain())
    [flow] = told.rows(store, "from flows")
    assert (flow["complete"], flow["converged_ms"]) == (True, flow["total_ms"])
    told.fill(store, [told.send("pay", "A", "one more", ("payments", 1, 10), 130, 5, "process orders")])
    [flow] = told.rows(store, "from flows")
    assert (flow["complete"], flow["converged_ms"]) == (False, None)
    store.close()


def test_the_arguments_of_the_ledger_reach_what_is_read(tmp_path: Path) -> None:
    """A filter on the answer would come after all has been judged; these come before anything is joined."""
    store = told.a_store(tmp_path, stories.chain())
    since, until = "'2026-09-21 14:13:20.001'::timestamp_ns", "'2026-09-21 14:13:20.01'::timestamp_ns"
    asked_for = f"select state, count(*) from ledger_between('orders', 'pay', {since}, {until}) group by all"
    [(_, plan)] = store.read(f"explain (format json) {asked_for}")
    scans = list(_scans(json.loads(plan)))
    store.close()
    messages = [
        filters for table, filters in scans if table == "message_rows" and "topic='orders'" in filters
    ]
    assert any("sent_at>='2026-09-21 14:13:20.001'" in filters for filters in messages)
    hops = [filters for table, filters in scans if table == "hop_rows" and filters != "None"]
    assert hops
    assert all("topic='orders'" in filters and "consumer_group='pay'" in filters for filters in hops)


def _scans(nodes: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Each table that a plan reads, and the filters of that reading as text."""
    for node in nodes:
        said = node.get("extra_info", {})
        if "Table" in said:
            yield said["Table"].split(".")[-1], str(said.get("Filters"))
        yield from _scans(node.get("children", []))
