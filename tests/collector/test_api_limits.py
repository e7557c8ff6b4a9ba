"""What the API does when asked too much: too large, too often, for nobody, at its end, by a stranger's page."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import api_helpers as api
from headwater_analysis.errors import Unavailable
from headwater_analysis.remote import RemoteSource
from headwater_collector.api.changes import ChangeStream
from headwater_collector.api.sql import SqlLimits
from headwater_collector.store import Store
from store_helpers import open_store

FOREVER = "select count(*) from range(100000000) a, range(100000000) b"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "headwater.duckdb")
    yield opened
    opened.close()


def post(
    url: str, body: bytes | Iterator[bytes], path: str = "/v1/sql", method: str = "POST", **headers: str
) -> tuple[int, Any]:
    """Status and document of one request."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): v for name, v in headers.items()})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def until(true: Callable[[], bool], seconds: float = 60.0) -> bool:
    """Whether it becomes true in time."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def running() -> int:
    """How many questions are being answered in this process."""
    return sum(thread.name == "sql-limit" for thread in threading.enumerate())


@pytest.mark.parametrize("chunked", [False, True])
def test_a_question_that_is_too_large_is_refused_before_it_is_read(store: Store, chunked: bool) -> None:
    body = json.dumps({"sql": "select 1", "params": ["x" * 1_000_000] * 5}).encode()
    with api.serving(store) as url:
        try:
            status, answer = post(url, iter([body]) if chunked else body)
        except (BrokenPipeError, ConnectionResetError):
            pytest.fail("the collector hung up instead of answering")
        assert (status, answer["error"]) == (413, "A question takes at most 4 MiB.")
        assert post(url, b'{"sql": "select 1"}')[0] == 200


def test_a_question_that_drips_is_given_up(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headwater_collector.api.server.READ_SECONDS", 0.3)
    with api.serving(store) as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), 20) as connection:
            head = f"POST /v1/sql HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1000\r\n\r\n"
            connection.sendall(head.encode() + b'{"sql"')
            answer = b""
            while part := connection.recv(65536):
                answer += part
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"did not arrive within 0.3 s" in answer


def test_a_question_whose_asker_has_gone_is_ended(store: Store) -> None:
    body = json.dumps({"sql": FOREVER}).encode()
    with api.serving(store) as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as connection:
            head = f"POST /v1/sql HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode() + body)
            assert until(lambda: running() == 1)
        assert until(lambda: running() == 0)


def test_more_questions_than_are_allowed_are_told_to_come_back(store: Store) -> None:
    with (
        api.serving(store, limits=SqlLimits(seconds=3, at_once=1)) as url,
        ThreadPoolExecutor(8) as threads,
    ):
        question = json.dumps({"sql": FOREVER}).encode()
        answers = [one.result() for one in [threads.submit(post, url, question) for _ in range(8)]]
        statuses = [status for status, _ in answers]
        assert set(statuses) <= {408, 503}
        assert statuses.count(503) >= 5
        assert all("ask again in a moment" in text["error"] for status, text in answers if status == 503)
        assert post(url, b'{"sql": "select 1"}')[0] == 200


def test_health_answers_while_all_places_are_taken(store: Store) -> None:
    with ThreadPoolExecutor(8) as threads:
        with api.serving(store, limits=SqlLimits(seconds=600)) as url:
            busy = [threads.submit(RemoteSource(url).query, FOREVER) for _ in range(8)]
            assert until(lambda: running() == 8)
            source = RemoteSource(url)
            assert source.health() == {"state": "fine"}
            assert running() == 8
            source.close()
        assert all(isinstance(one.exception(60), Unavailable) for one in busy)


def test_what_runs_is_ended_when_the_collector_stops(store: Store) -> None:
    with ThreadPoolExecutor(1) as threads:
        with api.serving(store, limits=SqlLimits(seconds=600)) as url:
            asked = threads.submit(RemoteSource(url).query, FOREVER)
            assert until(lambda: running() == 1)
        with pytest.raises(Unavailable):
            asked.result(60)
    assert running() == 0


def test_an_answer_that_is_too_large_is_cut_and_says_so(store: Store) -> None:
    with api.serving(store, limits=SqlLimits(megabytes=1)) as url:
        source = RemoteSource(url)
        answer = source.query("select repeat('x', 1000) from range(50000)")
        assert answer.cut == "memory"
        assert 1000 < len(answer.rows) < 5000
        source.close()


def test_a_cut_csv_says_so_in_a_header(store: Store) -> None:
    with api.serving(store, limits=SqlLimits(rows=3)) as url:
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
        connection.request("POST", "/v1/sql", b'{"sql": "from range(9)"}', {"Accept": "text/csv"})
        answer = connection.getresponse()
        assert answer.read() == b"range\n0\n1\n2\n"
        assert answer.headers["x-headwater-cut"] == "rows"
        connection.close()


@pytest.mark.parametrize(
    ("origin", "status"),
    [("https://evil.example", 403), ("null", 403), ("http://127.0.0.1:8050", 200), ("http://localhost", 200)],
)
def test_a_strangers_page_is_refused_on_loopback(store: Store, origin: str, status: int) -> None:
    with api.serving(store) as url:
        assert post(url, b'{"sql": "select 1"}', Origin=origin)[0] == status


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/sql"), ("POST", "/"), ("PUT", "/v1/health")])
def test_a_path_that_is_none_says_which_there_are(store: Store, method: str, path: str) -> None:
    with api.serving(store) as url:
        status, answer = post(url, b"", path, method)
    assert status == 404
    assert answer["error"] == (
        f"There is no {method} {path}; there are POST /v1/sql, GET /v1/flows/ID/critical-path, "
        "GET /v1/changes, GET /v1/health and GET /metrics."
    )


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("170141183460469231731687303715884105727::hugeint", "170141183460469231731687303715884105727"),
        ("[18446744073709551615::ubigint]", [18446744073709551615]),
        ("[make_timestamp_ns(1764000000123456789), null]", ["2025-11-24T16:00:00.123456789Z", None]),
        ("map{'a': [make_timestamp_ns(1)]}", {"a": ["1970-01-01T00:00:00.000000001Z"]}),
        ("[null::struct(a int), {'a': 1}]", [None, {"a": 1}]),
        ("timestamp 'infinity'", "infinity"),
        ("array_value(1, 2)", [1, 2]),
        ("interval 1 month", "P1M0DT0S"),
    ],
)
def test_values_that_json_has_no_kind_for_keep_their_digits(
    store: Store, expression: str, value: object
) -> None:
    with api.serving(store) as url:
        source = RemoteSource(url)
        assert source.query(f"select {expression}").rows == [(value,)]
        source.close()


def test_a_value_that_cannot_be_sent_costs_the_question_only(store: Store) -> None:
    with api.serving(store) as url:
        status, answer = post(url, b"""{"sql": "select date 'infinity'"}""")
        assert status == 422
        assert answer["error"].startswith("The answer holds a value that cannot be sent")


async def test_a_slow_listener_holds_one_entry_a_relation() -> None:
    changes = ChangeStream()
    changes.open()
    stream = changes.stream()
    assert await anext(stream) == b": listening\n\n"
    for number in range(10_000):
        changes._note("flows", number, number + 1)
        changes._note("spans", 5, 6)
    told = {await anext(stream), await anext(stream)}
    assert told == {
        b'data: {"relation":"flows","from":0,"to":10000}\n\n',
        b'data: {"relation":"spans","from":5,"to":6}\n\n',
    }
    changes.close()
    assert [event async for event in stream] == []
