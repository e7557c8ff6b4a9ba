"""Signing in to the dashboard: who gets in, for how long, and what the cookie is."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

import api_helpers
from api_helpers import headwater
from dashboard_helpers import dashboard
from headwater_dashboard.sign_in import SignIn
from store_helpers import open_store

HTML = {"Accept": "text/html"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    store = open_store(tmp_path_factory.mktemp("store") / "headwater.duckdb")

    def check(token: str) -> str | None:
        return None if token == "good" else "The collector does not know <this> token."

    with api_helpers.serving(store, token="its own") as api, dashboard(api, "its own", check, False) as url:
        yield url.removeprefix("http://")
    store.close()


def ask(
    address: str, method: str, path: str, body: str = "", **headers: str
) -> tuple[int, dict[str, str], str]:
    connection = http.client.HTTPConnection(address, timeout=60)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read().decode()
    finally:
        connection.close()


def sign_in(address: str, token: str = "good", place: str = "/queues") -> tuple[int, dict[str, str], str]:
    return ask(address, "POST", f"/sign-in?next={place}", urlencode({"token": token}), **FORM)


def test_a_page_leads_to_the_form_and_back(address: str) -> None:
    status, headers, _ = ask(address, "GET", "/queues?from=1h", **HTML)
    assert (status, headers["location"]) == (303, "/sign-in?next=%2Fqueues%3Ffrom%3D1h")
    status, _, page = ask(address, "GET", headers["location"], **HTML)
    assert status == 200
    assert 'action="/sign-in?next=%2Fqueues%3Ffrom%3D1h"' in page
    status, headers, _ = sign_in(address, place="%2Fqueues%3Ffrom%3D1h")
    assert (status, headers["location"]) == (303, "/queues?from=1h")
    cookie = headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "good" not in cookie
    status, _, page = ask(address, "GET", "/queues", Cookie=cookie.split(";")[0], **HTML)
    assert (status, "headwater" in page) == (200, True)


def test_a_wrong_token_is_told_and_what_is_told_is_no_markup(address: str) -> None:
    status, headers, page = sign_in(address, "wrong")
    assert status == 401
    assert "does not know &lt;this&gt; token" in page
    assert "set-cookie" not in headers
    assert sign_in(address, "")[0] == 401
    assert sign_in(address, "x" * 10_000)[0] == 413


@pytest.mark.parametrize("spoil", ["", "x", "9999999999.", "9999999999.00", "0.{}", "ü.ü"])
def test_nobody_else_can_make_a_cookie(address: str, spoil: str) -> None:
    signed = sign_in(address)[1]["set-cookie"].split(";")[0].partition("=")[2]
    text = spoil.format(signed.partition(".")[2]) if spoil else signed[:-1]
    status, _, _ = ask(
        address, "GET", "/", Cookie=f"headwater_session={text}".encode().decode("latin-1"), **HTML
    )
    assert status == 303


def test_scripts_and_data_are_refused_without_a_cookie(address: str) -> None:
    assert ask(address, "POST", "/_dash-update-component", "{}")[0] == 401
    assert ask(address, "GET", "/_dash-layout")[0] == 401


def test_foreign_pages_get_no_answer(address: str) -> None:
    assert ask(address, "GET", "/", Origin="http://evil.example", **HTML)[0] == 403
    assert ask(address, "GET", "/", Origin=f"http://{address}", **HTML)[0] == 303


@pytest.mark.parametrize("place", ["https://evil.example", "//evil.example", "/\\evil.example", "evil"])
def test_signing_in_leads_nowhere_else(address: str, place: str) -> None:
    assert sign_in(address, place=place)[1]["location"] == "/"


def test_a_cookie_ends(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: object) -> None: ...

    middleware = SignIn(nothing, lambda token: None)
    cookie = f"headwater_session={middleware._signed()}".encode()
    assert middleware._is_known({"headers": [(b"cookie", cookie)]})
    monkeypatch.setattr("time.time", lambda: 4e9)
    assert not middleware._is_known({"headers": [(b"cookie", cookie)]})


def test_beyond_this_machine_only_where_the_collector_asks_for_tokens(tmp_path: Path) -> None:
    store = open_store(tmp_path / "headwater.duckdb")
    with api_helpers.serving(store) as api:
        done = headwater("dashboard", "--web=0.0.0.0:0", f"--collector={api}")
    store.close()
    assert done.returncode == 2
    assert b"headwater token create --role viewer" in done.stderr
    done = headwater("dashboard", "--web=0.0.0.0:0", f"--store={tmp_path}")
    assert done.returncode == 2
    assert b"--insecure" in done.stderr
