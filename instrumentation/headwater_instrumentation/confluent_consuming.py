"""confluent-kafka's consumer: what it hands out, and its commits."""

import functools
import sys
import time
import weakref
from typing import Any

from . import attributes as names
from . import clients, consuming, rebalancing
from .confluent_committing import Commits
from .guard import CONFLUENT_KAFKA as guard
from .librdkafka import configuration, groups, learn_cluster_id, make, servers
from .rebalancing import Steering
from .records import MessageView, Place
from .shim import Shim, Wrapper

STATE = "_headwater_state"
SUBSCRIBE = ("topics", "on_assign", "on_revoke", "on_lost")


class State:
    """What is known of one consumer."""

    def __init__(self, conf: dict[str, Any], shim: Shim) -> None:
        self.settings = (conf.get("client.id") or "rdkafka", servers(conf))
        self.group = str(conf.get("group.id", ""))
        base = clients.described("process", "process", *self.settings)
        clients.add_isolation(base, conf.get("isolation.level", names.READ_COMMITTED))
        self.handed = consuming.Handed(shim.source(base, self.group))
        self.passive = False
        """A client around it records in its place."""
        self.commits = Commits(shim, base, self.settings, self.group)
        self.asked = 0
        self.held: set[Place] = set()
        """Partitions that the group has given."""


