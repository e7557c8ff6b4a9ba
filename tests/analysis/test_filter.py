"""The filter line: what it lets through, and where it says that it cannot be read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest

import api_helpers as api
import store_helpers as told
import store_stories as stories
from headwater_analysis.filter import KEYS, SECRET, FilterError, compile_filter
from headwater_analysis.flows import list_flows
from headwater_analysis.window import Window
from headwater_collector.store import Store
from store_helpers import process, send, trace, work

KEY_HASH = hashlib.blake2b(b"order-123", digest_size=8, key=b"secret").hexdigest()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A: fails twice, ends as a dead letter. B: reads quickly from orders.eu. C: nothing but work."""
    other = ("orders.eu", 0, 1)
    opened = told.a_store(
        tmp_path_factory.mktemp("filter"),
        [
            *stories.retries_and_dead_letter(),
            send("web", "B", "PUT /order", other, 0, 5, attributes={"headwater.key.hash": KEY_HASH}),
            process("ship", "B", "ship it", other, 6, 5, "PUT /order"),
            work("cron", "C", "100%_done", 0, 3000),
        ],
    )
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("line", "flows"),
    [
        ("", "ABC"),
        ("service:pay", "A"),
        ("service:PAY", "A"),
        ("service:pay*", "A"),
        ("service~^(pay|web)$", "AB"),
        ("topic:orders.*", "B"),
        ("topic:orders*", "AB"),
        ("-topic:orders*", "C"),
        ("status:error", "A"),
        ("-status:error topic:*", "B"),
        ("wait>40ms", "A"),
        ("wait<=40ms", "B"),
        ("-wait>40ms", "BC"),
        ("total>=3s", "C"),
        ("attempt>1", "A"),
        ("-attempt>1", "BC"),
        ("dead_letters=1", "A"),
        ("spans=2", "B"),
        ("group:pay-retry", "A"),
        ("group~retry$", "A"),
        ("key:order-123", "B"),
        ("entry:checkout", "A"),
        ("checkout", "A"),
        ("CHECKOUT", "A"),
        ("100%_", "C"),
        ('"PUT /order"', "B"),
        ('entry:"PUT /order"', "B"),
        ('"say \\"no\\""', ""),
        ("~^put", "B"),
        ('-~"pay|web"', "C"),
        ("replays=0 traces>1", "A"),
        (f"flow:{trace('B')}", "B"),
    ],
)
def test_what_it_lets_through(store: Store, monkeypatch: pytest.MonkeyPatch, line: str, flows: str) -> None:
    monkeypatch.setenv(SECRET, "secret")
    found = list_flows(told.StoreSource(store), Window(), line)
    assert {row.flow_id for row in found.rows} == {trace(name) for name in flows}
    assert found.total == len(flows) and found.unfiltered == 3


def test_values_never_become_part_of_the_statement() -> None:
    condition = compile_filter('service:"x\'; drop table" wait>2s -topic:audit.* "100%_"')
    assert "drop" not in condition.sql
    assert condition.params[:3] == ("x'; drop table", 2000.0, "audit.%")
    assert condition.params[3] == r"%100\%\_%"
    assert condition.sql.count("?") == len(condition.params)


@pytest.mark.parametrize(
    ("line", "position", "says"),
    [
        ("colour:red", 0, "There is no 'colour' to filter by; there are service"),
        ("servce:a", 0, "did you mean service"),
        ("service:a http://x", 10, "stands in quotation marks"),
        ("service:a wait:2s", 14, "wait is followed by one of"),
        ("wait>soon", 5, "no duration"),
        ("spans>many", 6, "whole number"),
        ("attempt>1.5", 8, "whole number"),
        ('service:a "open', 10, "not closed"),
        ('service:"open', 8, "not closed"),
        ("service>a", 7, "followed by a colon or a tilde"),
        ("service: topic:b", 8, "missing after service:"),
        ("service:a wait>", 15, "missing after wait>"),
        ("a - b", 3, "missing after the minus"),
        ("a >2s", 2, "No name stands before >"),
        ("topic~a(b", 7, "regular expression cannot be read"),
        ("topic~a(?=b)", 7, "look around"),
        ("key:1", 4, SECRET),
        ("key~1", 3, "compared by their hash"),
    ],
)
def test_a_wrong_line_says_where(
    monkeypatch: pytest.MonkeyPatch, line: str, position: int, says: str
) -> None:
    monkeypatch.delenv(SECRET, raising=False)
    with pytest.raises(FilterError, match=says) as caught:
        compile_filter(line)
    assert caught.value.position == position
    assert caught.value.pointed == f"{line}\n{' ' * position}^"


def test_every_name_is_known_to_the_line() -> None:
    for key in KEYS:
        with pytest.raises(FilterError) as caught:
            compile_filter(f"{key}>x~")
        assert "There is no" not in str(caught.value)


def test_the_command_points_at_the_place(store: Store) -> None:
    with api.serving(store) as url:
        done = api.headwater("flows", "--filter", "service:a wait:2s", "--collector", url)
    assert done.returncode == 2 and done.stdout == b""
    assert done.stderr.decode().splitlines()[1:] == ["service:a wait:2s", "              ^"]
