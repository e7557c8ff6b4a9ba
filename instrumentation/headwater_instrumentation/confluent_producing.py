"""confluent-kafka's producer: sends until the delivery report, and transactions."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry import trace

from . import attributes as names
from . import sending, sizes, transactions
from .failing import failed
from .guard import CONFLUENT_KAFKA as guard
from .librdkafka import (
    Reported,
    by_partition,
    configuration,
    groups,
    is_fatal,
    learn_cluster_id,
    make,
    servers,
)
from .records import time_of
from .senders import Sender
from .sending import Send
from .shim import Shim, Wrapper

ORDER = ("topic", "value", "key", "partition", "callback", "on_delivery", "timestamp", "headers")
BATCH_ORDER = ("topic", "messages", "partition", "callback", "on_delivery")
SERIALIZING = ("KeySerializationError", "ValueSerializationError")
STATE = "_headwater_state"


class State(Sender):
    """What is known of one producer."""

    def __init__(self, conf: Mapping[str, Any] | None) -> None:
        known = conf or {}
        super().__init__(known.get("client.id") or "rdkafka", servers(known))
        self.default = known.get("on_delivery") or known.get("delivery_cb") or known.get("dr_cb")
        """Called where a send names no callback of its own."""
        only_errors = str(known.get("delivery.report.only.error", "false")).lower() == "true"
        # A callback of ours takes the place of the default one: that must be known, and be told everything.
        self.reported = conf is not None and not only_errors
        self.limit = sizes.limit_of(known)
        self.transactional_id = str(known.get("transactional.id", ""))
        self.passive = False
        """A client around it records in its place."""
        self.asked = 0


class Producing:
    """The wrappers."""

    def __init__(self, shim: Shim) -> None:
        self._shim = shim

    def wrappers(self) -> dict[str, Wrapper]:
        """The producer's methods that are wrapped."""
        return {
            "__init__": self.made,
            "produce": self.produce,
            "produce_batch": self.produce_batch,
            "poll": self.served,
            "flush": self.served,
            "begin_transaction": self.begin_transaction,
            "commit_transaction": functools.partial(self._ended, "committed"),
            "abort_transaction": functools.partial(self._ended, "aborted"),
            "send_offsets_to_transaction": self.offsets,
        }

    def made(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """Producer(settings)."""
        answer = make(wrapped, args, kwargs)
        guard.settle("producer", self._made, instance, args, kwargs)
        return answer

    def _made(self, producer: Any, args: Any, kwargs: Any) -> None:
        producer.__dict__[STATE] = State(configuration(args, kwargs))

    def state(self, producer: Any) -> State:
        """What is known of a producer."""
        found = producer.__dict__.get(STATE)
        if not isinstance(found, State):
            found = producer.__dict__[STATE] = State(None)
        return found

    def produce(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """Producer.produce."""
        given = {**dict(zip(ORDER, args, strict=False)), **kwargs}
        if (
            "topic" not in given
            or len(args) > len(ORDER)
            or not guard.settle("produce", self._shim.active, given["topic"])
        ):
            return wrapped(*args, **kwargs)
        if self._shim.produce_hook is None and guard.settle("produce", self._shim.without_sdk):
            state = guard.settle("produce", self.state, instance)
            passed = guard.run("produce", sending.pass_through, given.get("headers"))
            if passed is None or state is None or not state.inject:
                return wrapped(*args, **kwargs)
            return wrapped(**{**given, "headers": passed})
        begun = guard.run("produce", self._begin, instance, given)
        if begun is None:
            return wrapped(*args, **kwargs)
        send, reported, changed = begun
        if self._shim.produce_hook is not None:
            self._shim.hook_now(self._shim.produce_hook, send.span, args, kwargs)
        try:
            answer = wrapped(**changed)
        except BaseException as error:
            guard.settle("produce", send.fail, error)
            raise
        if not reported:
            guard.settle("produce", send.end)
        return answer

    def served(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """Producer.poll and Producer.flush."""
        answer = wrapped(*args, **kwargs)
        guard.settle("poll", self._learn, instance)
        return answer

    def _learn(self, producer: Any) -> None:
        state = self.state(producer)
        if names.CLUSTER_ID not in state.base and not state.passive:
            state.asked += 1
            learn_cluster_id(producer, state.base, state.asked)

    def _begin(self, producer: Any, given: dict[str, Any]) -> tuple[Send, bool, dict[str, Any]]:
        state = self.state(producer)
        send = self.begin(
            producer, given["topic"], given.get("value"), given.get("key"), given.get("headers")
        )
        if send.headers:
            sizes.fit(send, given.get("key"), given.get("value"), state.limit)
        changed = dict(given)
        if send.headers or given.get("headers") is not None:
            changed["headers"] = send.headers
        if state.reported:
            theirs = changed.pop("callback", None) or changed.get("on_delivery") or state.default
            changed["on_delivery"] = self.report(producer, send, theirs)
        return send, state.reported, changed

    def begin(
        self, producer: Any, topic: str, value: Any, key: Any, headers: Any, write: bool = True
    ) -> Send:
        """Starts a send."""
        state = self.state(producer)
        return sending.begin(
            self._shim, state, topic, value, key, headers, transactions.current(producer), write
        )

    def report(self, producer: Any, send: Send, theirs: Any) -> Callable[[Any, Any], None]:
        """A delivery callback that records, and calls theirs."""

        def delivered(error: Any, message: Any) -> None:
            guard.settle("delivery", self._delivered, producer, send, error, message)
            if theirs is not None:
                theirs(error, message)

        return delivered

    def _delivered(self, producer: Any, send: Send, error: Any, message: Any) -> None:
        if error is None:
            send.stored(message.partition(), message.offset(), *time_of(message))
            return
        send.fail(Reported(error))
        self.state(producer).refused(error.code())

    def serialized(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """SerializingProducer.produce: what fails before the send is begun is a failed send too."""
        try:
            return wrapped(*args, **kwargs)
        except Exception as error:
            if type(error).__name__ in SERIALIZING:
                guard.run("produce", self._unserialized, instance, args, kwargs, error)
            raise

    def _unserialized(self, producer: Any, args: Any, kwargs: Any, error: BaseException) -> None:
        topic = kwargs["topic"] if "topic" in kwargs else args[0]
        if self._shim.active(topic):
            # Of the value only whether there is one is looked at.
            self.begin(producer, topic, b"", None, None).fail(error)

    def produce_batch(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """Producer.produce_batch: no headers can be sent, but each message tells where it went."""
        given = {**dict(zip(BATCH_ORDER, args, strict=False)), **kwargs}
        begun = None
        if "topic" in given and guard.settle("produce", self._shim.active, given["topic"]):
            begun = guard.run("produce", self._begin_batch, instance, given)
        if begun is None:
            return wrapped(*args, **kwargs)
        sends, changed = begun
        try:
            answer = wrapped(**changed)
        except BaseException as error:
            for send in sends:
                guard.settle("produce", send.fail, error)
            raise
        guard.settle("produce", self._after_batch, instance, sends, changed["messages"], given["messages"])
        return answer

    def _begin_batch(self, producer: Any, given: dict[str, Any]) -> tuple[list[Send], dict[str, Any]] | None:
        state = self.state(producer)
        if state.passive:
            return None
        shared = given.get("callback") or given.get("on_delivery")
        sends, messages = [], []
        for message in given["messages"]:
            send = self.begin(
                producer, given["topic"], message.get("value"), message.get("key"), None, write=False
            )
            copy = dict(message)
            if state.reported:
                theirs = (
                    copy.pop("callback", None) or copy.pop("on_delivery", None) or shared or state.default
                )
                copy["callback"] = self.report(producer, send, theirs)
            sends.append(send)
            messages.append(copy)
        return sends, {**given, "messages": messages}

    def _after_batch(self, producer: Any, sends: list[Send], sent: Any, theirs: Any) -> None:
        reported = self.state(producer).reported
        for send, copy, message in zip(sends, sent, theirs, strict=True):
            if "_error" in copy:
                # The client says there which message it did not take.
                message["_error"] = copy["_error"]
                send.fail(Reported(copy["_error"]))
            elif not reported:
                send.end()

    def begin_transaction(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """Producer.begin_transaction."""
        answer = wrapped(*args, **kwargs)
        if guard.settle("transaction", self._shim.active):
            guard.run("transaction", self._open, instance)
        return answer

    def _open(self, producer: Any) -> None:
        state = self.state(producer)
        transactions.open_one(
            self._shim.tracer, producer, state.values("transaction"), state.transactional_id
        )

    def _ended(self, outcome: str, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        try:
            answer = wrapped(*args, **kwargs)
        except BaseException as error:
            if guard.settle("transaction", is_fatal, error):
                guard.settle("transaction", transactions.close, instance, "unknown", error)
            raise
        guard.settle("transaction", transactions.close, instance, outcome, None)
        return answer

    def offsets(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """Producer.send_offsets_to_transaction(positions, group metadata)."""
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
        given = {**dict(zip(("positions", "group_metadata"), args, strict=False)), **kwargs}
        base = self.state(producer).values("commit", "settle")
        group = groups.get(given["group_metadata"])
        return transactions.commit(self._shim.tracer, base, found, group, by_partition(given["positions"]))
