"""Writes to customers; with the fault ``stopped-consumer`` it is gone for a while, again and again."""

import asyncio

from .running import Shop, consumer, run, tracer

WORKS_SECONDS, GONE_SECONDS = 20.0, 40.0


async def work(shop: Shop) -> None:
    """One mail a notification."""
    async with consumer(shop, "notifications", "notifications") as messages:
        async for _record in messages:
            with tracer.start_as_current_span("send mail"):
                await asyncio.sleep(0.015)


async def main() -> None:
    """Works on, or comes and goes."""
    shop = Shop.from_environment()
    if "stopped-consumer" not in shop.faults:
        await work(shop)
    while True:
        try:
            async with asyncio.timeout(WORKS_SECONDS):
                await work(shop)
        except TimeoutError:
            await asyncio.sleep(GONE_SECONDS)


if __name__ == "__main__":
    run(main())
