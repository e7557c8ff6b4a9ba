"""A store of an older version becomes one of this version, and answers as if it had always been one."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

import store_helpers as told
import store_stories as stories
from headwater_analysis import local, sql
from headwater_collector.store import Store, StoreTooNew, schema

OLD = Path(__file__).parents[1] / "fixtures" / "store_1.sql"
LAYOUT = (
    "select table_name, column_name, data_type, is_nullable from duckdb_columns() "
    "where schema_name = 'main' and table_name in (select table_name from duckdb_tables()) "
    "order by table_name, column_index"
)


def an_old_store(folder: Path) -> Path:
    path = folder / "headwater.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(OLD.read_text("utf-8"))
    return path


def test_a_migrated_store_is_laid_out_and_answers_like_a_new_one(tmp_path: Path) -> None:
    migrated = Store.open(an_old_store(tmp_path))
    (tmp_path / "new").mkdir()
    spans = stories.chain()
    fresh = told.a_store(tmp_path / "new", spans[: len(spans) // 2], spans[len(spans) // 2 :])
    try:
        assert migrated.read(LAYOUT) == fresh.read(LAYOUT)
        assert migrated.read("from store_version") == [(schema.VERSION,)]
        for question in (
            "from flows order by flow_id",
            "from hops order by all",
            "from deliveries order by all",
            "from messages order by all",
            "from pathways",
            "select * exclude (attributes, resource) from spans order by span_id",
        ):
            assert migrated.read(question) == fresh.read(question), question
            assert migrated.read(question), question
    finally:
        migrated.close()
        fresh.close()


def test_what_an_older_version_did_not_ask_is_unknown(tmp_path: Path) -> None:
    path = an_old_store(tmp_path)
    with duckdb.connect(str(path)) as connection:
        connection.execute("insert into cluster_rows (name, state) values ('main', 'up')")
    store = Store.open(path)
    assert store.read("select name, state, share_groups from clusters") == [("main", "up", None)]
    store.close()


def test_a_migrated_store_takes_more_spans_and_opens_again(tmp_path: Path) -> None:
    path = an_old_store(tmp_path)
    store = Store.open(path)
    before = store.read("select count(*) from flows")[0][0]
    told.fill(store, [told.work("shop", "another", "checkout", 0, 5)])
    store.close()
    store = Store.open(path)
    assert store.read("select count(*) from flows") == [(before + 1,)]
    store.close()


def test_a_migration_that_fails_leaves_the_store_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = an_old_store(tmp_path)
    real = sql.ordered

    def broken(folder: object) -> object:
        yield from real(folder)  # type: ignore[arg-type]
        if "migrations" in str(folder):
            yield sql.SqlObject("broken", "select * from nowhere")

    with monkeypatch.context() as patched:
        patched.setattr(sql, "ordered", broken)
        with pytest.raises(duckdb.CatalogException):
            Store.open(path)
    with duckdb.connect(str(path), read_only=True) as connection:
        assert connection.execute("from store_version").fetchall() == [(1,)]
        assert connection.execute("select count(root) > 0 from flow_parts").fetchall() == [(True,)]
    Store.open(path).close()


def test_there_is_a_step_to_every_version() -> None:
    folder = Path(schema.__file__).parent / "migrations"
    assert sorted(int(path.name) for path in folder.iterdir()) == list(range(2, schema.VERSION + 1))


def test_who_opens_a_file_that_no_collector_holds_knows_the_same_version() -> None:
    assert local.STORE_VERSION == schema.VERSION


def test_a_newer_store_is_refused_before_anything_is_touched(tmp_path: Path) -> None:
    path = an_old_store(tmp_path)
    with duckdb.connect(str(path)) as connection:
        connection.execute("update store_version set version = 1000")
    before = path.read_bytes()
    with pytest.raises(StoreTooNew, match="version 1000"):
        Store.open(path)
    assert path.read_bytes() == before
