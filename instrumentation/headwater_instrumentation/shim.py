"""What was given to ``instrument``, for the wrappers of one client."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.instrumentation.utils import is_instrumentation_enabled

from . import attributes as names
from .config import Config
from .delivery import Source
from .guard import guard, logger
from .measuring import Measure, measure_for
from .process import service_name

Wrapper = Callable[[Any, Any, Any, Any], Any]
"""(wrapped, instance, args, kwargs), as wrapt calls it."""


SILENT = (trace.ProxyTracerProvider, trace.NoOpTracerProvider)
"""Tracer providers that no SDK is behind."""


class Shim:
    """Tracer, switches and hooks."""

    def __init__(self, client: str, options: dict[str, Any]) -> None:
        self.tracer = trace.get_tracer(
            f"headwater_instrumentation.{client}",
            tracer_provider=options.get("tracer_provider"),
            schema_url=names.SCHEMA_URL,
        )
        self._provider = options.get("tracer_provider")
        self._heard = False
        self.config = Config.read(options.get("config"))
        self.measure = guard.settle(
            "metrics", measure_for, client, options.get("meter_provider"), self.config.metrics
        )
        self.produce_hook = options.get("produce_hook") or options.get("async_produce_hook")
        self.consume_hook = options.get("consume_hook") or options.get("async_consume_hook")

    @functools.cached_property
    def service(self) -> str:
        """service.name of the provider's resource."""
        resource = getattr(self._provider, "resource", None)
        return str(getattr(resource, "attributes", {}).get("service.name") or service_name())

    def active(self, topic: str | None = None) -> bool:
        """Whether a call is recorded: no circuit open, nothing switched off."""
        if guard.open or topic in self.config.topics_exclude:
            return False
        # Without a context nobody has suppressed anything.
        return not otel_context.get_current() or is_instrumentation_enabled()

    def without_sdk(self) -> bool:
        """Whether nothing is recorded anywhere: then only a context that came in is handed on."""
        if not self._heard:
            self._heard = type(self._provider or trace.get_tracer_provider()) not in SILENT
        return not self._heard

    def counting(self) -> Measure | None:
        """The counters, where anybody collects what they count."""
        measure = self.measure
        return measure if measure is not None and measure.on() else None

    def source(self, base: dict[str, Any], group: str) -> Source:
        """Where a consumer of a group hands out records."""
        if group:
            base[names.GROUP] = group
        return Source(self.tracer, base, group, self.service, self.config, self.measure)

    async def hook(self, hook: Callable[..., Any], *args: Any) -> None:
        """Runs a hook, sync or async; an error of it goes no further."""
        answer = guard.run("hook", hook, *args)
        if inspect.isawaitable(answer):
            try:
                await answer
            except Exception as error:
                guard.run("hook", _reraise, error)

    def hook_now(self, hook: Callable[..., Any], *args: Any) -> None:
        """Runs a hook beside a client that is not async."""
        answer = guard.run("hook", hook, *args)
        if inspect.iscoroutine(answer):
            answer.close()
            logger.warning("A hook of a client that is not async must not be async; it was not run.")


def _reraise(error: Exception) -> None:
    raise error
