"""From the log into the store: one thread that reads behind the doors, decodes, and commits in batches.

The log is the queue. When storing falls behind, the log grows to its bound and the doors answer "later";
when the process dies, the position in the store says exactly where to go on.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from .attempts import Attempts, first_line, set_aside
from .counters import IngestCounters
from .gathering import Decoded, Gathered, read_metric_records
from .log import AppendLog
from .log_segment import LogRecord
from .pipeline_bounds import PipelineBounds
from .receivers.decoding import Decoding
from .receivers.otlp_decode import Decoder, RawRequest
from .receivers.otlp_metrics import METRICS
from .records import LogPosition, RequestSeen, SpanBatch
from .repetitions import Repetitions
from .samples import Samples
from .store import AppendCounts, Store, Writer, append_metrics, append_spans, is_of_rows
from .store_file import StoreFile

FIRST_BACKOFF_SECONDS, LONGEST_BACKOFF_SECONDS = 0.25, 15.0
"""Between two tries, each twice as long as the one before."""


class Pipeline:
    """The writer. Construct without I/O; `start` once, `stop` drains."""

    def __init__(
        self,
        store: Store,
        log: AppendLog,
        counters: IngestCounters,
        bounds: PipelineBounds | None = None,
        masked: Callable[[SpanBatch], SpanBatch] = lambda batch: batch,
        decoder: Decoding | None = None,
    ) -> None:
        self._store = store
        self._log = log
        self._counters = counters
        self._bounds = bounds or PipelineBounds()
        self._masked = masked
        self._decoder = decoder or Decoder()
        self._position = LogPosition(0, 0)
        self._since_checkpoint = 0
        self._repetitions = Repetitions(store, self._bounds.repeat_seconds)
        self._batch_bytes = min(self._bounds.first_batch_bytes, self._bounds.batch_bytes)
        self._attempts = Attempts()
        self._store_file = StoreFile(store.path)
        self._samples = Samples(store, self.health)
        self._pruned_at = self._stored_at = 0.0
        self._flush_seconds = self._give_up_at = 0.0
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @staticmethod
    def stored_position(store: Store) -> LogPosition:
        """Up to where the log is in the store."""
        rows = store.read("select segment, byte_offset from log_position order by all desc limit 1")
        return LogPosition(*rows[0]) if rows else LogPosition(0, 0)

    def start(self) -> None:
        """Read where to go on, and go on."""
        self._position = self.stored_position(self._store)
        self._checkpoint()
        self._repetitions.start()
        self._thread = threading.Thread(target=self._run, name="pipeline", daemon=True)
        self._thread.start()

    def stop(self, seconds: float = 30.0) -> None:
        """Store what was accepted, then end; the log must be closed to doors before.

        What cannot be stored within `seconds` stays in the log for the next start.
        """
        self._give_up_at = time.monotonic() + seconds
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def health(self) -> dict[str, object]:
        """The counters, and what waits; the columns of ingest_samples without the time."""
        row = self._counters.row()
        row["last_error"] = row["last_error"] or self._log.last_error
        row["log_bytes"] = self._log.total_bytes()
        row["unstored_bytes"] = self._log.unread_bytes(self._position)
        row["oldest_unstored_seconds"] = round(self._log.oldest_seconds(self._position), 3)
        return row

    def _run(self) -> None:
        backoff = FIRST_BACKOFF_SECONDS
        while True:
            try:
                if not self._step():
                    return
                backoff = FIRST_BACKOFF_SECONDS
            except Exception as error:  # the one thread that stores must outlive whatever storing raises
                self._decoder.forget()  # it holds ids that were not stored
                self._counters.failed(f"Storing failed and is tried again: {first_line(error)}")
                if self._stopping.wait(backoff):
                    return
                backoff = min(backoff * 2, LONGEST_BACKOFF_SECONDS)

    def _step(self) -> bool:
        """Wait for work, do a batch of it; False when stopping and nothing is left."""
        if self._store.down:
            self._store.revive()
            # The commit that failed may be there all the same.
            self._position = self.stored_position(self._store)
            self._decoder.forget()
        unread = self._log.wait(self._position, 0.0 if self._stopping.is_set() else 0.5)
        if self._stopping.is_set() and (not unread or time.monotonic() > self._give_up_at):
            self._samples.take(self._stopping.is_set())
            return False
        if not unread:
            self._rest()
            return True
        self._linger()
        self._store_file.check()
        began = time.monotonic()
        log_bytes = self._store_next()
        self._stored_at = time.monotonic()
        self._flush_seconds = self._stored_at - began
        self._since_checkpoint += log_bytes
        self._counters.failed(None)
        if self._since_checkpoint >= self._bounds.checkpoint_bytes:
            self._checkpoint()
        self._samples.take(self._stopping.is_set())
        return True

    def _store_next(self) -> int:
        """Store what comes next in the log, or go on without the one request that cannot be; bytes of the log."""
        try:
            gathered = self._gather()
            self._store_gathered(gathered)
        except Exception as error:
            if not self._attempts.failed(error):
                raise
            self._decoder.forget()
            return self._go_on_without_next(first_line(error))
        if not self._attempts.alone:
            self._batch_bytes = min(self._batch_bytes * 2, self._bounds.batch_bytes)
        self._attempts.stored()
        return gathered.log_bytes

    def _linger(self) -> None:
        """Gather more while it is worth it: at low rates a commit is cheap, so what came shows at once."""
        longest = min(self._bounds.linger_seconds, max(0.05, 4 * self._flush_seconds))
        # What came during the last commit has waited already.
        young_for = self._bounds.unstored_seconds - self._log.oldest_seconds(self._position)
        until = time.monotonic() + min(longest, young_for)
        while not self._stopping.is_set():
            left = until - time.monotonic()
            if left <= 0 or self._log.unread_bytes(self._position) >= self._batch_bytes // 2:
                return
            self._stopping.wait(min(left, 0.1))

    def _rest(self) -> None:
        """Nothing to store: what can be done meanwhile."""
        now = time.monotonic()
        self._samples.take(self._stopping.is_set())
        if self._since_checkpoint and now - self._stored_at >= self._bounds.idle_seconds:
            self._checkpoint()
        if now - self._pruned_at >= 60.0:
            self._pruned_at = now
            self._repetitions.forget_old()

    def _gather(self) -> Gathered:
        """Read and decode until a row group is full, or nothing more waits that is worth waiting for."""
        bounds, found = self._bounds, Gathered(self._position)
        if self._attempts.alone:
            self._batch_bytes = 1  # one record; what follows grows again from there
        chunk_bytes = min(bounds.chunk_bytes, self._batch_bytes)
        until = time.monotonic() + bounds.linger_seconds
        while True:
            records, found.position = self._log.read(found.position, chunk_bytes)
            found.log_bytes += sum(len(record.body) for record in records)
            fresh, seen, repeated = self._repetitions.without(records, found.seen)
            chunk = self._decode(fresh, seen)
            found.chunks.append(chunk)
            found.records += fresh
            found.seen += seen
            found.repeated += repeated
            found.rows += chunk.spans.spans.num_rows
            unread = self._log.unread_bytes(found.position)
            if (
                not unread
                or found.rows >= bounds.batch_rows
                or found.log_bytes >= self._batch_bytes
                or (unread < bounds.chunk_bytes and time.monotonic() > until)
            ):
                return found

    def _store_gathered(self, found: Gathered) -> None:
        """One transaction; where the rows are at fault, halves, down to the one request that is."""
        try:
            self._commit(found.decoded(), found.position)
        except Exception as error:
            self._decoder.forget()
            if not is_of_rows(error) or not found.records:
                raise
            self._store_singly(found.records, found.seen, found.position, error)
        self._counters.add("repeated_requests", found.repeated)
        self._position = found.position
        self._repetitions.stored(found.seen)

    def _store_singly(
        self,
        records: Sequence[LogRecord],
        seen: Sequence[RequestSeen],
        position: LogPosition,
        error: Exception,
    ) -> None:
        """Store all but the request whose rows the store refuses; that one goes to the quarantine."""
        if len(records) > 1:
            middle = len(records) // 2
            for part, part_seen in (
                (records[:middle], seen[:middle]),
                (records[middle:], seen[middle:]),
            ):
                # The position moves with the last part only: until then a crash starts the batch again,
                # and the hashes of what is stored already keep it from being stored twice.
                reached = position if part[-1] is records[-1] else self._position
                try:
                    self._commit(self._decode(part, part_seen), reached)
                except Exception as again:
                    if not is_of_rows(again):
                        raise
                    self._store_singly(part, part_seen, reached, again)
            return
        self._set_aside(
            records[0], seen, position, "store_refused", f"The store refused a request: {first_line(error)}"
        )

    def _go_on_without_next(self, error: str) -> int:
        """Set the next request aside, since it has failed on its own again and again, and just now."""
        records, position = self._log.read(self._position, 1)
        fresh, seen, _ = self._repetitions.without(records, [])
        if fresh:
            sentence = f"Storing a request failed again and again: {error}"
            self._set_aside(fresh[0], seen, position, "store_failed", sentence)
        self._position = position
        self._repetitions.stored(seen)
        self._attempts.stored()
        return sum(len(record.body) for record in records)

    def _set_aside(
        self,
        record: LogRecord,
        seen: Sequence[RequestSeen],
        position: LogPosition,
        reason: str,
        sentence: str,
    ) -> None:
        """Go on without a request, whose beginning is kept in the quarantine."""
        empty, item = self._decode([], seen), set_aside(record, reason, sentence)
        self._commit(replace(empty, spans=replace(empty.spans, quarantined=[item])), position)

    def _decode(self, records: Sequence[LogRecord], seen: Sequence[RequestSeen]) -> Decoded:
        spans = [record for record in records if not record.kind & METRICS]
        raws = [RawRequest(record.received_at_ns, record.kind, record.body) for record in spans]
        batch, repairs = self._decoder.decode(raws, seen)
        metrics, bad = read_metric_records([record for record in records if record.kind & METRICS])
        if bad:
            batch = replace(batch, quarantined=[*batch.quarantined, *bad])
        return Decoded(batch, metrics, repairs)

    def _commit(self, decoded: Decoded, position: LogPosition) -> None:
        batch, metrics = self._masked(decoded.spans), decoded.metrics

        def work(writer: Writer) -> AppendCounts:
            append_metrics(writer, metrics.tables)
            return append_spans(writer, batch, position)

        counts = self._store.write(work)
        self._counters.add("stored_spans", counts.spans)
        self._counters.add("quarantined", counts.quarantined)
        self._counters.add("metrics_not_kept", metrics.not_kept)
        self._counters.add_reasons(Counter(item.reason for item in batch.quarantined) + decoded.repairs)

    def _checkpoint(self) -> None:
        position = self._position
        # Only a checkpointed store is a reason to forget the log; one that is busy is asked again.
        self._store_file.check()
        if self._store.checkpoint():
            self._log.forget(position)
            self._since_checkpoint = 0
