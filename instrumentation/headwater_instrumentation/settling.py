"""Commits of offsets: those that the service asks for, and those that the client makes by itself."""

from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, Tracer

from . import attributes as names
from . import clients
from .failing import failed
from .guard import AIOKAFKA as guard

OFFSETS_AT_MOST = 1000
"""Partitions of one commit whose offsets are recorded."""
_ASKED = otel_context.create_key("headwater-commit")
_BASE = "_headwater_commit"


class Commits:
    """The wrappers around an aiokafka consumer's commits."""

    def __init__(self, tracer: Tracer, active: Callable[[], bool]) -> None:
        self._tracer = tracer
        self._active = active

    async def asked(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """AIOKafkaConsumer.commit: whatever is committed inside of it is the caller's commit."""
        token = guard.run("commit", attach_asked)
        try:
            return await wrapped(*args, **kwargs)
        finally:
            if token is not None:
                otel_context.detach(token)

    async def done(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """GroupCoordinator._do_commit_offsets(assignment, offsets): one request to the broker."""
        offsets = kwargs.get("offsets", args[1] if len(args) > 1 else None)
        span = (
            guard.run("commit", self._begin, instance, offsets)
            if offsets and guard.settle("commit", self._active)
            else None
        )
        try:
            return await wrapped(*args, **kwargs)
        except BaseException as error:
            if span is not None:
                guard.settle("commit", failed, span, error, None)
            raise
        finally:
            if span is not None:
                guard.settle("commit", span.end)

    def _begin(self, coordinator: Any, offsets: Mapping[Any, Any]) -> trace.Span:
        base = coordinator.__dict__.get(_BASE)
        if base is None:
            base = coordinator.__dict__[_BASE] = clients.base(coordinator._client, "commit", "settle")
        clients.add_cluster_id(base, coordinator._client)
        asked = is_asked()
        # The coordinator's task keeps the context in which the consumer was started: no parent of its commits.
        return begin(self._tracer, base, coordinator.group_id, offsets, None if asked else Context(), asked)


def attach_asked() -> Any:
    """Notes that what is committed from here on is what the service asks for; gives the token to detach."""
    return otel_context.attach(otel_context.set_value(_ASKED, True))


def is_asked() -> bool:
    """Whether that is noted here."""
    return otel_context.get_value(_ASKED) is True


def begin(
    tracer: Tracer,
    base: Mapping[str, Any],
    group: str,
    offsets: Mapping[Any, Any],
    parent: Context | None,
    asked: bool,
) -> trace.Span:
    """Starts the span of a commit; ``offsets`` by partition, as numbers, pairs or the client's own tuples."""
    values: dict[str, Any] = {**base, names.GROUP: group, **described(offsets)}
    if not asked:
        values[names.COMMIT_AUTOMATIC] = True
    return tracer.start_span(span_name(values), parent, SpanKind.CLIENT, values)


def described(offsets: Mapping[Any, Any]) -> dict[str, Any]:
    """What a commit's offsets say, and the topic where there is only one."""
    if not offsets:
        return {}
    places = sorted(offsets.items(), key=lambda one: (one[0].topic, one[0].partition))[:OFFSETS_AT_MOST]
    values: dict[str, Any] = {
        names.OFFSETS: [f"{at.topic}:{at.partition}:{_offset(given)}" for at, given in places]
    }
    topics = {at.topic for at in offsets}
    if len(topics) == 1:
        values[names.TOPIC] = topics.pop()
    return values


def span_name(values: Mapping[str, Any]) -> str:
    """Name of a commit's span."""
    topic = values.get(names.TOPIC)
    return "commit" if topic is None else f"commit {topic}"


def _offset(given: Any) -> int:
    return int(given if isinstance(given, int) else given[0])
