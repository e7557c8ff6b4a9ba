"""Questions to a running collector, with the standard library alone: a terminal must start at once."""

import gzip
import http.client
import json
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from .errors import QueryFailed, QueryRefused, Unavailable, UsageError
from .source import Answer, Change

TIMEOUT_SECONDS = 40.0
"""Longer than the collector's own limit, so that its sentence arrives."""
SILENCE_SECONDS = 15.0
"""A change stream that says nothing for this long, heartbeats included, is dead."""
IDLE_CONNECTIONS = 4
"""Kept open for the next questions."""
_GONE = (OSError, http.client.HTTPException)
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class RemoteSource:
    """A collector at a URL. Connections that no question uses at the moment are kept for the next ones."""

    def __init__(self, url: str, token: str | None = None, tls_ca: Path | None = None) -> None:
        """Raises UsageError when the URL or the file of certificates is none; connects on the first question."""
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme not in ("http", "https") or not parts.hostname or not _has_port(parts):
            raise UsageError(f"{url!r} is no collector's address; write for example http://127.0.0.1:4319.")
        self._parts = parts
        self._tls = trusting(tls_ca, parts.hostname) if parts.scheme == "https" else None
        self.url = f"{parts.scheme}://{parts.netloc}"
        self.label = f"collector {self.url}"
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        # Packing pays on a network; on this machine it only costs time.
        self._packing = {} if parts.hostname in _LOOPBACK else {"Accept-Encoding": "gzip"}
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()
        self._closed = False

    def query(self, sql: str, params: Sequence[object] = ()) -> Answer:
        """See Source.query."""
        payload = self.post(sql, params, "application/json")
        answer = json.loads(payload)
        rows = [tuple(row) for row in answer["rows"]]
        return Answer(tuple(answer["columns"]), tuple(answer["types"]), rows, answer.get("cut"))

    def post(self, sql: str, params: Sequence[object], accept: str) -> bytes:
        """The raw answer in a content type of the collector's choice: JSON, CSV or an Arrow stream."""
        body = json.dumps({"sql": sql, "params": list(params)}).encode()
        headers = {"Content-Type": "application/json", "Accept": accept, **self._headers, **self._packing}
        status, payload = self._request("POST", "/v1/sql", body, headers)
        if status == 200:
            return payload
        sentence = _sentence(payload, status)
        if status == 400:
            raise QueryRefused(sentence)
        if status in (401, 403, 503):
            raise Unavailable(sentence)
        raise QueryFailed(sentence)

    def health(self) -> dict[str, Any]:
        """See Source.health."""
        status, payload = self._request("GET", "/v1/health", None, self._headers)
        if status != 200:
            raise Unavailable(_sentence(payload, status))
        state: dict[str, Any] = json.loads(payload)
        return state

    def changes(self, stop: threading.Event) -> Iterator[Change]:
        """See Source.changes."""
        connection = self._connect(SILENCE_SECONDS)
        try:
            connection.request("GET", "/v1/changes", headers={"Accept": "text/event-stream", **self._headers})
            sock = connection.sock
            response = connection.getresponse()
            if response.status != 200:
                raise Unavailable(_sentence(response.read(), response.status))
            with _ended_by(stop, sock):
                while not stop.is_set():
                    line = response.readline()
                    if line.startswith(b"data:"):
                        event = json.loads(line[5:])
                        yield Change(event["relation"], event["from"], event["to"])
                    elif not line and not stop.is_set():
                        raise Unavailable(f"The collector at {self.url} has ended the connection.")
        except _GONE as error:
            if not stop.is_set():
                raise self._gone(error) from None
        finally:
            connection.close()

    def close(self) -> None:
        """See Source.close."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _request(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        while True:
            with self._lock:
                kept = self._idle.pop() if self._idle else None
            connection = kept or self._connect(TIMEOUT_SECONDS)
            try:
                connection.request(method, path, body, headers)
                response = connection.getresponse()
                payload = response.read()
                if response.headers.get("Content-Encoding") == "gzip":
                    payload = gzip.decompress(payload)
            except _GONE as error:
                connection.close()
                # A kept connection may have been closed by the other side meanwhile: again on another one.
                if kept is None or isinstance(error, TimeoutError):
                    raise self._gone(error) from None
                continue
            self._give_back(connection)
            return response.status, payload

    def _give_back(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            if not self._closed and len(self._idle) < IDLE_CONNECTIONS:
                self._idle.append(connection)
                return
        connection.close()

    def _connect(self, timeout: float) -> http.client.HTTPConnection:
        return connection_to(self._parts, self._tls, timeout)

    def _gone(self, error: Exception) -> Unavailable:
        if isinstance(error, TimeoutError | socket.timeout):
            return Unavailable(f"The collector at {self.url} does not answer in time.")
        if isinstance(error, ssl.SSLCertVerificationError):
            return Unavailable(
                f"The certificate of {self.url} is not trusted ({error.verify_message}); name the file of the "
                "authority that signed it with --tls-ca FILE."
            )
        if isinstance(error, ssl.SSLError):
            return Unavailable(f"What answers at {self.url} does not speak TLS; try http:// in its address.")
        if isinstance(error, http.client.BadStatusLine | ConnectionResetError) and self._tls is None:
            return Unavailable(
                f"What answers at {self.url} does not speak HTTP; if the collector has a certificate, write "
                "https:// in its address."
            )
        return Unavailable(
            f"No collector answers at {self.url}; start one with `headwater serve`, or `headwater demo`, "
            "or name another with --collector."
        )


@contextmanager
def _ended_by(stop: threading.Event, sock: socket.socket) -> Iterator[None]:
    """While inside, ``stop`` ends a read that waits on the socket; without it a quiet stream would go on."""
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            if stop.wait(0.2):
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
                return

    threading.Thread(target=watch, name="changes-stop", daemon=True).start()
    try:
        yield
    finally:
        over.set()


def connection_to(
    parts: SplitResult, tls: ssl.SSLContext | None, timeout: float
) -> http.client.HTTPConnection:
    """A connection that is made with its first request; over TLS where there is a context for it."""
    host = parts.hostname or ""
    if tls is not None:
        return http.client.HTTPSConnection(host, parts.port, timeout=timeout, context=tls)
    return http.client.HTTPConnection(host, parts.port, timeout=timeout)


def trusting(tls_ca: Path | None, host: str | None) -> ssl.SSLContext:
    """Raises UsageError for a file that holds no certificates."""
    if tls_ca is None:
        return ssl.create_default_context()
    try:
        context = ssl.create_default_context(cafile=str(tls_ca))
    except OSError as error:  # SSLError is one
        reason = "holds no certificate in PEM" if isinstance(error, ssl.SSLError) else error.strerror
        raise UsageError(f"--tls-ca {tls_ca} cannot be used: {reason}.") from None
    # The collector's own certificate may be named itself, and on this machine its name says nothing.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.check_hostname = host not in _LOOPBACK
    return context


def _has_port(parts: SplitResult) -> bool:
    """Whether the port is one, or left out."""
    try:
        return parts.port != 0
    except ValueError:
        return False


def _sentence(payload: bytes, status: int) -> str:
    try:
        return str(json.loads(payload)["error"])
    except (ValueError, KeyError, TypeError):
        return f"The collector answered with HTTP status {status}."
