"""FastStream's own telemetry beside ours: of one delivery one span is recorded, theirs, and it says what ours would.

Theirs is begun after ours and covers the same handler. Ours is given up by never being ended, so nothing exports it.
"""

import functools
from collections.abc import Callable
from typing import Any

import wrapt
from opentelemetry import context as otel_context
from opentelemetry import trace

from . import delivery as deliveries
from .guard import AIOKAFKA as guard

MODULE = "faststream.opentelemetry.middleware"
OWNER = "BaseTelemetryMiddleware"
Wrap = Callable[[Any, str, Any], None]


class Covering:
    """Wraps the middleware as soon as a service imports it, until ``forget``."""

    def __init__(self, wrap: Wrap) -> None:
        self._wrap: Wrap | None = wrap
        wrapt.register_post_import_hook(self._imported, MODULE)

    def forget(self) -> None:
        """The instrumentation is taken off: what is imported from now on is left alone."""
        self._wrap = None

    def _imported(self, module: Any) -> None:
        guard.settle("faststream", self._cover, module)

    def _cover(self, module: Any) -> None:
        if self._wrap is not None and hasattr(module, OWNER):
            self._wrap(getattr(module, OWNER), "consume_scope", consume_scope)


async def consume_scope(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    """BaseTelemetryMiddleware.consume_scope(call_next, message)."""
    delivery = guard.run("faststream", _open)
    if delivery is None or len(args) != 2:
        return await wrapped(*args, **kwargs)
    call_next, message = args
    own = delivery.span
    try:
        return await wrapped(functools.partial(_handle, call_next, delivery), message, **kwargs)
    finally:
        guard.settle("faststream", _over, delivery, own)


def _open() -> deliveries.Delivery | None:
    """The delivery that the consumer has just begun in this task; its context is left, since its span may be none."""
    delivery = deliveries.current()
    if delivery is None or delivery.adopted or delivery.ended:
        return None
    delivery.leave()
    return delivery


async def _handle(call_next: Any, delivery: deliveries.Delivery, message: Any) -> Any:
    """The handler, inside of their span where they have begun one."""
    token = guard.run("faststream", _enter, delivery)
    try:
        return await call_next(message)
    finally:
        if token is not None:
            guard.settle("faststream", otel_context.detach, token)


def _enter(delivery: deliveries.Delivery) -> Any:
    theirs = trace.get_current_span()
    if not theirs.is_recording() or theirs is trace.get_current_span(delivery.ambient):
        return otel_context.attach(delivery.context)
    own, delivery.span = delivery.span, theirs
    theirs.set_attributes(dict(getattr(own, "attributes", None) or {}))
    return otel_context.attach(otel_context.set_value(deliveries.KEY, delivery))


def _over(delivery: deliveries.Delivery, own: trace.Span) -> None:
    if delivery.span is not own:
        # They end their span themselves.
        delivery.span = trace.INVALID_SPAN
