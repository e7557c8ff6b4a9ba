"""Writes to customers; with the fault ``stopped-consumer`` it gives up after a while."""

import asyncio

from .running import Shop, consumer, run, tracer

STOPS_AFTER_SECONDS = 20.0


async def main() -> None:
    """One mail a notification."""
    shop = Shop.from_environment()
    seconds = STOPS_AFTER_SECONDS if "stopped-consumer" in shop.faults else None
    async with consumer(shop, "notifications", "notifications") as messages:
        try:
            async with asyncio.timeout(seconds):
                async for _record in messages:
                    with tracer.start_as_current_span("send mail"):
                        await asyncio.sleep(0.015)
        except TimeoutError:
            return


if __name__ == "__main__":
    run(main())
