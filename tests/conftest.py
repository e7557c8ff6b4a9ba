"""Fixtures that several rooms need: a real Kafka, an embedded broker, a real browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import kafka_harness
from collector_process import CACHE
from headwater_collector.demo.broker import Broker
from headwater_collector.receivers.decoding import compiled_decoder

if TYPE_CHECKING:
    from headwater_collector.receivers.fast.decoder import FastDecoder

os.environ.setdefault("HEADWATER_CACHE", str(CACHE))  # of every collector that a test starts, in whatever way
CHROMIUM_COMMANDS = ("chromium", "chromium-browser", "google-chrome")


LONG = ("test_crash.py", "test_pages.py", "test_environments.py", "test_kafka_away.py", "test_store_order.py")
"""Files that take longest: begun last, each would keep one process busy while the others have nothing left to do."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first."""
    items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))


def _skip_or_fail(reason: str) -> None:
    """A test that cannot run is skipped with the reason; under CI=true nothing may go unseen."""
    if os.environ.get("CI", "").lower() in ("true", "1"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def _a_kafka(folder: Path) -> Iterator[kafka_harness.KafkaBroker]:
    reason = kafka_harness.missing()
    if reason is None:
        try:
            kafka_harness.jars()
        except RuntimeError as error:
            reason = str(error)
    if reason is not None:
        _skip_or_fail(reason)
    broker = kafka_harness.KafkaBroker(folder)
    try:
        broker.start()
        yield broker
    finally:
        broker.stop()


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kafka_harness.KafkaBroker]:
    """One Apache Kafka node for the whole session, empty at its start; choose names no other test uses."""
    yield from _a_kafka(tmp_path_factory.mktemp("kafka"))


@pytest.fixture(scope="module")
def own_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kafka_harness.KafkaBroker]:
    """One for a module that shows everything a cluster has, where what others left there would be in the way."""
    yield from _a_kafka(tmp_path_factory.mktemp("own-kafka"))


@pytest.fixture
async def broker() -> AsyncIterator[Broker]:
    """A broker inside this process, with three partitions a topic."""
    running = Broker(partitions=3)
    await running.start()
    yield running
    await running.stop()


@pytest.fixture(scope="session")
def fast() -> FastDecoder:
    """The compiled decoder, out of .cache; where that is empty it is compiled once, for half a minute."""
    return compiled_decoder(CACHE)


@pytest.fixture(scope="session")
def chromium() -> Path:
    """Path of a Chromium: the system's, else the one Playwright brought."""
    for command in CHROMIUM_COMMANDS:
        found = shutil.which(command)
        if found is not None:
            return Path(found)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        brought = Path(playwright.chromium.executable_path)
    if not brought.exists():
        _skip_or_fail(
            "The browser tests need a Chromium: apt-get install chromium, "
            "or .venv/bin/python -m playwright install chromium"
        )
    return brought
