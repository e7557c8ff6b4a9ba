"""Requests that come twice: a client repeats one whose acknowledgement it did not get, also over a restart."""

from __future__ import annotations

import time
from collections.abc import Sequence
from hashlib import sha256

from .log_segment import LogRecord
from .records import RequestSeen
from .store import Store

SECOND = 1_000_000_000


class Repetitions:
    """The requests of the last minutes, by their bytes; the store holds them too. For one thread."""

    def __init__(self, store: Store, seconds: float) -> None:
        self._store = store
        self._window = round(seconds * SECOND)
        self._recent: dict[str, int] = {}

    def start(self) -> None:
        """Read what the store remembers."""
        rows = self._store.read("select hash, epoch_ns(received_at) from request_hashes")
        self._recent = {str(hashed): int(received) for hashed, received in rows}

    def without(
        self, records: Sequence[LogRecord], gathered: Sequence[RequestSeen]
    ) -> tuple[list[LogRecord], list[RequestSeen], int]:
        """The records that are new, what to remember of each, and the number of the others.

        `gathered` are those read before them and not yet stored.
        """
        waiting = {request.hash for request in gathered}
        fresh: list[LogRecord] = []
        seen: list[RequestSeen] = []
        for record in records:
            # Two doors may carry the same bytes: a retry need not come through the door of the first try.
            hashed = sha256(record.body).hexdigest()[:32]
            before = self._recent.get(hashed)
            if hashed in waiting or (before is not None and record.received_at_ns - before <= self._window):
                continue
            waiting.add(hashed)
            seen.append(RequestSeen(record.received_at_ns, hashed))
            fresh.append(record)
        return fresh, seen, len(records) - len(fresh)

    def stored(self, seen: Sequence[RequestSeen]) -> None:
        """These are in the store now."""
        self._recent.update((request.hash, request.received_at_ns) for request in seen)

    def forget_old(self) -> None:
        """Let go of those that nobody repeats any more."""
        oldest = time.time_ns() - self._window
        if any(received < oldest for received in self._recent.values()):
            self._recent = {hashed: at for hashed, at in self._recent.items() if at >= oldest}
            self._store.write(
                lambda writer: writer.execute(
                    "delete from request_hashes where received_at < make_timestamp_ns(?)", [oldest]
                )
            )
