"""Instruments aiokafka: sends until the acknowledgement, and the handler's body with the sender's context."""

import asyncio
import functools
import inspect
import time
from collections.abc import Callable, Collection, Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import wrapt
from opentelemetry import trace
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]
from opentelemetry.instrumentation.utils import is_instrumentation_enabled

from . import attributes as names
from . import clients, consuming, sending, transactions
from .config import Config
from .delivery import Source, failed
from .guard import guard, logger
from .process import service_name
from .settling import Commits
from .transactions import Transactions

SUPPORTED = "aiokafka >= 0.8, < 1"
_STATE = "_headwater_state"
_SEND_ARGUMENTS = ("topic", "value", "key", "partition", "timestamp_ms", "headers")
UNKNOWN_SERVER_ERROR = -1
"""What old brokers answer to headers that they cannot store."""


class AIOKafkaInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """``AIOKafkaInstrumentor().instrument()``, or the entry point that ``opentelemetry-instrument`` loads.

    Options: tracer_provider, produce_hook(span, args, kwargs), consume_hook(span, record), both sync or async, and
    config, a mapping of the switches in ``config.Config``.
    """

    def instrumentation_dependencies(self) -> Collection[str]:
        """What must be installed for this to do anything."""
        return (SUPPORTED,)

    def _instrument(self, **kwargs: Any) -> None:
        self._wrapped: list[tuple[Any, str, Any]] = []
        try:
            if not _supported():
                return
            shim = _Shim(kwargs)
            client = import_module("aiokafka")
            cluster = import_module("aiokafka.cluster")
            self._wrap(client.AIOKafkaProducer, "send", shim.send)
            self._wrap(client.AIOKafkaConsumer, "getone", shim.getone)
            self._wrap(client.AIOKafkaConsumer, "getmany", shim.getmany)
            self._wrap(client.AIOKafkaConsumer, "stop", shim.stop)
            commits = Commits(shim.tracer, shim.active)
            self._wrap(client.AIOKafkaConsumer, "commit", commits.asked)
            coordinator = import_module("aiokafka.consumer.group_coordinator")
            self._wrap(coordinator.GroupCoordinator, "_do_commit_offsets", commits.done)
            whole = Transactions(shim.tracer, shim.active)
            self._wrap(client.AIOKafkaProducer, "begin_transaction", whole.begin)
            self._wrap(client.AIOKafkaProducer, "commit_transaction", whole.commit)
            self._wrap(client.AIOKafkaProducer, "abort_transaction", whole.abort)
            self._wrap(client.AIOKafkaProducer, "send_offsets_to_transaction", whole.offsets)
            self._wrap(cluster.ClusterMetadata, "update_metadata", _keep_cluster_id)
        except Exception as error:
            # Raising here would stop every instrumentation that is loaded after this one.
            logger.warning("aiokafka is not instrumented: %s: %s", type(error).__name__, error)
            self._uninstrument()

    def _wrap(self, owner: Any, name: str, wrapper: Callable[..., Any]) -> None:
        original = owner.__dict__[name]
        self._wrapped.append((owner, name, original))
        setattr(owner, name, wrapt.FunctionWrapper(original, wrapper))

    def _uninstrument(self, **kwargs: Any) -> None:
        for owner, name, original in reversed(getattr(self, "_wrapped", [])):
            setattr(owner, name, original)
        self._wrapped = []


def _supported() -> bool:
    try:
        installed = version("aiokafka")
    except PackageNotFoundError:
        return False
    numbers = [int(part) for part in installed.split(".")[:2] if part.isdigit()]
    if [0, 8] <= numbers < [1, 0]:
        return True
    logger.warning("aiokafka %s is not instrumented; %s is supported.", installed, SUPPORTED)
    return False


