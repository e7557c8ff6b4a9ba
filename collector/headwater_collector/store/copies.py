"""Messages that are copies of earlier ones and tell it by their event's id alone."""

import numpy as np
import pyarrow as pa

from .recalling import STORED, columns
from .seen_events import IDS
from .writer import Writer


def remember(writer: Writer) -> None:
    """Sees to it that the events of the store's messages are known, however far that has come beside it."""
    if not writer.seen_events.filled:
        writer.seen_events.fill(columns(writer.batches(STORED, IDS)))


def note(writer: Writer) -> None:
    """Remembers the events of a batch of which nothing can be a copy yet, for what comes later."""
    sent = "select hash(event_id) as hash, epoch_ns(received_at) as at from new_messages where event_id is not null"
    new = writer.columns(sent)
    writer.seen_events.add(new["hash"], new["at"])


def ask(writer: Writer) -> list[tuple[int, int]] | None:
    """Makes ``asked_hashes`` of those ``named_events`` that stand on several messages, as far as can be told in memory.

    Gives the times between which the others may have arrived; None where there are no others.
    """
    named = writer.columns("select hash, epoch_ns(received_at) as at, known from named_events")
    hashes, known = named["hash"], named["known"].astype(np.bool_)
    seen, between = writer.seen_events.where(hashes)
    _, numbers, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    writer.seen_events.add(hashes[~known], named["at"][~known])
    asked = hashes[seen | known | (counts[numbers] > 1)]
    if not len(asked):
        return None
    with writer.registered(pa.table({"hash": pa.array(np.unique(asked), pa.uint64())})) as source:
        writer.execute(f"create or replace temp table asked_hashes as from {source}")
    return between
