"""What is recorded only where it is asked for: keys, texts and stacks of errors, a span for every fetch."""

import hashlib
from typing import Any

import pytest
from opentelemetry.trace import SpanKind

from blocking_helpers import ConfluentRig, KafkaPythonRig, polled
from headwater_instrumentation import attributes as names
from headwater_instrumentation import process
from headwater_instrumentation.guard import guard
from instrumentation_helpers import Rig, attributes, got, parent_id

NO_TEXT = b"\xff\xfe"


async def keyed(rig: Rig, key: Any) -> list[dict[str, Any]]:
    """Attributes of a send and a body with a key."""
    producer = await rig.producer()
    await producer.send_and_wait("orders", b"1", key)
    consumer = await rig.consumer("orders")
    await got(consumer, 1)
    await consumer.stop()
    return [dict(attributes(rig.span(f"{name} orders"))) for name in ("send", "process")]


@pytest.mark.parametrize("key", [b"customer-1", NO_TEXT])
async def test_no_key_is_recorded_by_default(rig: Rig, key: bytes) -> None:
    for said in await keyed(rig, key):
        assert not any("key" in name for name in said)
    assert not guard.errors


@pytest.mark.parametrize(("key", "expected"), [(b"customer-1", "customer-1"), (NO_TEXT, None), (b"", "")])
async def test_raw_keys_that_are_text(rig: Rig, key: bytes, expected: str | None) -> None:
    rig.instrument({"capture_key": "raw"})
    for said in await keyed(rig, key):
        assert said.get("messaging.kafka.message.key") == expected
    assert not guard.errors


async def test_hashed_keys_are_the_same_wherever_the_secret_is(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADWATER_KEY_SECRET", "s3cret")
    expected = hashlib.blake2b(b"customer-1", digest_size=8, key=b"s3cret").hexdigest()
    rig.instrument({"capture_key": "hash"})
    for said in await keyed(rig, b"customer-1"):
        assert said[names.KEY_HASH] == expected
        assert "customer-1" not in str(said)


def test_the_other_clients_hash_the_same(
    confluent: ConfluentRig, kafka_python: KafkaPythonRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADWATER_KEY_SECRET", "s3cret")
    expected = hashlib.blake2b(b"customer-1", digest_size=8, key=b"s3cret").hexdigest()
    confluent.instrument({"capture_key": "hash"})
    kafka_python.instrument({"capture_key": "hash"})
    producer = confluent.producer()
    producer.produce("orders", b"1", "customer-1")
    producer.flush(10)
    consumer = confluent.consumer("orders")
    polled(consumer, 1)
    consumer.close()
    pure = kafka_python.producer()
    pure.send("orders", b"1", b"customer-1").get(10)
    pure.close()
    spans = [
        span for rig in (confluent, kafka_python) for span in rig.spans() if span.name.endswith("orders")
    ]
    assert [attributes(span)[names.KEY_HASH] for span in spans] == [expected] * 3


async def test_hashes_without_a_secret_are_refused(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.instrument({"capture_key": "hash"})
    assert "HEADWATER_KEY_SECRET" in caplog.text
    for said in await keyed(rig, b"customer-1"):
        assert not any("key" in name for name in said)


@pytest.mark.parametrize("errors", ["class", "message", "stack"])
async def test_how_much_of_an_error_is_recorded(rig: Rig, errors: str) -> None:
    rig.instrument({"errors": errors})
    producer = await rig.producer()
    await producer.send_and_wait("orders", b"1")
    consumer = await rig.consumer("orders")
    (record,) = await got(consumer, 1)
    with pytest.raises(ValueError), process(record):
        raise ValueError("card 4711")
    await consumer.stop()
    span = rig.span("process orders")
    assert attributes(span)[names.ERROR_TYPE] == "ValueError"
    assert span.status.description == (None if errors == "class" else "card 4711")
    stacks = [dict(event.attributes or {}) for event in span.events]
    if errors != "stack":
        assert stacks == []
        return
    (told,) = stacks
    assert (told["exception.type"], told["exception.message"]) == ("ValueError", "card 4711")
    assert str(told["exception.stacktrace"]).rstrip().endswith("ValueError: card 4711")


async def test_a_span_for_every_fetch(rig: Rig) -> None:
    rig.instrument({"receive_span": "always"})
    producer = await rig.producer()
    for _ in range(2):
        await producer.send_and_wait("orders", b"1", partition=0)
    consumer = await rig.consumer("orders")
    await got(consumer, 2)
    await consumer.stop()
    polls = rig.spans("poll orders")
    assert [attributes(span)[names.OFFSET] for span in polls] == [0, 1]
    assert all(span.kind is SpanKind.CLIENT and len(span.links) == 1 for span in polls)
    assert [parent_id(span) for span in polls] == [None, None]
    assert attributes(polls[0])[names.OPERATION_TYPE] == "receive"
    assert len(rig.spans("process orders")) == 2


async def test_headers_add_at_most_136_bytes(rig: Rig) -> None:
    producer = await rig.producer()
    await producer.send_and_wait("orders", b"1")
    (record,) = await rig.raw("orders")
    assert sum(len(name) + len(value) for name, value in record.headers) <= 136
