"""`headwater ledger` as people and machines read it, before a collector's API and before a store file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import api_helpers as api
import ledger_shop
import store_helpers as told
from store_helpers import open_store

EVER = ("--last", "9999d")
TERMINAL = {"COLUMNS": "80"}


@dataclass(frozen=True)
class Asked:
    """A shop, and the way to ask for it."""

    shop: ledger_shop.Shop
    way: tuple[str, str]

    def text(self, *words: str) -> str:
        """Standard output, when all is well."""
        done = api.headwater("ledger", *words, *self.way, environ=TERMINAL)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def document(self, *words: str) -> Any:
        """The same for machines."""
        return json.loads(self.text(*words, "--json"))

    def how_many(self, group: str, state: str, topic: str = "orders") -> int:
        """How many there are in truth."""
        return sum(
            one.state == state
            for pair, one in self.shop.truth.items()
            if (pair[0], pair[3]) == (topic, group)
        )


@pytest.fixture(scope="module", params=["collector", "store"])
def asked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    folder = tmp_path_factory.mktemp("ledger")
    shop = ledger_shop.Simulation(800).run()
    store = open_store(folder / "headwater.duckdb")
    ledger_shop.store(shop, store)
    if request.param == "store":
        store.close()
        yield Asked(shop, ("--store", str(folder)))
    else:
        with api.serving(store) as url:
            yield Asked(shop, ("--collector", url))
        store.close()


def test_the_picture_comes_first_the_worst_on_top_and_fits_a_terminal(asked: Asked) -> None:
    lines = asked.text(*EVER).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split()[:3] == ["orders", "→", "pay"]
    skipped = asked.how_many("pay", "skipped")
    assert lines[1].split()[:3] == ["∅", "skipped", str(skipped)]
    assert [line.split()[1] for line in lines[1:11]] == [
        "skipped", "failed", "dead-lettered", "duplicate", "processing", "waiting", "unsettled", "retried", "replayed",
        "done",
    ]  # fmt: skip
    assert "█" in lines[10]
    assert any(line.endswith("3 stuck") for line in lines)


def test_rows_say_what_proves_them_and_name_the_flow_to_look_at(asked: Asked) -> None:
    lines = asked.text(*EVER, "--stuck").splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("▶ processing    orders@1:"))
    assert lines[at].endswith("ago stuck")
    assert lines[at + 1].startswith("    A handler reports that it holds it. For 9 min 59 s; its limit is ")
    assert lines[-1].startswith("for example: headwater flow orders@1:")


def test_one_message_is_told_group_by_group_with_its_spans(asked: Asked) -> None:
    printed = asked.text("--message", "orders@1:10")
    assert [line.split()[1] for line in printed.splitlines() if " → " in line] == ["passed", "done", "done"]
    assert printed.count("attempt 1 unset: trace ") == 2
    rows = asked.document("--message", "orders/1/10")
    assert [(row["consumer_group"], row["state"]) for row in rows] == [
        ("audit", "passed"), ("mail", "done"), ("pay", "done"),
    ]  # fmt: skip


def test_as_json_it_holds_counts_and_the_rows_asked_for(asked: Asked) -> None:
    found = asked.document(
        *EVER, "--topic", "orders", "--group", "pay", "--state", "skipped", "--limit", "1000"
    )
    assert {(one["topic"], one["consumer_group"]) for one in found["counts"]} == {("orders", "pay")}
    assert found["total"] == len(found["rows"]) == asked.how_many("pay", "skipped")
    assert {row["state"] for row in found["rows"]} == {"skipped"}
    assert found["rows"][0]["evidence"]["neighbours"] >= 20


def test_what_is_usual_is_listed(asked: Asked) -> None:
    printed = asked.text("limits")
    assert "web POST /orders" in printed
    assert [line.split()[:3] for line in printed.splitlines() if line.startswith("orders →")] == [
        ["orders", "→", "mail"], ["orders", "→", "pay"],
    ]  # fmt: skip
    [led] = asked.document("successors")
    assert (led["topic"], led["service"], led["successor_topic"]) == ("orders", "pay", "payments")
    assert led["limit_ms"] > 0
    assert asked.document("limits", "--topic", "clicks")[0]["wait_limit_ms"] is None


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "No message was sent in the last 15m; the newest was "),
        (("--topic", "nix"), "No message on a topic 'nix' is known; there are clicks, "),
        (("--group", "nix"), "No group 'nix' is known; there are audit, count, "),
    ],
)
def test_an_empty_answer_says_why(asked: Asked, words: tuple[str, ...], says: str) -> None:
    done = api.headwater("ledger", *words, *asked.way)
    assert (done.returncode, done.stdout) == (0, b"")
    assert done.stderr.decode().startswith(says)


def test_nothing_of_a_state_is_said_below_the_picture(asked: Asked) -> None:
    lines = asked.text(*EVER, "--group", "ship", "--state", "failed").splitlines()
    assert lines[-1].startswith("None of ")
    assert lines[-1].endswith(" is failed, sent in the last 9999d.")


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--message", "nix@0:1"), 1, "No group is known to read nix@0:1, or no span names it;"),
        (("--message", "nix"), 2, "'nix' names no message;"),
        (
            ("limit",),
            2,
            "There is no 'limit' to list; there are limits, successors, ordering, compensations.",
        ),
        (("--state", "lost"), 2, "--state is 'lost', but takes one of skipped, expired, "),
    ],
)
def test_what_is_asked_wrongly_is_said(asked: Asked, words: tuple[str, ...], code: int, says: str) -> None:
    done = api.headwater("ledger", *words, *asked.way)
    assert (done.returncode, done.stdout) == (code, b"")
    assert done.stderr.decode().startswith(says)


@pytest.mark.parametrize(
    ("spans", "says"),
    [
        (
            [],
            "No message has been seen yet; point an OTLP exporter at the collector, or try `headwater demo`.",
        ),
        (
            [told.send("web", "t", "s", ("orders", 0, 1), 0, 1)],
            "Messages are known, and no group that reads them:",
        ),
    ],
)
def test_a_store_without_messages_or_readers_says_so(
    tmp_path: Path, spans: list[told.Told], says: str
) -> None:
    told.a_store(tmp_path, *([spans] if spans else [])).close()
    done = api.headwater("ledger", *EVER, "--store", str(tmp_path))
    assert (done.returncode, done.stdout) == (0, b"")
    assert done.stderr.decode().startswith(says)
    assert (
        json.loads(api.headwater("ledger", *EVER, "--store", str(tmp_path), "--json").stdout)["counts"] == []
    )


def test_what_a_topic_is_called_cannot_steer_the_terminal(tmp_path: Path) -> None:
    topic = "or\x1b]0;owned\x07ders"
    told.a_store(tmp_path, [told.process("pay", "t", "p", (topic, 0, 1), 0, 1, error="x")]).close()
    printed = api.headwater("ledger", *EVER, "--store", str(tmp_path)).stdout.decode()
    assert "\x1b" not in printed
    assert "✗ failed" in printed
