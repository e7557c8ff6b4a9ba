"""The ledger of a simulated shop against what the shop knows, spans in as OTLP, rows out by SQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ledger_scores
import ledger_shop
from headwater_analysis.local import LocalSource
from store_helpers import open_store

ORDERS = 3000
ASKED = (
    "select topic, partition, message_offset, consumer_group, state, stuck, no_successor, confidence, evidence "
    "from ledger"
)


@pytest.fixture(scope="module")
def shop() -> ledger_shop.Shop:
    return ledger_shop.Simulation(ORDERS).run()


def asked(folder: Path, shop: ledger_shop.Shop, share: float) -> dict[ledger_shop.Pair, tuple[Any, ...]]:
    """The ledger's rows by message and group, with that share of the traces stored."""
    store = open_store(folder / "headwater.duckdb")
    ledger_shop.store(shop, store, None if share == 1 else ledger_shop.sampled(shop.spans, share))
    store.close()
    source = LocalSource(folder)
    rows = source.query(ASKED).rows
    source.close()
    found = {row[:4]: row[4:] for row in rows}
    assert len(found) == len(rows), "one row a message and group"
    return found


@pytest.fixture(scope="module")
def full(
    tmp_path_factory: pytest.TempPathFactory, shop: ledger_shop.Shop
) -> Iterator[dict[ledger_shop.Pair, tuple[Any, ...]]]:
    yield asked(tmp_path_factory.mktemp("full"), shop, 1)


def test_with_all_spans_every_state_is_told_exactly(
    shop: ledger_shop.Shop, full: dict[ledger_shop.Pair, tuple[Any, ...]]
) -> None:
    scores = ledger_scores.score(shop.truth, {pair: row[0] for pair, row in full.items()})
    assert [(one.state, one.precision, one.recall) for one in scores if one.precision * one.recall < 1] == []
    assert {one.state for one in scores} >= {
        "aborted", "dead_lettered", "retried", "replayed", "duplicate", "done", "failed", "processing", "expired",
        "waiting", "passed", "unsettled", "skipped",
    }  # fmt: skip


def test_with_all_spans_what_is_stuck_or_led_nowhere_is_told_exactly(
    shop: ledger_shop.Shop, full: dict[ledger_shop.Pair, tuple[Any, ...]]
) -> None:
    flags = {pair: (truth.stuck, truth.no_successor) for pair, truth in shop.truth.items()}
    assert {pair: row[1:3] for pair, row in full.items() if row[1:3] != flags[pair]} == {}
    assert {stuck for stuck, _ in flags.values()} == {True, False, None}
    assert any(barren for _, barren in flags.values())


def test_every_row_says_what_it_rests_on(full: dict[ledger_shop.Pair, tuple[Any, ...]]) -> None:
    for _, _, _, confidence, evidence in full.values():
        assert evidence["says"].endswith(".")
        assert confidence is None or 0 < confidence <= 1


def test_with_a_tenth_of_the_traces_what_is_claimed_is_right_and_the_rest_left_open(
    tmp_path: Path, shop: ledger_shop.Shop
) -> None:
    found = asked(tmp_path, shop, 0.1)
    claims = {pair: row[0] for pair, row in found.items() if row[0] not in ("passed", None)}
    assert {pair: state for pair, state in claims.items() if state != shop.truth[pair].state} == {}
    assert len({*claims.values()}) >= 8
    assert "skipped" not in claims.values()
