"""Every internal function is made to raise in turn: messages go through, none lost, doubled or reordered."""

import asyncio
import functools
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import headwater_instrumentation as package
from headwater_instrumentation import mark_compensation, process, process_batch, processor, record_outcome
from headwater_instrumentation.guard import guard
from instrumentation_helpers import Rig

MESSAGES = 150
"""For each function; with the functions there are, more than 10,000 in all."""
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
    # They carry the error of a hook to where it is caught.
    *("shim.Shim.hook", "shim.Shim.hook_now", "shim._reraise"),
}


def _modules() -> Iterator[Any]:
    for found in pkgutil.iter_modules(package.__path__):
        if found.name not in BOUNDARY:
            yield importlib.import_module(f"headwater_instrumentation.{found.name}")


def _functions() -> dict[str, tuple[Any, str]]:
    """Name of each internal function, and where it hangs."""
    found: dict[str, tuple[Any, str]] = {}
    for module in _modules():
        short = module.__name__.rpartition(".")[2]
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


FUNCTIONS = _functions()


class Injected(Exception):
    """The fault."""


def _break(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
    """Makes a function raise wherever it has been imported to."""
    original = getattr(owner, name)

    @functools.wraps(original)
    def raising(*args: Any, **kwargs: Any) -> Any:
        # As many faults as there are calls: the circuit is not what is tested here.
        guard._recent.clear()
        raise Injected(name)

    monkeypatch.setattr(owner, name, raising)
    for module in _modules():
        for alias, value in list(vars(module).items()):
            if value is original:
                monkeypatch.setattr(module, alias, raising)


async def _through(rig: Rig, topic: str, handle: Callable[[Any], Any]) -> list[bytes]:
    """What a consumer's handlers were given, in order: one by one at first, then in batches."""
    producer = await rig.producer()
    headers = [("headwater-role", b"retry"), ("x-error-type", b"E")]
    futures = [
        await producer.send(topic, b"%d" % i, partition=0, headers=headers if i % 3 == 0 else None)
        for i in range(MESSAGES)
    ]
    await asyncio.gather(*futures)
    consumer = await rig.consumer(topic, group_id=topic)
    seen: list[bytes] = []
    async with asyncio.timeout(30):
        while len(seen) < MESSAGES // 2:
            record = await consumer.getone()
            async with process(record):
                record_outcome("seen")
                await handle(record)
                seen.append(record.value)
                await producer.send_and_wait(
                    f"{topic}-out", record.value, partition=0, headers=mark_compensation(record)
                )
        await consumer.commit()
        while len(seen) < MESSAGES:
            for records in (await consumer.getmany(timeout_ms=500)).values():
                with process_batch(records) as batch:
                    batch.fail(records[0], ValueError())
                    seen.extend(record.value for record in records)
    await consumer.stop()
    await producer.stop()
    return seen


@processor
async def _handle(record: Any) -> None:
    await asyncio.sleep(0)


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
async def test_a_function_that_fails_costs_no_message(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    _break(monkeypatch, *FUNCTIONS[function])
    rig.instrument()
    expected = [b"%d" % i for i in range(MESSAGES)]
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, said: complaints.append(said))
    assert await _through(rig, "orders", _handle) == expected
    sent = await rig.raw("orders", MESSAGES)
    assert [record.value for record in sent] == expected
    passed_on = await rig.raw("orders-out", MESSAGES // 2)
    assert [record.value for record in passed_on] == expected[: MESSAGES // 2]
    assert complaints == []


def test_it_is_enough() -> None:
    assert len(FUNCTIONS) * MESSAGES > 10_000
