"""The collector's own API: POST /v1/sql, GET /v1/flows/ID/critical-path, /v1/changes, /v1/health, /metrics."""

import asyncio
import gzip
import io
import ssl
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.parse import urlsplit

import orjson
import pyarrow as pa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from headwater_analysis.errors import Cancelled, HeadwaterError, QueryFailed, QueryRefused
from headwater_analysis.flows import NotFound
from headwater_analysis.source import write_csv
from headwater_collector.access import Access
from headwater_collector.asgi_server import AsgiServer
from headwater_collector.connections import ConnectionBounds
from headwater_collector.errors import NotAllowed, Refused
from headwater_collector.store.store import Store

from . import exposition, metrics, paths
from .changes import ChangeStream
from .sql import Busy, Question, SqlLimits, SqlRunner, Table, TookTooLong, json_rows

ARROW = "application/vnd.apache.arrow.stream"
CSV = "text/csv"
MAX_BODY = 4 << 20
"""Bytes of a question with its parameters."""
READ_SECONDS = 30.0
"""For which a question may take to arrive."""

MIN_GZIP = 4096
"""Bytes of an answer from which on packing is worth its time, where the asker takes it."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")

_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (TookTooLong, 408),
    (Busy, 503),
    (Cancelled, 503),
    (NotFound, 404),
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
        access: Access | None = None,
        limits: SqlLimits | None = None,
        connections: ConnectionBounds | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        limits = limits or SqlLimits()
        self._store = store
        self._runner = SqlRunner(store, limits)
        self._waiting = 0
        self._most_waiting = 4 * limits.at_once
        # Threads of its own: slow questions must not hold up what else the collector does in threads.
        self._threads = ThreadPoolExecutor(2 * limits.at_once, thread_name_prefix="sql")
        self._changes = ChangeStream()
        self._health = health
        store.add_listener(self._changes.note)
        app = Starlette(
            routes=[
                Route("/v1/sql", self._sql, methods=["POST"]),
                Route("/v1/flows/{id:path}/critical-path", self._path),
                Route("/v1/changes", self._stream),
                Route("/v1/health", self._state),
                Route("/metrics", self._metrics),
            ],
            exception_handlers={404: _no_such_path, 405: _no_such_path, Exception: _unforeseen},
        )
        host = address.rpartition(":")[0].strip("[]")
        guarded = _Guarded(app, host, access or Access())
        self.server = AsgiServer(guarded, address, "--api", bounds=connections, tls=tls)

    async def start(self) -> str:
        """Opens the door; gives the address taken."""
        self._changes.open()
        return await self.server.start()

    async def stop(self) -> None:
        """Ends the change streams and what still runs, answers whoever waits, closes the door."""
        self._changes.close()
        await asyncio.to_thread(self._runner.stop)
        await self.server.stop()
        await asyncio.to_thread(self._threads.shutdown)

    async def _sql(self, request: Request) -> Response:
        body = bytearray()
        try:
            async with asyncio.timeout(READ_SECONDS):
                async for part in request.stream():
                    body += part
                    if len(body) > MAX_BODY:
                        return _error(413, f"A question takes at most {MAX_BODY >> 20} MiB.")
        except TimeoutError:
            return _error(408, f"The question did not arrive within {READ_SECONDS:g} s; send it again.")
        try:
            question = orjson.loads(body)
            statement, params = question["sql"], question.get("params", [])
            if not isinstance(statement, str) or not isinstance(params, list):
                raise TypeError
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
            return _error(400, 'A question is JSON such as {"sql": "select …", "params": []}.')
        try:
            answer, media, cut = await self._answered(request, statement, params)
        except HeadwaterError as error:
            return _refusal(error)
        headers = {"x-headwater-cut": cut} if cut else {}
        if len(answer) >= MIN_GZIP and "gzip" in request.headers.get("accept-encoding", ""):
            answer = await asyncio.to_thread(gzip.compress, answer, 1)
            headers |= {"content-encoding": "gzip", "vary": "accept-encoding"}
        return Response(answer, media_type=media, headers=headers)

    async def _answered(
        self, request: Request, statement: str, params: list[object]
    ) -> tuple[bytes, str, str | None]:
        """The answer; a question whose asker has gone away is ended, so that it costs nothing more."""
        question = Question()
        accept = request.headers.get("accept", "")
        loop = asyncio.get_running_loop()
        with self._in_line():
            answer = loop.run_in_executor(self._threads, self._answer, statement, params, accept, question)
            gone = asyncio.ensure_future(_gone(request))
            try:
                await asyncio.wait((answer, gone), return_when=asyncio.FIRST_COMPLETED)
                if not answer.done():
                    question.end("asker")
                return await answer
            finally:
                gone.cancel()

    @contextmanager
    def _in_line(self) -> Iterator[None]:
        """One of the questions that wait; raises Busy where there are too many."""
        if self._waiting >= self._most_waiting:
            raise Busy(f"{self._waiting} questions wait already; ask again in a moment.")
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    def _answer(
        self, statement: str, params: list[object], accept: str, question: Question
    ) -> tuple[bytes, str, str | None]:
        table = paths.run(self._runner, statement, params, question)
        try:
            if ARROW in accept:
                return arrow_bytes(table), ARROW, table.cut
            if CSV in accept:
                return csv_bytes(table), CSV, table.cut
            return json_bytes(table), "application/json", table.cut
        except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
            raise QueryFailed(f"The answer holds a value that cannot be sent: {error}.") from error

    async def _path(self, request: Request) -> Response:
        loop = asyncio.get_running_loop()
        identity = request.path_params["id"]
        try:
            with self._in_line():
                answer = await loop.run_in_executor(
                    self._threads, paths.critical_path, self._runner, identity
                )
        except HeadwaterError as error:
            return _refusal(error)
        return Response(answer, media_type="application/json")

    async def _stream(self, _request: Request) -> Response:
        if self._changes.full:
            return _error(503, "As many listeners as are allowed are connected; try again later.")
        return StreamingResponse(
            self._changes.stream(), media_type="text/event-stream", headers={"cache-control": "no-store"}
        )

    async def _state(self, _request: Request) -> Response:
        return Response(orjson.dumps(self._health(), default=str), media_type="application/json")

    async def _metrics(self, _request: Request) -> Response:
        loop = asyncio.get_running_loop()
        try:
            with self._in_line():
                page = await loop.run_in_executor(self._threads, metrics.page, self._health(), self._store)
        except HeadwaterError as error:
            return _refusal(error)
        return Response(page, headers={"content-type": exposition.CONTENT_TYPE})


async def _gone(request: Request) -> None:
    """Returns when whoever asked has closed the connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


