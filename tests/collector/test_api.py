"""The collector's API, asked over HTTP as screens and commands ask it: a real store behind a real door."""

import asyncio
import http.client
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from headwater_analysis.errors import QueryFailed, QueryRefused, Unavailable
from headwater_analysis.remote import RemoteSource
from headwater_collector.access import Access
from headwater_collector.api.server import ApiServer
from headwater_collector.api.sql import SqlLimits
from headwater_collector.store.store import Store
from store_helpers import open_store

NOW = datetime(2026, 11, 24, 3, 0, 0, 123456)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "headwater.duckdb")
    opened.write(
        lambda writer: writer.append(
            "cluster_rows",
            [
                {
                    "cluster": "c1",
                    "name": "prod",
                    "bootstrap": "b:9092",
                    "state": "up",
                    "brokers": 3,
                    "polled_at": NOW,
                }
            ],
        )
    )
    yield opened
    opened.close()


@asynccontextmanager
async def serving(
    store: Store, token: str | None = None, limits: SqlLimits | None = None
) -> AsyncIterator[RemoteSource]:
    server = ApiServer(
        store, "127.0.0.1:0", health=lambda: {"state": "fine"}, access=Access(token), limits=limits
    )
    address = await server.start()
    source = RemoteSource(f"http://{address}", token)
    try:
        yield source
    finally:
        source.close()
        await server.stop()


async def ask(source: RemoteSource, sql: str, params: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
    return (await asyncio.to_thread(source.query, sql, params)).rows


async def test_a_question_with_parameters_is_answered_in_json(store: Store) -> None:
    async with serving(store) as source:
        answer = await asyncio.to_thread(
            source.query, "select name, brokers, polled_at from clusters where name = ?", ["prod"]
        )
    assert answer.columns == ("name", "brokers", "polled_at")
    assert answer.rows == [("prod", 3, "2026-11-24T03:00:00.123456Z")]
    assert answer.cut is None


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("make_timestamp_ns(1764000000123456789)", "2025-11-24T16:00:00.123456789Z"),
        ("9223372036854775807", 9223372036854775807),
        ("sum(1::bigint)", 1),
        ("1.5::double", 1.5),
        ("'nan'::double", None),
        ("null", None),
        ("[1, 2]", [1, 2]),
        ("{'a': 1, 'b': [make_timestamp(0)]}", {"a": 1, "b": ["1970-01-01T00:00:00.000000Z"]}),
        ("""'{"a": {"b": [1, "x"]}}'::json""", {"a": {"b": [1, "x"]}}),
        ("date '2026-01-02'", "2026-01-02"),
        ("'\\x00\\xff'::blob", "AP8="),
        ("1.25::decimal(10, 2)", 1.25),
        ("interval 90 seconds", 90.0),
        ("true", True),
    ],
)
async def test_values_keep_their_kind_and_their_digits(store: Store, expression: str, value: object) -> None:
    async with serving(store) as source:
        assert await ask(source, f"select {expression} as v") == [(value,)]


async def test_the_same_answer_comes_as_arrow_and_as_csv(store: Store) -> None:
    async with serving(store) as source:
        raw = await asyncio.to_thread(
            source.post, "select name, [1, 2] as l from clusters", (), "application/vnd.apache.arrow.stream"
        )
        text = await asyncio.to_thread(source.post, "select name, [1, 2] as l from clusters", (), "text/csv")
    assert pa.ipc.open_stream(raw).read_all().to_pylist() == [{"name": "prod", "l": [1, 2]}]
    assert text == b'name,l\nprod,"[1, 2]"\n'


async def test_an_answer_with_too_many_rows_is_cut_and_says_so(store: Store) -> None:
    async with serving(store, limits=SqlLimits(rows=10)) as source:
        answer = await asyncio.to_thread(source.query, "from range(1000)")
        raw = await asyncio.to_thread(
            source.post, "from range(1000)", (), "application/vnd.apache.arrow.stream"
        )
        whole = await asyncio.to_thread(source.query, "from range(10)")
    assert (len(answer.rows), answer.cut) == (10, "rows")
    assert (len(whole.rows), whole.cut) == (10, None)
    with pa.ipc.open_stream(raw) as reader:
        told = [reader.read_next_batch_with_custom_metadata()[1] for _ in range(2)]
    assert told[0] is None
    assert dict(told[1] or {})[b"headwater.cut"] == b"rows"


