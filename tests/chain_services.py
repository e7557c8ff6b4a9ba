"""Three services with one Kafka client each, for ``opentelemetry-instrument python chain_services.py <role> …``.

Not one line of them is about tracing.
"""

import asyncio
import sys

NUMBER = 5
"""Messages that go down the chain."""


async def checkout(address: str, orders: str) -> None:
    """aiokafka: sends orders."""
    from aiokafka import AIOKafkaProducer

    async with AIOKafkaProducer(bootstrap_servers=address) as producer:
        for i in range(NUMBER):
            await producer.send_and_wait(orders, b"%d" % i)


def billing(address: str, orders: str, invoices: str) -> None:
    """confluent-kafka: makes an invoice of each order."""
    from confluent_kafka import Consumer, Producer

    producer = Producer({"bootstrap.servers": address})
    consumer = Consumer(
        {"bootstrap.servers": address, "group.id": "billing", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([orders])
    done = 0
    while done < NUMBER:
        message = consumer.poll(1.0)
        if message is not None and message.error() is None:
            producer.produce(invoices, message.value())
            done += 1
    consumer.close()
    producer.flush(10)


def mailing(address: str, invoices: str, without_headers: bool) -> None:
    """kafka-python: reads the invoices, maybe behind a proxy that lets no headers through."""
    from kafka import KafkaConsumer
    from kafka.consumer import fetcher

    if without_headers:
        made = fetcher.ConsumerRecord
        fetcher.ConsumerRecord = lambda *fields: made(*fields)._replace(headers=[])
    consumer = KafkaConsumer(
        invoices, bootstrap_servers=address, group_id="mailing", auto_offset_reset="earliest"
    )
    for _ in range(NUMBER):
        record = next(consumer)
        assert record.value is not None and bool(record.headers) is not without_headers
    consumer.close()


if __name__ == "__main__":
    role, bootstrap, *topics = sys.argv[1:]
    if role == "checkout":
        asyncio.run(checkout(bootstrap, *topics))
    elif role == "billing":
        billing(bootstrap, *topics)
    else:
        mailing(bootstrap, topics[0], role == "mailing-without-headers")
