"""The append log: what a door has acknowledged is on disk here before the answer leaves.

One thread writes: everything that waits goes out in one writev and one fdatasync, then all are told.
The pipeline reads behind it, never beyond what is durable. So the log is the collector's only queue:
it survives a crash, and its bound is the bound of everything accepted and not yet stored.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import LogBroken, TryLater
from .log_segment import (
    HEAD_BYTES,
    RECORD_HEAD_BYTES,
    LogRecord,
    read_records,
    record_head,
    segment_head,
    segment_numbers,
    segment_path,
    sync_directory,
    trusted_end,
)
from .records import LogPosition

Done = Callable[[TryLater | None], None]
"""Called in the log's thread: None when durable, else the reason why nothing was kept."""

_BUFFERS = 1024  # IOV_MAX: more buffers than this in one writev are refused


@dataclass(frozen=True)
class LogBounds:
    """How much the log may hold."""

    segment_bytes: int = 64 << 20
    """A new file after this much: small enough that space comes back soon, large enough to be rare."""
    most_bytes: int = 2 << 30
    """All segments together; beyond, doors answer "try again later". About an hour of 1,500 spans/s."""
    waiting_bytes: int = 256 << 20
    """Requests in memory that wait for the disk; beyond, likewise."""


class AppendLog:
    """Segments in one directory. `append` from any thread, `read` and `forget` from one reader."""

    def __init__(self, directory: Path, bounds: LogBounds | None = None) -> None:
        self._directory = directory
        self._bounds = bounds or LogBounds()
        # A quarter at most: a segment gives its room back only as a whole.
        self._segment_bytes = min(self._bounds.segment_bytes, self._bounds.most_bytes // 4)
        self._ends: dict[int, int] = {}
        """Durable end of each segment that exists."""
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._news = threading.Condition(self._lock)
        self._waiting: list[tuple[LogRecord, Done]] = []
        self._waiting_bytes = 0
        self._closing = False
        self._thread: threading.Thread | None = None
        self._number = 0
        self._fd = -1
        self._reading: tuple[int, int] | None = None
        self.last_error: str | None = None
        """Why the disk refused last; None while it is fine."""
        self.cut_bytes = 0
        """Bytes of torn records that were cut off at start; none of them was acknowledged."""
        self.damaged_bytes = 0
        """Bytes that were durable once and do not hold any more: the disk lost them."""

    def open(self, after: LogPosition) -> None:
        """Take over what is there, cut torn tails, begin a new segment; `after` is what the store has.

        Raises LogBroken where the directory cannot be used.
        """
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            numbers = segment_numbers(self._directory)
            for number in numbers:
                self._take_over(number, after, last=number == numbers[-1])
            self._number = max([after.segment, *self._ends])
            self._new_segment()
        except OSError as error:
            raise LogBroken(f"The log in {self._directory} cannot be used: {error.strerror}.") from error
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def _take_over(self, number: int, after: LogPosition, last: bool) -> None:
        fd = os.open(segment_path(self._directory, number), os.O_RDWR)
        try:
            end = size = os.fstat(fd).st_size
            if number >= after.segment:  # what the store has already is not read again
                start = after.byte_offset if number == after.segment else 0
                end = trusted_end(fd, number, max(start, HEAD_BYTES))
            if end < size and last:
                os.ftruncate(fd, end)
                self.cut_bytes += size - end
            # A killed process leaves good records that only the page cache holds: they are kept from here on.
            os.fdatasync(fd)
        finally:
            os.close(fd)
        self._ends[number] = max(end, HEAD_BYTES)

    def append(self, record: LogRecord, done: Done) -> None:
        """Ask for a record to be made durable; raises TryLater at once where there is no room."""
        size = RECORD_HEAD_BYTES + len(record.body)
        with self._lock:
            if self._closing or self._thread is None:
                raise TryLater("The collector is stopping; send this again.", 2)
            if self._total() + self._waiting_bytes + size > self._bounds.most_bytes:
                raise TryLater("The collector's log is full: storing is behind; send this again later.", 10)
            if self._waiting_bytes + size > self._bounds.waiting_bytes and self._waiting:
                raise TryLater("The collector's disk is behind; send this again.", 2)
            self._waiting.append((record, done))
            self._waiting_bytes += size
            self._work.notify()

    def _total(self) -> int:
        return sum(self._ends.values())

    def _run(self) -> None:
        while True:
            with self._lock:
                while not self._waiting and not self._closing:
                    self._work.wait()
                batch, self._waiting = self._waiting, []
                if not batch:
                    return
                size, self._waiting_bytes = self._waiting_bytes, 0
            refused = self._commit([record for record, _ in batch], size)
            for _, done in batch:
                done(refused)

    def _commit(self, records: Sequence[LogRecord], size: int) -> TryLater | None:
        """Write all records and make them durable, in a new segment if the current one fails."""
        with self._lock:
            full = self._ends.get(self._number, 0) >= self._segment_bytes
        for attempt in range(2):
            try:
                if self._fd < 0 or full:
                    self._new_segment()
                    full = False
                end = self._ends[self._number] + size
                self._write(records)
                os.fdatasync(self._fd)
            except OSError as error:
                self.last_error = f"The log's disk refused: {error.strerror or error}."
                self._give_up_segment()
                if attempt == 0:
                    continue
                return TryLater(f"{self.last_error} Nothing was kept; send this again later.", 10)
            if not self.damaged_bytes:
                self.last_error = None
            with self._lock:
                self._ends[self._number] = end
                self._news.notify_all()
            return None
        raise AssertionError("unreachable")

    def _write(self, records: Sequence[LogRecord]) -> None:
        buffers = [part for record in records for part in (record_head(record), record.body) if part]
        for first in range(0, len(buffers), _BUFFERS):
            some = buffers[first : first + _BUFFERS]
            left = sum(map(len, some))
            while left:
                written = os.writev(self._fd, some)
                left -= written
                while some and written >= len(some[0]):
                    written -= len(some.pop(0))
                if some and written:
                    some[0] = some[0][written:]

    def _new_segment(self) -> None:
        self._close_segment()
        number = self._number + 1
        path = segment_path(self._directory, number)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        try:
            os.write(fd, segment_head(number))
            os.fdatasync(fd)
            sync_directory(self._directory)
        except OSError:
            os.close(fd)
            path.unlink(missing_ok=True)
            raise
        self._fd = fd
        with self._lock:
            self._number = number
            self._ends[number] = HEAD_BYTES

    def _give_up_segment(self) -> None:
        """After a failed write or fdatasync nothing beyond the durable end may be believed, ever."""
        if self._fd < 0:
            return
        with self._lock:
            end = self._ends[self._number]
            if end == HEAD_BYTES:
                del self._ends[self._number]
        try:
            os.ftruncate(self._fd, end)
            if end == HEAD_BYTES:
                segment_path(self._directory, self._number).unlink()
        except OSError:
            pass  # the reader stops at the durable end; at the next start, what holds is a repetition
        self._close_segment()

    def _close_segment(self) -> None:
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)

    def read(self, position: LogPosition, most_bytes: int) -> tuple[list[LogRecord], LogPosition]:
        """Durable records after `position`, about `most_bytes` of them, and the position after the last."""
        records: list[LogRecord] = []
        left = most_bytes
        with self._lock:
            ends = sorted(self._ends.items())
        for number, end in ends:
            if number < position.segment:
                continue
            start = position.byte_offset if number == position.segment else HEAD_BYTES
            if number > position.segment:
                position = LogPosition(number, HEAD_BYTES)
            if start >= end:
                continue
            for record, stop in read_records(self._reader(number), start, end, left):
                records.append(record)
                left -= stop - position.byte_offset
                position = LogPosition(number, stop)
            if left <= 0:
                break
            if position.byte_offset < end:
                self.damaged_bytes += end - position.byte_offset
                self.last_error = f"The log's segment {number} is damaged; what followed there is lost."
                position = LogPosition(number, end)
        return records, position

    def _reader(self, number: int) -> int:
        if self._reading is None or self._reading[0] != number:
            self._stop_reading()
            self._reading = (number, os.open(segment_path(self._directory, number), os.O_RDONLY))
        return self._reading[1]

    def _stop_reading(self) -> None:
        if self._reading is not None:
            os.close(self._reading[1])
            self._reading = None

    def unread_bytes(self, position: LogPosition) -> int:
        """Durable bytes after a position."""
        with self._lock:
            return self._unread(position)

    def _unread(self, position: LogPosition) -> int:
        return sum(
            max(0, end - (position.byte_offset if number == position.segment else HEAD_BYTES))
            for number, end in self._ends.items()
            if number >= position.segment
        )

    def wait(self, position: LogPosition, seconds: float) -> int:
        """Wait until there is something after a position, at most `seconds`; returns its bytes."""
        with self._lock:
            if not self._unread(position) and not self._closing:
                self._news.wait(seconds)
            return self._unread(position)

    def total_bytes(self) -> int:
        """Size of all segments."""
        with self._lock:
            return self._total()

    def forget(self, position: LogPosition) -> None:
        """Delete the segments wholly before a position that the store's file, check-pointed, is behind."""
        with self._lock:
            old = [n for n in self._ends if n < position.segment and n != self._number]
        for number in old:
            segment_path(self._directory, number).unlink(missing_ok=True)
            with self._lock:
                del self._ends[number]

    def close(self) -> None:
        """Make durable what waits, then refuse more; a second call does nothing."""
        with self._lock:
            self._closing = True
            self._work.notify_all()
            self._news.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._close_segment()

    def close_reader(self) -> None:
        """Close, and let go of the file that was read last."""
        self.close()
        self._stop_reading()
