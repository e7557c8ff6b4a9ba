"""A collector's OTLP/HTTP door, from the outside."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import orjson

from headwater_analysis.errors import Unavailable, UsageError
from headwater_analysis.remote import connection_to, trusting

from .requests import halves

PATIENCE_SECONDS = 60.0
"""For a door that says "later"."""
TIMEOUT_SECONDS = 30.0
BUSY = (429, 502, 503, 504)


class Door:
    """Sends requests one after the other over one connection."""

    def __init__(self, url: str, token: str | None, tls_ca: Path | None) -> None:
        """Raises UsageError when the URL is none."""
        parts = urlsplit(url if "://" in url else f"http://{url}")
        try:
            port = parts.port
        except ValueError:
            port = None
        if parts.scheme not in ("http", "https") or not parts.hostname or port is None:
            raise UsageError(f"{url!r} is no door's address; write for example http://127.0.0.1:4318.")
        self.url = f"{parts.scheme}://{parts.netloc}"
        self._headers = {"Content-Type": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        tls = trusting(tls_ca, parts.hostname) if parts.scheme == "https" else None
        self._connection = connection_to(parts, tls, TIMEOUT_SECONDS)

    def send(self, body: bytes, spans: int, pause: Callable[[float], None] = time.sleep) -> int:
        """Sends a request, in parts where it is too large; how many of its spans were refused. Raises Unavailable."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            status, wait, payload = self._post(body)
            if status == 413 and spans > 1:
                return sum(self.send(part, number, pause) for part, number in halves(body))
            if status not in BUSY:
                break
            if time.monotonic() + wait > until:
                raise Unavailable(f"The door at {self.url} has been too busy for {PATIENCE_SECONDS:.0f} s.")
            pause(wait)
        if status == 200:
            answer = orjson.loads(payload) if payload.startswith(b"{") else {}
            return int((answer.get("partialSuccess") or {}).get("rejectedSpans") or 0)
        if status in (401, 403):
            raise Unavailable(
                f"The door at {self.url} wants a token with the role ingest: --token, or HEADWATER_TOKEN."
            )
        if status in (400, 413):
            return spans
        raise Unavailable(f"The door at {self.url} answered {status}; is it an OTLP/HTTP door?")

    def _post(self, body: bytes) -> tuple[int, float, bytes]:
        for attempt in (1, 2):
            try:
                self._connection.request("POST", "/v1/traces", body, self._headers)
                response = self._connection.getresponse()
                payload = response.read()
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                # A kept connection may have been closed in the meantime; the same bytes are stored once.
                if attempt == 2 or isinstance(error, ConnectionRefusedError):
                    raise Unavailable(
                        f"No collector's door answers at {self.url} ({error}); start one with `headwater serve`."
                    ) from None
                continue
            wait = 1.0
            with suppress(ValueError):
                wait = min(max(float(response.headers.get("Retry-After", "1")), 0.05), 10.0)
            return response.status, wait, payload
        raise AssertionError

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()
