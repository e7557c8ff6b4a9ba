"""The append log: what was acknowledged is there, what is torn is cut, what does not fit comes later."""

from __future__ import annotations

import os
import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater_collector.errors import LogBroken, TryLater
from headwater_collector.log import AppendLog, LogBounds
from headwater_collector.log_segment import LogRecord, segment_numbers, segment_path
from headwater_collector.records import LogPosition

START = LogPosition(0, 0)


@contextmanager
def a_log(directory: Path, after: LogPosition = START, **bounds: int) -> Iterator[AppendLog]:
    log = AppendLog(directory, LogBounds(**bounds))
    log.open(after)
    try:
        yield log
    finally:
        log.close()
        log.close_reader()


def append(log: AppendLog, *bodies: bytes) -> list[TryLater | None]:
    """What the log answered for each, in order."""
    answers: list[TryLater | None] = []
    done = threading.Semaphore(0)

    def told(error: TryLater | None) -> None:
        answers.append(error)
        done.release()

    for number, body in enumerate(bodies):
        log.append(LogRecord(1, number + 1, body), told)
    for _ in bodies:
        assert done.acquire(timeout=60)
    return answers


def bodies_of(log: AppendLog, position: LogPosition = START) -> list[bytes]:
    return [record.body for record in log.read(position, 1 << 30)[0]]


def test_records_come_back_as_they_went_in_also_after_a_restart(tmp_path: Path) -> None:
    with a_log(tmp_path) as log:
        assert append(log, b"one", b"", b"three") == [None] * 3
        records, position = log.read(START, 1 << 30)
        assert [(r.kind, r.received_at_ns, r.body) for r in records] == [
            (1, 1, b"one"),
            (1, 2, b""),
            (1, 3, b"three"),
        ]
        assert log.unread_bytes(position) == 0
    with a_log(tmp_path) as log:
        assert bodies_of(log) == [b"one", b"", b"three"]
        assert bodies_of(log, position) == []
        append(log, b"four")
        assert bodies_of(log, position) == [b"four"]


@settings(max_examples=12, deadline=None)
@given(bodies=st.lists(st.binary(max_size=40), min_size=1, max_size=4))
def test_cut_at_any_byte_a_prefix_of_the_records_is_left(
    bodies: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("log")
    with a_log(directory) as log:
        append(log, *bodies)
        assert bodies_of(log) == bodies
    (number,) = segment_numbers(directory)
    whole = segment_path(directory, number).read_bytes()
    for cut in range(len(whole) + 1):
        torn = tmp_path_factory.mktemp("torn")
        segment_path(torn, number).write_bytes(whole[:cut])
        with a_log(torn) as log:
            found = bodies_of(log)
            assert found == bodies[: len(found)]
            assert (len(found) == len(bodies)) == (cut == len(whole))
            append(log, b"after")
            assert bodies_of(log) == [*found, b"after"]


def test_a_flipped_byte_ends_the_segment_there(tmp_path: Path) -> None:
    with a_log(tmp_path) as log:
        append(log, b"good", b"spoilt", b"behind")
    path = segment_path(tmp_path, 1)
    data = bytearray(path.read_bytes())
    data[data.index(b"spoilt")] ^= 1
    path.write_bytes(data)
    with a_log(tmp_path) as log:
        assert bodies_of(log) == [b"good"]
        assert log.cut_bytes > 0


def test_damage_while_running_costs_what_is_damaged_and_is_said(tmp_path: Path) -> None:
    with a_log(tmp_path, segment_bytes=100) as log:
        append(log, b"a" * 100)
        append(log, b"b")
        path = segment_path(tmp_path, 1)
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)
        assert bodies_of(log) == [b"b"]
        assert log.damaged_bytes == 124
        assert "damaged" in str(log.last_error)


def test_segments_follow_one_another_and_go_when_they_are_stored(tmp_path: Path) -> None:
    with a_log(tmp_path, segment_bytes=200) as log:
        bodies = [bytes([65 + n]) * 90 for n in range(10)]
        for body in bodies:
            append(log, body)
        assert len(segment_numbers(tmp_path)) > 3
        position = START
        found: list[bytes] = []
        while log.unread_bytes(position):
            records, position = log.read(position, 150)
            found += [record.body for record in records]
        assert found == bodies
        log.forget(position)
        assert segment_numbers(tmp_path) == [position.segment]
        append(log, b"more")
        assert bodies_of(log, position) == [b"more"]


def test_a_log_that_was_deleted_goes_on_behind_what_the_store_knows(tmp_path: Path) -> None:
    with a_log(tmp_path, after=LogPosition(7, 5000)) as log:
        append(log, b"new")
        assert bodies_of(log, LogPosition(7, 5000)) == [b"new"]


def test_a_full_log_says_later_and_takes_more_when_stored(tmp_path: Path) -> None:
    with a_log(tmp_path, most_bytes=4000) as log:
        kept = 0
        with pytest.raises(TryLater, match="full"):
            for _ in range(100):
                append(log, b"x" * 200)
                kept += 1
        assert 10 < kept < 20
        _, position = log.read(START, 1 << 30)
        log.forget(position)
        assert append(log, b"x" * 200) == [None]


def test_a_disk_that_refuses_keeps_nothing_and_what_was_kept_stays(tmp_path: Path) -> None:
    with a_log(tmp_path) as log:
        append(log, b"before")
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (500, limits[1]))
        try:
            (answer,) = append(log, b"x" * 2000)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert isinstance(answer, TryLater)
        assert "File too large" in str(answer)
        assert log.last_error is not None
        assert append(log, b"after") == [None]
        assert log.last_error is None
        assert bodies_of(log) == [b"before", b"after"]
    with a_log(tmp_path) as log:
        assert bodies_of(log) == [b"before", b"after"]


def test_a_failed_sync_is_final_for_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, failures = os.fdatasync, [True]

    def failing_once(fd: int) -> None:
        if failures and threading.current_thread().name == "log":
            failures.pop()
            raise OSError(5, "Input/output error")
        real(fd)

    with a_log(tmp_path) as log:
        append(log, b"before")
        monkeypatch.setattr(os, "fdatasync", failing_once)
        assert append(log, b"written again") == [None]
        assert segment_numbers(tmp_path) == [1, 2]
        assert bodies_of(log) == [b"before", b"written again"]
    with a_log(tmp_path) as log:
        assert bodies_of(log) == [b"before", b"written again"]


def test_many_that_wait_share_a_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, first, held = os.fdatasync, threading.Event(), threading.Event()
    syncs: list[int] = []

    def slow(fd: int) -> None:
        syncs.append(fd)
        first.set()
        assert held.wait(60)
        real(fd)

    with a_log(tmp_path) as log:
        monkeypatch.setattr(os, "fdatasync", slow)
        threads = [threading.Thread(target=append, args=(log, b"%d" % n)) for n in range(300)]
        threads[0].start()
        assert first.wait(60)
        for thread in threads[1:]:
            thread.start()
        while len(log._waiting) < 299:
            held.wait(0.005)
        held.set()
        for thread in threads:
            thread.join()
        assert len(syncs) == 2
        assert sorted(bodies_of(log)) == sorted(b"%d" % n for n in range(300))


def test_a_directory_that_cannot_be_used_is_said_at_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LogBroken, match="cannot be used"), a_log(tmp_path / "file" / "log"):
        pass
