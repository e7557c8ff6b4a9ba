"""Instruments aiokafka: sends until the acknowledgement, and the handler's body with the sender's context."""

import functools
import time
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from . import aiokafka_fetching, clients, consuming, faststream, schemas, sending, sizes, transactions
from . import attributes as names
from . import headers as hdr
from .aiokafka_batches import Batches
from .guard import AIOKAFKA as guard
from .instrumentor import ClientInstrumentor
from .rebalancing import Rebalances, Steering
from .senders import Sender
from .settling import Commits
from .shim import Shim
from .transactions import Transactions

_STATE = "_headwater_state"
_SEND_ARGUMENTS = ("topic", "value", "key", "partition", "timestamp_ms", "headers")


class AIOKafkaInstrumentor(ClientInstrumentor):
    """``AIOKafkaInstrumentor().instrument()``, or the entry point that ``opentelemetry-instrument`` loads.

    Both hooks may be async.
    """

    distribution = "aiokafka"
    least, below = (0, 8), (1, 0)

    def _install(self, options: dict[str, Any]) -> None:
        client = import_module("aiokafka")
        cluster = import_module("aiokafka.cluster")
        producing = import_module("aiokafka.producer.producer")
        fetcher = import_module("aiokafka.consumer.fetcher")
        coordinator = import_module("aiokafka.consumer.group_coordinator")
        shim = _Clients("aiokafka", options)
        self._undone.append(shim.close)
        self._wrap(client.AIOKafkaProducer, "send", shim.send)
        self._wrap(client.AIOKafkaConsumer, "getone", shim.getone)
        self._wrap(client.AIOKafkaConsumer, "getmany", shim.getmany)
        self._wrap(client.AIOKafkaConsumer, "stop", shim.stop)
        commits = Commits(shim.tracer, shim.active)
        self._wrap(client.AIOKafkaConsumer, "commit", commits.asked)
        self._wrap(coordinator.GroupCoordinator, "_do_commit_offsets", commits.done)
        whole = Transactions(shim.tracer, shim.active)
        self._wrap(client.AIOKafkaProducer, "begin_transaction", whole.begin)
        self._wrap(client.AIOKafkaProducer, "commit_transaction", whole.commit)
        self._wrap(client.AIOKafkaProducer, "abort_transaction", whole.abort)
        self._wrap(client.AIOKafkaProducer, "send_offsets_to_transaction", whole.offsets)
        groups = Rebalances(shim, _of_coordinator)
        self._wrap(coordinator.GroupCoordinator, "_on_join_prepare", groups.prepare)
        self._wrap(coordinator.GroupCoordinator, "_on_join_complete", groups.complete)
        for name, wrapper in Steering(shim, _of_consumer).awaited().items():
            self._wrap(client.AIOKafkaConsumer, name, wrapper)
        batches = Batches(shim)
        self._wrap(client.AIOKafkaProducer, "create_batch", batches.create)
        self._wrap(client.AIOKafkaProducer, "send_batch", batches.send)
        self._wrap(cluster.ClusterMetadata, "update_metadata", _keep_cluster_id)
        fetching = aiokafka_fetching.Fetching(shim, shim.handed)
        self._wrap(client.AIOKafkaConsumer, "start", fetching.start)
        self._wrap(fetcher.Fetcher, "fetched_records", fetching.fetched)
        self._wrap(fetcher.PartitionRecords, "__init__", schemas.aiokafka_partition)
        if hasattr(producing, "DefaultRecordBatchBuilder"):
            # Older ones do not count the headers.
            builder = sizes.Builder(producing.DefaultRecordBatchBuilder, shim.sizing)
            self._put(producing, "DefaultRecordBatchBuilder", builder)
        self._undone.append(faststream.Covering(self._wrap).forget)


def _of_coordinator(coordinator: Any) -> dict[str, Any]:
    return {**clients.base(coordinator._client, ""), names.GROUP: coordinator.group_id}


def _of_consumer(consumer: Any) -> dict[str, Any]:
    base = clients.base(consumer._client, "")
    return {**base, names.GROUP: consumer._group_id} if consumer._group_id else base


