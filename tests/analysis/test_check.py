"""`headwater check`: budgets and steadiness, from stored spans to an exit code."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import api_helpers as api
import store_helpers as told
from headwater_analysis.check import budgets, statistics
from headwater_analysis.errors import UsageError
from headwater_analysis.window import Window
from headwater_collector.store import Writer
from store_helpers import open_store

FLOWS = 60
MINUTE = 60_000
BEGUN = datetime.fromtimestamp(told.START_NS / 1e9, UTC)


def an_order(at: int, start_ms: float, wait_ms: float, failed: bool = False) -> list[told.Told]:
    """Checkout sends to payments, which begins after a wait and works for 40 ms."""
    name = f"order-{at}"
    more: dict[str, Any] = {"error": "504", "attributes": {"error.type": "GatewayTimeout"}} if failed else {}
    place = ("orders", 0, at)
    return [
        told.work("checkout", name, "POST /orders", start_ms, 30),
        told.send("checkout", name, f"{name} send orders", place, start_ms + 5, 10, "POST /orders"),
        told.process(
            "payments",
            name,
            f"{name} charge",
            place,
            start_ms + 15 + wait_ms,
            40,
            f"{name} send orders",
            **more,
        ),
    ]


def polls(seconds: float, start_minute: int) -> list[dict[str, Any]]:
    """Ten minutes of polls of a group with about that lag."""
    begun = BEGUN.replace(tzinfo=None) + timedelta(minutes=start_minute)
    return [
        {
            "sampled_at": begun + timedelta(seconds=6 * poll), "cluster": "c", "consumer_group": "payments",
            "topic": "orders", "incarnation": 1, "partition": 0, "committed": poll, "lag": 3,
            "lag_seconds": seconds + (poll % 5) / 10, "lag_method": "record",
        }
        for poll in range(100)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Ten minutes as always; ten in which payments waits longer and fails more; ten as at first."""
    store = open_store(tmp_path_factory.mktemp("check") / "headwater.duckdb")
    draw = random.Random(7)
    story: list[told.Told] = []
    for window, (wait, failing) in enumerate(((100, 0.0), (400, 0.3), (100, 0.0))):
        for at in range(FLOWS):
            start = (window * 10 + at * 10 / FLOWS) * MINUTE
            spread = draw.uniform(0.8, 1.2)
            number = window * FLOWS + at
            story += an_order(number, start, wait * spread, draw.random() < failing)
    told.fill(store, story)

    def watch(writer: Writer) -> None:
        for window, lag in enumerate((2.0, 20.0, 2.0)):
            writer.append("commit_samples", polls(lag, window * 10))

    store.write(watch)
    with api.serving(store) as served:
        yield served
    store.close()


def between(first: int, last: int) -> str:
    """Minutes of the story, as a window."""
    return "..".join((BEGUN + timedelta(minutes=minute)).isoformat() for minute in (first, last))


def checked(url: str, *words: str) -> tuple[int, Any]:
    """Exit code and what it says as JSON."""
    done = api.headwater("check", *words, "--json", "--collector", url)
    assert done.returncode in (0, 1), done.stderr.decode()
    return done.returncode, json.loads(done.stdout)


def budget(folder: Path, text: str) -> str:
    (folder / "budgets.toml").write_text(text)
    return str(folder / "budgets.toml")


ORDERS = '[[budget]]\npathway = "checkout POST /orders"\n'


def test_a_kept_budget_ends_with_0(url: str, tmp_path: Path) -> None:
    path = budget(
        tmp_path, ORDERS + 'total = "300ms"\nwork = "50ms"\nerrors = 0\nduplicates = 0\ndead_letters = 0\n'
    )
    code, found = checked(url, path, "--window", between(0, 10))
    assert code == 0
    assert [(one["measure"], one["verdict"], one["observed"]) for one in found] == [
        ("total", "ok", FLOWS), ("work", "ok", FLOWS), ("errors", "ok", FLOWS), ("dead_letters", "ok", FLOWS),
        ("duplicates", "ok", FLOWS),
    ]  # fmt: skip
    total, work = found[0]["seen"], found[1]["seen"]
    assert 135 < total < 180 and math.isclose(work, 40, abs_tol=0.01)


def test_a_breach_ends_with_1_and_names_the_wait_and_flows(url: str, tmp_path: Path) -> None:
    path = budget(tmp_path, ORDERS + 'total = "300ms"\nerrors = "5%"\n')
    code, (total, errors) = checked(url, path, "--window", between(0, 20))
    assert code == 1
    assert total["verdict"] == errors["verdict"] == "breach"
    first = total["blamed"][0]
    assert (first["topic"], first["consumer_group"], first["part"]) == ("orders", "payments", "wait")
    assert first["share"] > 0.99
    assert 0.05 < errors["seen"] < 0.3 and errors["blamed"][0]["part"] == "GatewayTimeout"
    assert len(total["examples"]) == 3
    shown = api.headwater("flow", total["examples"][0], "--json", "--collector", url)
    assert json.loads(shown.stdout)["flow"]["total_ms"] > 300


def test_a_group_on_a_topic_is_judged_by_its_deliveries_and_its_lag(url: str, tmp_path: Path) -> None:
    path = budget(
        tmp_path,
        '[[budget]]\ntopic = "orders"\ngroup = "payments"\nwait = "200ms"\nquantile = 0.5\nlag = "10s"\n',
    )
    code, (wait, lag) = checked(url, path, "--window", between(0, 10))
    assert code == 0 and 80 < wait["seen"] < 120 and lag["seen"] == 2.4
    code, (wait, lag) = checked(url, path, "--window", between(10, 20))
    assert code == 1 and (wait["verdict"], lag["verdict"]) == ("breach", "breach")
    assert lag["seen"] == 20.4 and wait["blamed"][0]["part"] == "wait"


