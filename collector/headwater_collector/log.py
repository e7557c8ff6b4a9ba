"""The append log: what a door has acknowledged is on disk here before the answer leaves.

One thread writes: everything that waits goes out in one writev and one fdatasync, then all are told.
The pipeline reads behind it, never beyond what is durable. So the log is the collector's only queue:
it survives a crash, and its bound is the bound of everything accepted and not yet stored.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import LogBroken, TryLater
from .log_age import LogAge
from .log_files import Segments
from .log_segment import RECORD_HEAD_BYTES, LogRecord
from .records import LogPosition

Done = Callable[[TryLater | None], None]
"""Called in the log's thread: None when durable, else the reason why nothing was kept."""

_FILES = 512
"""More segments than this come from a disk that fails again and again, each an open file: that is full, too."""
_LOOK_SECONDS = 0.25
"""Between two looks at what is left of the disk."""


@dataclass(frozen=True)
class LogBounds:
    """How much the log may hold."""

    segment_bytes: int = 64 << 20
    """A new file after this much: small enough that space comes back soon, large enough to be rare."""
    most_bytes: int = 2 << 30
    """All segments together; beyond, doors answer "try again later". About an hour of 1,500 spans/s."""
    waiting_bytes: int = 256 << 20
    """Requests in memory that wait for the disk; beyond, likewise."""
    free_bytes: int = 0
    """What is left of the disk to others: with none, the store could not take over what lies here."""


class AppendLog:
    """Segments in one directory. `append` from any thread, `read` and `forget` from one reader."""

    def __init__(self, directory: Path, bounds: LogBounds | None = None) -> None:
        self._directory = directory
        self._bounds = bounds or LogBounds()
        # A quarter at most: a segment gives its room back only as a whole.
        self._segments = Segments(directory, min(self._bounds.segment_bytes, self._bounds.most_bytes // 4))
        self._age = LogAge()
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._news = threading.Condition(self._lock)
        self._waiting: list[tuple[LogRecord, Done]] = []
        self._waiting_bytes = 0
        self._closing = False
        self._thread: threading.Thread | None = None
        self._refused: str | None = None
        self._scarce: str | None = None
        self._looked_at = float("-inf")
        self._disk_errors = 0

    @property
    def last_error(self) -> str | None:
        """Why the disk refuses, or what happened to the files; None while all is fine."""
        with self._lock:
            self._look_at_disk()
        return self._refused or self._scarce or self._segments.damage

    @property
    def cut_bytes(self) -> int:
        """Bytes of torn records that were cut off at start; none of them was acknowledged."""
        return self._segments.cut_bytes

    @property
    def damaged_bytes(self) -> int:
        """Bytes that were durable once and do not hold any more: the disk lost them."""
        return self._segments.damaged_bytes

    def open(self, after: LogPosition) -> None:
        """Take over what is there, cut torn tails, begin a new segment; `after` is what the store has.

        Raises LogBroken where the directory cannot be used.
        """
        try:
            self._segments.open(after)
        except OSError as error:
            self._segments.close()
            raise LogBroken(f"The log in {self._directory} cannot be used: {error.strerror}.") from error
        self._age.mark(after, time.monotonic())
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def append(self, record: LogRecord, done: Done) -> None:
        """Ask for a record to be made durable; raises TryLater at once where there is no room."""
        size = RECORD_HEAD_BYTES + len(record.body)
        with self._lock:
            if self._closing or self._thread is None:
                raise TryLater("The collector is stopping; send this again.", 2)
            self._check_room(size)
            self._waiting.append((record, done))
            self._waiting_bytes += size
            self._work.notify()

    def _check_room(self, size: int) -> None:
        total = self._segments.total_bytes() + self._waiting_bytes + size
        if total > self._bounds.most_bytes or self._segments.count() > _FILES:
            raise TryLater("The collector's log is full: storing is behind; send this again later.", 10)
        if self._waiting_bytes + size > self._bounds.waiting_bytes and self._waiting:
            raise TryLater("The collector's disk is behind; send this again.", 2)
        self._look_at_disk()
        if self._scarce is not None:
            raise TryLater(f"{self._scarce} Send this again later.", 10)

    def _look_at_disk(self) -> None:
        now = time.monotonic()
        if not self._bounds.free_bytes or now - self._looked_at < _LOOK_SECONDS:
            return
        self._looked_at = now
        try:
            state = os.statvfs(self._directory)
        except OSError:
            return  # writing will say what is wrong
        free = state.f_bavail * state.f_frsize
        self._scarce = None
        if free < self._bounds.free_bytes:
            self._scarce = (
                f"The disk of {self._directory} has {free >> 20} MB left, and {self._bounds.free_bytes >> 20} "
                "are left to the store (--min-free)."
            )

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
        for _ in range(2):
            try:
                begin = self._segments.write(records, size)
            except Exception as error:  # the one thread that answers must outlive whatever writing raises
                self._disk_errors += 1
                reason = error.strerror if isinstance(error, OSError) else None
                self._refused = f"The log's disk refused: {reason or repr(error)}."
                self._segments.give_up()
                continue
            self._refused = None
            with self._lock:
                self._age.mark(begin, time.monotonic())
                self._news.notify_all()
            return None
        return TryLater(f"{self._refused} Nothing was kept; send this again later.", 10)

    def read(self, position: LogPosition, most_bytes: int) -> tuple[list[LogRecord], LogPosition]:
        """Durable records after `position`, about `most_bytes` of them, and the position after the last."""
        return self._segments.read(position, most_bytes)

    def unread_bytes(self, position: LogPosition) -> int:
        """Durable bytes after a position."""
        return self._segments.unread_bytes(position)

    def oldest_seconds(self, position: LogPosition) -> float:
        """Age of the oldest record after a position, counted from the start at the earliest; 0 for none."""
        if not self._segments.unread_bytes(position):
            return 0.0
        with self._lock:
            return self._age.seconds(position, time.monotonic())

    def wait(self, position: LogPosition, seconds: float) -> int:
        """Wait until there is something after a position, at most `seconds`; returns its bytes."""
        with self._lock:
            if not self._segments.unread_bytes(position) and not self._closing:
                self._news.wait(seconds)
        return self._segments.unread_bytes(position)

    def total_bytes(self) -> int:
        """Size of all segments."""
        return self._segments.total_bytes()

    def state(self) -> dict[str, object]:
        """What waits and what went wrong, by name."""
        return {
            "log_limit_bytes": self._bounds.most_bytes,
            "waiting_requests": len(self._waiting),
            "waiting_bytes": self._waiting_bytes,
            "disk_errors": self._disk_errors,
            "damaged_bytes": self.damaged_bytes,
        }

    def forget(self, position: LogPosition) -> None:
        """Delete the segments wholly before a position that the store's file, check-pointed, is behind."""
        self._segments.forget(position)

    def close(self) -> None:
        """Make durable what waits, then refuse more; a second call does nothing."""
        with self._lock:
            self._closing = True
            self._work.notify_all()
            self._news.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def close_reader(self) -> None:
        """Close, and let go of the files."""
        self.close()
        self._segments.close()
