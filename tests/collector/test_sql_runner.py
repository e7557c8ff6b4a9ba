"""Questions end before the store is closed that they read."""

import threading
from pathlib import Path

import pytest

from headwater_analysis.errors import Cancelled, HeadwaterError
from headwater_collector.api.sql import Busy, SqlLimits, SqlRunner
from headwater_collector.store.cursor import Cursor, DatabaseError
from store_helpers import open_store

ENDLESS = "select count(*) from range(1000000) a, range(1000000) b where a.range + b.range = -1"


def test_nothing_reads_the_store_any_more_when_a_runner_has_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(tmp_path / "headwater.duckdb")
    runner = SqlRunner(store, SqlLimits(at_once=1))
    said: list[HeadwaterError] = []
    opened: list[Cursor] = []
    made = store.cursor
    monkeypatch.setattr(store, "cursor", lambda: opened.append(made()) or opened[-1])  # type: ignore[func-returns-value]

    def ask() -> None:
        try:
            runner.run(ENDLESS)
        except HeadwaterError as error:
            said.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    with pytest.raises(Busy):  # the only place is taken
        while True:
            runner.run("select 1")
    runner.stop()
    for cursor in opened:
        with pytest.raises(DatabaseError, match="already closed"):
            cursor.execute("select 1")
    with pytest.raises(Busy):
        runner.run("select 1")
    store.close()
    asking.join(60)
    assert [type(error) for error in said] == [Cancelled]
