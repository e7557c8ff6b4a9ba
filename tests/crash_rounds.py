"""A collector that is killed again and again under senders that never give up, and the count of what is stored."""

from __future__ import annotations

import http.client
import itertools
import random
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import grpc

from bench.load import TRACES_EXPORT, bodies, with_number
from collector_process import FREE_DOORS, PROTOBUF, CollectorProcess, a_collector, command, start_collector

SIZES = (10, 10, 10, 512)
"""Spans a request, as often as they stand here: what a quiet service sends, and the batch of every SDK."""
PAUSE_SECONDS = 0.1
"""At most between two requests of a sender, so that the collector beside it gets to store, not only to acknowledge."""
DOORS = ("otlp_http", "otlp_grpc")
LONGEST_SECONDS = 1.6
"""Until a kill: time for some commits, since the writer gathers for up to 0.6 s before each."""
STORED = 0.6
"""Share of the rounds in which the kill waits for a commit; in the others it mostly strikes before the first, and
the next start has all the more of the log to read."""
IN_START = 0.15
"""Share of the rounds in which the collector is killed before it has opened its doors."""
FORGOTTEN = 0.1
"""Share of the acknowledgements that get lost on their way to the sender. Half of these are tried again at once,
half when another collector runs."""
HUNG_UP = 0.05
"""Share of the requests whose sender leaves before the answer."""
HANGS_UP_SECONDS = 0.004
"""How long such a sender waits on gRPC: so that it leaves before, while and after the request is made durable."""
PATIENCE_SECONDS = 60.0


@dataclass
class Ledger:
    """What the senders know to be acknowledged."""

    requests: dict[int, int] = field(default_factory=dict)
    """Number of a request to its spans; every span id of it begins with the number."""
    spans: int = 0
    repeated: int = 0
    """Requests that were sent more often than once."""
    changed: threading.Condition = field(default_factory=threading.Condition)

    def acknowledge(self, number: int, spans: int) -> None:
        """Note one; each is noted once."""
        with self.changed:
            assert number not in self.requests
            self.requests[number] = spans
            self.spans += spans
            self.changed.notify_all()

    def repeat(self) -> None:
        """Note that a request was sent again."""
        with self.changed:
            self.repeated += 1

    def wait_for_more(self, spans: int) -> None:
        """Until so many more are acknowledged."""
        with self.changed:
            wanted = self.spans + spans
            come = self.changed.wait_for(lambda: self.spans >= wanted, PATIENCE_SECONDS)
        assert come, "nothing is acknowledged any more"


