"""Which schema a message is written with: read off its first bytes or a header, with and without serializers."""

import json
from typing import Any

import pytest
from kafka.serializer import Deserializer, Serializer

from blocking_helpers import ConfluentRig, KafkaPythonRig, polled, until_now
from headwater_instrumentation import attributes as names
from headwater_instrumentation import process
from headwater_instrumentation.guard import guard
from instrumentation_helpers import Rig, attributes, got

BYTES_16 = bytes(range(16))
GUID = "00010203-0405-0607-0809-0a0b0c0d0e0f"
WITH_SCHEMA = b"\x00\x00\x00\x00\x2a"
SAID = (("42", "wire"),) * 2

VALUES: list[tuple[bytes | None, str | None]] = [
    (WITH_SCHEMA + b"body", "42"),
    (b"\x01" + BYTES_16 + b"body", GUID),
    (b"\x03\x00" + BYTES_16 + b"body", GUID),
    (b"\x03\x05" + BYTES_16 + b"body", GUID),
    (b"\x03\x09" + BYTES_16 + b"body", None),
    (b"\x00\x00\x00\x00\x00body", None),
    (b"\x00\xff\xff\xff\xffbody", None),
    ((1_795_489_201_123).to_bytes(8, "big"), None),
    (b'{"a": 1}', None),
    (WITH_SCHEMA, None),
    (b"", None),
    (None, None),
]
HEADERS: list[tuple[str, bytes, str | None]] = [
    ("__value_schema_id", b"\x01" + BYTES_16, GUID),
    ("apicurio.value.globalId", (7).to_bytes(8, "big"), "7"),
    ("apicurio.value.contentId", (8).to_bytes(8, "big"), "8"),
    ("apicurio.value.globalId", b"7", None),
    ("ce_dataschema", b"https://schemas/orders/1", "https://schemas/orders/1"),
    ("content-type", b"avro/binary+4f2a", "4f2a"),
    ("content-type", b"application/json", None),
    ("__value_schema_id", b"\xff\xfe", None),
]


def told(span: Any) -> tuple[str | None, str | None]:
    said = attributes(span)
    return said.get(names.SCHEMA_ID), said.get(names.SCHEMA_SOURCE)


async def test_values_and_headers_of_every_convention(rig: Rig) -> None:
    producer = await rig.producer()
    for value, _ in VALUES:
        await producer.send_and_wait("orders", value, key=b"k", partition=0)
    for name, header, _ in HEADERS:
        await producer.send_and_wait("orders", b"1", partition=0, headers=[(name, header)])
    consumer = await rig.consumer("orders")
    await got(consumer, len(VALUES) + len(HEADERS))
    await consumer.stop()
    expected = [
        *((found, found and "wire") for _, found in VALUES),
        *((found, found and "header") for _, _, found in HEADERS),
    ]
    assert [told(span) for span in rig.spans("process orders")] == expected
    assert [told(span) for span in rig.spans("send orders")] == expected
    assert not guard.errors


def written(value: dict[str, int]) -> bytes:
    return WITH_SCHEMA + json.dumps(value).encode()


def read(raw: bytes) -> Any:
    return json.loads(raw[5:])


@pytest.mark.parametrize("mode", ["auto", "explicit"])
async def test_aiokafkas_serializers_hide_nothing_and_are_called_once(rig: Rig, mode: str) -> None:
    rig.instrument({"process_span": mode})
    calls: list[str] = []

    def writes(value: Any) -> bytes:
        calls.append("write")
        return written(value)

    def reads(raw: bytes) -> Any:
        calls.append("read")
        return read(raw)

    producer = await rig.producer(value_serializer=writes)
    await producer.send_and_wait("orders", {"a": 1})
    consumer = await rig.consumer("orders", value_deserializer=reads)
    (record,) = await got(consumer, 1)
    assert record.value == {"a": 1}
    with process(record):
        pass
    await consumer.stop()
    assert tuple(told(rig.span(f"{name} orders")) for name in ("send", "process")) == SAID
    assert calls == ["write", "read"]
    assert not guard.errors


def test_confluent_kafkas_values(confluent: ConfluentRig) -> None:
    producer = confluent.producer()
    producer.produce("orders", WITH_SCHEMA + b"body")
    producer.flush(10)
    consumer = confluent.consumer("orders")
    polled(consumer, 1)
    consumer.close()
    assert tuple(told(confluent.span(f"{name} orders")) for name in ("send", "process")) == SAID


class Json(Serializer, Deserializer):  # type: ignore[misc]
    """What kafka-python calls to write and to read."""

    calls: list[str]

    def serialize(self, topic: str, headers: Any, data: Any) -> bytes:
        self.calls.append("write")
        return written(data)

    def deserialize(self, topic: str, headers: Any, data: bytes) -> Any:
        self.calls.append("read")
        return read(data)


def test_kafka_pythons_serializers_hide_nothing_and_are_called_once(kafka_python: KafkaPythonRig) -> None:
    both = Json()
    both.calls = []
    kafka_python.producer(value_serializer=both).send("orders", {"a": 1}).get(10)
    consumer = kafka_python.consumer("orders", value_deserializer=both)
    assert next(consumer).value == {"a": 1}
    consumer.close()
    until_now(lambda: kafka_python.spans("send"))
    assert tuple(told(kafka_python.span(f"{name} orders")) for name in ("send", "process")) == SAID
    assert both.calls == ["write", "read"]
    assert not guard.errors
