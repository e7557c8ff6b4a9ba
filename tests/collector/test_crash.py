"""kill -9 under load, again and again: every acknowledged span is there, once."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path

import duckdb

from builders import a_request, a_span, a_span_id
from collector_process import PROTOBUF, CollectorProcess, a_collector, start_collector

KILLS = 20
SENDERS = 3


class Sender(threading.Thread):
    """Sends requests one after another and remembers the span ids of those that were acknowledged.

    Like an exporter, it sends a request again, the same bytes, until it is acknowledged.
    """

    def __init__(self, seed: int) -> None:
        super().__init__(daemon=True)
        self.collector: CollectorProcess | None = None
        self.acknowledged: list[str] = []
        self.repeated = 0
        self.ended = threading.Event()
        self._random = random.Random(seed)
        self._pending: tuple[bytes, list[str]] | None = None

    def run(self) -> None:
        while not self.ended.is_set() or self._pending is not None:
            target = self.collector
            if target is None or not self._send_one(target):
                time.sleep(0.01)

    def _send_one(self, target: CollectorProcess) -> bool:
        if self._pending is None:
            ids = [a_span_id() for _ in range(self._random.randrange(1, 200))]
            request = a_request(*(a_span(span_id=span_id) for span_id in ids))
            self._pending = (request.SerializeToString(), ids)
        else:
            self.repeated += 1
        connection = CollectorProcess(target.process, target.data, target.addresses)
        try:
            status = connection.send(self._pending[0], PROTOBUF).status
        except OSError:
            return False
        except Exception as error:  # http.client's own errors are no OSErrors
            assert type(error).__module__ == "http.client", error
            return False
        finally:
            connection.close()
        if status == 200:
            self.acknowledged += self._pending[1]
            self._pending = None
        return status == 200


def test_after_twenty_kills_every_acknowledged_span_is_there_once(tmp_path: Path) -> None:
    senders = [Sender(seed) for seed in range(SENDERS)]
    for sender in senders:
        sender.start()
    moments = random.Random(7)
    try:
        for _ in range(KILLS):
            collector = start_collector(tmp_path)
            before = sum(len(sender.acknowledged) for sender in senders)
            for sender in senders:
                sender.collector = collector
            until = time.monotonic() + 30
            while sum(len(sender.acknowledged) for sender in senders) < before + 500:
                assert time.monotonic() < until, "nothing is acknowledged any more"
                time.sleep(0.005)
            time.sleep(moments.random() * 0.8)  # into whatever is going on: a batch, a commit, nothing
            collector.kill()
            assert collector.process.stdout is not None
            collector.process.stdout.close()
        with a_collector(tmp_path) as last:
            for sender in senders:
                sender.collector = last
                sender.ended.set()
            for sender in senders:
                sender.join(30)
                assert not sender.is_alive()
            acknowledged = [span_id for sender in senders for span_id in sender.acknowledged]
            last.wait_for("select unstored_bytes from ingest_health", 0)
            assert last.stop() == 0
    finally:
        for sender in senders:
            sender.collector = None
    with duckdb.connect(str(tmp_path / "headwater.duckdb"), read_only=True) as store:
        stored = [span_id for (span_id,) in store.execute("select span_id from spans").fetchall()]
    assert len(acknowledged) > KILLS * 500
    assert len(stored) == len(set(stored)), "a span is there twice"
    assert set(stored) == set(acknowledged)
    assert sum(sender.repeated for sender in senders) > 0
