"""Ending an aiokafka client whatever state its broker is in."""

import asyncio
from collections.abc import Coroutine
from typing import Any

LONGEST_SECONDS = 5.0


async def end(consumer: Any) -> None:
    """Stop a consumer; never raises, never hangs."""
    await ended(consumer.stop())


async def ended(stop: Coroutine[Any, Any, None]) -> None:
    """Let a client stop; never raises, never hangs.

    With the broker away that can take for ever, or end in a CancelledError of aiokafka's own tasks, which
    would end the caller's.
    """
    task = asyncio.ensure_future(stop)
    await asyncio.wait([task], timeout=LONGEST_SECONDS)
    if not task.done():
        task.cancel()
    elif not task.cancelled():
        task.exception()  # looked at, so that it is not reported as forgotten


def cancelled_from_outside() -> bool:
    """Whether a CancelledError caught now is meant for this task, and not one that aiokafka let out."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
