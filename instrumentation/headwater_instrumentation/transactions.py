"""Transactions of a producer: from begin to commit or abort, with the sends and commits that belong to it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import SpanContext, SpanKind, Tracer

from . import attributes as names
from . import clients, settling
from .delivery import failed
from .guard import guard

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
    found = producer.__dict__.get(_STATE)
    return found if isinstance(found, Transaction) else None


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
        found = str(producer._txn_manager.transactional_id)
        values[names.TRANSACTION_ID] = found
        if current(producer) is not None:
            _close(producer, "unknown", None)
        around = trace.get_current_span().get_span_context()
        span = self._tracer.start_span("transaction", kind=SpanKind.INTERNAL, attributes=values)
        producer.__dict__[_STATE] = Transaction(found, span, around)

    async def commit(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """AIOKafkaProducer.commit_transaction."""
        return await _ended(instance, "committed", wrapped, args, kwargs)

    async def abort(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """AIOKafkaProducer.abort_transaction."""
        return await _ended(instance, "aborted", wrapped, args, kwargs)

    async def offsets(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """AIOKafkaProducer.send_offsets_to_transaction(offsets, group_id)."""
        open_one = guard.settle("transaction", current, instance)
        span = None
        if open_one is not None and guard.settle("transaction", self._active):
            span = guard.run("transaction", self._commit, instance, open_one, args, kwargs)
        try:
            return await wrapped(*args, **kwargs)
        except BaseException as error:
            if span is not None:
                guard.settle("transaction", failed, span, error, None)
            raise
        finally:
            if span is not None:
                guard.settle("transaction", span.end)

    def _commit(self, producer: Any, open_one: Transaction, args: Any, kwargs: Any) -> trace.Span:
        given = {**dict(zip(("offsets", "group_id"), args, strict=False)), **kwargs}
        base = clients.base(producer.client, "commit", "settle")
        base[names.TRANSACTION_ID] = open_one.id
        parent = trace.set_span_in_context(open_one.span)
        return settling.begin(self._tracer, base, given["group_id"], given["offsets"], parent, True)


async def _ended(producer: Any, outcome: str, wrapped: Any, args: Any, kwargs: Any) -> Any:
    try:
        answer = await wrapped(*args, **kwargs)
    except BaseException as error:
        guard.settle("transaction", _end, producer, "unknown", error)
        raise
    guard.settle("transaction", _end, producer, outcome, None)
    return answer


def _end(producer: Any, outcome: str, error: BaseException | None) -> None:
    found = current(producer)
    # An end that failed can be asked for again, or an abort follows: that says how it ended.
    if found is None or (error is not None and not producer._txn_manager.is_fatal_error()):
        return
    _close(producer, outcome, error)


def _close(producer: Any, outcome: str, error: BaseException | None) -> None:
    found = producer.__dict__.pop(_STATE)
    found.span.set_attribute(names.TRANSACTION_OUTCOME, outcome)
    if error is not None:
        failed(found.span, error, None)
    found.span.end()
