"""The collector's own API: POST /v1/sql, GET /v1/changes, GET /v1/health."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.csv
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from headwater_analysis.errors import HeadwaterError, QueryFailed, QueryRefused
from headwater_collector.asgi_server import AsgiServer
from headwater_collector.store.store import Store

from .changes import ChangeStream
from .sql import Busy, SqlLimits, SqlRunner, Table, TookTooLong, json_rows

ARROW = "application/vnd.apache.arrow.stream"
CSV = "text/csv"
MAX_BODY = 4 << 20
"""Bytes of a question with its parameters."""

_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (TookTooLong, 408),
    (Busy, 503),
    (QueryRefused, 400),
    (QueryFailed, 422),
    (HeadwaterError, 500),
)
"""Errors to HTTP status; the first that fits."""


class ApiServer:
    """Serves questions, changes and health on one address."""

    def __init__(
        self,
        store: Store,
        address: str,
        *,
        health: Callable[[], dict[str, object]],
        token: str | None = None,
        limits: SqlLimits | None = None,
    ) -> None:
        self._runner = SqlRunner(store, limits or SqlLimits())
        self._changes = ChangeStream()
        self._health = health
        store.add_listener(self._changes.note)
        app = Starlette(
            routes=[
                Route("/v1/sql", self._sql, methods=["POST"]),
                Route("/v1/changes", self._stream),
                Route("/v1/health", self._state),
            ]
        )
        host = address.rpartition(":")[0].strip("[]")
        self._server = AsgiServer(_Guarded(app, host, token), address, "--api")

    async def start(self) -> str:
        """Opens the door; gives the address taken."""
        self._changes.open()
        return await self._server.start()

    async def stop(self) -> None:
        """Ends the change streams, lets running questions end, closes the door."""
        self._changes.close()
        await self._server.stop()

    async def _sql(self, request: Request) -> Response:
        if int(request.headers.get("content-length") or 0) > MAX_BODY:
            return _error(413, f"A question takes at most {MAX_BODY >> 20} MiB.")
        try:
            question = orjson.loads(await request.body())
            statement, params = question["sql"], question.get("params", [])
            if not isinstance(statement, str) or not isinstance(params, list):
                raise TypeError
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
            return _error(400, 'A question is JSON such as {"sql": "select …", "params": []}.')
        accept = request.headers.get("accept", "")
        try:
            body, media, cut = await asyncio.to_thread(self._answer, statement, params, accept)
        except HeadwaterError as error:
            return _error(next(status for kind, status in _STATUS if isinstance(error, kind)), str(error))
        headers = {"x-headwater-cut": cut} if cut else {}
        return Response(body, media_type=media, headers=headers)

    def _answer(self, statement: str, params: list[object], accept: str) -> tuple[bytes, str, str | None]:
        table = self._runner.run(statement, params)
        if ARROW in accept:
            return arrow_bytes(table), ARROW, table.cut
        if CSV in accept:
            sink = pa.BufferOutputStream()
            pyarrow.csv.write_csv(_flat(table.data), sink)
            return sink.getvalue().to_pybytes(), CSV, table.cut
        answer = {
            "columns": table.data.column_names,
            "types": table.types,
            "rows": json_rows(table),
            "cut": table.cut,
        }
        return orjson.dumps(answer), "application/json", table.cut

    async def _stream(self, _request: Request) -> Response:
        if self._changes.full:
            return _error(503, "As many listeners as are allowed are connected; try again later.")
        return StreamingResponse(
            self._changes.stream(), media_type="text/event-stream", headers={"cache-control": "no-store"}
        )

    async def _state(self, _request: Request) -> Response:
        return Response(orjson.dumps(self._health(), default=str), media_type="application/json")


class _Guarded:
    """Asks for the token where there is one; on loopback refuses a foreign Host (DNS rebinding)."""

    def __init__(self, app: ASGIApp, host: str, token: str | None) -> None:
        self._app = app
        self._token = token.encode() if token else None
        self._local = host in ("127.0.0.1", "localhost", "::1")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._route(scope)(scope, receive, send)

    def _route(self, scope: Scope) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
        if scope["type"] != "http":
            return self._app
        headers: dict[bytes, bytes] = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1").rpartition(":")
        name = (host[0] if host[1] and host[2].isdigit() else "".join(host)).strip("[]")
        if self._local and name not in ("127.0.0.1", "localhost", "::1"):
            return _error(403, f"This collector answers to this machine only, not to {name!r}.")
        if self._token is not None:
            given = headers.get(b"authorization", b"").removeprefix(b"Bearer ").strip()
            if not hmac.compare_digest(given, self._token):
                return _error(401, "This collector asks for a token; give it with --token.")
        return self._app


def arrow_bytes(table: Table) -> bytes:
    """The answer as an Arrow stream; metadata of the last batch says in ``headwater.cut`` why rows miss."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.data.schema) as writer:
        writer.write_table(table.data)
        if table.cut:
            empty = pa.RecordBatch.from_pylist([], schema=table.data.schema)
            writer.write_batch(empty, custom_metadata={"headwater.cut": table.cut})
    return bytes(sink.getvalue().to_pybytes())


def _flat(data: pa.Table) -> pa.Table:
    """CSV has no lists and structures: they are written as JSON text."""
    for index, field in enumerate(data.schema):
        if pa.types.is_nested(field.type) or pa.types.is_binary(field.type):
            texts: list[Any] = [
                None if value is None else orjson.dumps(value, default=str).decode()
                for value in data.column(index).to_pylist()
            ]
            data = data.set_column(index, field.name, pa.array(texts, pa.string()))
    return data


def _error(status: int, sentence: str) -> Response:
    headers = {"retry-after": "2"} if status == 503 else {}
    return Response(orjson.dumps({"error": sentence}), status, media_type="application/json", headers=headers)
