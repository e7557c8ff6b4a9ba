"""Rebalances of a group as a consumer sees them, and its own changes of course: seeks, pause, resume."""

from collections.abc import Callable, Iterable
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind

from . import attributes as names
from .failing import failed
from .shim import Shim, Wrapper

PARTITIONS_AT_MOST = 1000
"""Partitions that one span names."""
CONTROL = "control"
"""Their operation's type, of our own, since none of the conventions' applies: no message is sent or handled."""
STATE = "_headwater_rebalance"
Describe = Callable[[Any], dict[str, Any]]
"""Attributes of a client's spans, without those of an operation."""


class Rebalances:
    """The wrappers around a coordinator that prepares a join and completes it."""

    def __init__(self, shim: Shim, describe: Describe) -> None:
        self._shim = shim
        self._describe = describe

    async def prepare(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """The group is rebalanced: the consumer gives back what it has."""
        self._shim.guard.settle("rebalance", self.begin, instance)
        return await wrapped(*args, **kwargs)

    async def complete(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """The consumer knows what it has now."""
        answer = await wrapped(*args, **kwargs)
        self._shim.guard.settle("rebalance", self.end, instance, *args[:1])
        return answer

    def prepare_now(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """The same where the client is not async."""
        self._shim.guard.settle("rebalance", self.begin, instance)
        return wrapped(*args, **kwargs)

    def complete_now(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """The same where the client is not async."""
        answer = wrapped(*args, **kwargs)
        self._shim.guard.settle("rebalance", self.end, instance, *args[:1])
        return answer

    def begin(self, coordinator: Any) -> None:
        """Begins the span, unless a join is being tried again."""
        if STATE in coordinator.__dict__ or not self._shim.active():
            return
        span = begin(self._shim, self._describe(coordinator))
        coordinator.__dict__[STATE] = span, _held(coordinator)

    def end(self, coordinator: Any, generation: int | None = None) -> None:
        """Ends it with what the consumer has, what it has no longer, and the group's generation."""
        span, before = coordinator.__dict__.pop(STATE, (None, frozenset()))
        if span is not None:
            now = _held(coordinator)
            if generation is not None:
                span.set_attribute(names.GENERATION, generation)
            finish(span, now, before - now)


def _held(coordinator: Any) -> frozenset[Any]:
    try:
        return frozenset(coordinator._subscription.assigned_partitions())
    except Exception:
        # Clients differ in what they answer while nothing is assigned.
        return frozenset()


def begin(shim: Shim, base: dict[str, Any]) -> trace.Span:
    """Begins the span of a rebalance; it comes from the group, not from whatever body polls at the moment."""
    values = {**base, names.OPERATION_NAME: "rebalance", names.OPERATION_TYPE: CONTROL}
    return shim.tracer.start_span("rebalance", Context(), SpanKind.CLIENT, values)


def finish(span: trace.Span, assigned: Iterable[Any], revoked: Iterable[Any]) -> None:
    """Ends it."""
    span.set_attribute(names.ASSIGNED, _listed(assigned))
    span.set_attribute(names.REVOKED, _listed(revoked))
    span.end()


def _listed(partitions: Iterable[Any]) -> list[str]:
    places = sorted((at.topic, at.partition) for at in partitions)
    return [f"{topic}:{partition}" for topic, partition in places[:PARTITIONS_AT_MOST]]


class Steering:
    """The wrappers around seek, pause and resume of every client."""

    def __init__(self, shim: Shim, describe: Describe) -> None:
        self._shim = shim
        self._describe = describe

    def wrappers(self) -> dict[str, Wrapper]:
        """The consumer's methods that are wrapped."""
        return dict.fromkeys(("seek", "pause", "resume", "seek_to_beginning", "seek_to_end"), self.steer)

    def awaited(self) -> dict[str, Wrapper]:
        """The same of aiokafka, where some are awaited."""
        later = ("seek_to_beginning", "seek_to_end", "seek_to_committed")
        return {**self.wrappers(), **dict.fromkeys(later, self.steer_later)}

    def steer(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """Consumer.seek, pause, resume, seek_to_beginning and seek_to_end."""
        span = self._shim.guard.run("steer", self._begin, instance, wrapped, args, kwargs)
        try:
            return wrapped(*args, **kwargs)
        except BaseException as error:
            if span is not None:
                self._shim.guard.settle("steer", failed, span, error, self._shim.config)
            raise
        finally:
            if span is not None:
                self._shim.guard.settle("steer", span.end)

    async def steer_later(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """AIOKafkaConsumer.seek_to_beginning, seek_to_end and seek_to_committed."""
        span = self._shim.guard.run("steer", self._begin, instance, wrapped, args, kwargs)
        try:
            return await wrapped(*args, **kwargs)
        except BaseException as error:
            if span is not None:
                self._shim.guard.settle("steer", failed, span, error, self._shim.config)
            raise
        finally:
            if span is not None:
                self._shim.guard.settle("steer", span.end)

    def _begin(self, consumer: Any, wrapped: Any, args: Any, kwargs: Any) -> trace.Span | None:
        if not self._shim.active():
            return None
        name = wrapped.__name__
        given = [*args, *kwargs.values()]
        # confluent-kafka takes a list of partitions, the others take them one by one.
        flat = [one for part in given for one in (part if isinstance(part, list) else [part])]
        # Text has a method of that name.
        places = [one for one in flat if isinstance(getattr(one, "partition", None), int)]
        values: dict[str, Any] = {
            **self._describe(consumer),
            names.OPERATION_NAME: name,
            names.OPERATION_TYPE: CONTROL,
        }
        topics = {place.topic for place in places}
        if len(topics) == 1:
            values[names.TOPIC] = topics.pop()
        if name == "seek" and len(places) == 1:
            (place,) = places
            offset = next((one for one in flat if isinstance(one, int)), getattr(place, "offset", None))
            values[names.PARTITION] = str(place.partition)
            if isinstance(offset, int):
                values[names.OFFSETS] = [f"{place.topic}:{place.partition}:{offset}"]
        elif places:
            values[names.PARTITIONS] = _listed(places)
        topic = values.get(names.TOPIC)
        return self._shim.tracer.start_span(
            name if topic is None else f"{name} {topic}", None, SpanKind.CLIENT, values
        )