@pytest.mark.parametrize(
    "forever",
    [
        "with recursive r as (select 1 as i union all select i + 1 from r) select max(i) from r",
        "select count(*) from range(100000000) a, range(100000000) b",
    ],
)
async def test_a_question_that_runs_for_ever_is_ended_and_the_next_one_is_answered(
    store: Store, forever: str
) -> None:
    async with serving(store, limits=SqlLimits(seconds=0.3)) as source:
        with pytest.raises(QueryFailed, match=r"longer than 0\.3 s"):
            await ask(source, forever)
        assert await ask(source, "select 1") == [(1,)]


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("selec 1", "Syntax error .*line 1, column 1"),
        ("select nothing from clusters", 'column "nothing" not found'),
        ("from flows where", "Syntax error at end"),
        ("select 'x'::integer", "Could not convert"),
        ("from clusters where name = ?", "parameter"),
    ],
)
async def test_a_wrong_question_gets_one_sentence(store: Store, statement: str, says: str) -> None:
    async with serving(store) as source:
        with pytest.raises((QueryRefused, QueryFailed), match=says) as caught:
            await ask(source, statement)
    assert "\n" not in str(caught.value)


async def test_a_change_is_told_to_who_listens(store: Store) -> None:
    stop = threading.Event()
    async with serving(store) as source:
        listening = source.changes(stop)
        first = asyncio.create_task(asyncio.to_thread(next, listening))
        while not first.done():
            await asyncio.to_thread(store.write, lambda writer: writer.changed("flows", 5, 9))
            await asyncio.wait([first], timeout=0.05)
        change = first.result()
        assert (change.relation, change.from_ns, change.to_ns) == ("flows", 5, 9)
        stop.set()
        listening.close()  # type: ignore[attr-defined]


async def test_listeners_learn_that_the_collector_ends(store: Store) -> None:
    async with serving(store) as source:
        listening = source.changes(threading.Event())
        heard = asyncio.create_task(asyncio.to_thread(next, listening))
        while not heard.done():
            await asyncio.to_thread(store.write, lambda writer: writer.changed("spans", 1, 2))
            await asyncio.wait({heard}, timeout=0.1)
        ended = asyncio.create_task(asyncio.to_thread(list, listening))
    with pytest.raises(Unavailable, match="ended the connection"):
        await ended


async def test_a_token_is_asked_for_and_compared(store: Store) -> None:
    async with serving(store, token="secret") as source:
        assert await ask(source, "select 1") == [(1,)]
        for wrong in (None, "other"):
            stranger = RemoteSource(source.url, wrong)
            with pytest.raises(Unavailable, match="asks for a token"):
                await ask(stranger, "select 1")
            stranger.close()


async def test_another_host_name_is_refused_on_loopback(store: Store) -> None:
    async with serving(store) as source:

        def status(host: str) -> int:
            connection = http.client.HTTPConnection(source.url.removeprefix("http://"), timeout=60)
            connection.request("GET", "/v1/health", headers={"Host": host})
            answer = connection.getresponse()
            answer.read()
            connection.close()
            return answer.status

        assert await asyncio.to_thread(status, "evil.example") == 403
        assert await asyncio.to_thread(status, "localhost:4319") == 200


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"sql": 1}', b'{"sql": "select 1", "params": {}}'])
async def test_a_body_that_is_no_question_is_refused(store: Store, body: bytes) -> None:
    async with serving(store) as source:

        def post() -> tuple[int, Any]:
            connection = http.client.HTTPConnection(source.url.removeprefix("http://"), timeout=60)
            connection.request("POST", "/v1/sql", body)
            answer = connection.getresponse()
            text = json.loads(answer.read())
            connection.close()
            return answer.status, text

        status, text = await asyncio.to_thread(post)
    assert status == 400
    assert '{"sql"' in text["error"]


def test_nobody_there_is_one_sentence_with_the_way_out() -> None:
    source = RemoteSource("http://127.0.0.1:9", None)
    with pytest.raises(Unavailable, match="No collector answers at http://127.0.0.1:9; start one with"):
        source.query("select 1")


def test_times_are_utc_whatever_the_machine_says(store: Store) -> None:
    assert NOW.replace(tzinfo=UTC).timestamp() == pytest.approx(
        store.read("select epoch(polled_at) from clusters")[0][0]
    )
