"""Both doors to the data: a collector over HTTP, and a store file that nobody holds."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest

import api_helpers as api
from headwater_analysis import local
from headwater_analysis.errors import QueryFailed, QueryRefused, Unavailable, UsageError
from headwater_analysis.remote import RemoteSource
from headwater_analysis.source import Source, open_source
from headwater_collector.store import Store, schema
from store_helpers import open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "headwater.duckdb")
    api.fill_with_a_story(opened)
    yield opened
    opened.close()


@pytest.fixture
def left_file(store: Store) -> Path:
    store.close()
    return store.path


def test_a_file_and_a_collector_give_the_same_answers(store: Store) -> None:
    questions = (
        "select * exclude (resource) from spans order by span_id",
        "select flow_id, services, topics, started_at, wait_ms from flows order by flow_id",
        "select {'a': [started_at]}, attributes from spans order by span_id limit 1",
        "from flow_of('orders@0:7')",
        "from dead_letters",
    )
    with api.serving(store) as url:
        remote = open_source(url, None, None)
        asked = [remote.query(question) for question in questions]
        remote.close()
    store.close()
    file = open_source(None, None, store.path)
    assert [file.query(question) for question in questions] == asked
    assert file.label == f"store {store.path}"
    file.close()


def test_many_threads_ask_at_once_on_few_connections(store: Store) -> None:
    with api.serving(store) as url:
        source = RemoteSource(url)
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(lambda n: source.query("select ?::int as n", [n]).rows, range(64)))
        assert answers == [[(n,)] for n in range(64)]
        assert len(source._idle) <= 4
        source.close()


def test_a_kept_connection_survives_a_restart_of_the_collector(store: Store) -> None:
    with api.serving(store) as url:
        source = RemoteSource(url)
        source.query("select 1")
        kept = source._idle[0]
    with api.serving(store) as other:
        source._parts = RemoteSource(other)._parts
        assert source.query("select 2").rows == [(2,)]
        assert kept not in source._idle
        source.close()


def test_a_collector_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headwater_analysis.remote.TIMEOUT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        source = RemoteSource(f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(Unavailable, match="does not answer in time"):
            source.query("select 1")


@pytest.mark.parametrize("url", ["ftp://x", "http://", "http://x:port", "http://x:99999", "http://x:0", "::"])
def test_an_address_that_is_none_is_refused_before_it_is_tried(url: str) -> None:
    with pytest.raises(UsageError, match="is no collector's address"):
        RemoteSource(url)


def test_stop_ends_a_quiet_change_stream_at_once(store: Store) -> None:
    stop = threading.Event()
    with api.serving(store) as url:
        source = RemoteSource(url)
        with ThreadPoolExecutor(1) as threads:
            told = threads.submit(list, source.changes(stop))
            store.write(lambda writer: writer.changed("flows", 1, 2))
            stop.set()
            assert len(told.result(60)) <= 1


def test_a_large_answer_comes_packed_where_the_asker_takes_it(store: Store) -> None:
    with api.serving(store) as url:
        source = RemoteSource(url)
        plain = source.query("from range(5000)")
        source._packing = {"Accept-Encoding": "gzip"}
        assert source.query("from range(5000)") == plain
        assert len(plain.rows) == 5000
        source.close()


def test_a_file_that_a_collector_holds_is_named_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "headwater.duckdb"
    code = (
        "import sys; from pathlib import Path; from headwater_collector.store import Store; "
        "store = Store.open(Path(sys.argv[1])); print('open', flush=True); sys.stdin.read()"
    )
    words = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        with pytest.raises(Unavailable) as caught:
            local.LocalSource(path)
        holder.kill()
    said = str(caught.value)
    assert f"held by process {holder.pid}" in said
    assert "--collector URL" in said


def test_a_file_left_by_a_killed_collector_is_read_to_its_last_commit(tmp_path: Path) -> None:
    path = tmp_path / "headwater.duckdb"
    code = (
        "import os, signal, sys; sys.path[:0] = sys.argv[2:]\n"
        "from pathlib import Path; import api_helpers; from headwater_collector.store import Store\n"
        "api_helpers.fill_with_a_story(Store.open(Path(sys.argv[1])))\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    here = str(Path(api.__file__).parent)
    assert subprocess.run([sys.executable, "-c", code, str(path), here], timeout=60).returncode == -9
    source: Source = local.LocalSource(path)
    assert source.query("select count(*) from spans").rows == [(10,)]
    source.close()


def test_what_an_older_store_lacks_is_said_with_the_way_out(left_file: Path) -> None:
    with duckdb.connect(str(left_file)) as connection:
        connection.execute("drop macro table spans_of_flows")
    source = local.LocalSource(left_file)
    assert source.query("select count(*) from spans").rows
    with pytest.raises(
        Unavailable, match=r"had no spans_of_flows yet; open it once with `headwater serve --data"
    ):
        source.query("from spans_of_flows(['x'])")
    source.close()


def test_a_newer_a_foreign_and_a_broken_file_are_refused_by_name(tmp_path: Path, left_file: Path) -> None:
    with duckdb.connect(str(left_file)) as connection:
        connection.execute("update store_version set version = 99")
    foreign = tmp_path / "foreign.duckdb"
    with duckdb.connect(str(foreign)) as connection:
        connection.execute("create table spans (i integer)")
    broken = tmp_path / "broken.duckdb"
    broken.write_bytes(b"no database" * 1000)
    for path, says in (
        (left_file, f"has version 99, and this headwater knows versions up to {local.STORE_VERSION}"),
        (foreign, "is a DuckDB file, but no headwater store"),
        (broken, "is no headwater store"),
        (tmp_path / "none.duckdb", "There is no store at"),
    ):
        with pytest.raises(Unavailable, match=says) as caught:
            local.LocalSource(path)
        assert path.name in str(caught.value)


def test_the_version_known_here_is_the_one_the_collector_writes() -> None:
    assert local.STORE_VERSION == schema.VERSION


@pytest.mark.parametrize(
    ("statement", "kind", "says"),
    [
        ("delete from span_rows", QueryRefused, "Only a SELECT"),
        ("from read_csv('/etc/passwd')", QueryRefused, "may not read from read_csv"),
        ("select nope from flows", QueryRefused, r"column 8"),
        ("selec 1", QueryRefused, r"line 1, column 1"),
        ("from enable_logging(storage='file', storage_path='x')", QueryRefused, "may not read"),
        ("from span_rows", QueryRefused, "no relation 'span_rows'"),
        ("set memory_limit = '1GB'", QueryRefused, "Only a SELECT"),
        ("select 'x'::integer", QueryFailed, "Could not convert"),
    ],
)
def test_a_file_answers_only_what_stays_inside_it(
    left_file: Path, statement: str, kind: type[Exception], says: str
) -> None:
    source = local.LocalSource(left_file)
    with pytest.raises(kind, match=says) as caught:
        source.query(statement)
    assert "\n" not in str(caught.value)
    source.close()


def test_a_file_cuts_for_screens_and_not_for_exports(left_file: Path) -> None:
    source = local.LocalSource(left_file)
    answer = source.query("from range(100001)")
    assert (len(answer.rows), answer.cut) == (100_000, "rows")
    table, _, cut = source.arrow("from range(100001)")
    assert (table.num_rows, cut) == (100_001, None)
    source.close()


def test_nothing_changes_in_a_file_and_it_says_what_it_is(left_file: Path) -> None:
    source = local.LocalSource(left_file.parent)
    stop = threading.Event()
    stop.set()
    assert list(source.changes(stop)) == []
    assert source.health()["store"] == str(left_file)
    source.close()


def test_an_answer_waits_for_no_delayed_acknowledgement(store: Store) -> None:
    def once() -> float:
        began = time.monotonic()
        source.query("select 1")
        return time.monotonic() - began

    with api.serving(store) as url:
        source = RemoteSource(url)
        # The quickest of many: a delayed acknowledgement costs every one of them 40 ms.
        assert min(once() for _ in range(20)) < 0.03
        source.close()