def _keep_cluster_id(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    guard.run("cluster id", _note_cluster_id, instance, args, kwargs)
    return wrapped(*args, **kwargs)


def _note_cluster_id(instance: Any, args: Any, kwargs: Any) -> None:
    # aiokafka receives the id and drops it; asking for it would be a request of our own.
    metadata = args[0] if args else kwargs["metadata"]
    found = getattr(metadata, "cluster_id", None)
    if found:
        instance._headwater_cluster_id = found


class _Shim:
    """The wrappers, with what was given to ``instrument``."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.tracer = trace.get_tracer(
            "headwater_instrumentation.aiokafka",
            tracer_provider=options.get("tracer_provider"),
            schema_url=names.SCHEMA_URL,
        )
        self._provider = options.get("tracer_provider")
        self._config = Config.read(options.get("config"))
        self._produce_hook = options.get("produce_hook") or options.get("async_produce_hook")
        self._consume_hook = options.get("consume_hook") or options.get("async_consume_hook")

    @functools.cached_property
    def _service(self) -> str:
        resource = getattr(self._provider, "resource", None)
        return str(getattr(resource, "attributes", {}).get("service.name") or service_name())

    def active(self, topic: str | None = None) -> bool:
        """Whether a call is recorded: no circuit open, nothing switched off."""
        return not guard.open and is_instrumentation_enabled() and topic not in self._config.topics_exclude

    async def send(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """AIOKafkaProducer.send; send_and_wait calls it."""
        given = {**dict(zip(_SEND_ARGUMENTS, args, strict=False)), **kwargs}
        if (
            not guard.settle("send", self.active, given.get("topic"))
            or "topic" not in given
            or len(args) > len(_SEND_ARGUMENTS)
        ):
            return await wrapped(*args, **kwargs)
        if isinstance(given.get("headers"), Iterator):
            # Readable once only, and needed again if the span cannot be begun.
            given["headers"] = list(given["headers"])
        begun = guard.run("send", self._begin_send, instance, given)
        if begun is None:
            return await wrapped(**given)
        span, headers = begun
        try:
            if self._produce_hook is not None:
                await self._hook(self._produce_hook, span, args, kwargs)
            future = await wrapped(**{**given, "headers": headers})
        except BaseException as error:
            guard.settle("send", _failed_at_once, span, error, self._config)
            raise
        if isinstance(future, asyncio.Future):
            future.add_done_callback(
                functools.partial(guard.settle, "send", self._acknowledged, span, instance)
            )
        else:
            guard.settle("send", span.end)
        return future

    def _begin_send(self, producer: Any, given: dict[str, Any]) -> tuple[trace.Span, Any]:
        state = producer.__dict__.get(_STATE)
        if state is None:
            state = producer.__dict__[_STATE] = {
                "base": clients.base(producer.client, "send", "send"),
                "inject": True,
                "proven": False,
            }
        base = state["base"]
        if names.CLUSTER_ID not in base:
            clients.add_cluster_id(base, producer.client)
        span, headers = sending.begin(
            self.tracer,
            given["topic"],
            given.get("value"),
            given.get("headers"),
            base,
            self._service,
            self._config,
            state["inject"],
            transactions.current(producer),
        )
        # What the client accepts where there is nothing to say: its own default.
        return span, headers or (None if given.get("headers") is None else headers)

    def _acknowledged(self, span: trace.Span, producer: Any, future: Any) -> None:
        guard.settle("acknowledgement", sending.acknowledged, span, future, self._config)
        if future.cancelled():
            return
        error = getattr(future, "_exception", None)
        state = producer.__dict__[_STATE]
        if error is None:
            state["proven"] = True
        elif getattr(error, "errno", None) == UNKNOWN_SERVER_ERROR and not state["proven"]:
            state["inject"] = False

    async def getone(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """AIOKafkaConsumer.getone; ``async for`` calls it."""
        handed = guard.settle("getone", self._came_back, "getone", instance)
        record = await wrapped(*args, **kwargs)
        # From here on nothing of ours may raise: the record has left the client's buffer.
        if handed is not None and guard.settle("getone", self.active, record.topic):
            guard.run("getone", consuming.one, instance, handed, record)
            if self._consume_hook is not None and handed.delivery is not None:
                await self._hook(self._consume_hook, handed.delivery.span, record)
        return record

    async def getmany(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """AIOKafkaConsumer.getmany."""
        handed = guard.settle("getmany", self._came_back, "getmany", instance)
        started_ns = time.time_ns()
        batch = await wrapped(*args, **kwargs)
        if handed is not None and guard.settle("getmany", self.active):
            guard.run("getmany", consuming.many, instance, handed, batch, started_ns)
        return batch

    async def stop(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """AIOKafkaConsumer.stop: the last body is over, with the error on its way out if there is one."""
        handed: consuming.Handed | None = instance.__dict__.get(_STATE)
        last = guard.settle("stop", consuming.stopped, handed) if handed is not None else None
        try:
            return await wrapped(*args, **kwargs)
        finally:
            if last is not None:
                guard.settle("stop", last.end_unless_adopted)

    def _came_back(self, site: str, consumer: Any) -> consuming.Handed | None:
        """Ends what the consumer's caller had in hands; gives the consumer's state."""
        handed: consuming.Handed | None = consumer.__dict__.get(_STATE)
        if handed is not None:
            guard.settle(site, handed.finish)
        return guard.run(site, self._handed, consumer)

    def _handed(self, consumer: Any) -> consuming.Handed:
        handed = consumer.__dict__.get(_STATE)
        if not isinstance(handed, consuming.Handed) or handed.source.tracer is not self.tracer:
            group = consumer._group_id or ""
            base = clients.base(consumer._client, "process", "process")
            if group:
                base[names.GROUP] = group
            source = Source(self.tracer, base, group, self._service, self._config)
            handed = consumer.__dict__[_STATE] = consuming.Handed(source)
        if names.CLUSTER_ID not in handed.source.base:
            clients.add_cluster_id(handed.source.base, consumer._client)
        return handed

    async def _hook(self, hook: Callable[..., Any], *args: Any) -> None:
        answer = guard.run("hook", hook, *args)
        if inspect.isawaitable(answer):
            try:
                await answer
            except Exception as error:
                guard.run("hook", _reraise, error)


def _reraise(error: Exception) -> None:
    raise error


def _failed_at_once(span: trace.Span, error: BaseException, config: Config) -> None:
    failed(span, error, config)
    span.end()