class Sender(threading.Thread):
    """Sends requests through one door, each until it has its acknowledgement, as an exporter does."""

    def __init__(self, door: str, ledger: Ledger, numbers: Iterator[int], seed: int) -> None:
        super().__init__(daemon=True)
        self.addresses: dict[str, str] | None = None
        """Of the collector that runs; None while none does."""
        self.last = threading.Event()
        """No new request any more; what is under way is still sent until it is acknowledged."""
        self.given_up = threading.Event()
        self._door = door
        self._ledger = ledger
        self._numbers = numbers
        self._dice = random.Random(seed)
        self._line: _Line | None = None
        now = time.time_ns()
        self._bodies = {spans: bodies(2_000 // spans, spans, seed, now) for spans in set(SIZES)}

    def run(self) -> None:
        later: list[_Request] = []
        at: dict[str, str] | None = None
        while not self.given_up.is_set():
            ends = self.last.is_set()
            if ends or self.addresses is not at:
                at = self.addresses
                for request in later:
                    self._deliver(request)
                later.clear()
            if ends:
                break
            request = self._new_request()
            if not self._deliver(request, may_forget=True):
                later.append(request)
            self.given_up.wait(self._dice.random() * PAUSE_SECONDS)
        if self._line is not None:
            self._line.close()

    def _new_request(self) -> _Request:
        number, spans = next(self._numbers), self._dice.choice(SIZES)
        return _Request(number, spans, with_number(self._dice.choice(self._bodies[spans]), number))

    def _deliver(self, request: _Request, *, may_forget: bool = False) -> bool:
        """Send until it is acknowledged; False when that was lost, and the next try is left for the next collector."""
        while not self.given_up.is_set():
            luck = self._dice.random()
            if self._send(request, listen=luck >= HUNG_UP):
                if luck >= HUNG_UP + FORGOTTEN:
                    self._ledger.acknowledge(request.number, request.spans)
                    return True
                if may_forget and luck >= HUNG_UP + FORGOTTEN / 2:
                    return False
            self.given_up.wait(0.01)
        return True

    def _send(self, request: _Request, *, listen: bool) -> bool:
        addresses = self.addresses
        if self._line is not None and self._line.address != (addresses or {}).get(self._door):
            self._line.close()
            self._line = None
        if addresses is None:
            return False
        if self._line is None:
            self._line = _LINES[self._door](addresses[self._door])
        request.tries += 1
        if request.tries == 2:
            self._ledger.repeat()
        return self._line.send(request.body, listen=listen)


@dataclass
class _Request:
    number: int
    spans: int
    body: bytes
    tries: int = 0


class _HttpLine:
    """A connection that is kept, and opened again after an error."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._connection = http.client.HTTPConnection(address, timeout=PATIENCE_SECONDS)

    def send(self, body: bytes, *, listen: bool) -> bool:
        """Whether it was acknowledged; never when nobody listens."""
        try:
            self._connection.request("POST", "/v1/traces", body, PROTOBUF)
            if listen:
                answer = self._connection.getresponse()
                answer.read()
                return answer.status == 200
        except (OSError, http.client.HTTPException):
            pass
        self.close()
        return False

    def close(self) -> None:
        self._connection.close()


class _GrpcLine:
    """A channel."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._channel = grpc.insecure_channel(address)
        self._export = self._channel.unary_unary(TRACES_EXPORT)

    def send(self, body: bytes, *, listen: bool) -> bool:
        """Whether it was acknowledged; never when nobody listens."""
        call: Any = self._export.future(body, timeout=PATIENCE_SECONDS if listen else HANGS_UP_SECONDS)
        return call.exception() is None and listen

    def close(self) -> None:
        self._channel.close()


_Line = _HttpLine | _GrpcLine
_LINES: dict[str, type[_HttpLine] | type[_GrpcLine]] = {"otlp_http": _HttpLine, "otlp_grpc": _GrpcLine}


@dataclass(frozen=True)
class Outcome:
    """Acknowledged beside stored, in spans."""

    acknowledged: int
    stored: int
    doubled: int
    """Stored more often than once."""
    lost: int
    """Acknowledged and not stored."""
    strange: int
    """Stored though no request was acknowledged that had them; every request is, in the end."""

    @property
    def exact(self) -> bool:
        """Whether each acknowledged span is stored once, and nothing else is."""
        return not (self.doubled or self.lost or self.strange) and self.acknowledged == self.stored


class CrashRounds:
    """Senders at both doors of a collector on `data`, and the kills."""

    def __init__(self, data: Path, seed: int, senders_a_door: int = 2) -> None:
        self.ledger = Ledger()
        self.restart_seconds: list[float] = []
        """From the start of a process to open doors, for those that came so far."""
        self._data = data
        self._dice = random.Random(seed)
        numbers = itertools.count(1)
        self._senders = [
            Sender(door, self.ledger, numbers, seed + at) for at, door in enumerate(DOORS * senders_a_door)
        ]

    def __enter__(self) -> CrashRounds:
        for sender in self._senders:
            sender.start()
        return self

    def __exit__(self, *_: object) -> None:
        for sender in self._senders:
            sender.given_up.set()
        for sender in self._senders:
            sender.join(2 * PATIENCE_SECONDS)

    def round(self) -> None:
        """One start and one kill, into whatever is going on: the start, a batch, a commit, a check-point."""
        if self._dice.random() < IN_START:
            process = command("serve", f"--data={self._data}", *FREE_DOORS)
            self._kill(process, self._dice.random() * LONGEST_SECONDS)
            return
        collector = self._started()
        try:
            self._point_senders_to(collector)
            self.ledger.wait_for_more(self._dice.randrange(1, 5_000))
            if self._dice.random() < STORED:
                self._wait_for_a_commit(collector)
            self._kill(collector.process, self._dice.random() * LONGEST_SECONDS)
        finally:
            collector.kill()
            self._point_senders_to(None)

    def settle(self) -> Outcome:
        """A last start: all that is under way is acknowledged, the collector ends cleanly, and it is counted."""
        with a_collector(self._data) as collector:
            for sender in self._senders:
                sender.last.set()
            self._point_senders_to(collector)
            for sender in self._senders:
                sender.join(2 * PATIENCE_SECONDS)
                assert not sender.is_alive(), "a request is never acknowledged"
            collector.wait_for("select unstored_bytes from ingest_health", 0, seconds=900, every=0.5)
            assert collector.stop() == 0
        with duckdb.connect(str(self._data / "headwater.duckdb"), read_only=True) as store:
            rows = store.execute(
                "select substr(span_id, 1, 8), count(*), count(distinct span_id) from spans group by 1"
            ).fetchall()
        return self._counted(rows)

    def _counted(self, rows: Sequence[tuple[str, int, int]]) -> Outcome:
        stored = {int(number, 16): (spans, distinct) for number, spans, distinct in rows}
        return Outcome(
            acknowledged=self.ledger.spans,
            stored=sum(spans for spans, _ in stored.values()),
            doubled=sum(spans - distinct for spans, distinct in stored.values()),
            lost=sum(
                max(0, spans - stored.get(number, (0, 0))[1])
                for number, spans in self.ledger.requests.items()
            ),
            strange=sum(
                max(0, distinct - self.ledger.requests.get(number, 0))
                for number, (_, distinct) in stored.items()
            ),
        )

    def _started(self) -> CollectorProcess:
        began = time.monotonic()
        collector = start_collector(self._data)
        self.restart_seconds.append(time.monotonic() - began)
        return collector

    def _point_senders_to(self, collector: CollectorProcess | None) -> None:
        for sender in self._senders:
            sender.addresses = None if collector is None else collector.addresses

    def _wait_for_a_commit(self, collector: CollectorProcess) -> None:
        """Until there are more spans for those who ask."""
        [[before]] = collector.sql("select count(*) from spans")
        collector.wait_for(f"select count(*) > {before} from spans", True, PATIENCE_SECONDS)

    def _kill(self, process: subprocess.Popen[str], after_seconds: float) -> None:
        try:
            process.wait(after_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            said = process.communicate()[0]
            assert "Traceback" not in said, said
            return
        raise AssertionError(f"It ended by itself: {process.communicate()[0]}")
