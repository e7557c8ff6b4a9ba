"""The log when the disk is full, fails or is pulled away: senders are told, nothing acknowledged is lost."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from builders import a_request, a_span
from door_helpers import until
from headwater_collector.counters import IngestCounters
from headwater_collector.errors import TryLater
from headwater_collector.log import AppendLog, LogBounds
from headwater_collector.log_age import LogAge
from headwater_collector.log_segment import LogRecord, segment_numbers, segment_path
from headwater_collector.pipeline import Pipeline
from headwater_collector.pipeline_bounds import PipelineBounds
from headwater_collector.records import LogPosition
from store_helpers import open_store

START = LogPosition(0, 0)


@contextmanager
def a_log(directory: Path, **bounds: int) -> Iterator[AppendLog]:
    log = AppendLog(directory, LogBounds(**bounds))
    log.open(START)
    try:
        yield log
    finally:
        log.close_reader()


def append(log: AppendLog, body: bytes) -> TryLater | None:
    """What the log answered."""
    told = threading.Event()
    answers: list[TryLater | None] = []

    def done(error: TryLater | None) -> None:
        answers.append(error)
        told.set()

    try:
        log.append(LogRecord(1, time.time_ns(), body), done)
    except TryLater as error:
        return error
    assert told.wait(60)
    return answers[0]


def bodies(log: AppendLog, position: LogPosition = START) -> list[bytes]:
    return [record.body for record in log.read(position, 1 << 30)[0]]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 12 MB that can really be full."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", place], capture_output=True)
    if made.returncode:
        pytest.skip("mounting needs a right that this user has not")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def test_a_full_disk_is_told_and_recovered_from(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    with a_log(small_disk / "log") as log:
        assert append(log, b"before") is None
        ballast.write_bytes(bytes(11 << 20))
        answer = None
        kept = [b"before"]
        while answer is None:
            body = os.urandom(200_000)
            answer = append(log, body)
            kept += [body] if answer is None else []
        assert "No space left on device" in str(answer)
        assert answer.retry_seconds
        assert "No space left" in str(log.last_error)
        assert append(log, os.urandom(200_000)) is not None, "still full"
        ballast.unlink()
        assert append(log, b"after") is None
        assert log.last_error is None
        assert bodies(log) == [*kept, b"after"]
    with a_log(small_disk / "log") as log:
        assert bodies(log) == [*kept, b"after"]


def test_the_store_keeps_room_on_the_disk(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headwater_collector.log._LOOK_SECONDS", 0.0)
    ballast = small_disk / "ballast"
    with a_log(small_disk / "log", free_bytes=4 << 20) as log:
        assert append(log, b"before") is None
        ballast.write_bytes(bytes(9 << 20))
        answer = append(log, b"not now")
        assert "--min-free" in str(answer)
        assert "--min-free" in str(log.last_error)
        ballast.unlink()
        assert append(log, b"after") is None
        assert log.last_error is None
        assert bodies(log) == [b"before", b"after"]


class Stored:
    """Store, log and pipeline on one directory."""

    def __init__(self, directory: Path, **bounds: int) -> None:
        self.store = open_store(directory / "headwater.duckdb")
        self.log = AppendLog(directory / "log", LogBounds(**bounds))
        self.log.open(Pipeline.stored_position(self.store))
        small = PipelineBounds(checkpoint_bytes=500_000)
        self.pipeline = Pipeline(self.store, self.log, IngestCounters("test"), small)
        self.pipeline.start()

    def spans(self) -> int:
        return int(self.store.read("select count(*) from span_rows")[0][0])

    def error(self) -> str:
        return str(self.pipeline.health()["last_error"])

    def close(self) -> None:
        self.log.close()
        self.pipeline.stop()
        self.log.close_reader()
        self.store.close()


def requests(count: int) -> list[bytes]:
    """Requests of one span each, hard to compress."""
    return [
        a_request(a_span(f"span {n}", attributes={"x": os.urandom(1500).hex()})).SerializeToString()
        for n in range(count)
    ]


def test_the_store_on_a_full_disk_takes_over_later_what_was_acknowledged(small_disk: Path) -> None:
    running = Stored(small_disk, free_bytes=0)
    kept = sum(append(running.log, body) is None for body in requests(4000))
    assert 500 < kept < 4000
    until(lambda: "No space left" in running.error())
    subprocess.run(["mount", "-o", "remount,size=120m", small_disk], check=True)
    until(lambda: running.pipeline.health()["unstored_bytes"] == 0, seconds=40)
    assert running.spans() == kept
    assert append(running.log, requests(1)[0]) is None
    until(lambda: running.spans() == kept + 1)
    until(lambda: running.error() == "None")
    running.close()


def test_a_store_that_is_taken_away_is_said_and_the_log_is_kept(tmp_path: Path) -> None:
    running = Stored(tmp_path)
    for body in requests(20):
        assert append(running.log, body) is None
    until(lambda: running.spans() == 20)
    for file in tmp_path.glob("headwater.duckdb*"):
        file.unlink()
    for body in requests(200):
        assert append(running.log, body) is None
    until(lambda: "was removed, replaced or overwritten" in running.error())
    running.close()
    again = Stored(tmp_path)
    until(lambda: again.spans() >= 200)
    assert again.spans() == 220, "nothing had been checkpointed, so all of it was still in the log"
    until(lambda: again.error() == "None")
    again.close()


def test_a_store_that_is_put_back_goes_on(tmp_path: Path) -> None:
    running = Stored(tmp_path)
    (tmp_path / "headwater.duckdb").rename(tmp_path / "elsewhere")
    assert append(running.log, requests(1)[0]) is None
    until(lambda: "was removed, replaced or overwritten" in running.error())
    (tmp_path / "elsewhere").rename(tmp_path / "headwater.duckdb")
    until(lambda: running.spans() == 1)
    until(lambda: running.error() == "None")
    running.close()


def test_a_store_that_is_overwritten_is_said_and_the_log_is_kept(tmp_path: Path) -> None:
    running = Stored(tmp_path)
    for body in requests(300):  # some check-points go by, and leave the head as it was
        assert append(running.log, body) is None
    until(lambda: running.spans() == 300)
    until(lambda: running.error() == "None")
    with open(tmp_path / "headwater.duckdb", "r+b") as file:
        file.truncate(100)
    for body in requests(20):
        assert append(running.log, body) is None
    until(lambda: "overwritten" in running.error())
    assert running.log.unread_bytes(START) > 20 * 3000
    running.log.close()
    running.pipeline.stop()
    assert len(bodies(running.log)) >= 20
    running.log.close_reader()
    with contextlib.suppress(Exception):
        running.store.close()  # it cannot check-point into what is left


@pytest.mark.parametrize("how", ["the file", "the directory"])
def test_a_log_that_is_taken_away_loses_nothing_and_is_said(tmp_path: Path, how: str) -> None:
    directory = tmp_path / "log"
    with a_log(directory) as log:
        assert append(log, b"before") is None
        if how == "the file":
            segment_path(directory, 1).unlink()
        else:
            shutil.rmtree(directory)
        assert append(log, b"after") is None
        assert append(log, b"more") is None
        assert bodies(log) == [b"before", b"after", b"more"]
        assert "were removed" in str(log.last_error)
        _, position = log.read(START, 1 << 30)
        log.forget(position)
        assert segment_numbers(directory) == [2]
    with a_log(directory) as log:
        assert bodies(log) == [b"after", b"more"], "what was not stored is in files that have a name"


class Disk:
    """fdatasync as the log sees it, failing where told; a file whose sync failed must not be synced again."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.failing: Callable[[str], bool] = lambda name: False
        self.failed: list[str] = []
        self.again: list[str] = []
        self._real = os.fdatasync
        monkeypatch.setattr(os, "fdatasync", self.fdatasync)

    def fdatasync(self, fd: int) -> None:
        name = Path(os.readlink(f"/proc/self/fd/{fd}")).name
        self.again += [name] if name in self.failed else []
        if self.failing(name):
            self.failed.append(name)
            raise OSError(5, "Input/output error")
        self._real(fd)


