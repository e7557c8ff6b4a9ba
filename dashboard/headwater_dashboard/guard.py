"""A foreign Host is a rebound name, a foreign Origin another site's script: neither gets an answer."""

from urllib.parse import urlsplit

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

_LOCAL = ("127.0.0.1", "localhost", "::1")


class LocalOnly:
    """Middleware. Where the dashboard may be reached from elsewhere (not `active`), only scripts of its own pages
    may ask, whatever name they use for it."""

    def __init__(self, app: ASGIApp, active: bool) -> None:
        self._app = app
        self._active = active

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        known = self._known if self._active else self._same_origin
        if scope["type"] not in ("http", "websocket") or known(scope):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await WebSocketClose(1008)(scope, receive, send)
        else:
            said = (
                "This dashboard answers to this machine only."
                if self._active
                else ("This dashboard answers its own pages only.")
            )
            await PlainTextResponse(said, 403)(scope, receive, send)

    @staticmethod
    def _same_origin(scope: Scope) -> bool:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        origin = headers.get(b"origin")
        return origin is None or urlsplit(origin).netloc == headers.get(b"host", b"")

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