def _keep_cluster_id(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    guard.run("cluster id", _note_cluster_id, instance, args, kwargs)
    return wrapped(*args, **kwargs)


def _note_cluster_id(instance: Any, args: Any, kwargs: Any) -> None:
    # aiokafka receives the id and drops it; asking for it would be a request of our own.
    metadata = args[0] if args else kwargs["metadata"]
    found = getattr(metadata, "cluster_id", None)
    if found:
        instance._headwater_cluster_id = found


class _Clients(Shim):
    """The wrappers."""

    def __init__(self, client: str, options: dict[str, Any]) -> None:
        super().__init__(client, options)
        self.sizing = sizes.Sizing()

    async def send(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """AIOKafkaProducer.send; send_and_wait calls it."""
        given = kwargs.copy()
        for name, value in zip(_SEND_ARGUMENTS, args):  # noqa: B905 - asking for strictness costs more than the rest
            given[name] = value
        headers = given.get("headers")
        if "topic" not in given or len(given) != len(args) + len(kwargs):
            return await wrapped(*args, **kwargs)
        if headers is not None and isinstance(headers, Iterator):
            # Readable once only, and needed again if the span cannot be begun.
            headers = given["headers"] = list(headers)
        begun = guard.run("send", self._begin_send, instance, given)
        if type(begun) is not sending.Send:
            return await wrapped(**(given if begun is None else {**given, "headers": begun}))
        try:
            if self.produce_hook is not None:
                await self.hook(self.produce_hook, begun.span, args, kwargs)
            if begun.headers or headers is not None:
                given["headers"] = begun.headers
            future = await wrapped(**given)
        except BaseException as error:
            guard.settle("send", begun.fail, error)
            raise
        finally:
            if begun.watched:
                guard.settle("send", self.sizing.done, begun)
        try:
            future.add_done_callback(begun.acknowledged)
        except AttributeError:
            guard.settle("send", begun.end)
        return future

    def _begin_send(self, producer: Any, given: dict[str, Any]) -> sending.Send | hdr.Headers | None:
        """A send; headers alone where there is no SDK; None where nothing is recorded."""
        if not self.active(given["topic"]):
            return None
        if self.produce_hook is None and self.without_sdk():
            return sending.pass_through(given.get("headers"))
        state = producer.__dict__
        if _STATE not in state:
            state[_STATE] = Sender(*clients.settings(producer.client))
        sender = state[_STATE]
        if names.CLUSTER_ID not in sender.base:
            clients.add_cluster_id(sender.base, producer.client)
        get = given.get
        value = get("value")
        send = sending.begin(
            self, sender, given["topic"], value, get("key"), get("headers"), transactions.current(producer)
        )
        limit = producer._max_request_size
        if producer._value_serializer is None and sizes.small(value, limit):
            return send
        return self.sizing.expect(send, limit)

    async def getone(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """AIOKafkaConsumer.getone; ``async for`` calls it."""
        handed = guard.settle("getone", self._came_back, instance)
        record = await wrapped(*args, **kwargs)
        # From here on nothing of ours may raise: the record has left the client's buffer.
        if handed is not None:
            guard.run("getone", self._one, instance, handed, record)
            if self.consume_hook is not None and handed.delivery is not None:
                await self.hook(self.consume_hook, handed.delivery.span, record)
        return record

    def _one(self, consumer: Any, handed: consuming.Handed, record: Any) -> None:
        if self.active(record.topic):
            consuming.one(consumer, handed, record)

    async def getmany(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """AIOKafkaConsumer.getmany."""
        handed = guard.settle("getmany", self._came_back, instance)
        started_ns = time.time_ns()
        token = aiokafka_fetching.inside.set(True)
        try:
            batch = await wrapped(*args, **kwargs)
        finally:
            guard.settle("getmany", aiokafka_fetching.inside.reset, token)
        if handed is not None and guard.settle("getmany", self.active):
            guard.run("getmany", _many, instance, handed, batch, started_ns)
        return batch

    async def stop(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        """AIOKafkaConsumer.stop: the last body is over, with the error on its way out if there is one."""
        handed: consuming.Handed | None = instance.__dict__.get(_STATE)
        if handed is not None:
            guard.settle("stop", consuming.stopped, handed)
        try:
            return await wrapped(*args, **kwargs)
        finally:
            if handed is not None:
                guard.settle("stop", handed.end_waiting)

    def _came_back(self, consumer: Any) -> consuming.Handed:
        """Ends what the consumer's caller had in hands; gives the consumer's state."""
        handed: consuming.Handed | None = consumer.__dict__.get(_STATE)
        if handed is None:
            return self.handed(consumer)
        if handed.delivery is not None:
            guard.settle("consumer", handed.finish)
        source = handed.source
        known = source.config is self.config and names.CLUSTER_ID in source.base
        return handed if known else self.handed(consumer)

    def handed(self, consumer: Any) -> consuming.Handed:
        """The state of a consumer."""
        handed = consumer.__dict__.get(_STATE)
        if not isinstance(handed, consuming.Handed) or handed.source.config is not self.config:
            group = consumer._group_id or ""
            base = clients.base(consumer._client, "process", "process")
            clients.add_isolation(base, getattr(consumer, "_isolation_level", None))
            source = self.source(base, group)
            handed = consumer.__dict__[_STATE] = consuming.Handed(source)
            if hasattr(consumer, "_subscription"):
                handed.highwater = functools.partial(_highwater, consumer._subscription)
        if names.CLUSTER_ID not in handed.source.base:
            clients.add_cluster_id(handed.source.base, consumer._client)
        return handed


def _highwater(subscription: Any, partition: tuple[str, int]) -> int | None:
    # Between assignments there is none, and no error in that.
    assignment = getattr(subscription.subscription, "assignment", None)
    state = assignment.state_value(partition) if assignment is not None else None
    found = state.highwater if state is not None else None
    return found if isinstance(found, int) and found >= 0 else None


def _many(consumer: Any, handed: consuming.Handed, batch: dict[Any, list[Any]], started_ns: int) -> None:
    records = [record for part in batch.values() for record in part]
    consuming.many(consumer, handed, records, started_ns)
