"""What all doors have in common: who may send, what is OTLP at all, and making it durable."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from hmac import compare_digest
from typing import Literal

from headwater_collector.counters import IngestCounters
from headwater_collector.errors import NotAllowed, Refused, TooLarge, TryLater
from headwater_collector.log import AppendLog, Done
from headwater_collector.log_segment import LogRecord

from .otlp_decode import Kind
from .otlp_json import check_json
from .otlp_wire import check_framing

Signal = Literal["traces", "metrics", "logs"]

JSON_KEYS: dict[Signal, tuple[str, str, str]] = {
    "traces": ("resourceSpans", "scopeSpans", "spans"),
    "metrics": ("resourceMetrics", "scopeMetrics", "metrics"),
    "logs": ("resourceLogs", "scopeLogs", "logRecords"),
}
_NOT_KEPT: dict[Signal, str] = {"metrics": "metrics_not_kept", "logs": "logs_not_kept"}


@dataclass(frozen=True)
class DoorBounds:
    """How much a door takes."""

    body_bytes: int = 64 << 20
    """One request, unpacked. Exporters send 512 spans, some 250 KB; the batches of an agent are larger."""
    compressed_bytes: int = 16 << 20
    """One request as it comes, where it is compressed."""
    in_flight_bytes: int = 256 << 20
    """All requests being read at one time; beyond, "try again later" rather than memory without end."""
    read_seconds: float = 60.0
    """A body that takes longer is given up: a connection that drips would hold its memory for ever."""


class Intake:
    """Checks requests and hands them to the log; used by every door, from any thread."""

    def __init__(
        self,
        log: AppendLog,
        counters: IngestCounters,
        *,
        token: str | None,
        bounds: DoorBounds,
        count: Callable[[bytes], int] = check_framing,
    ) -> None:
        """`count` says how many spans a protobuf request frames, from any thread; raises Malformed."""
        self._log = log
        self._counters = counters
        self._token = None if token is None else token.encode()
        self.bounds = bounds
        self._count = count

    def check_token(self, authorization: bytes | None) -> None:
        """Raises NotAllowed unless the header holds the token, where one is asked for."""
        if self._token is None:
            return
        scheme, _, given = (authorization or b"").partition(b" ")
        if scheme.lower() != b"bearer" or not compare_digest(given.strip(), self._token):
            raise NotAllowed('A token is needed: send the header "Authorization: Bearer TOKEN".')

    def begin(self) -> None:
        """Count a request that has come in."""
        self._counters.add("received_requests")

    def refused(self, error: Refused) -> None:
        """Count a request that is answered with an error."""
        self._counters.refused(type(error).__name__.lower())

    def accept(self, signal: Signal, kind: Kind, body: bytes, done: Done) -> str | None:
        """Check a request and make it durable; `done` is called once, at once where nothing is to keep.

        Returns a remark for the sender, or None. Raises Refused, and then never calls `done`.
        """
        if len(body) > self.bounds.body_bytes:
            raise TooLarge(f"The request has {len(body)} bytes; at most {self.bounds.body_bytes} are taken.")
        remark = None
        if kind is Kind.HTTP_JSON:
            found, named = check_json(body, JSON_KEYS[signal])
            if not named:
                remark = f"Nothing was kept: the request has no {JSON_KEYS[signal][0]}."
        else:
            found = self._count(body)
        if signal != "traces":
            self._counters.add(_NOT_KEPT[signal], found)
        if signal != "traces" or not found:
            self._counters.add("acknowledged_requests")
            done(None)
            return remark

        def durable(error: TryLater | None) -> None:
            if error is None:
                self._counters.add("acknowledged_requests")
            done(error)

        self._log.append(LogRecord(int(kind), time.time_ns(), body), durable)
        return remark
