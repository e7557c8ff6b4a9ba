"""Plans a parcel for each payment and tells who waits for it."""

import asyncio

from .running import Shop, consumer, producer, run, tracer


async def main() -> None:
    """One parcel and one notification a payment."""
    shop = Shop.from_environment()
    async with producer(shop) as out, consumer(shop, "shipping", "payments") as payments:
        async for record in payments:
            with tracer.start_as_current_span("plan parcel") as span:
                span.set_attribute("shop.items", record.value["items"])
                await asyncio.sleep(0.012)
            message = {"order": record.value["order"], "text": "Your parcel is on its way."}
            await out.send_and_wait("notifications", message, key=str(record.value["order"]))


if __name__ == "__main__":
    run(main())
