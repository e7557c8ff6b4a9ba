"""Transactions of a producer: from begin to commit or abort, with the sends and commits that belong to it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import SpanContext, SpanKind, Tracer

from . import attributes as names
from . import clients, settling
from .failing import failed
from .guard import AIOKAFKA as guard

_STATE = "_headwater_transaction"


@dataclass(frozen=True)
class Transaction:
    """An open transaction. Its span is never the current one, so it cannot leak into what follows."""

    id: str
    """transactional.id of the producer."""
    span: trace.Span
    around: SpanContext
    """What was current where it was begun."""


def current(producer: Any) -> Transaction | None:
    """The producer's open transaction."""
    found: Transaction | None = producer.__dict__.get(_STATE)
    return found


class Transactions:
    """The wrappers around an aiokafka producer's transactions."""

    def __init__(self, tracer: Tracer, active: Callable[[], bool]) -> None:
        self._tracer = tracer
        self._active = active

    async def begin(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """AIOKafkaProducer.begin_transaction."""
        answer = await wrapped(*args, **kwargs)
        if guard.settle("transaction", self._active):
            guard.run("transaction", self._begin, instance)
        return answer

    def _begin(self, producer: Any) -> None:
        values = clients.base(producer.client, "transaction")
        open_one(self._tracer, producer, values, str(producer._txn_manager.transactional_id))

    async def commit(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """AIOKafkaProducer.commit_transaction."""
        return await _ended(instance, "committed", wrapped, args, kwargs)

    async def abort(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """AIOKafkaProducer.abort_transaction."""
        return await _ended(instance, "aborted", wrapped, args, kwargs)

    async def offsets(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """AIOKafkaProducer.send_offsets_to_transaction(offsets, group_id)."""
        found = guard.settle("transaction", current, instance)
        span = None
        if found is not None and guard.settle("transaction", self._active):
            span = guard.run("transaction", self._commit, instance, found, args, kwargs)
        try:
            return await wrapped(*args, **kwargs)
        except BaseException as error:
            if span is not None:
                guard.settle("transaction", failed, span, error, None)
            raise
        finally:
            if span is not None:
                guard.settle("transaction", span.end)

    def _commit(self, producer: Any, found: Transaction, args: Any, kwargs: Any) -> trace.Span:
        given = {**dict(zip(("offsets", "group_id"), args, strict=False)), **kwargs}
        base = clients.base(producer.client, "commit", "settle")
        return commit(self._tracer, base, found, given["group_id"], given["offsets"])


async def _ended(producer: Any, outcome: str, wrapped: Any, args: Any, kwargs: Any) -> Any:
    try:
        answer = await wrapped(*args, **kwargs)
    except BaseException as error:
        guard.settle("transaction", _end, producer, "unknown", error)
        raise
    guard.settle("transaction", _end, producer, outcome, None)
    return answer


def _end(producer: Any, outcome: str, error: BaseException | None) -> None:
    # An end that failed can be asked for again, or an abort follows: that says how it ended.
    if error is None or producer._txn_manager.is_fatal_error():
        close(producer, outcome, error)


def open_one(tracer: Tracer, producer: Any, values: dict[str, Any], transactional_id: str) -> None:
    """Begins a producer's transaction."""
    close(producer, "unknown", None)
    values[names.TRANSACTION_ID] = transactional_id
    around = trace.get_current_span().get_span_context()
    span = tracer.start_span("transaction", kind=SpanKind.INTERNAL, attributes=values)
    producer.__dict__[_STATE] = Transaction(transactional_id, span, around)


def commit(
    tracer: Tracer, base: dict[str, Any], found: Transaction, group: str, offsets: Mapping[Any, Any]
) -> trace.Span:
    """Begins the commit of offsets in a transaction."""
    base[names.TRANSACTION_ID] = found.id
    return settling.begin(tracer, base, group, offsets, trace.set_span_in_context(found.span), True)


def close(producer: Any, outcome: str, error: BaseException | None) -> None:
    """Ends the producer's transaction, if one is open."""
    found = producer.__dict__.pop(_STATE, None)
    if not isinstance(found, Transaction):
        return
    found.span.set_attribute(names.TRANSACTION_OUTCOME, outcome)
    if error is not None:
        failed(found.span, error, None)
    found.span.end()
