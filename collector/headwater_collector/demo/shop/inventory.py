"""Takes what was paid for off the shelves."""

import asyncio

from opentelemetry.trace import SpanKind

from .running import Shop, consumer, run, tracer


async def main() -> None:
    """One stock movement a payment."""
    shop = Shop.from_environment()
    async with consumer(shop, "inventory", "payments") as payments:
        async for _record in payments:
            with tracer.start_as_current_span("UPDATE shop.stock", kind=SpanKind.CLIENT) as span:
                span.set_attribute("db.system.name", "postgresql")
                span.set_attribute("db.collection.name", "stock")
                await asyncio.sleep(0.008)


if __name__ == "__main__":
    run(main())
