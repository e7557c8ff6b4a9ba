"""Services of frameworks that sit on a Kafka client, for ``opentelemetry-instrument python framework_services.py``.

Every one sends NUMBER messages to a topic and sends one on from the handler of each.
"""

import asyncio
import sys
from typing import Any

NUMBER = 3


async def faststream(address: str, topic: str, own_telemetry: bool = False, batch: bool = False) -> None:
    """FastStream over aiokafka, with its own telemetry where that is asked for."""
    from faststream import FastStream
    from faststream.kafka import KafkaBroker
    from faststream.kafka.opentelemetry import KafkaTelemetryMiddleware

    broker = KafkaBroker(address, middlewares=[KafkaTelemetryMiddleware()] if own_telemetry else [])
    app = FastStream(broker)
    seen = 0

    async def one(body: Any) -> None:
        nonlocal seen
        await broker.publish(body, f"{topic}-next")
        seen += 1
        if seen == NUMBER:
            app.exit()

    async def several(bodies: list[Any]) -> None:
        for body in bodies:
            await one(body)

    subscriber = broker.subscriber(topic, group_id="g", auto_offset_reset="earliest", batch=batch)
    subscriber(several if batch else one)

    async def begin() -> None:
        for i in range(NUMBER):
            await broker.publish(f"{i}", topic)

    app.after_startup(begin)
    await app.run()


def faust(address: str, topic: str) -> None:
    """Faust: its agents run in other tasks, and its consumer in another thread, than what fetches."""
    import faust as framework

    from headwater_instrumentation import process

    app = framework.App("g", broker=f"kafka://{address}", web_enabled=False, topic_partitions=1)
    orders, onward = app.topic(topic, value_type=bytes), app.topic(f"{topic}-next", value_type=bytes)
    seen = 0

    async def handle(stream: Any) -> None:
        nonlocal seen
        async for event in stream.events():
            with process(event.message, group=app.conf.id):
                await onward.send(value=event.value)
            seen += 1
            if seen == NUMBER:
                await worker.stop()

    async def begin() -> None:
        for i in range(NUMBER):
            await orders.send(value=b"%d" % i)

    app.agent(orders)(handle)
    app.task(begin)
    worker = framework.Worker(app, loglevel="WARN", redirect_stdouts=False)
    try:
        worker.execute_from_commandline()
    except SystemExit as left:
        assert not left.code


def kombu(address: str, topic: str) -> None:
    """kombu's transport, which Celery uses: it takes confluent-kafka's names when it is imported."""
    from kombu import Connection

    with Connection(f"confluentkafka://{address}", transport_options={"wait_time_seconds": 1}) as connection:
        queue, onward = connection.SimpleQueue(topic), connection.SimpleQueue(f"{topic}-next")
        for i in range(NUMBER):
            queue.put({"i": i})
        for _ in range(NUMBER):
            message = queue.get(timeout=60)
            onward.put(message.payload)
            message.ack()
        queue.close()
        onward.close()


def avro(address: str, topic: str) -> None:
    """confluent-kafka's serializing classes with Avro, over a schema registry in memory."""
    from confluent_kafka import DeserializingConsumer, SerializingProducer
    from confluent_kafka.schema_registry import SchemaRegistryClient
    from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer

    schema = '{"type": "record", "name": "Order", "fields": [{"name": "i", "type": "int"}]}'
    registry = SchemaRegistryClient.new_client({"url": "mock://"})
    settings = {"bootstrap.servers": address}
    producer = SerializingProducer({**settings, "value.serializer": AvroSerializer(registry, schema)})
    consumer = DeserializingConsumer(
        {
            **settings,
            "group.id": "g",
            "auto.offset.reset": "earliest",
            "value.deserializer": AvroDeserializer(registry, schema),
        }
    )
    for i in range(NUMBER):
        producer.produce(topic, value={"i": i})
    producer.flush(10)
    consumer.subscribe([topic])
    seen = 0
    while seen < NUMBER:
        message = consumer.poll(1.0)
        if message is not None:
            producer.produce(f"{topic}-next", value=message.value())
            seen += 1
    consumer.close()
    producer.flush(10)


if __name__ == "__main__":
    framework, bootstrap, destination = sys.argv[1:]
    if framework.startswith("faststream"):
        asyncio.run(faststream(bootstrap, destination, "telemetry" in framework, "batch" in framework))
    else:
        {"faust": faust, "kombu": kombu, "avro": avro}[framework](bootstrap, destination)
