"""Charges orders at a card gateway; what times out is tried again later, what is wrong goes to the dead letters."""

import asyncio
import time
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from opentelemetry.trace import SpanKind

from .orders import timeouts_of
from .running import Shop, consumer, mark_failed, marked, producer, run, tracer

ATTEMPTS = 3
DELAYS_SECONDS = (1.5, 3.0)
"""Back-off after the first and the second attempt."""
SLOW_PARTITION = 2
SLOW_SECONDS = 0.6
REPEAT_EVERY = 12
CURRENCIES = ("EUR", "USD", "GBP")


class CardGatewayTimeout(Exception):
    """The gateway did not answer in time."""


class UnknownCurrency(ValueError):
    """The shop takes no such money."""


class InvalidAddress(ValueError):
    """Nothing can be sent there."""


async def charge(shop: Shop, message: dict[str, Any], attempt: int) -> None:
    """One call of the gateway."""
    with tracer.start_as_current_span("POST gateway:443/charge", kind=SpanKind.CLIENT) as span:
        span.set_attribute("server.address", "gateway")
        span.set_attribute("server.port", 443)
        await asyncio.sleep(0.02)
        if "gateway-timeouts" in shop.faults and attempt <= timeouts_of(shop.seed, message["order"]):
            await asyncio.sleep(0.15)
            raise CardGatewayTimeout(f"no answer for order {message['order']} within 150 ms")


async def handle(shop: Shop, record: Any, out: AIOKafkaProducer, attempt: int) -> None:
    """Pays one order, or says where it goes instead."""
    message = record.value
    try:
        if message["amount"] is None:
            raise ValueError(f"amount of order {message['order']} is missing")
        if message["currency"] not in CURRENCIES:
            raise UnknownCurrency(
                f"currency {message['currency']!r} of order {message['order']} is not taken"
            )
        if not message["address"]:
            raise InvalidAddress(f"order {message['order']} of {message['customer']} has no address")
        await charge(shop, message, attempt)
        if (
            "slow-partition" in shop.faults
            and record.partition == SLOW_PARTITION
            and record.topic == "orders"
        ):
            with tracer.start_as_current_span("check for fraud"):
                await asyncio.sleep(SLOW_SECONDS)
        paid = {"order": message["order"], "amount": message["amount"], "items": message["items"]}
        await out.send_and_wait("payments", paid, key=message["customer"])
    except CardGatewayTimeout as error:
        mark_failed(error)
        if attempt < ATTEMPTS:
            headers = marked(record, "retry", "payments", attempt + 1, error, DELAYS_SECONDS[attempt - 1])
            await out.send_and_wait("orders-retry", message, key=message["customer"], headers=headers)
        else:
            headers = marked(record, "dead-letter", "payments", attempt, error)
            await out.send_and_wait("orders-dlq", message, key=message["customer"], headers=headers)
    except ValueError as error:
        mark_failed(error)
        headers = marked(record, "dead-letter", "payments", attempt, error)
        await out.send_and_wait("orders-dlq", message, key=message["customer"], headers=headers)


async def first_attempts(shop: Shop, orders: AIOKafkaConsumer, out: AIOKafkaProducer) -> None:
    """Orders as they come; with the fault ``duplicates`` every few are handed out twice."""
    repeated: set[tuple[int, int]] = set()
    async for record in orders:
        await handle(shop, record, out, 1)
        place = (record.partition, record.offset)
        if "duplicates" in shop.faults and record.offset % REPEAT_EVERY == 5 and place not in repeated:
            repeated.add(place)
            orders.seek(TopicPartition(record.topic, record.partition), record.offset)


async def retries(shop: Shop, again: AIOKafkaConsumer, out: AIOKafkaProducer) -> None:
    """Orders whose turn has come again."""
    async for record in again:
        headers = dict(record.headers)
        due = int(headers.get("headwater-due-ms", b"0")) / 1000
        await asyncio.sleep(max(due - time.time(), 0))
        await handle(shop, record, out, int(headers.get("headwater-attempt", b"2")))


async def main() -> None:
    """First attempts and retries side by side."""
    shop = Shop.from_environment()
    async with (
        producer(shop) as out,
        consumer(shop, "payments", "orders") as orders,
        consumer(shop, "payments-retry", "orders-retry") as again,
        asyncio.TaskGroup() as tasks,
    ):
        tasks.create_task(first_attempts(shop, orders, out))
        tasks.create_task(retries(shop, again, out))


if __name__ == "__main__":
    run(main())