def test_too_few_flows_give_no_verdict_and_strict_counts_that(url: str, tmp_path: Path) -> None:
    path = budget(tmp_path, ORDERS + 'total = "1ms"\n')
    window = ("--window", between(0, 2))
    code, (found,) = checked(url, path, *window)
    assert (code, found["verdict"], found["observed"]) == (0, "unknown", 12)
    assert checked(url, path, *window, "--strict")[0] == 1


def test_people_get_a_table(url: str, tmp_path: Path) -> None:
    path = budget(tmp_path, ORDERS + 'name = "orders are quick"\ntotal = "300ms"\n')
    done = api.headwater("check", path, "--window", between(10, 20), "--collector", url)
    assert done.returncode == 1
    head, line = done.stdout.decode().splitlines()
    assert head.split() == ["budget", "measure", "limit", "seen", "of", "verdict", "used", "up", "by"]
    assert "orders are quick" in line and "✗ breach" in line and "total p95" in line
    assert "headwater flow" in done.stderr.decode()


def verdicts(found: list[dict[str, Any]], what: str) -> dict[str, str]:
    return {one["measure"]: one["verdict"] for one in found if one["what"] == what}


def test_what_became_worse_is_told_from_what_did_not(url: str) -> None:
    code, found = checked(url, "steady", "--baseline", between(0, 10), "--window", between(10, 20))
    assert code == 1
    orders = verdicts(found, "checkout POST /orders")
    assert orders == {"throughput": "steady", "total_p50": "worse", "total_p95": "worse", "errors": "worse"}
    assert verdicts(found, "payments on orders") == {"lag": "worse"}
    (slower,) = [one for one in found if one["measure"] == "total_p50"]
    assert (
        slower["low"] < slower["difference"] < slower["high"] and 250 < slower["low"] < slower["high"] < 350
    )


def test_what_became_better_is_no_fault(url: str) -> None:
    code, found = checked(url, "steady", "--baseline", between(10, 20), "--window", between(20, 30))
    assert code == 0
    assert verdicts(found, "checkout POST /orders")["total_p95"] == "better"
    assert verdicts(found, "payments on orders") == {"lag": "better"}


def test_two_windows_alike_are_steady(url: str) -> None:
    code, found = checked(url, "steady", "--baseline", between(0, 10), "--window", between(20, 30))
    assert code == 0 and {one["verdict"] for one in found} == {"steady"}


def test_nothing_in_either_window_is_said(url: str) -> None:
    done = api.headwater("check", "steady", "--baseline", "2h..1h", "--window", "30m", "--collector", url)
    assert done.returncode == 0 and "Neither window" in done.stderr.decode()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "or none of them"),
        ("[[budget]]\n", "say one of these"),
        (ORDERS, "limits nothing"),
        (ORDERS + "totl = 1\n", "did you mean total?"),
        (ORDERS + "total = 1\n", 'such as "500ms"'),
        (ORDERS + 'total = "soon"\n', "is no duration"),
        (ORDERS + 'errors = "many"\n', "takes a share"),
        (ORDERS + 'errors = 2\n', "takes a share"),
        (ORDERS + 'lag = "1s"\n', "no measure of a pathway"),
        (ORDERS + 'total = "1s"\nquantile = 95\n', "quantile"),
        (ORDERS + 'total = "1s"\nat_least = 0\n', "at_least"),
        (ORDERS + 'total = "1s"\ntopic = "t"\n', "say one of these"),
        (2 * (ORDERS + 'total = "1s"\n'), "Two budgets"),
        ("budget = 1\n", "or none of them"),
        ("nonsense", "are no TOML"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_answered_with_the_place(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=r".") as wrong:
        budgets.read(Path(budget(tmp_path, text)))
    assert sentence in str(wrong.value)


@pytest.mark.parametrize("text", ["10m", "now..10m", "soon..now", "10m..10m"])
def test_a_stretch_of_time_that_is_none(text: str) -> None:
    with pytest.raises(UsageError):
        Window.between(text)


samples = st.lists(st.floats(0.1, 1e6), min_size=2, max_size=40)


@given(samples, samples, st.sampled_from([0.5, 0.95]))
def test_an_interval_holds_its_difference_and_turns_round(
    a: list[float], b: list[float], quantile: float
) -> None:
    there, back = statistics.of_batches(a, b), statistics.of_batches(b, a)
    assert there is not None and back is not None
    assert there.low <= there.value <= there.high
    assert math.isclose(there.value, -back.value, abs_tol=1e-6) and math.isclose(
        there.low, -back.high, abs_tol=1e-6
    )
    same = statistics.of_quantiles(a, a, quantile)
    assert same.value == 0 and same.low <= 0 <= same.high


@given(st.integers(0, 50), st.integers(0, 50))
def test_the_interval_of_two_shares_stays_between_minus_one_and_one(a: int, b: int) -> None:
    found = statistics.of_shares((a, 50), (b, 50))
    assert -1 <= found.low <= found.value <= found.high <= 1
    assert math.isclose(found.value, (b - a) / 50, abs_tol=1e-12)


def test_the_interval_of_two_shares_is_newcombes() -> None:
    # Newcombe 1998, table II, (a): 56/70 less 48/80, method 10.
    found = statistics.of_shares((48, 80), (56, 70))
    assert (round(found.low, 4), round(found.high, 4)) == (0.0524, 0.3339)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    draw, held = random.Random(3), 0
    for _ in range(200):
        a, b = ([draw.gauss(mean, 1) for _ in range(10)] for mean in (5, 6))
        found = statistics.of_batches(a, b)
        assert found is not None
        held += found.low <= 1 <= found.high
    assert 180 <= held <= 199
