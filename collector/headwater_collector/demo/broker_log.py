"""Topics and partitions of the embedded broker: batches of bytes in memory, as the clients sent them."""

import bisect
import struct
from collections import deque
from dataclasses import dataclass, field

from aiokafka.record.memory_records import MemoryRecords

RETAINED_BYTES = 16 << 20
"""A partition's memory; beyond it the oldest batches go and the log start moves, as retention does."""
HEADER_BYTES = 61
"""Of a record batch of the current format; older formats are refused."""


class CorruptBatch(ValueError):
    """Bytes that are no record batch of the current format."""


@dataclass(frozen=True)
class Batch:
    """One record batch."""

    first: int
    """Offset of its first record."""
    last: int
    newest_ms: int
    """Largest time in it, ms since the epoch."""
    data: bytes


@dataclass
class Partition:
    """The log of one partition; there is one broker, so the end offset is the high watermark."""

    batches: deque[Batch] = field(default_factory=deque)
    start: int = 0
    end: int = 0
    size: int = 0

    def append(self, data: bytes) -> int:
        """Appends record batches and gives the offset of the first record; raises CorruptBatch."""
        parsed = []
        position = 0
        following = self.end
        while position < len(data):
            if position + HEADER_BYTES > len(data) or data[position + 16] != 2:
                raise CorruptBatch
            length = struct.unpack_from(">i", data, position + 8)[0] + 12
            last_delta = struct.unpack_from(">i", data, position + 23)[0]
            newest = struct.unpack_from(">q", data, position + 35)[0]
            if length < HEADER_BYTES or position + length > len(data) or last_delta < 0:
                raise CorruptBatch
            # The base offset lies outside the checksum, so that a broker may set it.
            batch = struct.pack(">q", following) + data[position + 8 : position + length]
            parsed.append(Batch(following, following + last_delta, newest, batch))
            following += last_delta + 1
            position += length
        base = self.end
        self.batches.extend(parsed)
        self.end = following
        self.size += sum(len(batch.data) for batch in parsed)
        while self.size > RETAINED_BYTES and len(self.batches) > 1:
            self.size -= len(self.batches.popleft().data)
            self.start = self.batches[0].first
        return base

    def read(self, offset: int, at_most: int) -> bytes:
        """Whole batches from the one that holds the offset on; at least one where there is any."""
        batches = list(self.batches)
        index = bisect.bisect_left(batches, offset, key=lambda batch: batch.last)
        chosen: list[bytes] = []
        size = 0
        for batch in batches[index:]:
            if chosen and size + len(batch.data) > at_most:
                break
            chosen.append(batch.data)
            size += len(batch.data)
        return b"".join(chosen)

    def truncate_before(self, offset: int) -> None:
        """Deletes records below the offset, as far as whole batches go."""
        while self.batches and self.batches[0].last < offset:
            self.size -= len(self.batches.popleft().data)
        self.start = max(self.start, min(offset, self.end))

    def at_time(self, timestamp_ms: int) -> tuple[int, int]:
        """(time, offset) of the first record that is not older; (-1, -1) where there is none."""
        for batch in self.batches:
            if batch.newest_ms >= timestamp_ms:
                records = MemoryRecords(batch.data).next_batch()
                for record in records or ():
                    if record.timestamp >= timestamp_ms:
                        return record.timestamp, record.offset
        return -1, -1


class Topics:
    """The topics by name, made on demand where that is allowed."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        """Partitions of a topic that is made without saying how many."""
        self.by_name: dict[str, list[Partition]] = {}

    def create(self, name: str, partitions: int = -1) -> list[Partition]:
        """A new topic."""
        made = [Partition() for _ in range(partitions if partitions > 0 else self.partitions)]
        self.by_name[name] = made
        return made

    def get(self, name: str, create: bool = False) -> list[Partition] | None:
        """The partitions of a topic."""
        found = self.by_name.get(name)
        return self.create(name) if found is None and create else found

    def partition(self, name: str, index: int, create: bool = False) -> Partition | None:
        """One partition, or None where there is none."""
        partitions = self.get(name, create)
        return partitions[index] if partitions is not None and 0 <= index < len(partitions) else None
