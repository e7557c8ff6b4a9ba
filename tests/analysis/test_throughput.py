"""Latency against throughput: the rates there were, and the knee where waiting begins to grow."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator

import pytest

import api_helpers as api
import store_helpers as told
from headwater_analysis.flows import NotFound
from headwater_analysis.throughput import Point, knee, of_group, of_pathway
from headwater_analysis.window import Window
from headwater_collector.store import Store
from store_helpers import Told, process, send

CAPACITY = 10
"""Messages that the one consumer handles in a second."""


def points(wait: Callable[[float], float | None], rates: list[float]) -> list[Point]:
    return [Point(n, 1, rate, None, None, None, wait(rate)) for n, rate in enumerate(rates)]


def a_queue(rate: float) -> float:
    """Waiting before one server of 100 a second (M/M/1), in milliseconds."""
    return 10 * (rate / 100) / (1 - rate / 100)


NOISE = random.Random(1)
RISING = [float(rate) for rate in range(2, 98, 2)]


@pytest.mark.parametrize(
    ("sentence", "wait", "rates", "least", "most"),
    [
        ("a full queue has a knee shortly before it is full", a_queue, RISING, 80, 96),
        ("level and then rising", lambda rate: 5 + max(rate - 40, 0) * 3, RISING, 36, 44),
        ("noise hides none", lambda rate: NOISE.uniform(4, 6) + max(rate - 40, 0) * 3, RISING, 34, 46),
    ],
)
def test_a_knee_is_found(
    sentence: str, wait: Callable[[float], float], rates: list[float], least: float, most: float
) -> None:
    found, evidence = knee(points(wait, rates))
    assert found is not None and least <= found.rate <= most, sentence
    assert found.wait_after_ms > 2 * found.wait_before_ms and "a second" in evidence


@pytest.mark.parametrize(
    ("sentence", "wait", "rates", "says"),
    [
        ("level waits", lambda rate: 5.0, RISING, "did not begin to grow"),
        ("nothing but noise", lambda rate: NOISE.uniform(1, 9), RISING, "did not begin to grow"),
        ("waits that grow from the beginning", lambda rate: 5 + rate, RISING, "did not begin to grow"),
        ("waits that shrink", lambda rate: 500 - rate, RISING, "did not begin to grow"),
        ("one rate", lambda rate: NOISE.uniform(1, 99), [50.0] * 30, "hardly changed"),
        ("few stretches", a_queue, [1.0, 50.0, 90.0], "Too little to tell"),
        ("no known waits", lambda rate: None, RISING, "Too little to tell"),
    ],
)
def test_where_nothing_shows_a_knee_none_is_named(
    sentence: str, wait: Callable[[float], float | None], rates: list[float], says: str
) -> None:
    found, evidence = knee(points(wait, rates))
    assert found is None and says in evidence, sentence


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A consumer of ten a second; the rate rises in thirty seconds from two a second to beyond that."""
    spans: list[Told] = []
    free, offset = 0.0, 0
    for second in range(30):
        rate = 2 + second * 11 // 30
        for number in range(rate):
            sent = second * 1000 + number * 1000 / rate
            began = max(sent + 2, free)
            free = began + 1000 / CAPACITY
            place = ("orders", 0, offset)
            spans.append(send("shop", f"T{offset}", f"send {offset}", place, sent, 1))
            handled = process(
                "pay", f"T{offset}", f"pay {offset}", place, began, 1000 / CAPACITY, f"send {offset}"
            )
            spans.append(handled)
            offset += 1
    for _, span in spans:
        span.name = span.name.split()[0]
    opened = told.a_store(tmp_path_factory.mktemp("throughput"), spans)
    yield opened
    opened.close()


def test_a_queue_that_fills_up_has_its_knee_below_what_its_consumer_can_do(store: Store) -> None:
    source = told.StoreSource(store)
    [(identity,)] = store.read("select pathway_id from pathways")
    found = of_pathway(source, identity[:6], Window())
    assert sum(point.count for point in found.points) <= store.read("select count(*) from flows")[0][0]
    assert [point.rate for point in found.points] == sorted(point.rate for point in found.points)
    assert found.knee is not None and 6 <= found.knee.rate <= CAPACITY + 1
    by_group = of_group(source, "pay", Window(), "orders")
    assert by_group.knee is not None and by_group.consumer_group == "pay"
    with pytest.raises(NotFound, match="no messages in this time"):
        of_group(source, "nobody", Window())


def test_the_command_draws_it(store: Store) -> None:
    [(identity,)] = store.read("select pathway_id from pathways")
    with api.serving(store) as url:
        asked = ("pathway", identity, "--throughput", "--last", "9999d", "--collector", url)
        drawn, printed = api.headwater(*asked), api.headwater(*asked, "--json")
        without = api.headwater("pathway", "--throughput", "--collector", url)
    assert drawn.returncode == 0 and "waiting begins to grow here" in drawn.stdout.decode()
    assert json.loads(printed.stdout)["knee"]["rate"] > 0
    assert max(len(line) for line in drawn.stdout.decode().splitlines() if "█" in line) <= 100
    assert without.returncode == 2 and b"--throughput needs the id" in without.stderr


def test_the_command_for_queues_draws_a_groups(store: Store) -> None:
    with api.serving(store) as url:
        asked = ("queues", "--throughput", "--last", "9999d", "--collector", url)
        drawn = api.headwater(*asked, "--group", "pay", "--topic", "orders")
        printed = api.headwater(*asked, "--group", "pay", "--json")
        nobody, without = api.headwater(*asked, "--group", "nobody"), api.headwater(*asked)
    assert drawn.stdout.decode().startswith("group pay on orders\n")
    assert "waiting begins to grow here" in drawn.stdout.decode()
    answer = json.loads(printed.stdout)
    assert (answer["consumer_group"], answer["topic"]) == ("pay", None) and answer["knee"]["rate"] > 0
    assert nobody.returncode != 0 and b"The group nobody has no messages in this time" in nobody.stderr
    assert without.returncode == 2 and b"--throughput needs --group" in without.stderr
