"""Opening, holding, writing and reading the store."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

import store_helpers as told
from headwater_collector.records import LogPosition
from headwater_collector.store import Store, StoreBroken, StoreHeld, StoreTooNew, Writer, append_spans
from store_helpers import rows

MINUTE = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "headwater.duckdb")
    yield opened
    opened.close()


def test_a_store_held_by_another_process_is_refused_with_its_pid(tmp_path: Path) -> None:
    path = tmp_path / "headwater.duckdb"
    script = (
        "import sys; from pathlib import Path; from headwater_collector.store import Store; "
        "store = Store.open(Path(sys.argv[1])); print('open', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        with pytest.raises(StoreHeld, match=f"held by the process {holder.pid}") as refused:
            Store.open(path)
        assert refused.value.pid == holder.pid
        assert refused.value.exit_code == 3
        holder.kill()
    Store.open(path).close()


def test_a_second_opening_in_the_same_process_is_refused(store: Store) -> None:
    with pytest.raises(StoreHeld, match=f"held by the process {os.getpid()}"):
        Store.open(store.path)


def test_a_store_of_a_newer_version_is_refused_by_name_and_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "headwater.duckdb"
    Store.open(path).close()
    with duckdb.connect(str(path)) as connection:
        connection.execute("update store_version set version = 99")
    before = path.read_bytes()
    with pytest.raises(StoreTooNew, match="has version 99, and this headwater knows versions up to"):
        Store.open(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"not a database at all" * 300, b"short"])
def test_a_file_that_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "headwater.duckdb"
    path.write_bytes(content)
    with pytest.raises(StoreBroken, match="cannot be opened"):
        Store.open(path)


def test_somebody_elses_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "headwater.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table theirs (a integer)")
    with pytest.raises(StoreBroken, match="not one of headwater's"):
        Store.open(path)


def test_what_was_written_is_there_after_opening_again(tmp_path: Path) -> None:
    story = [told.work("shop", "A", "checkout", 0, 30)]
    told.a_store(tmp_path, story).close()
    opened = Store.open(tmp_path / "headwater.duckdb")
    assert rows(opened, "select name from spans") == [{"name": "checkout"}]
    assert opened.read("select segment, byte_offset from log_position") == [(1, 0)]
    opened.close()


def test_a_failed_write_leaves_nothing_behind_and_the_next_one_works(store: Store) -> None:
    batch = told.batch_of([told.work("shop", "A", "checkout", 0, 30)])

    def fail(writer: Writer) -> None:
        append_spans(writer, batch, LogPosition(1, 7))
        raise RuntimeError("disk")

    with pytest.raises(RuntimeError, match="disk"):
        store.write(fail)
    assert store.read("select count(*) from spans") == [(0,)]
    assert store.read("from log_position") == []
    assert store.write(lambda w: append_spans(w, batch, LogPosition(1, 7))).spans == 1
    assert store.read("from log_position") == [(1, 7)]


def test_listeners_hear_of_a_commit_and_not_of_a_rollback(store: Store) -> None:
    heard: list[tuple[str, int, int]] = []
    store.add_listener(lambda *change: heard.append(change))

    def work(writer: Writer) -> None:
        writer.changed("lag", 5, 9)
        writer.changed("lag", 3, 4)

    store.write(work)

    def fail(writer: Writer) -> None:
        writer.changed("flows", 1, 2)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        store.write(fail)
    assert heard == [("lag", 3, 9)]


def test_readers_see_the_state_before_an_open_transaction(store: Store) -> None:
    def during(writer: Writer) -> list[tuple[object, ...]]:
        writer.append("topic_lives", [{"cluster": "c1", "topic": "orders", "incarnation": 1}])
        return store.read("select count(*) from topic_lives")

    assert store.write(during) == [(0,)]
    assert store.read("select count(*) from topic_lives") == [(1,)]


def test_mappings_are_appended_replaced_and_deleted_by_column_name(store: Store) -> None:
    def group(state: str, cluster: str | None = "c1") -> dict[str, object]:
        return {
            "sampled_at": MINUTE, "cluster": cluster, "consumer_group": "pay", "state": state,
            "assignment": {"m1": ["orders:0"]},
        }  # fmt: skip

    store.write(lambda w: w.append("group_samples", [group("Stable"), group("Empty", None)]))
    store.write(lambda w: w.replace("group_samples", [group("Dead")], cluster="c1"))
    found = store.read("select cluster, state, assignment ->> '$.m1[0]' from group_samples order by state")
    assert found == [("c1", "Dead", "orders:0"), (None, "Empty", "orders:0")]
    store.write(lambda w: w.delete("group_samples", cluster=None))
    assert store.read("select state, sampled_at from group_samples") == [
        ("Dead", MINUTE.replace(tzinfo=None))
    ]


@pytest.mark.parametrize(
    ("table", "row", "says"),
    [("nowhere", {"a": 1}, "no table nowhere"), ("topic_lives", {"topics": "a"}, "no column topics")],
)
def test_an_unknown_table_or_column_is_named(
    store: Store, table: str, row: dict[str, object], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        store.write(lambda w: w.append(table, [row]))


@pytest.mark.parametrize(
    "attempt",
    [
        "copy spans to '/tmp/headwater-leak.csv'",
        "from read_csv('/etc/passwd')",
        "attach '/tmp/other.duckdb'",
        "set enable_external_access = true",
        "install httpfs",
    ],
)
def test_no_statement_reaches_files_or_unlocks_the_settings(store: Store, attempt: str) -> None:
    with pytest.raises(duckdb.Error):
        store.read(attempt)


def test_times_are_utc_and_ago_compares_with_nanoseconds(store: Store) -> None:
    assert store.read("select current_setting('TimeZone')") == [("UTC",)]
    assert store.read("select count(*) from spans where started_at > ago(interval 1 hour)") == [(0,)]


def test_views_are_made_anew_only_where_they_are_others(tmp_path: Path) -> None:
    views = "select view_name from duckdb_views() where not internal order by all"
    path = tmp_path / "headwater.duckdb"
    store = Store.open(path)
    made = store.read(views)
    store.close()
    with duckdb.connect(str(path)) as connection:
        connection.execute("create view from_before as select 1")
    store = Store.open(path)
    assert ("from_before",) in store.read(views), "nothing was dropped, so nothing was made again"
    store.close()
    with duckdb.connect(str(path)) as connection:
        connection.execute("comment on table store_version is 'views of another version'")
    store = Store.open(path)
    assert store.read(views) == made
    store.close()
