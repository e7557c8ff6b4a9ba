"""kafka-python's producer: sends until the acknowledgement, and transactions."""

import functools
from collections.abc import Iterator
from typing import Any

from opentelemetry import trace

from . import attributes as names
from . import clients, sending, sizes, transactions
from .failing import failed
from .guard import KAFKA_PYTHON as guard
from .senders import Sender
from .shim import Shim, Wrapper

ORDER = ("topic", "value", "key", "headers", "partition", "timestamp_ms")
STATE = "_headwater_state"


class Producing:
    """The wrappers."""

    def __init__(self, shim: Shim) -> None:
        self._shim = shim
        self._sizing = sizes.Sizing()

    def wrappers(self) -> dict[str, Wrapper]:
        """The producer's methods that are wrapped."""
        return {
            "send": self.send,
            "_estimate_size_in_bytes": self._sizing.kafka_python,
            "begin_transaction": self.begin_transaction,
            "commit_transaction": functools.partial(self.ended, "committed"),
            "abort_transaction": functools.partial(self.ended, "aborted"),
            "send_offsets_to_transaction": self.offsets,
        }

    def send(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """KafkaProducer.send."""
        given = {**dict(zip(ORDER, args, strict=False)), **kwargs}
        if (
            "topic" not in given
            or len(args) > len(ORDER)
            or not guard.settle("send", self._shim.active, given["topic"])
        ):
            return wrapped(*args, **kwargs)
        if isinstance(given.get("headers"), Iterator):
            # Readable once only, and needed again if the span cannot be begun.
            given["headers"] = list(given["headers"])
        if self._shim.produce_hook is None and guard.settle("send", self._shim.without_sdk):
            passed = guard.run("send", sending.pass_through, given.get("headers"))
            return wrapped(**(given if passed is None else {**given, "headers": passed}))
        begun = guard.run("send", self._begin, instance, given)
        if begun is None:
            return wrapped(**given)
        if self._shim.produce_hook is not None:
            self._shim.hook_now(self._shim.produce_hook, begun.span, args, kwargs)
        headers = begun.headers or (None if given.get("headers") is None else begun.headers)
        try:
            future = wrapped(**{**given, "headers": headers})
        except BaseException as error:
            guard.settle("send", begun.fail, error)
            raise
        finally:
            guard.settle("send", self._sizing.done, begun)
        guard.settle("send", self._await, instance, begun, future)
        return future

    def _begin(self, producer: Any, given: dict[str, Any]) -> sending.Send:
        send = sending.begin(
            self._shim,
            self._sender(producer),
            given["topic"],
            given.get("value"),
            given.get("key"),
            given.get("headers"),
            transactions.current(producer),
        )
        return self._sizing.expect(send, producer.config["max_request_size"])

    def _sender(self, producer: Any) -> Sender:
        found = producer.__dict__.get(STATE)
        if not isinstance(found, Sender):
            settings = producer.config
            found = producer.__dict__[STATE] = Sender(
                settings.get("client_id"), settings.get("bootstrap_servers")
            )
        if names.CLUSTER_ID not in found.base:
            clients.add_cluster_id(found.base, producer)
        return found

    def _await(self, producer: Any, send: sending.Send, future: Any) -> None:
        if not hasattr(future, "add_errback"):
            send.end()
            return
        future.add_callback(functools.partial(guard.settle, "acknowledgement", self._stored, producer, send))
        future.add_errback(functools.partial(guard.settle, "acknowledgement", self._failed, producer, send))

    def _stored(self, producer: Any, send: sending.Send, found: Any) -> None:
        # Nobody tells the offset where no acknowledgement is asked for; the client says one all the same.
        offset = None if producer.config.get("acks") == 0 else found.offset
        send.stored(found.partition, offset, found.timestamp, None)

    def _failed(self, producer: Any, send: sending.Send, error: BaseException) -> None:
        send.fail(error)
        self._sender(producer).refused(getattr(error, "errno", None))

    def begin_transaction(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """KafkaProducer.begin_transaction."""
        answer = wrapped(*args, **kwargs)
        if guard.settle("transaction", self._shim.active):
            guard.run("transaction", self._open, instance)
        return answer

    def _open(self, producer: Any) -> None:
        found = str(producer.config.get("transactional_id"))
        transactions.open_one(
            self._shim.tracer, producer, self._sender(producer).values("transaction"), found
        )

    def ended(self, outcome: str, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """KafkaProducer.commit_transaction and KafkaProducer.abort_transaction."""
        try:
            answer = wrapped(*args, **kwargs)
        except BaseException as error:
            if guard.settle("transaction", _is_over, instance):
                guard.settle("transaction", transactions.close, instance, "unknown", error)
            raise
        guard.settle("transaction", transactions.close, instance, outcome, None)
        return answer

    def offsets(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """KafkaProducer.send_offsets_to_transaction(offsets, group)."""
        found = guard.settle("transaction", transactions.current, instance)
        span = None
        if found is not None and guard.settle("transaction", self._shim.active):
            span = guard.run("transaction", self._commit, instance, found, args, kwargs)
        try:
            return wrapped(*args, **kwargs)
        except BaseException as error:
            if span is not None:
                guard.settle("transaction", failed, span, error, None)
            raise
        finally:
            if span is not None:
                guard.settle("transaction", span.end)

    def _commit(self, producer: Any, found: Any, args: Any, kwargs: Any) -> trace.Span:
        offsets, group = _offsets_and_group(args, kwargs)
        base = self._sender(producer).values("commit", "settle")
        name = str(getattr(group, "group_id", group))
        return transactions.commit(self._shim.tracer, base, found, name, offsets)


def _offsets_and_group(args: Any, kwargs: Any) -> tuple[Any, Any]:
    # The second has another name in each version.
    rest = dict(kwargs)
    offsets = args[0] if args else rest.pop("offsets")
    return offsets, args[1] if len(args) > 1 else next(iter(rest.values()))


def _is_over(producer: Any) -> bool:
    """Whether the producer cannot go on after an error."""
    return bool(producer._transaction_manager.has_fatal_error())