class _Guarded:
    """Asks for a token where one is needed; on loopback refuses a foreign Host (DNS rebinding) or Origin."""

    def __init__(self, app: ASGIApp, host: str, access: Access) -> None:
        self._app = app
        self._access = access
        self._local = host in LOOPBACK

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._route(scope)(scope, receive, send)

    def _route(self, scope: Scope) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
        if scope["type"] != "http":
            return self._app
        headers: dict[bytes, bytes] = dict(scope["headers"])
        if self._local:
            host = headers.get(b"host", b"").decode("latin-1").rpartition(":")
            name = (host[0] if host[1] and host[2].isdigit() else "".join(host)).strip("[]")
            if name not in LOOPBACK:
                return _error(403, f"This collector answers to this machine only, not to {name!r}.")
            origin = headers.get(b"origin", b"").decode("latin-1")
            if origin and urlsplit(origin).hostname not in LOOPBACK:
                return _error(403, f"This collector answers no page of {origin!r}.")
        try:
            self._access.check(headers.get(b"authorization"), "viewer")
        except NotAllowed:
            return _error(401, "This collector asks for a token; give it with --token.")
        except Refused as error:
            return _error(error.http_status, str(error))
        return self._app


def json_bytes(table: Table) -> bytes:
    """The answer as one JSON object of columns, types, rows and why it is cut."""
    return orjson.dumps(
        {
            "columns": table.data.column_names,
            "types": table.types,
            "rows": json_rows(table),
            "cut": table.cut,
        }
    )


def csv_bytes(table: Table) -> bytes:
    """The answer as CSV with a line of column names; a header of the response says why it is cut."""
    text = io.StringIO()
    write_csv(table.data.column_names, json_rows(table), text)
    return text.getvalue().encode()


def arrow_bytes(table: Table) -> bytes:
    """The answer as an Arrow stream; metadata of the last batch says in ``headwater.cut`` why rows miss."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.data.schema) as writer:
        writer.write_table(table.data)
        if table.cut:
            empty = pa.RecordBatch.from_pylist([], schema=table.data.schema)
            writer.write_batch(empty, custom_metadata={"headwater.cut": table.cut})
    return bytes(sink.getvalue().to_pybytes())


async def _no_such_path(request: Request, _error_seen: Exception) -> Response:
    return _error(
        404, f"There is no {request.method} {request.url.path}; there are POST /v1/sql, "
        "GET /v1/flows/ID/critical-path, GET /v1/changes, GET /v1/health and GET /metrics."
    )  # fmt: skip


async def _unforeseen(_request: Request, error: Exception) -> Response:
    return _error(500, f"An error of the collector itself: {type(error).__name__}: {error}.")


def _refusal(error: HeadwaterError) -> Response:
    return _error(next(status for kind, status in _STATUS if isinstance(error, kind)), str(error))


def _error(status: int, sentence: str) -> Response:
    headers = {
        503: {"retry-after": "2"},
        401: {"www-authenticate": "Bearer"},
        408: {"connection": "close"},
    }.get(status, {})
    return Response(orjson.dumps({"error": sentence}), status, media_type="application/json", headers=headers)
