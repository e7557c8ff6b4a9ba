"""Alert rules against a store and a real HTTP receiver: pending, firing, resolved, told once whatever happens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from headwater_analysis.errors import UsageError
from headwater_collector.alerts import AlertWatch, alert_settings
from headwater_collector.alerts.settings import AlertSettings
from headwater_collector.store import Store
from store_helpers import open_store
from webhook_receiver import Receiver, a_receiver

SQL = "select consumer_group, topic, lag, evidence from group_health where status = 'stopped'"
RULE = {"name": "stopped", "sql": SQL, "labels": ["consumer_group", "topic"], "severity": "page",
        "summary": "{consumer_group} on {topic}: {evidence}"}  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "headwater.duckdb")
    yield opened
    opened.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with a_receiver() as running:
        yield running


def _settings(
    receiver: Receiver, hook: dict[str, Any] | None = None, hold: str = "0s", **rule: Any
) -> AlertSettings:
    hooks = {"team": {"url": receiver.url, **(hook or {})}}
    read = alert_settings({"rules": [{**RULE, "for": hold, **rule}], "webhooks": hooks})
    return AlertSettings(read.rules, read.webhooks, every_seconds=0.05)


def _health(store: Store, *groups: str) -> None:
    """These groups are stopped now, and no others."""
    rows = [
        {"cluster": "c1", "consumer_group": group, "topic": "orders", "status": "stopped", "lag": 7,
         "evidence": "no members & <lag>"}
        for group in groups
    ]  # fmt: skip
    store.write(lambda writer: writer.replace("group_health_now", rows))


@asynccontextmanager
async def _watching(
    store: Store, settings: AlertSettings, settling: float = 0.0
) -> AsyncIterator[AlertWatch]:
    data = store.path.parent
    watch = AlertWatch(store, data, settings, settling_seconds=settling, first_wait_seconds=0.01)
    try:
        await watch.start()
        yield watch
    finally:
        await watch.stop()


async def _until(ready: Callable[[], object], what: str) -> None:
    end = time.monotonic() + 60
    while not ready():
        assert time.monotonic() < end, f"{what} did not come"
        await asyncio.sleep(0.01)


def _states(watch: AlertWatch) -> dict[str, str]:
    return {one["labels"]["consumer_group"]: one["state"] for one in watch.status()["rules"][0]["alerts"]}


async def _looks(watch: AlertWatch, store: Store, times: int = 3) -> None:
    """Wait for looks that began after now, told by a row of their own."""
    for number in range(times):
        groups = [group for group, state in _states(watch).items() if state != "resolved"]
        _health(store, *groups, f"look-{time.monotonic_ns()}-{number}")
        await _until(lambda groups=groups: len(_states(watch)) > len(groups), "a look")  # type: ignore[misc]


async def test_a_row_is_pending_then_fires_then_is_over_and_each_is_told_once(
    store: Store, receiver: Receiver
) -> None:
    settings = _settings(receiver, {"headers": {"Authorization": "Bearer t"}}, hold="1s")
    _health(store, "pay")
    async with _watching(store, settings) as watch:
        await _until(lambda: _states(watch) == {"pay": "pending"}, "pending")
        await _until(lambda: receiver.told(), "a message")
        assert receiver.told() == [("firing", "pay on orders: no members & <lag>")]
        _health(store)
        await _until(lambda: len(receiver.told()) == 2, "the end")
        assert _states(watch) == {"pay": "resolved"}
    [firing, resolved] = [message["alerts"][0] for message in receiver.messages]
    assert (firing["rule"], firing["severity"]) == ("stopped", "page")
    assert firing["labels"] == {"consumer_group": "pay", "topic": "orders"}
    assert firing["values"] == {"lag": 7, "evidence": "no members & <lag>"}
    assert (resolved["state"], resolved["since"]) == ("resolved", firing["since"])
    assert receiver.headers[0]["authorization"] == "Bearer t"


async def test_what_is_over_before_it_fires_is_told_to_nobody(store: Store, receiver: Receiver) -> None:
    _health(store, "pay")
    async with _watching(store, _settings(receiver, hold="1h")) as watch:
        await _until(lambda: _states(watch) == {"pay": "pending"}, "pending")
        _health(store)
        await _until(lambda: _states(watch) == {}, "the end")
    assert receiver.messages == []


async def test_a_receiver_that_fails_is_asked_again_and_told_once(store: Store, receiver: Receiver) -> None:
    receiver.answers = [(503, {}), (429, {"Retry-After": "0"}), (500, {})]
    _health(store, "pay", "ship")
    async with _watching(store, _settings(receiver)) as watch:
        await _until(lambda: receiver.messages, "a message")
        await _until(lambda: watch.status()["webhooks"][0]["sent"] == 1, "the count")
        [hook] = watch.status()["webhooks"]
    assert sorted(receiver.told()) == [
        ("firing", f"{group} on orders: no members & <lag>") for group in ("pay", "ship")
    ]
    assert (hook["failed"], hook["waiting"], hook["problem"]) == (3, 0, None)
    assert "secret" not in str(hook)


async def test_a_message_that_is_refused_for_good_is_not_sent_for_ever(
    store: Store, receiver: Receiver
) -> None:
    receiver.answers = [(404, {})]
    _health(store, "pay")
    async with _watching(store, _settings(receiver)) as watch:
        await _until(lambda: watch.status()["webhooks"][0]["failed"] == 1, "the refusal")
        _health(store, "pay", "ship")
        await _until(lambda: receiver.messages, "the next message")
        await _until(lambda: watch.status()["webhooks"][0]["sent"] == 1, "the count")
        assert watch.status()["webhooks"][0]["problem"] is None
    assert [summary for _, summary in receiver.told()] == ["ship on orders: no members & <lag>"]


async def test_a_restart_repeats_nothing_and_ends_nothing_early(store: Store, receiver: Receiver) -> None:
    settings = _settings(receiver)
    _health(store, "pay", "ship")
    async with _watching(store, settings) as watch:
        await _until(lambda: watch.status()["webhooks"][0]["sent"] == 1, "the message")
    _health(store)  # what a collector knows before its first polls
    async with _watching(store, settings, settling=3600.0) as watch:
        assert _states(watch) == {"pay": "firing", "ship": "firing"}
        await _looks(watch, store)
        states = _states(watch)
        assert (states["pay"], states["ship"]) == ("firing", "firing")
    _health(store, "pay")
    async with _watching(store, settings) as watch:
        await _until(lambda: _states(watch)["ship"] == "resolved", "the end of one")
        await _until(
            lambda: ("resolved", "ship on orders: no members & <lag>") in receiver.told(), "its message"
        )
    told = [summary for state, summary in receiver.told() if state == "firing"]
    assert told.count("pay on orders: no members & <lag>") == 1


async def test_slack_gets_its_own_form(store: Store, receiver: Receiver) -> None:
    _health(store, *(f"g{number:02d}" for number in range(23)))
    async with _watching(store, _settings(receiver, {"format": "slack"})):
        await _until(lambda: receiver.messages, "a message")
    [message] = receiver.messages
    assert message["text"] == "headwater: 23 firing; 3 of them not shown here"
    assert len(message["attachments"]) == 20
    first = message["attachments"][0]
    assert (first["color"], first["title"]) == ("danger", "stopped (page, firing)")
    assert first["text"].endswith("no members &amp; &lt;lag&gt;")


HOOKS = {"team": {"url": "http://127.0.0.1:1/"}}


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"rules": [{"sql": SQL}]}, "Alert rule 1 has no name"),
        ({"rules": [{"name": "x", "labels": []}]}, 'Alert rule "x" has no question'),
        ({"rules": [{"name": "x", "sql": SQL}]}, "needs labels"),
        ({"rules": [RULE, RULE]}, 'Two alert rules are named "stopped"'),
        ({"rules": [{**RULE, "for": "soon"}]}, "'soon' is no duration"),
        ({"rules": [{**RULE, "fro": "1m"}]}, "fro is no setting; there are for"),
        ({"rules": [{**RULE, "to": ["nobody"]}], "webhooks": HOOKS}, "there is no [alerts.webhooks.nobody]"),
        ({"rules": [{**RULE, "summary": "{a.__class__}"}]}, "takes names of columns"),
        ({"rules": [{**RULE, "summary": "{a"}]}, "summary cannot be read"),
        ({"rules": "x"}, "write [[alerts.rules]]"),
        ({"webhooks": {"team": {"url": "ftp://x"}}}, "must begin with http:// or https://"),
        ({"webhooks": {"team": {"url": "${NOT_SET_HERE}"}}}, "needs the environment variable NOT_SET_HERE"),
        ({"webhooks": {"team": {"url": "http://x", "format": "xml"}}}, "takes one of json, slack"),
        ({"every": "0s"}, "at least 1s"),
    ],
)
def test_a_wrong_setting_is_refused_in_a_sentence(table: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as error:
        alert_settings(table)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"sql": "select nothing from lag"}, "cannot be asked: "),
        ({"sql": "from duckdb_tables()"}, "cannot be asked: "),
        ({"sql": "drop table lag_now"}, "cannot be asked: "),
        ({"labels": ["partition"]}, "names the column partition, but its answer has consumer_group, topic"),
        ({"summary": "{partition}"}, "names the column partition"),
    ],
)
async def test_a_question_that_cannot_be_asked_is_refused_at_the_start(
    store: Store, receiver: Receiver, rule: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError) as error:
        async with _watching(store, _settings(receiver, **rule)):
            pass
    assert f'Alert rule "stopped" {said}' in str(error.value)
