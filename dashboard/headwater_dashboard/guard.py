"""Answers to this machine only: a foreign Host is a rebound name, a foreign Origin another site's script."""

from urllib.parse import urlsplit

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

_LOCAL = ("127.0.0.1", "localhost", "::1")


class LocalOnly:
    """Middleware; inactive where the dashboard was told to be reachable from elsewhere."""

    def __init__(self, app: ASGIApp, active: bool) -> None:
        self._app = app
        self._active = active

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._active or scope["type"] not in ("http", "websocket") or self._known(scope):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await WebSocketClose(1008)(scope, receive, send)
        else:
            await PlainTextResponse("This dashboard answers to this machine only.", 403)(scope, receive, send)

    @staticmethod
    def _known(scope: Scope) -> bool:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        host = urlsplit(f"//{headers.get(b'host', b'').decode('latin-1')}")
        origin = headers.get(b"origin")
        if host.hostname not in _LOCAL:
            return False
        if origin is None:
            return True
        from_where = urlsplit(origin.decode("latin-1"))
        return from_where.hostname in _LOCAL and from_where.port == host.port
