"""Between log and store: exact positions, repetitions, rows the store refuses, a store that is away."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from builders import a_request, a_span
from headwater_collector import pipeline as pipeline_module
from headwater_collector.attempts import MOST
from headwater_collector.counters import IngestCounters
from headwater_collector.log import AppendLog
from headwater_collector.log_segment import LogRecord, segment_numbers
from headwater_collector.pipeline import Pipeline
from headwater_collector.pipeline_bounds import PipelineBounds
from headwater_collector.receivers.otlp_decode import Decoder, RawRequest
from headwater_collector.records import LogPosition, RequestSeen, SpanBatch
from headwater_collector.store import AppendCounts, Writer, append_spans
from store_helpers import open_store


class Bench:
    """Store, log and pipeline on one directory, to be opened and closed again."""

    def __init__(
        self, directory: Path, bounds: PipelineBounds | None = None, decoder: Decoder | None = None
    ) -> None:
        self.directory = directory
        self.store = open_store(directory / "headwater.duckdb")
        self.log = AppendLog(directory / "log")
        self.log.open(Pipeline.stored_position(self.store))
        self.counters = IngestCounters("test")
        self.pipeline = Pipeline(self.store, self.log, self.counters, bounds, decoder=decoder)
        self.pipeline.start()

    def send(self, *names: str) -> bytes:
        body: bytes = a_request(*(a_span(name) for name in names)).SerializeToString()
        self.send_bytes(body)
        return body

    def send_bytes(self, body: bytes, at_ns: int | None = None) -> None:
        told = threading.Event()
        self.log.append(LogRecord(1, at_ns or time.time_ns(), body), lambda error: told.set())
        assert told.wait(60)

    def names(self) -> list[str]:
        return [name for (name,) in self.store.read("select name from span_rows order by name")]

    def wait(self, done: Callable[[], bool], seconds: float = 60.0) -> None:
        until = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < until, self.pipeline.health()
            time.sleep(0.02)

    def close(self) -> None:
        self.log.close()
        self.pipeline.stop()
        self.log.close_reader()
        self.store.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


def test_what_is_sent_shows_soon(bench: Bench) -> None:
    bench.send("first")
    bench.wait(lambda: bench.names() == ["first"])
    bench.send("second")
    bench.wait(lambda: bench.names() == ["first", "second"])


def test_stopping_stores_what_was_accepted_and_starting_goes_on(tmp_path: Path) -> None:
    first = Bench(tmp_path)
    for number in range(50):
        first.send(f"{number:02}")
    first.close()
    second = Bench(tmp_path)
    try:
        assert second.names() == [f"{number:02}" for number in range(50)]
        assert second.counters.row()["stored_spans"] == 0
        second.send("99")
        second.wait(lambda: second.names()[-1] == "99")
        assert len(second.names()) == 51
    finally:
        second.close()


def test_a_start_stores_little_at_first_so_that_a_process_killed_soon_gets_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Bench(tmp_path)
    first.pipeline.stop()
    for number in range(20):
        first.send(f"{number:02}")
    first.close()
    stored: list[int] = []

    def noted(writer: Writer, batch: SpanBatch, position: LogPosition) -> AppendCounts:
        stored.append(batch.spans.num_rows)
        return append_spans(writer, batch, position)

    monkeypatch.setattr(pipeline_module, "append_spans", noted)
    second = Bench(tmp_path, PipelineBounds(first_batch_bytes=1))
    try:
        second.wait(lambda: len(second.names()) == 20)
    finally:
        second.close()
    assert stored[0] == 1
    assert max(stored) > 1


def test_a_repetition_is_recognised_also_after_a_restart(tmp_path: Path) -> None:
    first = Bench(tmp_path)
    body = first.send("once")
    first.send_bytes(body)
    first.close()
    second = Bench(tmp_path)
    try:
        second.send_bytes(body)
        second.send_bytes(body, time.time_ns() + 3600 * 10**9)
        second.wait(lambda: len(second.names()) == 2)
        second.wait(lambda: second.counters.row()["repeated_requests"] == 1)
    finally:
        second.close()


def test_without_its_file_a_store_is_rebuilt_from_what_the_log_still_has(tmp_path: Path) -> None:
    first = Bench(tmp_path)
    first.send("one")
    first.wait(lambda: first.names() == ["one"])
    first.send("two")
    first.close()
    for file in tmp_path.glob("headwater.duckdb*"):
        file.unlink()
    second = Bench(tmp_path)
    try:
        second.wait(lambda: second.names() == ["one", "two"])
    finally:
        second.close()


def test_chunks_of_one_commit_repeat_nothing_and_keep_resources_distinct(tmp_path: Path) -> None:
    made = Bench(tmp_path, PipelineBounds(chunk_bytes=1, linger_seconds=1.5))
    try:
        bodies = [made.send(f"{number:02}") for number in range(12)]
        for body in bodies:
            made.send_bytes(body)
        made.wait(lambda: made.counters.row()["repeated_requests"] == 12)
        assert made.names() == [f"{number:02}" for number in range(12)]
        assert made.store.read("select count(*), count(distinct resource_id) from resource_rows") == [(1, 1)]
    finally:
        made.close()


def test_segments_go_when_the_store_is_check_pointed(tmp_path: Path) -> None:
    made = Bench(tmp_path, PipelineBounds(checkpoint_bytes=1))
    try:
        made.send("before")
        made.wait(lambda: made.names() == ["before"])
    finally:
        made.close()
    again = Bench(tmp_path, PipelineBounds(checkpoint_bytes=1))
    try:
        again.send("after")
        again.wait(lambda: segment_numbers(tmp_path / "log") == [2])
        assert again.names() == ["after", "before"]
    finally:
        again.close()


def test_a_sample_is_written_when_something_changed(bench: Bench) -> None:
    bench.send("one", "two")
    bench.wait(lambda: bench.store.read("select max(stored_spans) from ingest_samples") == [(2,)])
    (count,) = bench.store.read("select count(*) from ingest_samples")[0]
    time.sleep(1.5)
    assert bench.store.read("select count(*) from ingest_samples")[0][0] <= count + 1


class RefusesName:
    """append_spans that cannot store a batch with a span of this name, as the store would say it."""

    def __init__(self, name: str, error: Exception) -> None:
        self.name, self.error, self.calls = name, error, 0

    def __call__(self, writer: Writer, batch: SpanBatch, position: LogPosition) -> AppendCounts:
        counts = append_spans(writer, batch, position)
        self.calls += 1
        if self.name in batch.spans["name"].to_pylist():
            raise self.error
        return counts


def test_rows_the_store_refuses_cost_only_their_request(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    class ConversionException(Exception):
        """Named like DuckDB's."""

    monkeypatch.setattr(
        pipeline_module, "append_spans", RefusesName("poison", ConversionException("Could not convert x"))
    )
    names = [f"{number:02}" for number in range(30)]
    for name in names[:17]:
        bench.send(name)
    bench.send("poison", "its neighbour")
    for name in names[17:]:
        bench.send(name)
    bench.wait(lambda: bench.names() == names)
    ((reason, detail),) = bench.store.read("select reason, detail from quarantine_rows")
    assert reason == "store_refused"
    assert "Could not convert x" in detail
    bench.wait(lambda: bench.pipeline.health()["unstored_bytes"] == 0)


