"""Charges orders at a card gateway; what times out is tried again later, what is wrong goes to the dead letters."""

import asyncio
import time
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from opentelemetry.trace import SpanKind

from .orders import ORDER_PARTITIONS, slow_seconds, timeouts_of
from .running import Shop, consumer, mark_failed, marked, producer, run, tracer

ATTEMPTS = 3
DELAYS_SECONDS = (1.5, 3.0)
"""Back-off after the first and the second attempt, each in a topic of its own: so the order of due times holds."""
LOOK_SECONDS = 0.2
"""How often a retry topic is looked at for records that are due."""
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
            error = CardGatewayTimeout(f"no answer for order {message['order']} within 150 ms")
            span.set_attribute("error.type", type(error).__name__)
            raise error


async def pay(shop: Shop, record: Any, out: AIOKafkaProducer, attempt: int) -> None:
    """Checks an order, charges it and says that it is paid. Raises what is wrong with it."""
    message = record.value
    if message["amount"] is None:
        raise ValueError(f"amount of order {message['order']} is missing")
    if message["currency"] not in CURRENCIES:
        raise UnknownCurrency(f"currency {message['currency']!r} of order {message['order']} is not taken")
    if not message["address"]:
        raise InvalidAddress(f"order {message['order']} of {message['customer']} has no address")
    await charge(shop, message, attempt)
    slow = slow_seconds(record.partition, time.time() - shop.started, shop.rate)
    if "slow-partition" in shop.faults and record.topic == "orders" and slow:
        with tracer.start_as_current_span("check for fraud"):
            await asyncio.sleep(slow)
    paid = {"order": message["order"], "amount": message["amount"], "items": message["items"]}
    await out.send_and_wait("payments", paid, key=message["customer"])


async def handle(shop: Shop, record: Any, out: AIOKafkaProducer, attempt: int) -> None:
    """Pays one order, or says where it goes instead."""
    try:
        await pay(shop, record, out, attempt)
    except (CardGatewayTimeout, ValueError) as error:
        mark_failed(error)
        again = isinstance(error, CardGatewayTimeout) and attempt < ATTEMPTS
        delay = DELAYS_SECONDS[attempt - 1] if again else None
        role, next_attempt = ("retry", attempt + 1) if again else ("dead-letter", attempt)
        headers = marked(record, role, "payments", next_attempt, error, delay)
        topic = f"orders-retry-{attempt}" if again else "orders-dlq"
        await out.send_and_wait(topic, record.value, key=record.value["customer"], headers=headers)


async def first_attempts(shop: Shop, member: int, out: AIOKafkaProducer) -> None:
    """Orders as they come; with the fault ``duplicates`` every few are handed out twice."""
    repeated: set[tuple[int, int]] = set()
    async with consumer(shop, "payments", "orders", client_id=f"payments-{member}") as orders:
        async for record in orders:
            await handle(shop, record, out, 1)
            place = (record.partition, record.offset)
            if "duplicates" in shop.faults and record.offset % REPEAT_EVERY == 5 and place not in repeated:
                repeated.add(place)
                orders.seek(TopicPartition(record.topic, record.partition), record.offset)


async def retries(shop: Shop, attempt: int, out: AIOKafkaProducer) -> None:
    """Orders whose turn has come again. None is taken out before: a record in hand is work, and waiting is not."""
    delay_ms = DELAYS_SECONDS[attempt - 1] * 1000
    place = TopicPartition(f"orders-retry-{attempt}", 0)
    async with consumer(shop, "payments-retry", place.topic, client_id=f"payments-retry-{attempt}") as again:
        while True:
            if place not in again.assignment():
                await asyncio.sleep(LOOK_SECONDS)
                continue
            again.pause(place)
            # Gives nothing while paused; a poll says that the one before is done with.
            await again.getmany(place, timeout_ms=round(LOOK_SECONDS * 1000))
            due = (await again.end_offsets([place]))[place]
            # What was written after this moment is not due yet.
            young = (await again.offsets_for_times({place: int(time.time() * 1000 - delay_ms)}))[place]
            if young is not None:
                due = min(due, young.offset)
            while place in again.assignment() and await again.position(place) < due:
                again.resume(place)
                record = await again.getone(place)
                await handle(shop, record, out, attempt + 1)


async def main() -> None:
    """One member a partition of `orders`, so that a slow one keeps only itself waiting; retries beside them."""
    shop = Shop.from_environment()
    async with producer(shop) as out, asyncio.TaskGroup() as tasks:
        for member in range(ORDER_PARTITIONS):
            tasks.create_task(first_attempts(shop, member, out))
        for attempt in range(1, ATTEMPTS):
            tasks.create_task(retries(shop, attempt, out))


if __name__ == "__main__":
    run(main())
