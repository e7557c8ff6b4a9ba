"""Reads which events are stored right after the store was opened, so that the first write need not wait for it."""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator

import duckdb
import pyarrow as pa

from .seen_events import IDS, Hashes, SeenEvents, Times

STORED = """
select hash(event_id) as hash, epoch_ns(received_at) as at from message_rows where event_id is not null
union all
select hash(c.event_id), epoch_ns(c.received_at) from claim_rows c where c.kind = 'event'
"""
_LOG = logging.getLogger(__name__)


def columns(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[Hashes, Times]]:
    """The answer to `STORED`, as the memory takes it in."""
    for batch in batches:
        yield batch["hash"].to_numpy(zero_copy_only=False), batch["at"].to_numpy(zero_copy_only=False)


class _Stopped(Exception):
    """The store is to be closed."""


class Recalling:
    """Fills the memory in a thread of its own. A write that comes earlier waits for the rest, or does it itself."""

    def __init__(self, cursor: Callable[[], duckdb.DuckDBPyConnection], seen: SeenEvents) -> None:
        self._cursor = cursor
        self._seen = seen
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="store-recalling", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends within one portion of rows; what is missing then is read by the next write, if there is one."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._seen.fill(self._rows())
        except _Stopped:
            pass
        except Exception:
            _LOG.exception("which events are stored could not be read; the first write reads it")

    def _rows(self) -> Iterator[tuple[Hashes, Times]]:
        cursor = self._cursor()
        try:
            for some in columns(cursor.execute(STORED).to_arrow_reader(IDS)):
                if self._stop.is_set():
                    raise _Stopped
                yield some
        finally:
            cursor.close()
