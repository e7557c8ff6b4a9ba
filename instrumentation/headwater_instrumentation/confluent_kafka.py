"""Instruments confluent-kafka: its classes are replaced by subclasses that record, everywhere they are known."""

import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from . import confluent_aio
from .confluent_consuming import Consuming
from .confluent_producing import Producing
from .guard import CONFLUENT_KAFKA as guard
from .instrumentor import ClientInstrumentor
from .shim import Shim

AIO_MODULES = ("confluent_kafka.aio", "confluent_kafka.experimental.aio")
"""Where the asyncio classes are, in the versions that have them."""


class ConfluentKafkaInstrumentor(ClientInstrumentor):
    """``ConfluentKafkaInstrumentor().instrument()``, or the entry point that ``opentelemetry-instrument`` loads.

    Clients made before are not recorded: their class is written in C and cannot be changed.
    """

    distribution = "confluent-kafka"
    least, below = (1, 8), (3, 0)

    def _install(self, options: dict[str, Any]) -> None:
        client, native = import_module("confluent_kafka"), import_module("confluent_kafka.cimpl")
        shim = Shim("confluent_kafka", options)
        self._undone.append(shim.close)
        producing, consuming = Producing(shim), Consuming(shim)
        producer = self._replace(native.Producer, native)
        for name, wrapper in producing.wrappers().items():
            if hasattr(native.Producer, name):
                self._wrap(producer, name, wrapper)
        consumer = self._replace(native.Consumer, native)
        for name, wrapper in consuming.wrappers().items():
            if hasattr(native.Consumer, name):
                self._wrap(consumer, name, wrapper)
        self._wrap(client.SerializingProducer, "produce", producing.serialized)
        self._wrap(client.DeserializingConsumer, "poll", consuming.deserialized)
        for module in filter(None, map(_found, AIO_MODULES)):
            aio = confluent_aio.Aio(shim, producing, consuming)
            self._wrap(module.AIOProducer, "produce", aio.produce)
            for name in ("poll", "consume", "close"):
                self._wrap(module.AIOConsumer, name, getattr(aio, name))

    def _replace(self, original: Any, native: Any) -> Any:
        """Puts a subclass in the place of a class in C: as the base of classes, and under every name it has."""
        # Without room of its own it may take the original's place among the bases of a class that exists already.
        core = type(original.__name__, (original,), {"__slots__": (), "__module__": original.__module__})
        public = _Same(
            original.__name__, (core,), {"__module__": original.__module__, "_stands_for": original}
        )
        for early in original.__subclasses__():
            if early is not core:
                self._put_bases(early, original, core)
        for module in list(sys.modules.values()):
            if module is not native:
                guard.settle("replace", self._rename, module, original, public)
        return core

    def _put_bases(self, early: Any, original: type, core: type) -> None:
        before = early.__bases__
        early.__bases__ = tuple(core if base is original else base for base in before)
        self._undone.append(lambda: setattr(early, "__bases__", before))

    def _rename(self, module: Any, original: type, public: type) -> None:
        for name in _names_of(module, original):
            self._put(module, name, public)


class _Same(type):
    """Metaclass of what stands for a class in C: whatever is one of those is one of these."""

    _stands_for: type

    def __instancecheck__(cls, instance: Any) -> bool:
        own = cls.__dict__.get("_stands_for")
        return isinstance(instance, own) if own is not None else super().__instancecheck__(instance)

    def __subclasscheck__(cls, subclass: type) -> bool:
        own = cls.__dict__.get("_stands_for")
        return issubclass(subclass, own) if own is not None else super().__subclasscheck__(subclass)


def _names_of(module: Any, original: type) -> Iterator[str]:
    found = vars(module) if hasattr(module, "__dict__") else {}
    return iter([name for name, value in list(found.items()) if value is original])


def _found(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        return None
