"""What a service says of its own work: what became of a delivery, what a message takes back, a breaker's state."""

import threading
from typing import Any

from opentelemetry import metrics, trace

from . import attributes as names
from . import context as ctx
from . import delivery as deliveries
from . import headers as hdr
from .config import Config
from .describing import place
from .guard import guard, logger
from .records import view

LONGEST = 64
"""Characters of an outcome or of a breaker's name."""
BREAKERS_AT_MOST = 256
"""Names of breakers that are counted apart; later ones are counted as ``other``."""
STATES = ("closed", "open", "half_open")

_breakers: set[str] = set()
_lock = threading.Lock()


def record_outcome(outcome: str, *, record: Any = None) -> None:
    """Says what became of the delivery being handled, for example ``deduplicated`` or ``skipped``.

    In a batch, name the record: without a span of its own it becomes an event of the batch's span. Never raises.
    """
    guard.run("outcome", _outcome, outcome, record)


def _outcome(outcome: str, record: Any) -> None:
    said = str(outcome)[:LONGEST]
    current = deliveries.current()
    own = deliveries.noted(record) if record is not None else current
    if own is not None and not own.ended:
        own.span.set_attribute(names.OUTCOME, said)
    elif record is not None and current is not None:
        current.span.add_event(names.OUTCOME, {**place(view(record)), names.OUTCOME: said})


def record_breaker(name: str, state: str) -> None:
    """Says that a circuit breaker changed its state to ``closed``, ``open`` or ``half_open``.

    An event of the current span, and one more in the counter ``headwater.breaker.changes``. Never raises.
    """
    guard.run("breaker", _breaker, name, state)


def _breaker(name: str, state: str) -> None:
    if state not in STATES:
        logger.warning("A breaker's state is one of %s, not %r.", ", ".join(STATES), state)
        return
    said = {names.BREAKER_NAME: str(name)[:LONGEST], names.BREAKER_STATE: state}
    trace.get_current_span().add_event(names.BREAKER_EVENT, said)
    with _lock:
        if said[names.BREAKER_NAME] not in _breakers:
            if len(_breakers) < BREAKERS_AT_MOST:
                _breakers.add(said[names.BREAKER_NAME])
            else:
                said[names.BREAKER_NAME] = "other"
    # The API hands out the same instrument for the same name, and a provider that is set later is followed.
    meter = metrics.get_meter("headwater_instrumentation", schema_url=names.SCHEMA_URL)
    meter.create_counter(names.BREAKER_CHANGES, "{change}", "State changes of circuit breakers").add(1, said)


def mark_compensation(record: Any) -> hdr.Headers:
    """Headers for a new message that takes back what ``record`` brought about; none where its event has no id.

    ``await producer.send("refunds", value, headers=mark_compensation(record))``. Not a copy of the record's headers:
    a compensation is an event of its own.
    """
    found = guard.run("compensation", _event_id, record)
    return [] if found is None else [(hdr.COMPENSATES, found.encode("ascii"))]


def _event_id(record: Any) -> str | None:
    headers = view(record).headers or ()
    lineage = ctx.parse(hdr.last(headers, ctx.NAME))
    if lineage is not None:
        return lineage.event_id
    delivery = deliveries.noted(record)
    config = delivery.source.config if delivery is not None else Config.read()
    return ctx.stated_event_id(headers, config.event_id_headers)
