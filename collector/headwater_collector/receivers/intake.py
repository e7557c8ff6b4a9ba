"""What all doors have in common: who may send, what is OTLP at all, and making it durable."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import orjson

from headwater_collector.access import Access
from headwater_collector.counters import IngestCounters
from headwater_collector.errors import Malformed, Refused, TooLarge, TryLater
from headwater_collector.log import AppendLog, Done
from headwater_collector.log_segment import LogRecord

from .otlp_decode import Kind
from .otlp_json import check_json
from .otlp_metrics import METRICS, speaks_of_messages
from .otlp_wire import check_framing, field_bytes, mend, number_field

Signal = Literal["traces", "metrics", "logs"]

JSON_KEYS: dict[Signal, tuple[str, str, str]] = {
    "traces": ("resourceSpans", "scopeSpans", "spans"),
    "metrics": ("resourceMetrics", "scopeMetrics", "metrics"),
    "logs": ("resourceLogs", "scopeLogs", "logRecords"),
}
_REJECTED: dict[Signal, str] = {
    "traces": "rejectedSpans",
    "metrics": "rejectedDataPoints",
    "logs": "rejectedLogRecords",
}
_INLINE = 1 << 20
"""Bytes up to which looking through a body holds up the other requests less than a thread would."""
_NOT_KEPT: dict[Signal, str] = {"metrics": "metrics_not_kept", "logs": "logs_not_kept"}


@dataclass(frozen=True)
class DoorBounds:
    """How much the doors take."""

    body_bytes: int = 64 << 20
    """One request, unpacked. Exporters send 512 spans, some 250 KB; the batches of an agent are larger."""
    compressed_bytes: int = 16 << 20
    """One request as it comes, where it is compressed."""
    in_flight_bytes: int = 256 << 20
    """All requests being read and made durable; beyond, "try again later" rather than memory without end."""
    read_seconds: float = 60.0
    """A body that takes longer is given up: a connection that drips would hold its memory for ever."""


@dataclass(frozen=True)
class Kept:
    """What became of a request that was taken: OTLP's partial success where a part of it was not."""

    rejected: int = 0
    """Spans, data points or log records that are known not to be kept."""
    remark: str | None = None
    """A sentence for the sender; None where there is nothing to say."""

    def protobuf(self) -> bytes:
        """The body of the answer: Export…ServiceResponse, of one shape for all three signals."""
        if self.remark is None:
            return b""
        rejected = number_field(1, self.rejected) if self.rejected else b""
        return field_bytes(1, rejected + field_bytes(2, self.remark.encode()))

    def json(self, signal: Signal) -> bytes:
        """The same as JSON, where a 64-bit number is a text."""
        if self.remark is None:
            return b"{}"
        rejected = {_REJECTED[signal]: str(self.rejected)} if self.rejected else {}
        return orjson.dumps({"partialSuccess": {**rejected, "errorMessage": self.remark}})


class Room:
    """What one request holds of the bytes that all may hold together."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self.held = 0

    def take(self, size: int) -> None:
        """Raises TryLater where there is no room for so many bytes more."""
        if self._intake.in_flight + size > self._intake.bounds.in_flight_bytes:
            raise TryLater("The collector is reading all it has room for; send this again.", 2)
        self._intake.in_flight += size
        self.held += size


class Intake:
    """Checks requests and hands them to the log; used by every door, in one event loop."""

    def __init__(
        self,
        log: AppendLog,
        counters: IngestCounters,
        access: Access,
        bounds: DoorBounds | None = None,
        count: Callable[[bytes], int] = check_framing,
    ) -> None:
        """`count` says how many spans a protobuf request frames, from any thread; raises Malformed."""
        self._log = log
        self._counters = counters
        self._access = access
        self._count = count
        self.bounds = bounds or DoorBounds()
        self.in_flight = 0
        """Bytes of requests that are being read or made durable."""

    def begin(self, authorization: bytes | None) -> None:
        """Count a request that has come in; raises NotAllowed or WrongRole unless it may."""
        self._counters.add("received_requests")
        self._access.check(authorization, "ingest")

    def refused(self, error: Refused) -> None:
        """Count a request that is answered with an error."""
        self._counters.refused(type(error).__name__.lower())

    @contextlib.contextmanager
    def room(self) -> Iterator[Room]:
        """A request's share of memory, given back at the end of the `with`."""
        room = Room(self)
        try:
            yield room
        finally:
            self.in_flight -= room.held

    async def keep(self, signal: Signal, kind: Kind, body: bytes) -> Kept:
        """Returns when the request is durable. Raises Refused."""
        loop = asyncio.get_running_loop()
        durable: asyncio.Future[None] = loop.create_future()

        def resolve(error: TryLater | None) -> None:
            if durable.done():
                return
            if error is None:
                durable.set_result(None)
            else:
                durable.set_exception(error)

        def done(error: TryLater | None) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended, and nobody waits any more
                loop.call_soon_threadsafe(resolve, error)

        if len(body) > _INLINE:
            kept, record = await asyncio.to_thread(self._checked, signal, kind, body)
        else:
            kept, record = self._checked(signal, kind, body)
        if record is not None:
            self._append(record, done)
            await durable
        else:
            self._counters.add("acknowledged_requests")
        return kept

    def _checked(self, signal: Signal, kind: Kind, body: bytes) -> tuple[Kept, LogRecord | None]:
        """What to say, and what is to be kept; None where nothing is. Raises Refused."""
        if len(body) > self.bounds.body_bytes:
            raise TooLarge(f"The request has {len(body)} bytes; at most {self.bounds.body_bytes} are taken.")
        keys = JSON_KEYS[signal]
        kept = Kept()
        if kind is Kind.HTTP_JSON:
            found, wrong, named = check_json(body, keys)
            if wrong:
                kept = Kept(wrong, f"{wrong} of {found} {keys[2]} are no objects and were not kept.")
            elif not named:
                kept = Kept(0, f"Nothing was kept: the request has no {keys[0]}.")
        else:
            try:
                found = self._count(body)
            except Malformed as error:
                body, found, cuts = mend(body)
                if not found:
                    raise error
                kept = Kept(cuts, f"{found} {keys[2]} were kept, and what follows a fault was not: {error}")
        if kept.rejected:
            self._counters.add_reasons(Counter(rejected_part=kept.rejected))
        if signal == "traces":
            number = int(kind)
        elif signal == "metrics" and speaks_of_messages(body):
            number = kind | METRICS
        else:
            self._counters.add(_NOT_KEPT[signal], found)
            return kept, None
        return kept, LogRecord(number, time.time_ns(), body) if found else None

    def _append(self, record: LogRecord, done: Done) -> None:
        def durable(error: TryLater | None) -> None:
            if error is None:
                self._counters.add("acknowledged_requests")
            done(error)

        self._log.append(record, durable)