def test_a_disk_that_fails_for_long_is_asked_again_by_new_files_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with a_log(tmp_path) as log:
        disk = Disk(monkeypatch)
        assert append(log, b"before") is None
        disk.failing = lambda name: True
        for _ in range(5):
            assert "Input/output error" in str(append(log, b"never"))
        assert len(set(disk.failed)) == 10, "each request had two tries, each on a file of its own"
        disk.failing = lambda name: False
        assert append(log, b"after") is None
        assert log.last_error is None
        assert log.state()["disk_errors"] == 10
        assert bodies(log) == [b"before", b"after"]
        assert disk.again == []
        assert len(segment_numbers(tmp_path)) == 2
    with a_log(tmp_path) as log:
        assert bodies(log) == [b"before", b"after"]


def test_what_waits_is_acknowledged_only_from_the_new_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with a_log(tmp_path) as log:
        disk = Disk(monkeypatch)
        first = segment_path(tmp_path, 1).name
        disk.failing = lambda name: name == first
        assert append(log, b"written again") is None
        assert (disk.failed, disk.again) == ([first], [])
        assert segment_numbers(tmp_path) == [2], "the file without a durable record has gone"
        assert bodies(log) == [b"written again"]


def test_a_write_that_takes_only_a_part_is_carried_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.writev
    monkeypatch.setattr(os, "writev", lambda fd, parts: real(fd, [bytes(parts[0])[:5]]))
    with a_log(tmp_path) as log:
        for body in (b"one" * 20, b"", b"two"):
            assert append(log, body) is None
        assert bodies(log) == [b"one" * 20, b"", b"two"]
    monkeypatch.undo()
    with a_log(tmp_path) as log:
        assert bodies(log) == [b"one" * 20, b"", b"two"]


def test_ages_do_not_follow_a_clock_that_jumps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with a_log(tmp_path) as log:
        assert append(log, b"one") is None
        for hours in (5, -5):
            now = time.time_ns() + hours * 3600 * 10**9
            monkeypatch.setattr(time, "time_ns", lambda now=now: now)
            monkeypatch.setattr(time, "time", lambda now=now: now / 1e9)
            assert 0 <= log.oldest_seconds(START) < 60
        _, position = log.read(START, 1 << 30)
        assert log.oldest_seconds(position) == 0


def test_an_age_is_that_of_the_oldest_that_waits() -> None:
    age = LogAge()
    assert age.seconds(START, 5.0) == 0
    for second in range(10_000):
        age.mark(LogPosition(1, second), float(second))
    assert age.seconds(LogPosition(1, 9_000), 10_000.0) == pytest.approx(1_000, abs=4)
    assert age.seconds(LogPosition(1, 9_999), 10_000.0) == pytest.approx(1, abs=4)
    assert age.seconds(LogPosition(2, 0), 10_000.0) == pytest.approx(1, abs=4)
