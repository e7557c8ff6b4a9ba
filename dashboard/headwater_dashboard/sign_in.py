"""Signing in with a collector's token, where the dashboard can be reached from other machines.

The token is shown to the collector once and then forgotten: the browser keeps a cookie that only this process
can sign, so ending the dashboard signs everybody out.
"""

from __future__ import annotations

import asyncio
import hmac
import html
import secrets
import time
from collections.abc import Callable
from hashlib import sha256
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

COOKIE = "headwater_session"
LASTS_SECONDS = 12 * 3600
"""A working day and a long evening."""
_MOST_BYTES = 4096
_PATH = "/sign-in"

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>headwater: sign in</title>
<meta name="viewport" content="width=device-width"><style>
body {{ font: 16px system-ui, sans-serif; color-scheme: light dark; max-width: 26rem; margin: 15vh auto }}
input, button {{ font: inherit; padding: .4rem; width: 100%; box-sizing: border-box; margin-top: .5rem }}
</style></head><body><main><h1>headwater</h1>
<form method="post" action="{action}"><label for="token">Token with the role viewer or operator</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<button>Sign in</button></form><p role="alert">{said}</p></main></body></html>"""


class SignIn:
    """Middleware; `check` says whether a token is good, and may block."""

    def __init__(self, app: ASGIApp, check: Callable[[str], str | None]) -> None:
        """`check` returns None for a token that is good, else the sentence why it is not."""
        self._app = app
        self._check = check
        self._secret = secrets.token_bytes(32)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or self._is_known(scope):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await WebSocketClose(1008)(scope, receive, send)
        else:
            answer = await self._answer(Request(scope, receive))
            answer.headers["cache-control"] = "no-store"
            await answer(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        back = request.query_params.get("next", "/")
        if not back.startswith("/") or back[1:2] in (
            "/",
            "\\",
        ):  # else a link could lead elsewhere afterwards
            back = "/"
        if request.url.path != _PATH:
            if request.method != "GET" or "text/html" not in request.headers.get("accept", ""):
                return PlainTextResponse("Sign in first, at /sign-in.", 401)
            here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            return RedirectResponse(f"{_PATH}?next={quote(here, safe='')}", 303)
        if request.method != "POST":
            return _page(back, "")
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > _MOST_BYTES:
                return PlainTextResponse("That is no token.", 413)
        token = parse_qs(body.decode("latin-1")).get("token", [""])[0].strip()
        wrong = await asyncio.to_thread(self._check, token) if token else "A token is needed."
        if wrong is not None:
            return _page(back, wrong, 401)
        answer = RedirectResponse(back, 303)
        secure = request.headers.get("x-forwarded-proto", request.url.scheme) == "https"
        answer.set_cookie(
            COOKIE, self._signed(), LASTS_SECONDS, httponly=True, samesite="strict", secure=secure
        )
        return answer

    def _signed(self) -> str:
        ends = str(int(time.time()) + LASTS_SECONDS)
        return f"{ends}.{self._signature(ends)}"

    def _signature(self, ends: str) -> str:
        return hmac.new(self._secret, ends.encode(), sha256).hexdigest()

    def _is_known(self, scope: Scope) -> bool:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        try:
            cookies = SimpleCookie(headers.get(b"cookie", b"").decode("latin-1"))
        except CookieError:
            return False
        if COOKIE not in cookies:
            return False
        ends, _, signature = cookies[COOKIE].value.partition(".")
        known = hmac.compare_digest(signature.encode(), self._signature(ends).encode())
        return known and int(ends) > time.time()


def _page(back: str, said: str, status: int = 200) -> Response:
    action = html.escape(f"{_PATH}?next={quote(back, safe='')}")
    return HTMLResponse(_PAGE.format(action=action, said=html.escape(said)), status)
