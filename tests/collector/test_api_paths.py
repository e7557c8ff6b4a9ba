"""GET /v1/flows/ID/critical-path: the same answer as the command's, for whoever asks over HTTP."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import duckdb
import pytest

import api_helpers as api
import store_helpers as told
import store_stories as stories
from headwater_analysis.critical_path import in_sql
from headwater_analysis.errors import HeadwaterError
from headwater_analysis.local import LocalSource
from headwater_analysis.remote import RemoteSource
from headwater_collector.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = told.a_store(tmp_path, stories.chain())
    yield opened
    opened.close()


def get(url: str, path: str, token: str | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    connection.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


@pytest.mark.parametrize("what", [told.trace("A"), "orders@0:5", "orders/0/5", "c1/payments@1:9"])
def test_the_path_over_http_is_the_one_that_the_command_prints(store: Store, what: str) -> None:
    with api.serving(store) as url:
        status, body = get(url, f"/v1/flows/{quote(what)}/critical-path")
        done = api.headwater("flow", what, "--view", "critical-path", "--json", "--collector", url)
    assert status == 200
    assert json.loads(body) == json.loads(done.stdout)
    (run,) = json.loads(body)["runs"]
    assert sum(one["duration_ms"] for one in run["segments"]) == run["total_ms"] == 120.0


def test_what_is_not_there_is_not_found(store: Store) -> None:
    with api.serving(store) as url:
        status, body = get(url, "/v1/flows/nothing/critical-path")
    assert status == 404
    assert json.loads(body)["error"].startswith("No flow holds 'nothing'")


def test_a_flow_too_large_for_this_process_is_left_to_the_command(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_sql, "MOST_SPANS", 3)
    with api.serving(store) as url:
        status, body = get(url, "/v1/flows/orders@0:5/critical-path")
    assert status == 422
    assert "The flow has 6 spans, and 3 are looked at here; `headwater flow" in json.loads(body)["error"]


def test_who_has_no_token_gets_no_path(store: Store) -> None:
    with api.serving(store, token="secret") as url:
        assert get(url, "/v1/flows/orders@0:5/critical-path")[0] == 401
        assert get(url, "/v1/flows/orders@0:5/critical-path", "secret")[0] == 200


SEGMENTS = "select kind, service, topic, duration_ms from flow_critical_path({}) order by run, place"


def test_sql_gives_the_same_segments(store: Store, tmp_path: Path) -> None:
    flow_id = told.trace("A")
    with api.serving(store) as url:
        _, body = get(url, f"/v1/flows/{flow_id}/critical-path")
        source = RemoteSource(url)
        written = source.query(SEGMENTS.format(f"'{flow_id}'")).rows
        given = source.query(
            f"with p as ({SEGMENTS.format('?')}) from p where kind != ?", [flow_id, "nothing"]
        ).rows
        total = source.query(
            "select sum(p.duration_ms) = any_value(f.total_ms), count(distinct p.place) = count(*) "
            f"from flow_critical_path('{flow_id}') p join flows f using (flow_id)"
        ).rows
        nothing = source.query("from flow_critical_path('nothing')").rows
    (run,) = json.loads(body)["runs"]
    segments = [
        (one["kind"], one["step"]["service"], one["step"]["topic"], one["duration_ms"])
        for one in run["segments"]
    ]
    assert written == given == segments and total == [(True, True)] and nothing == []
    store.close()
    assert LocalSource(tmp_path).query(SEGMENTS.format("?"), [flow_id]).rows == segments
    with duckdb.connect(str(tmp_path / "headwater.duckdb"), read_only=True) as stock:
        with pytest.raises(duckdb.Error, match="counted by headwater only"):
            stock.execute(f"select count(*) from flow_critical_path('{flow_id}')")


def test_sql_says_which_paths_it_does_not_count(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    six = " union all ".join(f"from flow_critical_path('{n}')" for n in range(6))
    with api.serving(store) as url:
        source = RemoteSource(url)
        for asked, says in (
            (six, "may ask for 5 critical paths"),
            ("from flow_critical_path((select flow_id from flows))", "takes the id of one flow"),
            ("select p.* from flows f, flow_critical_path(f.flow_id) p", "takes the id of one flow"),
            ("from critical_path_rows", "no relation"),
        ):
            with pytest.raises(HeadwaterError, match=says):
                source.query(asked)
        monkeypatch.setattr(in_sql, "MOST_SPANS", 3)
        with pytest.raises(HeadwaterError, match="looks at all"):
            source.query(SEGMENTS.format("?"), [told.trace("A")])
