"""Every internal function of the instrumentation, and how to make one of them raise."""

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import headwater_instrumentation as package
from headwater_instrumentation.guard import guard

MESSAGES = 100
"""For each function; with the functions there are, more than 10,000 with each client."""
BOUNDARY = ("guard", "config")
"""Modules left out: what catches the faults, and what is read before anything is wrapped."""
DOORS = {
    # What stands in the place of the client's own methods, and what a service calls.
    *(
        "aiokafka._Clients.send",
        "aiokafka._Clients.getone",
        "aiokafka._Clients.getmany",
        "aiokafka._Clients.stop",
    ),
    *("transactions.Transactions.begin", "transactions.Transactions.commit"),
    *("transactions.Transactions.abort", "transactions.Transactions.offsets", "transactions._ended"),
    *("settling.Commits.asked", "settling.Commits.done", "aiokafka._keep_cluster_id"),
    *("dead_letters.mark_dead_letter", "dead_letters.mark_retry", "outcomes.mark_compensation"),
    *("outcomes.record_outcome", "outcomes.record_breaker", "process.current_event", "handlers.processor"),
    "batches.process_batch.fail",
    # The client's future calls it.
    "sending.Send.acknowledged",
    *(f"confluent_producing.Producing.{name}" for name in ("made", "produce", "served", "serialized")),
    *(f"confluent_producing.Producing.{name}" for name in ("produce_batch", "begin_transaction", "offsets")),
    "confluent_producing.Producing._ended",
    *(f"confluent_consuming.Consuming.{name}" for name in ("made", "poll", "consume", "close", "exit")),
    *(f"confluent_consuming.Consuming.{name}" for name in ("deserialized", "metadata", "commit")),
    *(f"confluent_aio.Aio.{name}" for name in ("produce", "poll", "consume", "close")),
    *(
        f"kafka_python_producing.Producing.{name}"
        for name in ("send", "begin_transaction", "ended", "offsets")
    ),
    *(f"kafka_python_consuming.Consuming.{name}" for name in ("following", "poll", "close", "wrappers")),
    *(f"kafka_python_committing.Commits.{name}" for name in ("asked", "commit", "made", "at_once", "later")),
    "kafka_python_producing.Producing.wrappers",
    *(f"rebalancing.Rebalances.{name}" for name in ("prepare", "complete", "prepare_now", "complete_now")),
    *(f"rebalancing.Steering.{name}" for name in ("steer", "steer_later", "wrappers", "awaited")),
    *("aiokafka_fetching.Fetching.start", "aiokafka_fetching.Fetching.fetched"),
    *("schemas.aiokafka_partition", "schemas.kafka_python_partition", "schemas.made", "schemas.unpacked"),
    *("schemas.Seen.deserialize", "sizes.Builder.estimate_size_in_bytes", "sizes.Sizing.kafka_python"),
    # Two comparisons, made on every message: too dear to be guarded.
    "sizes.Sizing.fits",
    *("faststream.consume_scope", "faststream._handle"),
    *(f"aiokafka_batches.Batches.{name}" for name in ("create", "append", "send")),
    *("confluent_consuming.Consuming.subscribe", "confluent_consuming.Consuming.rebalanced"),
    # They call the client itself, or are called where it is wrapped.
    *("confluent_committing.Commits.run", "librdkafka.make"),
    *("confluent_producing.Producing.wrappers", "confluent_consuming.Consuming.wrappers"),
    *("confluent_kafka._found", "confluent_kafka._names_of"),
    # They carry the error of a hook to where it is caught.
    *("shim.Shim.hook", "shim.Shim.hook_now", "shim._reraise"),
}


def _modules() -> Iterator[Any]:
    for found in pkgutil.iter_modules(package.__path__):
        if found.name not in BOUNDARY:
            yield importlib.import_module(f"headwater_instrumentation.{found.name}")


def functions(counts: Callable[[str], bool]) -> dict[str, tuple[Any, str]]:
    """Name of each internal function of the modules that count, and where it hangs."""
    found: dict[str, tuple[Any, str]] = {}
    for module in _modules():
        short = module.__name__.rpartition(".")[2]
        if not counts(short):
            continue
        for name, value in vars(module).items():
            if getattr(value, "__module__", None) != module.__name__:
                continue
            if inspect.isfunction(value):
                found[f"{short}.{name}"] = (module, name)
            elif inspect.isclass(value):
                for part, method in vars(value).items():
                    if inspect.isfunction(method) and method.__module__ == module.__name__:
                        found[f"{short}.{value.__name__}.{part}"] = (value, part)
    return {name: place for name, place in found.items() if _counts(name)}


def _counts(name: str) -> bool:
    return name not in DOORS and "__" not in name and "Instrumentor" not in name


class Injected(Exception):
    """The fault."""


def break_function(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
    """Makes a function raise wherever it has been imported to."""
    original = getattr(owner, name)

    @functools.wraps(original)
    def raising(*args: Any, **kwargs: Any) -> Any:
        # As many faults as there are calls: the circuit is not what is tested here.
        guard.forget()
        raise Injected(name)

    monkeypatch.setattr(owner, name, raising)
    for module in _modules():
        for alias, value in list(vars(module).items()):
            if value is original:
                monkeypatch.setattr(module, alias, raising)