class Consuming:
    """The wrappers."""

    def __init__(self, shim: Shim) -> None:
        self.shim = shim

    def wrappers(self) -> dict[str, Wrapper]:
        """The consumer's methods that are wrapped."""
        return {
            "__init__": self.made,
            "poll": self.poll,
            "consume": self.consume,
            "close": self.close,
            "__exit__": self.exit,
            "commit": self.commit,
            "consumer_group_metadata": self.metadata,
            "subscribe": self.subscribe,
            **Steering(self.shim, self._described).wrappers(),
        }

    def _described(self, consumer: Any) -> dict[str, Any]:
        return self.state(consumer).handed.source.base

    def subscribe(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """Consumer.subscribe(topics, on_assign=…, on_revoke=…): what the group gives and takes is told there."""
        changed = guard.run("subscribe", self._listening, instance, args, kwargs)
        return wrapped(*args, **kwargs) if changed is None else wrapped(**changed)

    def _listening(self, consumer: Any, args: Any, kwargs: Any) -> dict[str, Any] | None:
        given = {**dict(zip(SUBSCRIBE, args, strict=False)), **kwargs}
        if "topics" not in given or len(args) > len(SUBSCRIBE):
            return None
        weak = weakref.ref(consumer)
        # Without on_lost the client calls on_revoke in its place: so none is added.
        for name in ("on_assign", "on_revoke", *(["on_lost"] if given.get("on_lost") else [])):
            given[name] = functools.partial(self.rebalanced, weak, name, given.get(name))
        return given

    def rebalanced(self, weak: Any, name: str, theirs: Any, consumer: Any, places: Any) -> Any:
        """The group gives or takes partitions; then their callback, if there is one."""
        guard.settle("rebalance", self._rebalanced, weak(), name, places)
        return theirs(consumer, places) if theirs is not None else None

    def _rebalanced(self, consumer: Any, name: str, places: Any) -> None:
        if consumer is None or not self.shim.active():
            return
        held = self.state(consumer).held
        listed = {Place(place.topic, place.partition) for place in places}
        span = rebalancing.begin(self.shim, self._described(consumer))
        if name == "on_assign":
            held |= listed
        else:
            held -= listed
        rebalancing.finish(span, held, () if name == "on_assign" else listed)

    def made(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """Consumer(settings)."""
        changed = guard.settle("consumer", self._prepare, instance, args, kwargs)
        if changed is not None:
            args, kwargs = changed
        return make(wrapped, args, kwargs)

    def _prepare(self, consumer: Any, args: Any, kwargs: Any) -> tuple[Any, Any]:
        settings = configuration(args, kwargs)
        state = consumer.__dict__[STATE] = State(settings, self.shim)
        if not state.group or not (args or kwargs):
            return args, kwargs
        ours = state.commits.reporter(settings.get("on_commit"))
        if args and isinstance(args[0], dict) and "on_commit" not in kwargs:
            return ({**args[0], "on_commit": ours}, *args[1:]), kwargs
        return args, {**kwargs, "on_commit": ours}

    def state(self, consumer: Any) -> State:
        """What is known of a consumer."""
        found = consumer.__dict__.get(STATE)
        if not isinstance(found, State) or found.handed.source.config is not self.shim.config:
            found = consumer.__dict__[STATE] = State({}, self.shim)
        return found

    def poll(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """Consumer.poll."""
        state = guard.settle("poll", self.came_back, instance)
        message = wrapped(*args, **kwargs)
        # From here on nothing of ours may raise: the message has left the client's queue.
        if state is not None and message is not None:
            guard.run("poll", self.one, instance, state, message)
        return message

    def came_back(self, consumer: Any) -> State | None:
        """Ends what the consumer's caller had in hands; gives the consumer's state, unless another records for it."""
        state = self.state(consumer)
        if state.passive:
            return None
        guard.settle("poll", state.handed.finish)
        return state

    def one(self, consumer: Any, state: State, message: Any) -> None:
        """The caller gets one message, or an error in its place."""
        if message.error() is not None or not self.shim.active(message.topic()):
            return
        self._learn(consumer, state)
        consuming.one(consumer, state.handed, MessageView(message))
        if self.shim.consume_hook is not None and state.handed.delivery is not None:
            self.shim.hook_now(self.shim.consume_hook, state.handed.delivery.span, message)

    def _learn(self, consumer: Any, state: State) -> None:
        if state.passive:
            return
        state.asked += 1
        learn_cluster_id(consumer, state.handed.source.base, state.asked)

    def consume(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """Consumer.consume."""
        state = guard.settle("consume", self.came_back, instance)
        started_ns = time.time_ns()
        messages = wrapped(*args, **kwargs)
        if state is not None and messages:
            guard.run("consume", self.many, instance, state, messages, started_ns)
        return messages

    def many(self, consumer: Any, state: State, messages: list[Any], started_ns: int) -> None:
        """The caller gets messages, errors among them."""
        if self.shim.active():
            self._learn(consumer, state)
            good = [message for message in messages if message.error() is None]
            consuming.many(consumer, state.handed, good, started_ns)

    def close(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """Consumer.close: the last body is over, with the error on its way out if there is one."""
        guard.settle("close", self.closed, instance, sys.exc_info()[1])
        try:
            return wrapped(*args, **kwargs)
        finally:
            guard.settle("close", self._forgotten, instance)

    def exit(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """Consumer.__exit__, which closes without close()."""
        guard.settle("close", self.closed, instance, args[1] if len(args) > 1 else None)
        try:
            return wrapped(*args, **kwargs)
        finally:
            guard.settle("close", self._forgotten, instance)

    def closed(self, consumer: Any, error: BaseException | None) -> None:
        """The consumer is closed: ends what was in the caller's hands."""
        state = self.state(consumer)
        if not state.passive:
            state.handed.finish(error)

    def _forgotten(self, consumer: Any) -> None:
        self.state(consumer).commits.forget()

    def deserialized(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """DeserializingConsumer.poll: a message that cannot be read has failed."""
        try:
            return wrapped(*args, **kwargs)
        except Exception as error:
            guard.settle("poll", self.closed, instance, error)
            raise

    def metadata(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """Consumer.consumer_group_metadata: goes into a transaction, and does not say its group."""
        found = wrapped(*args, **kwargs)
        guard.settle("metadata", lambda: groups.put(found, self.state(instance).group))
        return found

    def commit(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """Consumer.commit."""
        state = guard.settle("commit", self.state, instance)
        return wrapped(*args, **kwargs) if state is None else state.commits.run(wrapped, args, kwargs)
