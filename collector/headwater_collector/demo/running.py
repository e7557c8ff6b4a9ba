"""A demo that has been started, and what it waits for."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from headwater_analysis.errors import HeadwaterError
from headwater_analysis.settings import Settings
from headwater_collector.doors import Addresses

from .guide import first_flow
from .services import Services

FIRST_FLOW_SECONDS = 60.0


@dataclass(frozen=True)
class Running:
    """What has been started."""

    settings: Settings
    addresses: Addresses
    services: Services
    ended: asyncio.Event
    """Set by Ctrl-C."""
    data: Path
    kafka: str
    parts: AsyncExitStack
    """What is stopped at the end, in reverse."""

    @property
    def api(self) -> str:
        """URL of the collector."""
        return f"http://{self.addresses.api}"

    async def until(self, over: Callable[[], bool] = lambda: False, deadline: float | None = None) -> None:
        """Waits for Ctrl-C, for something that ends it, or for a moment of time.monotonic."""
        while not (self.ended.is_set() or over() or (deadline and time.monotonic() >= deadline)):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.2):
                    await self.ended.wait()

    def deadline(self) -> float | None:
        """When --seconds from now will have passed."""
        return time.monotonic() + self.settings.seconds if self.settings.seconds else None


async def wait_for_flow(run: Running) -> str | None:
    """The first flow across the shop, None where Ctrl-C came first. Raises HeadwaterError when none comes."""
    deadline = time.monotonic() + FIRST_FLOW_SECONDS
    services = run.services
    while not run.ended.is_set():
        failed = next((name for name, code in services.ended().items() if code != 0), None)
        if failed is not None:
            raise HeadwaterError(f"The shop's service {failed} has ended: {services.last_words()}")
        if time.monotonic() > deadline:
            raise HeadwaterError(
                f"No flow has arrived within {FIRST_FLOW_SECONDS:.0f} s: {services.last_words()}"
            )
        flow = await asyncio.to_thread(first_flow, run.api)
        if flow is not None:
            return flow
        await run.until(deadline=time.monotonic() + 0.2)
    return None
