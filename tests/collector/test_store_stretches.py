"""Flows of a stretch of time, by their ids and the newest are those that a look at all flows finds."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

import store_helpers as told
from builders import a_span
from headwater_collector.store import Store

MINUTE_MS = 60_000
TRACES = 40
COUNTED = (
    "pathway_id, entry_service, entry_name, count(*), count(*) filter (errors > 0), sum(dead_letters)::bigint"
)


def _trace(number: int) -> str:
    """Ids of which several have the same half, that by which parts of flows are looked up."""
    return f"{number + 1:016x}{number % 7 + 1:016x}"


def _spans(dice: random.Random, number: int) -> Iterator[Any]:
    """Of one trace: most within a second, some hours before or after, some without a time."""
    begun = dice.randrange(60) * MINUTE_MS
    for place in range(dice.randrange(1, 5)):
        start = begun + place * 100 + dice.choice((0, 0, 0, 1, -1)) * dice.randrange(90) * MINUTE_MS
        end = start + dice.randrange(50)
        yield (
            f"service-{dice.randrange(3)}",
            a_span(
                f"step {place}",
                trace_id=_trace(number),
                start_ns=0 if dice.random() < 0.05 else told.at(start),
                end_ns=0 if dice.random() < 0.05 else told.at(end),
                error="refused" if dice.random() < 0.1 else None,
            ),
        )


@pytest.fixture(scope="module", params=[1, 2])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Each trace is spread over three flushes, so that a flow has several parts."""
    dice = random.Random(request.param)
    flushes: list[list[Any]] = [[], [], []]
    for number in range(TRACES):
        for one in _spans(dice, number):
            dice.choice(flushes).append(one)
    opened = told.a_store(tmp_path_factory.mktemp("stretches"), *flushes)
    yield opened
    opened.close()


def _stretches() -> list[tuple[int | None, int | None]]:
    dice = random.Random(5)
    bounded = [sorted(told.at(dice.randrange(-60, 120) * MINUTE_MS) for _ in range(2)) for _ in range(5)]
    return [
        *((since, until) for since, until in bounded),
        (None, told.at(20 * MINUTE_MS)),
        (told.at(0), None),
    ]


@pytest.mark.parametrize("stretch", _stretches())
def test_a_stretch_holds_the_flows_that_begin_in_it(
    store: Store, stretch: tuple[int | None, int | None]
) -> None:
    between = "make_timestamp_ns(?), make_timestamp_ns(?)"
    within = (
        f"(select f.* from flows f, (select {between}) w(since, until) "
        "where coalesce(started_at >= since, true) and coalesce(started_at < until, true) and started_at is not null)"
    )
    asked = list(stretch)
    flows = store.read(f"from {within} order by flow_id", asked)
    assert store.read(f"from flows_between({between}) order by flow_id", asked) == flows
    newest = f"from {within} order by started_at desc, flow_id limit 3"
    chosen = f"from newest_flows({between}, 3) order by started_at desc, flow_id"
    assert store.read(chosen, asked) == store.read(newest, asked)
    counted = f"select {COUNTED} from {within} group by all order by all"
    pathways = f"select * from pathways_between({between}) order by pathway_id"
    found = told.rows(store, pathways, asked)
    shown = ("pathway_id", "entry_service", "entry_name", "flows", "errors", "dead_letters")
    assert [tuple(row[name] for name in shown) for row in found] == store.read(counted, asked)


def test_flows_are_found_by_their_ids_among_others_with_the_same_half(store: Store) -> None:
    wanted = [_trace(number) for number in (3, 10, 17, 30)]
    assert _trace(3)[16:] == _trace(10)[16:]
    named = store.read("from flows_named(?) order by flow_id", [wanted])
    assert len(named) == 4
    assert named == store.read("from flows where flow_id in (select unnest(?)) order by flow_id", [wanted])
    for flow_id in wanted:
        spans = "select count(*) from {} where trace_id = ?"
        [(stored,)] = store.read(spans.format("spans"), [flow_id])
        assert store.read("select count(*), min(trace_id) from flow_spans(?)", [flow_id]) == [
            (stored, flow_id)
        ]
