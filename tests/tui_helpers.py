"""The terminal on a real store behind a real API: start it, wait for what it must show, read it as text."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from textual.pilot import Pilot

import api_helpers
import store_helpers
from headwater_analysis.remote import RemoteSource
from headwater_collector.store import Store
from headwater_tui.app import HeadwaterApp
from store_helpers import open_store

PATIENCE_SECONDS = 60.0


@contextmanager
def a_told_store(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store whose story began a minute ago."""
    monkeypatch.setattr(store_helpers, "START_NS", time.time_ns() - 60_000_000_000)
    monkeypatch.setattr(api_helpers, "POLLED", datetime.now(UTC).replace(tzinfo=None))
    store = open_store(folder / "headwater.duckdb")
    api_helpers.fill_with_a_story(store)
    try:
        yield store
    finally:
        store.close()


@asynccontextmanager
async def terminal(
    url: str, location: str = "/", size: tuple[int, int] = (120, 40)
) -> AsyncIterator[tuple[HeadwaterApp, Pilot[None]]]:
    """The application at a location, ticking fast."""
    app = HeadwaterApp(RemoteSource(url), location, tick=0.05)
    async with app.run_test(size=size) as pilot:
        yield app, pilot


def text_of(app: HeadwaterApp) -> str:
    """What stands on the screen, line by line, without trailing blanks."""
    # Private: Textual has no public way to read the screen as text.
    strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips) + "\n"


async def shown(app: HeadwaterApp, pilot: Pilot[None], *words: str) -> str:
    """Waits until all words stand on the screen, and gives it; fails with the screen."""
    return await until(app, pilot, lambda text: all(word in text for word in words), " and ".join(words))


async def until(app: HeadwaterApp, pilot: Pilot[None], holds: Callable[[str], bool], what: str = "it") -> str:
    """Waits until the screen's text is as wanted; fails with the screen."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        await pilot.pause()
        text = text_of(app)
        if holds(text):
            return text
        assert time.monotonic() < end, f"{what} did not come; there was\n{text}"
        await asyncio.sleep(0.02)
