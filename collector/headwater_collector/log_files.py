"""The segments of the log in one directory: written by one thread, read and deleted by another.

Each file stays open for as long as it is needed: whoever removes it under the collector takes away its name,
not what it holds.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .log_segment import (
    HEAD_BYTES,
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

_BUFFERS = 1024  # IOV_MAX: more buffers than this in one writev are refused


@dataclass
class _Segment:
    fd: int
    end: int
    """Up to where it is durable."""


class Segments:
    """`write` and `give_up` from one thread; `read`, `forget` and `close` from one reader; the rest from any."""

    def __init__(self, directory: Path, segment_bytes: int) -> None:
        self._directory = directory
        self._segment_bytes = segment_bytes
        self._lock = threading.Lock()
        self._files: dict[int, _Segment] = {}
        self._number = 0
        """The highest that was ever used: a file that could not be finished may not be taken up again."""
        self._writing: _Segment | None = None
        self.cut_bytes = 0
        """Bytes of torn records that were cut off at start; none of them was acknowledged."""
        self.damaged_bytes = 0
        """Bytes that were durable once and do not hold any more: the disk lost them."""
        self.damage: str | None = None
        """What happened to the files while they were in use; None while nothing did."""

    def open(self, after: LogPosition) -> None:
        """Take over what is there, cut torn tails, begin a new segment. Raises OSError."""
        self._directory.mkdir(parents=True, exist_ok=True)
        numbers = segment_numbers(self._directory)
        for number in numbers:
            self._take_over(number, after, last=number == numbers[-1])
        self._number = max([after.segment, *numbers])
        self._begin()

    def _take_over(self, number: int, after: LogPosition, last: bool) -> None:
        fd = os.open(segment_path(self._directory, number), os.O_RDWR)
        self._files[number] = segment = _Segment(fd, HEAD_BYTES)
        end = size = os.fstat(fd).st_size
        if number >= after.segment:  # what the store has already is not read again
            start = after.byte_offset if number == after.segment else 0
            end = trusted_end(fd, number, max(start, HEAD_BYTES))
        if end < size and last:
            os.ftruncate(fd, end)
            self.cut_bytes += size - end
        # A killed process leaves good records that only the page cache holds: they are kept from here on.
        os.fdatasync(fd)
        segment.end = max(end, HEAD_BYTES)

    def write(self, records: Sequence[LogRecord], size: int) -> LogPosition:
        """Write records of `size` bytes and make them durable; where they begin. Raises OSError.

        After an error, `give_up` must follow.
        """
        segment = self._writing
        if segment is None or segment.end >= self._segment_bytes:
            segment = self._begin()
        _write(segment.fd, [part for one in records for part in (record_head(one), one.body) if part])
        os.fdatasync(segment.fd)
        if os.fstat(segment.fd).st_nlink == 0:
            self.damage = (
                f"Files of the log in {self._directory} were removed while the collector runs; what they held "
                "is stored all the same, unless the collector is killed before."
            )
            raise OSError(errno.ENOENT, "the file was removed")
        with self._lock:
            begin = LogPosition(self._number, segment.end)
            segment.end += size
        return begin

    def _begin(self) -> _Segment:
        self._directory.mkdir(parents=True, exist_ok=True)
        self._number = number = self._number + 1
        path = segment_path(self._directory, number)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        try:
            _write(fd, [segment_head(number)])
            os.fdatasync(fd)
            sync_directory(self._directory)
        except OSError:
            os.close(fd)
            with contextlib.suppress(OSError):
                path.unlink()
            raise
        self._writing = segment = _Segment(fd, HEAD_BYTES)
        with self._lock:
            self._files[number] = segment
        return segment

    def give_up(self) -> None:
        """After a failed write or fdatasync nothing beyond the durable end may be believed, ever."""
        segment, self._writing = self._writing, None
        if segment is None:
            return
        with contextlib.suppress(
            OSError
        ):  # the reader stops at the end; at the next start it is a repetition
            os.ftruncate(segment.fd, segment.end)
        if segment.end > HEAD_BYTES:
            return
        with self._lock:
            del self._files[self._number]
        os.close(segment.fd)
        with contextlib.suppress(OSError):
            segment_path(self._directory, self._number).unlink()

    def read(self, position: LogPosition, most_bytes: int) -> tuple[list[LogRecord], LogPosition]:
        """Durable records after `position`, about `most_bytes` of them, and the position after the last."""
        records: list[LogRecord] = []
        left = most_bytes
        with self._lock:
            segments = sorted((number, one.fd, one.end) for number, one in self._files.items())
        for number, fd, end in segments:
            if number < position.segment:
                continue
            start = position.byte_offset if number == position.segment else HEAD_BYTES
            if number > position.segment:
                position = LogPosition(number, HEAD_BYTES)
            if start >= end:
                continue
            for record, stop in read_records(fd, start, end, left):
                records.append(record)
                left -= stop - position.byte_offset
                position = LogPosition(number, stop)
            if left <= 0:
                break
            if position.byte_offset < end:
                self.damaged_bytes += end - position.byte_offset
                self.damage = f"The log's segment {number} is damaged; what followed there is lost."
                position = LogPosition(number, end)
        return records, position

    def unread_bytes(self, position: LogPosition) -> int:
        """Durable bytes after a position."""
        with self._lock:
            return sum(
                max(0, one.end - (position.byte_offset if number == position.segment else HEAD_BYTES))
                for number, one in self._files.items()
                if number >= position.segment
            )

    def total_bytes(self) -> int:
        """Size of all segments."""
        with self._lock:
            return sum(one.end for one in self._files.values())

    def count(self) -> int:
        """How many files there are."""
        with self._lock:
            return len(self._files)

    def forget(self, position: LogPosition) -> None:
        """Delete the segments wholly before a position."""
        with self._lock:
            old = [n for n in self._files if n < position.segment and self._files[n] is not self._writing]
        for number in old:
            segment_path(self._directory, number).unlink(missing_ok=True)
            with self._lock:
                segment = self._files.pop(number)
            os.close(segment.fd)

    def close(self) -> None:
        """Let go of all files."""
        self._writing = None
        with self._lock:
            files, self._files = self._files, {}
        for segment in files.values():
            os.close(segment.fd)


def _write(fd: int, buffers: list[bytes]) -> None:
    for first in range(0, len(buffers), _BUFFERS):
        some = buffers[first : first + _BUFFERS]
        left = sum(map(len, some))
        while left:
            written = os.writev(fd, some)
            left -= written
            while some and written >= len(some[0]):
                written -= len(some.pop(0))
            if some and written:
                some[0] = some[0][written:]
