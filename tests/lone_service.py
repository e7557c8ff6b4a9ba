"""A service that sends and reads with one client; its name is the first argument. Nothing in it is about tracing."""

import asyncio
import sys
from typing import Any

NUMBER = 3


async def aiokafka(address: str, topic: str) -> None:
    """With aiokafka."""
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

    producer = AIOKafkaProducer(bootstrap_servers=address)
    await producer.start()
    for i in range(NUMBER):
        await producer.send_and_wait(topic, b"%d" % i)
    await producer.stop()
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=address, group_id="g", auto_offset_reset="earliest")
    await consumer.start()
    for _ in range(NUMBER):
        say((await consumer.getone()).headers)
    await consumer.stop()


def confluent_kafka(address: str, topic: str) -> None:
    """With confluent-kafka."""
    from confluent_kafka import Consumer, Producer

    producer = Producer({"bootstrap.servers": address})
    for i in range(NUMBER):
        producer.produce(topic, b"%d" % i)
    producer.flush(10)
    consumer = Consumer({"bootstrap.servers": address, "group.id": "g", "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    done = 0
    while done < NUMBER:
        message = consumer.poll(1.0)
        if message is not None and message.error() is None:
            say(message.headers())
            done += 1
    consumer.close()


def kafka_python(address: str, topic: str) -> None:
    """With kafka-python."""
    from kafka import KafkaConsumer, KafkaProducer

    producer = KafkaProducer(bootstrap_servers=address)
    for i in range(NUMBER):
        producer.send(topic, b"%d" % i).get(10)
    producer.close()
    consumer = KafkaConsumer(topic, bootstrap_servers=address, group_id="g", auto_offset_reset="earliest")
    for _ in range(NUMBER):
        say(next(consumer).headers)
    consumer.close()


def say(headers: Any) -> None:
    """The headers of a message, by name."""
    sys.stderr.write(f"headers {sorted(name for name, _ in headers or ())}\n")


if __name__ == "__main__":
    client, bootstrap, destination = sys.argv[1:]
    if client == "aiokafka":
        asyncio.run(aiokafka(bootstrap, destination))
    else:
        {"confluent_kafka": confluent_kafka, "kafka_python": kafka_python}[client](bootstrap, destination)
