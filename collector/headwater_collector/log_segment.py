"""One file of the append log: its name, its bytes, and how far they can be trusted.

A segment is a 16-byte head (magic, number) and records. A record is a 24-byte head and the body:

    crc32 of all that follows | length of body | time received (ns) | kind | zeros | body
    4 bytes                   | 4              | 8                  | 1    | 7     |
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from struct import Struct
from zlib import crc32

MAGIC = b"HWLOG\x00\x00\x01"
_SEGMENT_HEAD = Struct("<8sQ")
_CHECKSUM = Struct("<I")
_RECORD_HEAD = Struct("<IQB7x")
HEAD_BYTES = _SEGMENT_HEAD.size
RECORD_HEAD_BYTES = _CHECKSUM.size + _RECORD_HEAD.size
MAX_BODY = 2**31


@dataclass(frozen=True)
class LogRecord:
    """One request as it came in."""

    kind: int
    received_at_ns: int
    body: bytes


def segment_path(directory: Path, number: int) -> Path:
    """Where the segment of this number lies."""
    return directory / f"{number:016d}.log"


def segment_numbers(directory: Path) -> list[int]:
    """Numbers of the segments that exist, ascending; other files are left alone."""
    return sorted(int(path.stem) for path in directory.glob("*.log") if path.stem.isdigit())


def segment_head(number: int) -> bytes:
    """First bytes of a segment."""
    return _SEGMENT_HEAD.pack(MAGIC, number)


def record_head(record: LogRecord) -> bytes:
    """First bytes of a record; its body follows."""
    head = _RECORD_HEAD.pack(len(record.body), record.received_at_ns, record.kind)
    return _CHECKSUM.pack(crc32(record.body, crc32(head))) + head


def read_records(fd: int, start: int, end: int, most_bytes: int) -> Iterator[tuple[LogRecord, int]]:
    """(record, offset after it) from `start` on, at most about `most_bytes` of them and at least one.

    Ends at `end`, or before the first record whose length or checksum does not hold.
    """
    at = start
    while at + RECORD_HEAD_BYTES <= end and at - start < most_bytes:
        head = os.pread(fd, RECORD_HEAD_BYTES, at)
        if len(head) < RECORD_HEAD_BYTES:
            return
        length, received_at_ns, kind = _RECORD_HEAD.unpack_from(head, _CHECKSUM.size)
        stop = at + RECORD_HEAD_BYTES + length
        if length > MAX_BODY or stop > end:
            return
        body = os.pread(fd, length, at + RECORD_HEAD_BYTES)
        if len(body) < length or crc32(body, crc32(head[4:])) != _CHECKSUM.unpack_from(head)[0]:
            return
        yield LogRecord(kind, received_at_ns, body), stop
        at = stop


def trusted_end(fd: int, number: int, start: int = HEAD_BYTES) -> int:
    """Offset after the last record that holds, counted from a good offset; 0 where not even the head does."""
    if os.pread(fd, HEAD_BYTES, 0) != segment_head(number):
        return 0
    size = os.fstat(fd).st_size
    return max((end for _, end in read_records(fd, start, size, size)), default=min(start, size))


def sync_directory(directory: Path) -> None:
    """Make the directory's entries durable: a new file can be lost without."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
