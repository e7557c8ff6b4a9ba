"""Takes orders, in bursts, and publishes them sharded by customer."""

import asyncio
import itertools
import math

from opentelemetry.trace import SpanKind

from .orders import order
from .running import Shop, producer, run, tracer

BURST_SECONDS = 30.0
"""Length of one wave of orders: quiet, then thrice the average."""


async def main() -> None:
    """Takes orders until there are no more."""
    shop = Shop.from_environment()
    loop = asyncio.get_running_loop()
    started = loop.time()
    async with producer(shop) as orders:
        for number in itertools.count(1):
            if shop.orders and number > shop.orders:
                return
            message = order(shop.seed, number, "poison" in shop.faults)
            with tracer.start_as_current_span("POST /checkout", kind=SpanKind.SERVER) as span:
                span.set_attribute("http.request.method", "POST")
                span.set_attribute("http.route", "/checkout")
                with tracer.start_as_current_span("price basket"):
                    await asyncio.sleep(0.004)
                await orders.send_and_wait("orders", message, key=message["customer"])
            wave = 1 + 0.9 * math.sin((loop.time() - started) * 2 * math.pi / BURST_SECONDS)
            await asyncio.sleep(1 / (shop.rate * max(wave, 0.15)))


if __name__ == "__main__":
    run(main())
