"""kafka-python's commits: those that are asked for, and those that the client makes by itself."""

import functools
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context

from . import attributes as names
from . import clients, settling
from .failing import failed
from .guard import KAFKA_PYTHON as guard
from .shim import Shim, Wrapper

OF_THE_CLIENT = "_commit_offsets_async_on_complete"
"""The callback of commits that nobody asked for."""


class Commits:
    """The wrappers around the consumer's commits and the coordinator that makes them."""

    def __init__(self, shim: Shim) -> None:
        self._shim = shim

    def asked(self) -> dict[str, Wrapper]:
        """The consumer's methods that are wrapped."""
        return {"commit": self.commit}

    def made(self) -> dict[str, Wrapper]:
        """The coordinator's methods that are wrapped."""
        return {"commit_offsets_sync": self.at_once, "_do_commit_offsets_async": self.later}

    def commit(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """KafkaConsumer.commit: whatever is committed inside of it is the caller's commit."""
        token = guard.run("commit", settling.attach_asked)
        try:
            return wrapped(*args, **kwargs)
        finally:
            if token is not None:
                otel_context.detach(token)

    def at_once(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """ConsumerCoordinator.commit_offsets_sync(offsets): returns when the broker has answered."""
        span = guard.settle("commit", self._begin, instance, args, kwargs, settling.is_asked)
        try:
            return wrapped(*args, **kwargs)
        except BaseException as error:
            if span is not None:
                guard.settle("commit", failed, span, error, self._shim.config)
            raise
        finally:
            if span is not None:
                guard.settle("commit", span.end)

    def later(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """ConsumerCoordinator._do_commit_offsets_async(offsets, callback): the future tells the answer."""
        asked = functools.partial(_asked_by_callback, args, kwargs)
        span = guard.settle("commit", self._begin, instance, args, kwargs, asked)
        try:
            future = wrapped(*args, **kwargs)
        except BaseException as error:
            if span is not None:
                guard.settle("commit", self._answered, span, error)
            raise
        if span is not None:
            guard.settle("commit", self._await, span, future)
        return future

    def _begin(self, coordinator: Any, args: Any, kwargs: Any, is_asked: Any) -> trace.Span | None:
        offsets = kwargs.get("offsets", args[0] if args else None)
        if not offsets or not self._shim.active():
            return None
        base = of_coordinator(coordinator, "commit", "settle")
        asked = is_asked()
        group = base[names.GROUP]
        return settling.begin(self._shim.tracer, base, group, offsets, None if asked else Context(), asked)

    def _await(self, span: trace.Span, future: Any) -> None:
        future.add_callback(functools.partial(guard.settle, "commit", self._answered, span))
        future.add_errback(functools.partial(guard.settle, "commit", self._answered, span))

    def _answered(self, span: trace.Span, answer: Any) -> None:
        try:
            if isinstance(answer, BaseException):
                failed(span, answer, self._shim.config)
        finally:
            span.end()


def of_coordinator(coordinator: Any, name: str = "", kind: str | None = None) -> dict[str, Any]:
    """Attributes of a coordinator's operation."""
    client = coordinator._client
    # Version 3 keeps the settings one step further in.
    settings = client.config if hasattr(client, "config") else client._manager.config
    base = clients.described(name, kind, settings["client_id"], client.cluster.config["bootstrap_servers"])
    base[names.GROUP] = str(coordinator.config["group_id"] or "")
    clients.add_cluster_id(base, client)
    return base


def _asked_by_callback(args: Any, kwargs: Any) -> bool:
    callback = kwargs.get("callback", args[1] if len(args) > 1 else None)
    return getattr(callback, "__name__", None) != OF_THE_CLIENT