def test_a_store_that_is_away_costs_nothing_but_time(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    class IOException(Exception):
        """Named like DuckDB's."""

    away = RefusesName("patient", IOException("No space left on device"))
    monkeypatch.setattr(pipeline_module, "append_spans", away)
    bench.send("patient")
    bench.wait(lambda: away.calls >= 2)
    health: dict[str, Any] = bench.pipeline.health()
    assert "No space left on device" in health["last_error"]
    assert health["unstored_bytes"] > 0
    assert bench.names() == []
    monkeypatch.undo()
    bench.wait(lambda: bench.names() == ["patient"])
    bench.wait(lambda: bench.pipeline.health()["last_error"] is None)
    assert bench.store.read("select marks from span_rows") == [(None,)]


class FailsOnName(Decoder):
    """A decoder for which requests with this text take more than there is."""

    def __init__(self, text: bytes, error: Exception) -> None:
        super().__init__()
        self.text, self.error, self.tried = text, error, 0

    def decode(
        self, requests: Sequence[RawRequest], seen: Sequence[RequestSeen] = ()
    ) -> tuple[SpanBatch, Counter[str]]:
        if any(self.text in request.body for request in requests):
            self.tried += 1
            raise self.error
        return super().decode(requests, seen)


def test_a_request_that_fails_again_and_again_is_set_aside_and_what_follows_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline_module, "FIRST_BACKOFF_SECONDS", 0.001)
    decoder = FailsOnName(b"poison", MemoryError("array of 4 GB"))
    made = Bench(tmp_path, decoder=decoder)
    try:
        for name in ("00", "01", "poison", "02", "03"):
            made.send(name)
        made.wait(lambda: made.names() == ["00", "01", "02", "03"])
        ((reason, detail),) = made.store.read("select reason, detail from quarantine_rows")
        assert (reason, detail) == ("store_failed", "Storing a request failed again and again: array of 4 GB")
        row = made.counters.row()
        assert (row["quarantined"], row["quarantine_reasons"]) == (1, {"store_failed": 1})
        assert decoder.tried >= MOST
        made.wait(lambda: made.pipeline.health()["unstored_bytes"] == 0)
        made.wait(lambda: made.pipeline.health()["last_error"] is None)
    finally:
        made.close()


def test_a_disk_that_fails_again_and_again_sets_nothing_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline_module, "FIRST_BACKOFF_SECONDS", 0.001)
    decoder = FailsOnName(b"patient", OSError("Input/output error"))
    made = Bench(tmp_path, decoder=decoder)
    try:
        made.send("patient")
        made.wait(lambda: decoder.tried >= 2 * MOST)
        assert made.store.read("select count(*) from quarantine_rows") == [(0,)]
        decoder.text = b"nothing is named so"
        made.wait(lambda: made.names() == ["patient"])
    finally:
        made.close()


def test_where_nothing_can_be_stored_nothing_is_set_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline_module, "FIRST_BACKOFF_SECONDS", 0.001)
    made = Bench(tmp_path)
    tried: list[int] = []

    def short_of_memory(writer: Writer, batch: SpanBatch, position: LogPosition) -> AppendCounts:
        tried.append(batch.spans.num_rows)
        raise MemoryError("none left")

    monkeypatch.setattr(pipeline_module, "append_spans", short_of_memory)
    try:
        made.send("patient")
        made.wait(lambda: len(tried) >= 2 * MOST)
        assert 0 in tried, "setting it aside was tried too"
        monkeypatch.undo()
        made.wait(lambda: made.names() == ["patient"], 30.0)
    finally:
        made.close()
